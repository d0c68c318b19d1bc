//! Reading from the page cache, at once and without blocking: a small content that is in memory
//! need not wait for another thread.
//!
//! `None` or an error means that it cannot be done this way, for whatever reason. Then read where
//! blocking is allowed: that also reports the error, if there is one.

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::fs::OFlags;
#[cfg(target_os = "linux")]
use rustix::io::Errno;

/// More than a short file has, in bytes.
const SHORT: usize = 1024;

/// True if the files of a folder are on a disk of this machine, so that opening, examining and
/// closing one depends on nobody else. A file system that is not known to be local counts as
/// remote: behind FUSE, NFS or SMB even opening a file whose path is in memory takes as long as the
/// other side likes.
#[cfg(target_os = "linux")]
pub(super) fn is_local(folder: &Path) -> bool {
    // From linux/magic.h; those of bcachefs and ZFS from their own sources. Files written to an
    // overlay are in its upper layer, which cannot be remote.
    const LOCAL: [u32; 8] = [
        0xef53,      // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683e, // Btrfs
        0x0102_1994, // tmpfs
        0xf2f5_2010, // F2FS
        0x794c_7630, // overlayfs
        0x2fc1_2fc1, // ZFS
        0xca45_1a4e, // bcachefs
    ];
    let Ok(status) = rustix::fs::statfs(folder) else {
        return false;
    };
    LOCAL
        .iter()
        .any(|magic| i128::from(status.f_type) == i128::from(*magic))
}

#[cfg(target_os = "linux")]
fn open_as(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{CWD, Mode, ResolveFlags, openat2};
    let flags = flags | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)
}

/// Opens a file whose path the kernel has in memory.
#[cfg(target_os = "linux")]
pub(super) fn open(path: &Path) -> Option<File> {
    Some(open_as(path, OFlags::RDONLY).ok()?.into())
}

/// Reads a short file whose path and content the kernel has in memory.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path).ok_or(io::ErrorKind::WouldBlock)?;
    let mut bytes = vec![0; SHORT];
    let length = read_at(&file, &mut bytes, 0)?;
    if length == bytes.len() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// True if there is a file, false if the kernel knows that there is none.
#[cfg(target_os = "linux")]
pub(super) fn exists(path: &Path) -> io::Result<bool> {
    match open_as(path, OFlags::PATH) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads from `position` on.
#[cfg(target_os = "linux")]
pub(super) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let buffer = &mut [io::IoSliceMut::new(buffer)];
    Ok(preadv2(file, buffer, position, ReadWriteFlags::NOWAIT)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_local(_: &Path) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open(_: &Path) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn exists(_: &Path) -> io::Result<bool> {
    Err(io::ErrorKind::WouldBlock.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}
