//! Memory for what is read of a file, used again and again.
//!
//! Freshly allocated memory has to be cleared, and where glibc gives it back to the system each
//! time, also to be provided anew: that takes longer than reading a file that is in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// What is read at once of what is long, in bytes. Where a client does not read, the server has two
/// of these in memory: hyper asks for the next before it may send the last (HTTP/2).
pub(super) const CHUNK: usize = 64 * 1024;

/// How many are kept to be used again: as many as some downloads at full speed take.
const MAX_KEPT: usize = 64;

static KEPT: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// Memory of [`CHUNK`] bytes, which is kept when this is dropped.
pub(super) struct Chunk {
    memory: Box<[u8]>,
    /// How many bytes of it are content.
    length: usize,
}

impl Chunk {
    /// Whatever was in it before is still there.
    pub(super) fn new() -> Self {
        let kept = kept().pop();
        Self {
            memory: kept.unwrap_or_else(|| vec![0; CHUNK].into()),
            length: 0,
        }
    }

    pub(super) fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// Its first `length` bytes, and nothing of the others.
    pub(super) fn into_bytes(mut self, length: usize) -> Bytes {
        self.length = length;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut kept = kept();
        if kept.len() < MAX_KEPT {
            kept.push(std::mem::take(&mut self.memory));
        }
    }
}

fn kept() -> MutexGuard<'static, Vec<Box<[u8]>>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}
