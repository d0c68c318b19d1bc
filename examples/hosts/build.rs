//! The tests of the contract are the suite's own, and can only be ignored at compile time.

fn main() {
    const POSTGRESQL: &str = "/usr/lib/postgresql";
    println!("cargo::rustc-check-cfg=cfg(postgresql)");
    println!("cargo::rerun-if-changed={POSTGRESQL}");
    if std::path::Path::new(POSTGRESQL).exists() {
        println!("cargo::rustc-cfg=postgresql");
    }
}
