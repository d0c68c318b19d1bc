//! The file of a version: one line of JSON, then the content.
//!
//! Metadata and content in one file cannot part, and a small content comes with its metadata in
//! one read.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::repository::{ByteRange, Metadata, RepositoryError};

/// What is read of a file at first, in bytes: all of a small one, and always its header.
const FIRST_READ: u64 = 64 * 1024;

/// What is read at once after that, in bytes.
const CHUNK: u64 = 512 * 1024;

/// Beyond the longest header: a content type has at most 512 bytes.
const MAX_HEADER: usize = 4096;

const FORMAT: &str = "tower-presign/1";

/// The first line of a file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    format: String,
    content_type: String,
}

/// The header of a file to be, with the line's end.
pub(super) fn header(content_type: &str) -> io::Result<Vec<u8>> {
    let header = Header {
        format: FORMAT.into(),
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

impl ContentFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let attributes = file.metadata()?;
        let mut beginning = read(&mut file, FIRST_READ.min(attributes.len()))?;

        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not a content file");
        let end = beginning
            .iter()
            .take(MAX_HEADER)
            .position(|byte| *byte == b'\n')
            .ok_or_else(invalid)?;
        let header: Header = serde_json::from_slice(&beginning.split_to(end + 1)[..end])?;
        if header.format != FORMAT {
            return Err(invalid());
        }
        let start = end as u64 + 1;
        let metadata = Metadata {
            content_type: header.content_type,
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
        mut self,
        range: Option<ByteRange>,
    ) -> Result<(Range<u64>, ContentChunks), RepositoryError> {
        let range = match range {
            Some(range) => range.resolve(self.metadata.length)?,
            None => 0..self.metadata.length,
        };
        let mut left = range.end - range.start;
        let buffered = self.beginning.len() as u64;
        let first = if range.start < buffered {
            let end = range.end.min(buffered);
            #[expect(clippy::cast_possible_truncation, reason = "at most FIRST_READ")]
            let first = self.beginning.slice(range.start as usize..end as usize);
            first
        } else {
            Bytes::new()
        };
        left -= first.len() as u64;
        if left > 0 {
            let position = self.start + range.start + first.len() as u64;
            self.file.seek(SeekFrom::Start(position))?;
        }
        let chunks = ContentChunks {
            first: Some(first).filter(|first| !first.is_empty()),
            left,
            state: State::Idle(self.file),
        };
        Ok((range, chunks))
    }
}

/// At most `length` bytes, from where the file stands. The buffer is not zeroed beforehand.
fn read(file: &mut File, length: u64) -> io::Result<Bytes> {
    let capacity = usize::try_from(length).unwrap_or_default();
    let mut bytes = Vec::with_capacity(capacity);
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// A file's content in chunks, each read where blocking is allowed.
pub(super) struct ContentChunks {
    first: Option<Bytes>,
    left: u64,
    state: State,
}

enum State {
    Idle(File),
    Reading(JoinHandle<(File, io::Result<Bytes>)>),
    /// After an error or the end.
    Ended,
}

impl Stream for ContentChunks {
    type Item = Result<Bytes, RepositoryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Idle(mut file) if self.left > 0 => {
                    let length = self.left.min(CHUNK);
                    self.state = State::Reading(spawn_blocking(move || {
                        let bytes = read(&mut file, length);
                        (file, bytes)
                    }));
                }
                State::Reading(mut reading) => {
                    let polled = Pin::new(&mut reading).poll(cx);
                    if polled.is_pending() {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    }
                    return Poll::Ready(match ready!(polled) {
                        // A file that ends early: the body finds out that bytes are missing.
                        Ok((_, Ok(bytes))) if bytes.is_empty() => None,
                        Ok((file, Ok(bytes))) => {
                            self.left = self.left.saturating_sub(bytes.len() as u64);
                            self.state = State::Idle(file);
                            Some(Ok(bytes))
                        }
                        Ok((_, Err(error))) => Some(Err(error.into())),
                        Err(error) => Some(Err(RepositoryError::unavailable(error))),
                    });
                }
                State::Idle(_) | State::Ended => return Poll::Ready(None),
            }
        }
    }
}
