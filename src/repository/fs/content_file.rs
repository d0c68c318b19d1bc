//! The file of a version: one line of JSON, then the content.
//!
//! Metadata and content in one file cannot part, and a small content comes with its metadata in
//! one read.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use super::cached;
use crate::repository::{ByteRange, Metadata, RepositoryError};

/// What is read of a file at first if all of it is wanted, in bytes: all of a small one.
const FIRST_READ: u64 = 128 * 1024;

/// What is read of a file at first otherwise, in bytes: its header, which is far shorter, since a
/// content type has at most 512 bytes.
const HEADER_READ: u64 = 4096;

/// What is read at once after that, in bytes.
const CHUNK: u64 = 256 * 1024;

const FORMAT: &str = "tower-presign/1";

/// The first line of a file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    format: &'a str,
    content_type: Cow<'a, str>,
}

/// The header of a file to be, with the line's end.
pub(super) fn header(content_type: &str) -> io::Result<Vec<u8>> {
    let header = Header {
        format: FORMAT,
        content_type: content_type.into(),
    };
    let mut line = serde_json::to_vec(&header)?;
    line.push(b'\n');
    Ok(line)
}

/// The file of a version, open.
pub(super) struct ContentFile {
    file: File,
    pub(super) metadata: Metadata,
    /// Where the content starts in the file.
    start: u64,
    /// The content's first bytes.
    beginning: Bytes,
}

/// How much of a content file to read when it is opened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beginning {
    Header,
    Content,
}

impl ContentFile {
    pub(super) fn open(path: &Path, beginning: Beginning) -> io::Result<Self> {
        Self::new(File::open(path)?, beginning, read)
    }

    /// Without blocking, if the kernel has what that takes in memory.
    pub(super) fn open_cached(path: &Path, beginning: Beginning) -> Option<Self> {
        let read = |file: &File, position, length| {
            cached::read(file, position, length).ok_or(ErrorKind::WouldBlock.into())
        };
        Self::new(cached::open(path)?, beginning, read).ok()
    }

    fn new(
        file: File,
        beginning: Beginning,
        read: impl FnOnce(&File, u64, u64) -> io::Result<Bytes>,
    ) -> io::Result<Self> {
        let attributes = file.metadata()?;
        let first_read = match beginning {
            Beginning::Header => HEADER_READ,
            Beginning::Content => FIRST_READ,
        };
        let mut beginning = read(&file, 0, first_read.min(attributes.len()))?;

        let invalid = || io::Error::new(ErrorKind::InvalidData, "not a content file");
        let end = beginning
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(invalid)?;
        let line = beginning.split_to(end + 1);
        let header: Header<'_> = serde_json::from_slice(&line)?;
        if header.format != FORMAT {
            return Err(invalid());
        }
        let start = end as u64 + 1;
        let metadata = Metadata {
            content_type: header.content_type.into_owned(),
            length: attributes.len().checked_sub(start).ok_or_else(invalid)?,
            last_modified: attributes.modified()?,
        };
        Ok(Self {
            file,
            metadata,
            start,
            beginning,
        })
    }

    /// The positions that `range` selects, and their bytes.
    pub(super) fn read(
        self,
        range: Option<ByteRange>,
    ) -> Result<(Range<u64>, ContentChunks), RepositoryError> {
        let range = match range {
            Some(range) => range.resolve(self.metadata.length)?,
            None => 0..self.metadata.length,
        };
        let buffered = self.beginning.len() as u64;
        let first = (range.start < buffered).then(|| {
            let end = range.end.min(buffered);
            #[expect(clippy::cast_possible_truncation, reason = "at most FIRST_READ")]
            self.beginning.slice(range.start as usize..end as usize)
        });
        let next = range.start + first.as_ref().map_or(0, Bytes::len) as u64;
        let chunks = ContentChunks {
            first: first.filter(|first| !first.is_empty()),
            position: self.start + next,
            left: range.end - next,
            is_cached: true,
            state: State::Idle(self.file),
        };
        Ok((range, chunks))
    }
}

/// At most `length` bytes from `position` on. The buffer is not zeroed beforehand.
fn read(mut file: &File, position: u64, length: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.seek(SeekFrom::Start(position))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// A file's content in chunks, each read at once if it is cached, else where blocking is allowed.
pub(super) struct ContentChunks {
    first: Option<Bytes>,
    position: u64,
    left: u64,
    /// Until a chunk is found not to be.
    is_cached: bool,
    state: State,
}

enum State {
    Idle(File),
    Reading(JoinHandle<(File, io::Result<Bytes>)>),
    /// After an error or the end.
    Ended,
}

impl ContentChunks {
    fn advance(&mut self, file: File, bytes: Bytes) -> Bytes {
        let length = bytes.len() as u64;
        self.position += length;
        self.left = self.left.saturating_sub(length);
        self.state = State::Idle(file);
        bytes
    }
}

impl Stream for ContentChunks {
    type Item = Result<Bytes, RepositoryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Idle(file) if self.left > 0 => {
                    let (position, length) = (self.position, self.left.min(CHUNK));
                    if self.is_cached
                        && let Some(bytes) = cached::read(&file, position, length)
                    {
                        return Poll::Ready(Some(Ok(self.advance(file, bytes))));
                    }
                    self.is_cached = false;
                    self.state = State::Reading(spawn_blocking(move || {
                        let bytes = read(&file, position, length);
                        (file, bytes)
                    }));
                }
                State::Reading(mut reading) => {
                    return match Pin::new(&mut reading).poll(cx) {
                        Poll::Pending => {
                            self.state = State::Reading(reading);
                            Poll::Pending
                        }
                        // A file that ends early: the body finds out that bytes are missing.
                        Poll::Ready(Ok((_, Ok(bytes)))) if bytes.is_empty() => Poll::Ready(None),
                        Poll::Ready(Ok((file, Ok(bytes)))) => {
                            Poll::Ready(Some(Ok(self.advance(file, bytes))))
                        }
                        Poll::Ready(Ok((_, Err(error)))) => Poll::Ready(Some(Err(error.into()))),
                        Poll::Ready(Err(error)) => {
                            Poll::Ready(Some(Err(RepositoryError::internal(error))))
                        }
                    };
                }
                State::Idle(_) | State::Ended => return Poll::Ready(None),
            }
        }
    }
}
