//! The rows that are measured over HTTP.

use std::time::Instant;

use crate::load::{self, Requests, http2_rate, installed, put, put_at_once, put_in_parts};
use crate::resources;
use crate::row::Table;
use crate::servers::{NginxServer, Servers};
use crate::site::{Nginx, SIZES, Site};

const KIBIBYTE: usize = 1024;
const MEBIBYTE: usize = 1024 * KIBIBYTE;

/// The number of connections, unless a row says otherwise.
const CONNECTIONS: u32 = 64;

pub(crate) fn measure(table: &Table) {
    // The load has this core, the servers the other.
    load::run_on("1");
    let site = Site::new();
    let mut servers = Servers::new(&site);
    let ours = servers.start("fs");
    let nginx = servers.start_nginx();
    let hello = format!("{}/hello", servers.start("hello").address);
    let serve_dir = servers.start("serve-dir").address;

    mints(table, &mut servers, &ours.address, &hello);
    let rows = Rows {
        table,
        ours: &ours.address,
        nginx: &nginx,
        serve_dir: &serve_dir,
    };
    rows.small_downloads(&mut servers, &hello);
    rows.downloads_in_turn();
    rows.large_downloads();
    rows.http2(&mut servers);
    rows.connections(&hello);
    rows.throughput();
    rows.uploads(&site);
    rows.durable_uploads(&site, &mut servers);
    rows.uploads_in_parts(&site, &mut servers);
    resources::measure(table, &mut servers);
    #[cfg(feature = "object-store-aws")]
    crate::bucket::measure(table, &mut servers);
    #[cfg(not(feature = "object-store-aws"))]
    println!("no bucket is measured without the feature object-store-aws");
    // Last, since the peak is that of the whole run.
    memory(table, &site, &ours.address, ours.pid);
    // All that there are.
    load::run_on("0-1023");
}

fn mints(table: &Table, servers: &mut Servers<'_>, ours: &str, hello: &str) {
    for (kind, repository, goal) in [
        ("memory", "a repository in memory", 0.85),
        ("fs", "FsRepository", 0.7),
        ("composed", "Composed, a catalog in memory", 0.8),
    ] {
        let name = format!("mint ({repository}) : hello world");
        if !table.wants(&name) {
            continue;
        }
        let server = match kind {
            "fs" => ours.to_owned(),
            kind => servers.start(kind).address,
        };
        let url = format!("{server}/fhir/Binary/1k/$presigned-url");
        let (mints, hellos) = (
            Requests::of(&url, CONNECTIONS),
            Requests::of(hello, CONNECTIONS),
        );
        table.ratio(&name, Some(goal), "requests/s", || {
            (mints.rate(), hellos.rate())
        });
    }
}

struct Rows<'a> {
    table: &'a Table,
    ours: &'a str,
    nginx: &'a NginxServer,
    serve_dir: &'a str,
}

