//! The layer over HTTP, beside nginx and tower-http on the same machine: the server on one core,
//! the load on another, in rounds taken in turn, so that only the ratios count.
//!
//! Needs `wrk` and `nginx` (both Debian packages); without them it says so and measures nothing.
//!
//! ```text
//! cargo bench --bench serving
//! ```

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("serving: needs Linux");
}

#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod servers;

#[cfg(target_os = "linux")]
fn main() {
    use load::{Row, installed};
    use servers::Site;

    const SIZE: usize = 256 * 1024 * 1024;

    if let Ok(kind) = std::env::var("SERVE") {
        return servers::run(&kind);
    }
    for tool in ["wrk", "nginx", "taskset"] {
        if !installed(tool) {
            println!("serving: {tool} is not installed, nothing measured");
            return;
        }
    }
    // The load has this core, the servers the other.
    load::pin_to_core(1);
    let site = Site::new();
    let ours = servers::start("fs", &site);
    let (ours, pid) = (ours.address, ours.pid);
    let memory = servers::start("memory", &site).address;
    let hello = servers::start("hello", &site).address;
    let serve_dir = servers::start("serve-dir", &site).address;
    let nginx = servers::start_nginx(&site);

    let hello_url = format!("{hello}/hello");
    let mint = format!("{memory}/fhir/Binary/1k/$presigned-url");
    Row::new("mint, against hello world", ">= 0.75 x").get(&mint, &hello_url, 64);

    for (name, against_nginx, against_serve_dir) in [
        ("1k", ">= 1.0 x", ""),
        ("100k", ">= 0.8 x", ">= 1.3 x"),
        ("10m", ">= 0.8 x", ">= 1.1 x"),
    ] {
        let url = Site::signed(&ours, name);
        Row::new(&format!("GET {name}, against nginx"), against_nginx).get(
            &url,
            &Site::nginx_signed(&nginx, name),
            64,
        );
        Row::new(&format!("GET {name}, against ServeDir"), against_serve_dir).get(
            &url,
            &format!("{serve_dir}/{name}"),
            64,
        );
    }
    let small = Site::signed(&ours, "1k");
    Row::new("GET 1k, against nginx with open_file_cache", "none").get(
        &small,
        &Site::nginx_signed_kept_open(&nginx, "1k"),
        64,
    );
    Row::new("GET 1k, 200 files in turn, against nginx", "none").get_in_turn(
        &Site::signed_in_turn(&ours),
        &Site::nginx_signed_in_turn(&nginx),
        64,
    );
    let constant = format!("{}/1k", servers::start("constant", &site).address);
    Row::new("a constant of 1 KiB, against nginx", "none").get(
        &constant,
        &Site::nginx_signed(&nginx, "1k"),
        64,
    );
    Row::new("GET 1k, against the constant", "none").get(&small, &constant, 64);
    Row::new("GET 1k, against hello world", ">= 0.45 x").get(&small, &hello_url, 64);
    Row::new("GET 1k, 1,024 connections against 64", ">= 0.8 x").connections(&small, 1024, 64);
    Row::new("hello world, 1,024 connections against 64", "none").connections(&hello_url, 1024, 64);

    uploads(&site, &ours, &nginx);

    // Last, since the peak is that of the whole run.
    let [source, uploads @ ..] = &site.write_targets(17)[..] else {
        unreachable!("17 targets");
    };
    load::memory(
        "64 downloads and 16 uploads of 256 MiB",
        "<= 96 MiB",
        pid,
        || {
            load::put(&ours, std::slice::from_ref(source), SIZE);
            std::thread::scope(|scope| {
                for _ in 0..64 {
                    let target = Site::read_target_of(source);
                    let ours = &ours;
                    scope.spawn(move || load::get(ours, &target, SIZE));
                }
                for upload in uploads {
                    scope.spawn(|| load::put(&ours, std::slice::from_ref(upload), SIZE));
                }
            });
        },
    );
}

#[cfg(target_os = "linux")]
fn uploads(site: &servers::Site, ours: &str, nginx: &str) {
    for (size, count, target) in [
        (1024, 2000, ">= 0.8 x"),
        (10 * 1024 * 1024, 20, ">= 1.2 x"),
        (1024 * 1024 * 1024, 1, ">= 1.4 x"),
    ] {
        let remove_large = || {
            if size > 1024 {
                site.remove_uploads();
            }
        };
        load::Row::new(&format!("PUT of {size} bytes, against nginx"), target).put(
            || {
                remove_large();
                site.write_targets(count)
            },
            ours,
            || {
                remove_large();
                site.nginx_targets(count)
            },
            nginx,
            size,
        );
    }
}
