//! Memory for the bytes read of a file, used again and again.
//!
//! Freshly allocated memory has to be cleared. If glibc gives it back to the system each time, the
//! system must also provide it anew. That takes longer than reading a file that is in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// The length of one read of long content, in bytes. If a client does not read, the server has two
/// of these in memory: hyper asks for the next before it may send the last (HTTP/2).
pub(super) const CHUNK: usize = 64 * 1024;

/// Up to this length, in bytes, content is read at once, as a whole.
pub(super) const WHOLE: usize = 128 * 1024;

/// The bytes of each pool that are kept to be used again: as many as some downloads at full speed
/// take.
const MAX_KEPT: usize = 4 * 1024 * 1024;

/// Memory of one length.
struct Pool {
    length: usize,
    kept: Mutex<Vec<Box<[u8]>>>,
}

static CHUNKS: Pool = Pool::of(CHUNK);
static WHOLES: Pool = Pool::of(WHOLE);

impl Pool {
    const fn of(length: usize) -> Self {
        Self {
            length,
            kept: Mutex::new(Vec::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory that is kept when this is dropped.
pub(super) struct Chunk {
    pool: &'static Pool,
    memory: Box<[u8]>,
    /// The number of its bytes that are content.
    length: usize,
}

impl Chunk {
    /// Memory for a read of `length` bytes, if that is what a pool has memory for: of half as much
    /// or less, it would waste too much. The bytes that were in it before are still there.
    pub(super) fn of(length: usize) -> Option<Self> {
        let pool = [&CHUNKS, &WHOLES]
            .into_iter()
            .find(|pool| (pool.length / 2 + 1..=pool.length).contains(&length))?;
        let kept = pool.lock().pop();
        Some(Self {
            pool,
            memory: kept.unwrap_or_else(|| vec![0; pool.length].into()),
            length,
        })
    }

    pub(super) fn memory(&mut self) -> &mut [u8] {
        &mut self.memory[..self.length]
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
        let mut kept = self.pool.lock();
        if kept.len() < MAX_KEPT / self.pool.length {
            kept.push(std::mem::take(&mut self.memory));
        }
    }
}