impl Rows<'_> {
    fn get(&self, name: &str, goal: Option<f64>, ours: &str, theirs: &str) {
        let (ours, theirs) = (
            Requests::of(ours, CONNECTIONS),
            Requests::of(theirs, CONNECTIONS),
        );
        self.table
            .ratio(name, goal, "requests/s", || (ours.rate(), theirs.rate()));
    }

    fn small_downloads(&self, servers: &mut Servers<'_>, hello: &str) {
        let ours = Site::signed(self.ours, "1k");
        let plain = Nginx::Plain.signed(&self.nginx.plain, "1k");
        let kept_open = Nginx::KeptOpen.signed(&self.nginx.plain, "1k");
        let serve_dir = format!("{}/1k", self.serve_dir);
        let constant = format!("{}/1k", servers.start("constant").address);
        self.get("GET 1k : nginx", Some(1.2), &ours, &plain);
        let name = "GET 1k : nginx, open_file_cache";
        self.get(name, Some(1.0), &ours, &kept_open);
        let name = "GET 1k : a handler that returns constants";
        self.get(name, Some(0.9), &ours, &constant);
        self.get("GET 1k : hello world", Some(0.45), &ours, hello);
        self.get("GET 1k : ServeDir", Some(1.3), &ours, &serve_dir);
        self.get("that handler : nginx", None, &constant, &plain);
    }

    fn downloads_in_turn(&self) {
        for (count, nginx, name, goal) in [
            (200, Nginx::Plain, "nginx", 1.1),
            (5000, Nginx::Plain, "nginx", 1.1),
            (5000, Nginx::KeptOpen, "nginx, open_file_cache", 0.85),
        ] {
            let ours = Site::signed_in_turn(self.ours, count);
            let theirs = nginx.signed_in_turn(&self.nginx.plain, count);
            let (ours, theirs) = (
                Requests::in_turn(&ours, CONNECTIONS),
                Requests::in_turn(&theirs, CONNECTIONS),
            );
            let row = format!("GET 1k, {count} files in turn : {name}");
            self.table.ratio(&row, Some(goal), "requests/s", || {
                (ours.rate(), theirs.rate())
            });
            if matches!(nginx, Nginx::Plain) && count == 5000 {
                let row = "99th percentile of nginx, 5,000 files in turn : ours, time";
                self.table
                    .ratio(row, Some(1.0), "ms", || (theirs.p99(), ours.p99()));
            }
        }
    }

    fn large_downloads(&self) {
        for (size, nginx_goal, serve_dir_goal) in [("100k", 1.0, 1.3), ("10m", 2.0, 1.1)] {
            let ours = Site::signed(self.ours, size);
            let nginx = Nginx::Plain.signed(&self.nginx.plain, size);
            let name = format!("GET {size} : nginx");
            self.get(&name, Some(nginx_goal), &ours, &nginx);
            let serve_dir = format!("{}/{size}", self.serve_dir);
            let name = format!("GET {size} : ServeDir");
            self.get(&name, Some(serve_dir_goal), &ours, &serve_dir);
        }
    }

    /// In cleartext, and over TLS 1.3.
    fn http2(&self, servers: &mut Servers<'_>) {
        let tls = servers.start("tls").address;
        for (size, goal) in [("1k", 1.0), ("10m", 1.0)] {
            let name = format!("GET {size}, TLS : nginx, open_file_cache");
            let theirs = Nginx::KeptOpen.signed(&self.nginx.tls, size);
            self.get(&name, Some(goal), &Site::signed(&tls, size), &theirs);
        }
        if !installed("h2load") {
            println!("nothing is measured over HTTP/2 without h2load");
            return;
        }
        for (ours, theirs, protocol, goals) in [
            (self.ours, &self.nginx.http2, "HTTP/2", [1.5, 1.5, 1.0]),
            (&tls, &self.nginx.tls, "HTTP/2, TLS", [1.0, 1.0, 1.0]),
        ] {
            for (size, goal) in ["1k", "100k", "10m"].into_iter().zip(goals) {
                let name = format!("GET {size}, {protocol} : nginx, open_file_cache");
                let ours = Site::signed(ours, size);
                let theirs = Nginx::KeptOpen.signed(theirs, size);
                // Of too many large ones at once, none would end while they are counted.
                let (connections, streams) = if size == "10m" { (4, 1) } else { (16, 10) };
                let rate = |url| http2_rate(url, connections, streams);
                self.table.ratio(&name, Some(goal), "requests/s", || {
                    (rate(&ours), rate(&theirs))
                });
            }
        }
    }

    fn connections(&self, hello: &str) {
        let ours = Site::signed(self.ours, "1k");
        for (what, url, goal) in [("GET 1k", &*ours, Some(0.85)), ("hello world", hello, None)] {
            let (many, few) = (Requests::of(url, 1024), Requests::of(url, CONNECTIONS));
            let name = format!("{what}, 1,024 connections : 64");
            self.table
                .ratio(&name, goal, "requests/s", || (many.rate(), few.rate()));
        }
    }

    /// Lines for the graph.
    fn throughput(&self) {
        if !self.table.wants("throughput") {
            return;
        }
        for (name, size) in SIZES {
            let urls = [
                ("tower-presign", Site::signed(self.ours, name)),
                ("nginx", Nginx::Plain.signed(&self.nginx.plain, name)),
                (
                    "nginx, open_file_cache",
                    Nginx::KeptOpen.signed(&self.nginx.plain, name),
                ),
                ("ServeDir", format!("{}/{name}", self.serve_dir)),
            ];
            let requests = urls.map(|(server, url)| (server, Requests::of(&url, CONNECTIONS)));
            let mut rates = requests.each_ref().map(|_| Vec::new());
            for _ in 0..3 {
                for ((_, requests), rates) in requests.iter().zip(&mut rates) {
                    rates.push(requests.rate());
                }
            }
            for ((server, _), mut rates) in requests.iter().zip(rates) {
                rates.sort_by(f64::total_cmp);
                #[expect(clippy::cast_precision_loss, reason = "at most 10 MiB")]
                let mebibytes = rates[1] * size as f64 / MEBIBYTE as f64;
                println!("throughput\t{size}\t{server}\t{mebibytes:.1} MiB/s");
            }
        }
    }

    fn uploads(&self, site: &Site) {
        for (name, size, count, goal) in [
            ("1k", KIBIBYTE, 2000, 1.0),
            ("10m", 10 * MEBIBYTE, 20, 2.0),
            ("1g", 1024 * MEBIBYTE, 1, 2.0),
        ] {
            let remove_large = || {
                if size > KIBIBYTE {
                    site.remove_uploads();
                }
            };
            let name = format!("PUT {name} : nginx dav, without fsync");
            self.table.ratio(&name, Some(goal), "uploads/s", || {
                remove_large();
                let ours = put(self.ours, &site.write_targets("fs", count), size);
                remove_large();
                (
                    ours,
                    put(&self.nginx.plain, &site.nginx_targets(count), size),
                )
            });
        }
    }

    /// The disk is asked for the same without a server: files that are written, flushed and moved,
    /// each into a folder that is flushed, by as many threads as there are clients.
    fn durable_uploads(&self, site: &Site, servers: &mut Servers<'_>) {
        const CLIENTS: usize = 16;
        let name = "PUT 1k with fsync, 16 clients : what the disk allows";
        if !self.table.wants(name) {
            return;
        }
        let server = servers.start("fsync").address;
        self.table.ratio(name, None, "uploads/s", || {
            let targets = site.write_targets("fsync", 160);
            let ours = put_at_once(&server, &targets, KIBIBYTE, CLIENTS);
            (ours, flushed_files(site, 160, CLIENTS))
        });
    }

    fn uploads_in_parts(&self, site: &Site, servers: &mut Servers<'_>) {
        const SIZE: usize = 1024 * MEBIBYTE;
        let name = "PUT 1g in parts of 16 MiB : PUT 1g";
        if !self.table.wants(name) {
            return;
        }
        let server = servers.start("resumable").address;
        let targets = || {
            site.remove_uploads();
            site.write_targets("resumable", 1)
        };
        self.table.ratio(name, Some(0.9), "MiB/s", || {
            let parts = put_in_parts(&server, &targets()[0], SIZE, 16 * MEBIBYTE);
            (1024.0 * parts, 1024.0 * put(&server, &targets(), SIZE))
        });
    }
}

