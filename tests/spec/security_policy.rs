//! SECURITY.md names tests that exist, and those that plain `cargo test` leaves out.

use std::fs::read_to_string;
use std::path::Path;

#[test]
fn every_test_that_the_security_policy_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policy = read_to_string(root.join("SECURITY.md")).unwrap();
    let manifest = read_to_string(root.join("Cargo.toml")).unwrap();
    let mut promises = 0;
    for row in policy.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.split('|').collect();
        // Other tables name no files.
        let Some(held_by) = cells.get(2).filter(|cell| cell.contains(".rs`")) else {
            continue;
        };
        promises += 1;
        let (mut file, mut tests) = ("", 0);
        let mut source = String::new();
        for quoted in held_by.split('`').skip(1).step_by(2) {
            // No test's name has a dot.
            if quoted.contains('.') {
                file = quoted;
                source = read_to_string(root.join("tests").join(file)).unwrap();
                let (binary, _) = file.split_once('/').unwrap();
                let is_left_out = needs_features(&manifest, binary);
                let is_marked = held_by.contains("with all features: ");
                assert_eq!(is_left_out, is_marked, "{file}");
            } else {
                tests += 1;
                let test = format!("fn {quoted}(");
                assert!(source.contains(&test), "{file} has no {quoted}");
            }
        }
        assert!(tests > 0, "a promise that no test holds: {row}");
    }
    assert!(promises > 20, "the table of promises is not found");
}

/// True if Cargo leaves the test binary out unless it is given some features.
fn needs_features(manifest: &str, binary: &str) -> bool {
    let name = format!("name = \"{binary}\"");
    manifest
        .split("\n[")
        .filter(|section| section.starts_with("[test]]"))
        .any(|section| section.contains(&name) && section.contains("required-features"))
}
