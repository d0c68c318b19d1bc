//! The file of a version: one line of JSON, then the content.
//!
//! Metadata and content in one file cannot part, and a small content comes with its metadata in
//! one read.

use std::borrow::Cow;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use super::cached;
use crate::store::{ByteRange, Metadata, RepositoryError};

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

/// The file of a version, open, for any number of downloads at once.
pub(super) struct ContentFile {
    file: File,
    pub(super) metadata: Metadata,
    /// Where the content starts in the file.
    start: u64,
}

/// How much of a content file to read when it is opened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beginning {
    Header,
    Content,
}

impl ContentFile {
    /// The file, and as much of its content as came with the header.
    pub(super) fn open(path: &Path, beginning: Beginning) -> io::Result<(Arc<Self>, Bytes)> {
        Self::new(File::open(path)?, beginning, read_at)
    }

    /// Without blocking, if the kernel has what that takes in memory.
    pub(super) fn open_cached(path: &Path, beginning: Beginning) -> Option<(Arc<Self>, Bytes)> {
        Self::new(cached::open(path)?, beginning, cached::read_at).ok()
    }

    fn new(file: File, beginning: Beginning, read_at: ReadAt) -> io::Result<(Arc<Self>, Bytes)> {
        let attributes = file.metadata()?;
        let first_read = match beginning {
            Beginning::Header => HEADER_READ,
            Beginning::Content => FIRST_READ,
        };
        let mut beginning = read(&file, 0, first_read.min(attributes.len()), read_at)?;

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
        let metadata = Metadata::new(
            header.content_type.into_owned(),
            attributes.len().checked_sub(start).ok_or_else(invalid)?,
            attributes.modified()?,
        );
        let file = Self {
            file,
            metadata,
            start,
        };
        Ok((Arc::new(file), beginning))
    }

    /// The positions that `range` selects, and their bytes, of which the first have been read when
    /// this returns: a disk that fails should be told of before the answer begins. `beginning` is
    /// what has been read of the content already.
    pub(super) async fn read(
        self: Arc<Self>,
        beginning: &Bytes,
        range: Option<ByteRange>,
    ) -> Result<(Range<u64>, ContentChunks), RepositoryError> {
        let range = match range {
            Some(range) => range.resolve(self.metadata.length)?,
            None => 0..self.metadata.length,
        };
        let buffered = beginning.len() as u64;
        let first = (range.start < buffered).then(|| {
            let end = range.end.min(buffered);
            #[expect(clippy::cast_possible_truncation, reason = "at most FIRST_READ")]
            beginning.slice(range.start as usize..end as usize)
        });
        let next = range.start + first.as_ref().map_or(0, Bytes::len) as u64;
        let mut chunks = ContentChunks {
            first: first.filter(|first| !first.is_empty()),
            position: self.start + next,
            left: range.end - next,
            is_cached: true,
            reading: None,
            file: self,
        };
        if chunks.first.is_none() {
            let first = poll_fn(|cx| Pin::new(&mut chunks).poll_next(cx)).await;
            chunks.first = first.transpose()?;
        }
        Ok((range, chunks))
    }
}

type ReadAt = fn(&File, &mut [u8], u64) -> io::Result<usize>;

/// The `length` bytes from `position` on, or fewer if the file ends before.
fn read(file: &File, position: u64, length: u64, read_at: ReadAt) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    let mut filled = 0;
    while filled < bytes.len() {
        match read_at(file, &mut bytes[filled..], position + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes.into())
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}

/// A file's content in chunks, each read at once if it is cached, else where blocking is allowed.
pub(super) struct ContentChunks {
    file: Arc<ContentFile>,
    first: Option<Bytes>,
    position: u64,
    left: u64,
    /// Until a chunk is found not to be.
    is_cached: bool,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl ContentChunks {
    fn advance(&mut self, bytes: Bytes) -> Bytes {
        let length = bytes.len() as u64;
        self.position += length;
        self.left = self.left.saturating_sub(length);
        bytes
    }
}

impl Stream for ContentChunks {
    type Item = Result<Bytes, RepositoryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let (position, length) = (self.position, self.left.min(CHUNK));
        if self.is_cached {
            if let Ok(bytes) = read(&self.file.file, position, length, cached::read_at)
                && !bytes.is_empty()
            {
                return Poll::Ready(Some(Ok(self.advance(bytes))));
            }
            self.is_cached = false;
        }
        let Self { file, reading, .. } = &mut *self;
        let reading = reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            spawn_blocking(move || read(&file.file, position, length, read_at))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        let read = match read {
            Ok(bytes) if bytes.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            read => read,
        };
        Poll::Ready(Some(match read {
            Ok(bytes) => Ok(self.advance(bytes)),
            Err(error) => {
                self.left = 0;
                Err(error.into())
            }
        }))
    }
}