fn flushed_files(site: &Site, count: usize, threads: usize) -> f64 {
    let folder = tempfile::tempdir_in(site.folder()).expect("a folder");
    let write = |number: usize| {
        let target = folder.path().join(number.to_string());
        std::fs::create_dir(&target)?;
        let staged = folder.path().join(format!("{number}.new"));
        std::fs::write(&staged, [0x5a; KIBIBYTE])?;
        std::fs::File::open(&staged)?.sync_all()?;
        std::fs::rename(&staged, target.join("file"))?;
        std::fs::File::open(&target)?.sync_all()
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let write = &write;
            scope.spawn(move || {
                for number in (thread..count).step_by(threads) {
                    write(number).expect("a file");
                }
            });
        }
    });
    load::per_second(count, start)
}

fn memory(table: &Table, site: &Site, ours: &str, pid: u32) {
    const SIZE: usize = 256 * MEBIBYTE;
    let name = "peak memory, 64 downloads and 16 uploads of 256 MiB";
    table.at_most(name, 96.0, "MiB", || {
        let targets = site.write_targets("fs", 17);
        let (source, uploads) = targets.split_first().expect("17 targets");
        put(ours, std::slice::from_ref(source), SIZE);
        std::thread::scope(|scope| {
            for _ in 0..64 {
                let target = Site::read_target_of(source);
                scope.spawn(move || load::get(ours, &target, SIZE));
            }
            for upload in uploads {
                scope.spawn(|| put(ours, std::slice::from_ref(upload), SIZE));
            }
        });
        load::peak_memory(pid)
    });
}
