//! The demo page of the example server, in a real browser. The tests themselves are beside the
//! folder's `package.json`, in JavaScript, one file a subject.
//!
//! They need node, Chromium, and `npm ci` in `tests/browser`. Where one of these is missing they
//! are skipped, unless `PRESIGN_REQUIRE_ALL` is set.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{example, skip};

/// The folder that Python's clients are installed in.
const PYTHON: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/python");

#[test]
fn files_are_uploaded() {
    run("upload.test.mjs");
}

#[test]
fn clients_of_tus_use_what_is_announced() {
    run("tus.test.mjs");
}

#[test]
fn long_files_go_in_parts() {
    run("parts.test.mjs");
}

#[test]
fn content_is_shown() {
    run("content.test.mjs");
}

#[test]
fn resources_have_urls() {
    run("documents.test.mjs");
}

#[test]
fn write_urls_can_be_tried_by_hand() {
    run("writing.test.mjs");
}

#[test]
fn urls_expire() {
    run("expiry.test.mjs");
}

#[test]
fn uploaded_scripts_do_not_run() {
    run("scripts.test.mjs");
}

#[test]
fn another_server_can_be_used() {
    run("origins.test.mjs");
}

/// In Chromium, Firefox and `WebKit`.
#[test]
fn three_engines_show_content_and_run_no_script_of_it() {
    for driver in ["chromedriver", "firefox-esr", "WebKitWebDriver", "Xvfb"] {
        if on_path(&[driver]).is_none() {
            skip::skip(format_args!("engines.test.mjs: there is no {driver}"));
            return;
        }
    }
    run("engines.test.mjs");
}

/// By clients in node, Chromium, Python and a shell, directly and behind nginx.
#[test]
fn uploads_in_parts_survive_a_hundred_cuts() {
    let mut needed = ["curl", "nginx", "python3"].into_iter();
    if let Some(missing) = needed.find(|name| on_path(&[name]).is_none()) {
        skip::skip(format_args!("resumable.test.mjs: there is no {missing}"));
    } else if !Path::new(PYTHON).join("tusclient").exists() {
        skip::skip("resumable.test.mjs: there is no tuspy, which .ci/run installs");
    } else {
        run("resumable.test.mjs");
    }
}

#[test]
fn keyboard_and_screen_reader_are_enough() {
    run("accessibility.test.mjs");
}

/// Runs one file of tests.
fn run(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let chromium = match chromium(&folder) {
        Ok(chromium) => chromium,
        Err(missing) => {
            skip::skip(format_args!("{name}: {missing}"));
            return;
        }
    };
    let server = example::example(Path::new("."));
    let output = Command::new("node")
        .args(["--test", "--test-reporter", "spec", name])
        .current_dir(&folder)
        .env("CHROMIUM", chromium)
        .env("EXAMPLE_SERVER", server.as_std().get_program())
        .env("PYTHONPATH", PYTHON)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// The path of Chromium, if all that is needed is there.
fn chromium(folder: &Path) -> Result<PathBuf, &'static str> {
    on_path(&["node"]).ok_or("there is no node")?;
    if !folder.join("node_modules").exists() {
        return Err("run `npm ci` in tests/browser first");
    }
    on_path(&["chromium", "chromium-browser", "google-chrome"]).ok_or("there is no Chromium")
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let candidates =
        env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    candidates.into_iter().find(|candidate| candidate.is_file())
}
