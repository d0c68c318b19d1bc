//! Runs the targets over their corpora, without a fuzzer.

use std::fs;
use std::path::Path;

use tower_presign_fuzz::TARGETS;

#[test]
fn every_target_holds_for_its_corpus() {
    for (name, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // Shown if the target panics.
            println!("{}", path.display());
            run(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", folder.display());
    }
}
