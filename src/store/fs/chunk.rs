//! Memory for the bytes read of a file, used again and again.
//!
//! Freshly allocated memory has to be cleared. If glibc gives it back to the system each time, the
//! system must also provide it anew. That takes longer than reading a file that is in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// The length of one read of long content, in bytes. If a client does not read, the server has two
/// of these in memory: hyper asks for the next before it may send the last (HTTP/2).
pub(super) const CHUNK: usize = 64 * 1024;

/// The number of chunks that are kept to be used again: as many as some downloads at full speed
/// take.
const MAX_KEPT: usize = 64;

static KEPT: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// Memory of [`CHUNK`] bytes, which is kept when this is dropped.
pub(super) struct Chunk {
    memory: Box<[u8]>,
    /// The number of its bytes that are content.
    length: usize,
}

impl Chunk {
    /// The bytes that were in it before are still there.
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
