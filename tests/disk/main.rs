//! `FsRepository` and its disk: one that fails, one that is full, one that loses its power, and
//! files that stay open.

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod errors;
mod full;
mod injection;
mod open_files;
mod power_loss;
mod recorder;
mod unflushable;

use tokio::sync::Mutex;

/// One test at a time: it is this process as a whole whose system calls fail, and a process that
/// is being started, such as `mount` or `strace`, has for a moment everything open that this one
/// has, so that what was removed still takes room.
static TURN: Mutex<()> = Mutex::const_new(());

/// Lazily: a thread may still have a file open, above all when a test has failed.
fn unmount(path: &std::path::Path) {
    let umount = std::process::Command::new("umount")
        .arg("--lazy")
        .arg(path)
        .status();
    let is_done = umount.is_ok_and(|status| status.success());
    assert!(is_done || std::thread::panicking(), "it stays mounted");
}
