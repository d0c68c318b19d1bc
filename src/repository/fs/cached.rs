//! Reading what the page cache has, at once and without blocking: a small content that is in
//! memory need not wait for another thread to look at it.
//!
//! `None` means that it cannot be done this way, for whatever reason: then read where blocking is
//! allowed, which also finds out what is wrong if something is.

use std::fs::File;
use std::path::Path;

use bytes::Bytes;

/// Opens a file whose path the kernel has in memory.
#[cfg(target_os = "linux")]
pub(super) fn open(path: &Path) -> Option<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?;
    Some(file.into())
}

/// All `length` bytes from `position` on.
#[cfg(target_os = "linux")]
pub(super) fn read(file: &File, position: u64, length: u64) -> Option<Bytes> {
    use rustix::io::{ReadWriteFlags, preadv2};
    use std::io::IoSliceMut;
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut [IoSliceMut::new(&mut bytes[filled..])];
        let count = preadv2(file, rest, position + filled as u64, ReadWriteFlags::NOWAIT).ok()?;
        if count == 0 {
            return None;
        }
        filled += count;
    }
    Some(bytes.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open(_: &Path) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn read(_: &File, _: u64, _: u64) -> Option<Bytes> {
    None
}
