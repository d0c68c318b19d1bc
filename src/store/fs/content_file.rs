//! A file of content: one line of JSON, then the content.
//!
//! ```text
//! {"format":"tower-presign/1","contentType":"image/png","length":7,"sha256":"…"}
//! ```
//!
//! Metadata and content in one file cannot part, and a small content comes with its metadata in
//! one read. The line is written first and filled in last, so it has spaces at its end. Until then
//! it announces more than a file can have: a file that was cut short, or never finished, is
//! recognised by its length.

use std::borrow::Cow;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use super::chunk::{self, CHUNK, Chunk};
use super::error::{At as _, FileError};
use super::{cached, drop_elsewhere};
use crate::store::{ByteRange, Content, Metadata, RepositoryError};

const WHOLE: u64 = chunk::WHOLE as u64;

/// The length of the first read of longer content, in bytes. That read shows that the disk works,
/// and has the whole header of the file. A header is far shorter, since a content type has at most
/// 512 bytes.
const SAMPLE: u64 = 4096;

/// Up to this length, in bytes, content may be kept in memory.
const SMALL: u64 = 16 * 1024;

/// Up to this length, in bytes, a file is closed at once: if it has been deleted meanwhile, closing
/// it gives its blocks back, which takes longer for a longer file.
const CLOSED_AT_ONCE: u64 = 1024 * 1024;

const FORMAT: &str = "tower-presign/1";

/// The first line of a file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    format: &'a str,
    content_type: Cow<'a, str>,
    /// Of the content, in bytes.
    length: u64,
    /// In base64.
    sha256: Cow<'a, str>,
}

/// A line that keeps the place of the header, which no header exceeds.
pub(super) fn placeholder(content_type: &str) -> io::Result<Vec<u8>> {
    header(content_type, u64::MAX, &[0; 32], 0)
}

/// The header of a file, `size` bytes long at least.
pub(super) fn header(
    content_type: &str,
    length: u64,
    sha256: &[u8; 32],
    size: usize,
) -> io::Result<Vec<u8>> {
    let header = Header {
        format: FORMAT,
        content_type: content_type.into(),
        length,
        sha256: BASE64.encode(sha256).into(),
    };
    let mut line = serde_json::to_vec(&header)?;
    line.resize(line.len().max(size.saturating_sub(1)), b' ');
    line.push(b'\n');
    Ok(line)
}

/// A file of content, open, for any number of downloads at once.
pub(super) struct ContentFile {
    source: Source,
    path: Box<Path>,
    pub(super) metadata: Metadata,
    /// The position in the file at which the content starts.
    start: u64,
    disk: Disk,
}

enum Source {
    /// `None` when it is being dropped.
    File(Option<File>),
    /// All of the content.
    Memory(Bytes),
}

/// The disk that a file is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// On a disk of this machine, so that only reading can block.
    Local,
    /// Anywhere.
    Unknown,
}

/// The part of a content file to read when it is opened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beginning {
    Header,
    Content,
}

impl ContentFile {
    /// The file, and as much of its content as came with the header.
    pub(super) fn open(
        path: &Path,
        beginning: Beginning,
        disk: Disk,
    ) -> Result<(Self, Bytes), FileError> {
        let file = File::open(path).at("open", path)?;
        Self::new(file, path, beginning, disk, read_at).at("read", path)
    }

    /// Without blocking, if the kernel has all that is needed in memory.
    pub(super) fn open_cached(
        path: &Path,
        beginning: Beginning,
        disk: Disk,
    ) -> Option<(Self, Bytes)> {
        if disk == Disk::Unknown {
            return None;
        }
        let file = cached::open(path)?;
        Self::new(file, path, beginning, disk, cached::read_at).ok()
    }

    /// Has a small content stay in memory instead of its file, if `beginning` is all of it.
    pub(super) fn stay_in_memory(&mut self, beginning: &Bytes) {
        let length = self.metadata.length;
        if length <= SMALL && beginning.len() as u64 == length {
            // The buffer that was read into also has the header, and may be longer.
            self.source = Source::Memory(Bytes::copy_from_slice(beginning));
        }
    }

