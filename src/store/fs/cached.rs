//! Reading what the page cache has, at once and without blocking: a small content that is in
//! memory need not wait for another thread to look at it.
//!
//! `None` or an error means that it cannot be done this way, for whatever reason: then read where
//! blocking is allowed, which also finds out what is wrong if something is.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a file whose path the kernel has in memory.
#[cfg(target_os = "linux")]
pub(super) fn open(path: &Path) -> Option<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?;
    Some(file.into())
}

/// Reads from `position` on.
#[cfg(target_os = "linux")]
pub(super) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let buffer = &mut [io::IoSliceMut::new(buffer)];
    Ok(preadv2(file, buffer, position, ReadWriteFlags::NOWAIT)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open(_: &Path) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}
