//! The layer over HTTP, beside nginx and tower-http on the same machine: the server on one core,
//! the load on another, in rounds taken in turn, so that only the ratios count.
//!
//! Needs `nginx` and `wrk`, and for HTTP/2 `h2load` (Debian: `nginx wrk nghttp2-client`); rows whose
//! tool is missing are left out with a word. Prints each row with its goal, and a summary.
//!
//! ```text
//! cargo bench --bench serving                  # eleven minutes
//! cargo bench --all-features --bench serving   # also a bucket, with s3s-fs as its store
//! cargo bench --bench serving -- "GET 1k"      # the rows whose names contain this
//! cargo bench --bench serving -- throughput | python3 benches/serving/graph.py > docs/throughput.svg
//! PRESIGN_BENCH_BINARIES=1000000 cargo bench --bench serving -- Binaries
//! ```

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("serving: needs Linux");
}

#[cfg(all(target_os = "linux", feature = "object-store-aws"))]
mod bucket;
#[cfg(target_os = "linux")]
mod growth;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod resources;
#[cfg(target_os = "linux")]
mod row;
#[cfg(target_os = "linux")]
mod rows;
#[cfg(all(target_os = "linux", feature = "object-store-aws"))]
#[path = "../support/store.rs"]
mod s3;
#[cfg(target_os = "linux")]
#[path = "../support/search.rs"]
mod search;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod site;

#[cfg(target_os = "linux")]
fn main() {
    if let Ok(kind) = std::env::var("SERVE") {
        return servers::run(&kind);
    }
    let table = row::Table::of_arguments();
    let missing: Vec<_> = ["wrk", "nginx", "taskset", "setpriv", "openssl", "python3"]
        .into_iter()
        .filter(|tool| !load::installed(tool))
        .collect();
    if missing.is_empty() {
        rows::measure(&table);
    } else {
        println!("nothing is measured over HTTP without {missing:?}");
    }
    // Last, since it deletes thousands of files: for up to five minutes, ext4 passes over the inodes
    // of what was deleted when it looks for a free one, and each creation takes longer.
    growth::measure(&table);
    table.summarise();
}