    /// All of the content, if it is kept in memory.
    pub(super) fn in_memory(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Memory(content) => Some(content),
            Source::File(_) => None,
        }
    }

    fn new(
        file: File,
        path: &Path,
        beginning: Beginning,
        disk: Disk,
        read_at: ReadAt,
    ) -> io::Result<(Self, Bytes)> {
        let attributes = file.metadata()?;
        let first_read = match beginning {
            Beginning::Content if attributes.len() <= WHOLE => WHOLE,
            Beginning::Header if attributes.len() <= SMALL => SMALL,
            Beginning::Header | Beginning::Content => SAMPLE,
        };
        let mut beginning = read(&file, 0, first_read.min(attributes.len()), read_at)?;

        let end = beginning
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(|| invalid("its first line has no end"))?;
        let line = beginning.split_to(end + 1);
        let header: Header<'_> = serde_json::from_slice(&line)?;
        if header.format != FORMAT {
            return Err(invalid("it has another format"));
        }
        let start = end as u64 + 1;
        let length = attributes.len().saturating_sub(start);
        if length != header.length {
            let announced = header.length;
            return Err(invalid(format!(
                "it was cut short or damaged: it has {length} bytes of content, not {announced}"
            )));
        }
        let sha256 = BASE64.decode(&*header.sha256).ok();
        let sha256 = sha256.and_then(|sha256| sha256.try_into().ok());
        let metadata = Metadata::new(
            header.content_type.into_owned(),
            length,
            attributes.modified()?,
        )
        .with_sha256(sha256.ok_or_else(|| invalid("it has no SHA-256"))?);
        let file = Self {
            source: Source::File(Some(file)),
            path: path.into(),
            metadata,
            start,
            disk,
        };
        Ok((file, beginning))
    }

    /// The `length` bytes from `position` on, or fewer but not none.
    fn read_at(&self, position: u64, length: u64, read_at: ReadAt) -> Result<Bytes, FileError> {
        let bytes = match &self.source {
            Source::File(Some(file)) => read(file, position, length, read_at),
            Source::File(None) | Source::Memory(_) => Err(ErrorKind::NotFound.into()),
        };
        match bytes {
            Ok(bytes) if bytes.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            bytes => bytes,
        }
        .at("read", &self.path)
    }

    /// The content in `range`, of which the first bytes have been read when this returns: a disk
    /// that fails should be reported before the answer begins. `beginning` is the part of the
    /// content that has been read already.
    pub(super) async fn read(
        self: Arc<Self>,
        beginning: &Bytes,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let metadata = self.metadata.clone();
        let range = match range {
            Some(range) => range.resolve(metadata.length)?,
            None => 0..metadata.length,
        };
        if let Source::Memory(content) = &self.source {
            #[expect(clippy::cast_possible_truncation, reason = "at most SMALL")]
            let bytes = content.slice(range.start as usize..range.end as usize);
            return Ok(Content::from_bytes(metadata, range, bytes));
        }
        let buffered = beginning.len() as u64;
        let first = (range.start < buffered).then(|| {
            let end = range.end.min(buffered);
            #[expect(clippy::cast_possible_truncation, reason = "at most WHOLE")]
            beginning.slice(range.start as usize..end as usize)
        });
        let next = range.start + first.as_ref().map_or(0, Bytes::len) as u64;
        let left = range.end - next;
        let mut chunks = ContentChunks {
            first: first.filter(|first| !first.is_empty()),
            position: self.start + next,
            left,
            next_read: if left > WHOLE { SAMPLE } else { WHOLE },
            is_cached: self.disk == Disk::Local,
            reading: None,
            file: self,
        };
        if chunks.first.is_none() {
            let first = poll_fn(|cx| Pin::new(&mut chunks).poll_next(cx)).await;
            chunks.first = first.transpose()?;
        }
        chunks.next_read = CHUNK as u64;
        Ok(Content::new(metadata, range, chunks))
    }
}

impl Drop for ContentFile {
    fn drop(&mut self) {
        let is_closed_at_once = self.disk == Disk::Local && self.metadata.length <= CLOSED_AT_ONCE;
        if !is_closed_at_once
            && let Source::File(file) = &mut self.source
            && let Some(file) = file.take()
        {
            drop_elsewhere(file);
        }
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

type ReadAt = fn(&File, &mut [u8], u64) -> io::Result<usize>;

/// The `length` bytes from `position` on, or fewer if the file ends before.
fn read(file: &File, position: u64, length: u64, read_at: ReadAt) -> io::Result<Bytes> {
    let length = usize::try_from(length).unwrap_or_default();
    if let Some(mut chunk) = Chunk::of(length) {
        let filled = fill(chunk.memory(), file, position, read_at)?;
        return Ok(chunk.into_bytes(filled));
    }
    let mut bytes = vec![0; length];
    let filled = fill(&mut bytes, file, position, read_at)?;
    bytes.truncate(filled);
    Ok(bytes.into())
}

/// Returns the number of bytes that there were.
fn fill(memory: &mut [u8], file: &File, position: u64, read_at: ReadAt) -> io::Result<usize> {
    let mut filled = 0;
    while filled < memory.len() {
        match read_at(file, &mut memory[filled..], position + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
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
    next_read: u64,
    /// True until a chunk is found not to be cached.
    is_cached: bool,
    reading: Option<JoinHandle<Result<Bytes, FileError>>>,
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
        let (position, length) = (self.position, self.left.min(self.next_read));
        if self.is_cached {
            if let Ok(bytes) = self.file.read_at(position, length, cached::read_at) {
                return Poll::Ready(Some(Ok(self.advance(bytes))));
            }
            self.is_cached = false;
        }
        let Self { file, reading, .. } = &mut *self;
        let reading = reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            spawn_blocking(move || file.read_at(position, length, read_at))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let read = match read {
            Ok(read) => read.map_err(RepositoryError::from),
            Err(error) => Err(RepositoryError::internal(error)),
        };
        Poll::Ready(Some(match read {
            Ok(bytes) => Ok(self.advance(bytes)),
            Err(error) => {
                self.left = 0;
                Err(error)
            }
        }))
    }
}
