//! Uploads that come in parts.
//!
//! ```text
//! resumable/{id}           the progress of an upload: the newer of two records
//! resumable/{id}.content   its bytes, after room for the header of a content file
//! ```
//!
//! A record is written over the older of the two, once the bytes that it counts are on the disk.
//! Whatever is cut short, one of the two is whole, and counts no more bytes than are there. Bytes
//! beyond it are cut off before the next part is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::budget::Share;
use super::error::{At as _, FileError};
use super::folder::{Folder, RESUMABLE};
use crate::id::UploadId;
use crate::place::Place;
use crate::store::resumable::MAX_OF_GROUP;
use crate::store::{Begun, Progress, RepositoryError};
use crate::url::unix_seconds;

/// The room for a header, which is longest for a content type of many quotes, in bytes.
pub(super) const HEADER: usize = 2048;

/// The room for a record, in bytes: a block, which disks write as a whole.
const RECORD: usize = 4096;

const CONTENT_SUFFIX: &str = ".content";

/// The files of an upload, whether they are there or not.
pub(super) struct Unfinished {
    state: PathBuf,
    pub(super) content: PathBuf,
    fsync: bool,
}

/// The progress of an upload, and the place of its content.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Record {
    revision: u64,
    pub(super) offset: u64,
    /// In Unix seconds.
    expires: u64,
    /// In base64.
    note: String,
    /// The place to which its content goes, or has gone.
    pub(super) place: Option<String>,
}

impl Record {
    pub(super) fn progress(&self) -> Progress {
        // It was written as base64.
        let note = BASE64.decode(&self.note).unwrap_or_default();
        Progress::new(self.offset, note)
    }
}

impl Unfinished {
    /// An id that is not of our making may be no name of a file: there is no such upload.
    pub(super) fn new(folder: &Folder, upload: &UploadId) -> Result<Self, RepositoryError> {
        let id = upload.as_str();
        if !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(RepositoryError::NotFound);
        }
        let state = folder.path(RESUMABLE).join(id);
        let content = state.with_extension(&CONTENT_SUFFIX[1..]);
        Ok(Self {
            state,
            content,
            fsync: folder.fsync,
        })
    }

    pub(super) fn begin(&self, folder: &Folder, begun: &Begun) -> Result<(), FileError> {
        let record = Record {
            revision: 0,
            offset: 0,
            expires: unix_seconds(begun.expires),
            note: BASE64.encode(&begun.note),
            place: None,
        };
        // In this order: content without state is removed when the folder is opened again.
        let content = File::create_new(&self.content).at("create", &self.content)?;
        content.set_len(HEADER as u64).at("write", &self.content)?;
        folder.budget.count(HEADER as u64);
        if self.fsync {
            content.sync_all().at("flush", &self.content)?;
        }
        let file = File::create_new(&self.state).at("create", &self.state)?;
        file.set_len(2 * RECORD as u64).at("write", &self.state)?;
        self.write(&record)?;
        folder.sync_parent(&self.state)
    }

    /// Waits until nobody else writes, and keeps others from it. A part whose future was dropped
    /// may still be on its way to the disk.
    pub(super) fn lock(&self) -> Result<File, RepositoryError> {
        let state = match File::open(&self.state) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(RepositoryError::NotFound);
            }
            opened => opened.at("open", &self.state)?,
        };
        state.lock().at("lock", &self.state)?;
        Ok(state)
    }

    /// The newest record that is whole.
    pub(super) fn read(&self) -> Result<Record, RepositoryError> {
        let mut records = Vec::with_capacity(2 * RECORD);
        let read = File::open(&self.state).and_then(|mut file| file.read_to_end(&mut records));
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(RepositoryError::NotFound);
            }
            read => read.at("read", &self.state)?,
        };
        let newest = records
            .chunks(RECORD)
            .filter_map(parse)
            .max_by_key(|record| record.revision);
        // No client has heard of a record that was never whole.
        newest.ok_or(RepositoryError::NotFound)
    }

    /// The newest record, once it is on the disk: the client's answer from it must stay true. The
    /// call that wrote it may not have come as far as this.
    pub(super) fn read_durable(&self) -> Result<Record, RepositoryError> {
        let record = self.read()?;
        if self.fsync {
            let flushed = File::open(&self.state).and_then(|file| file.sync_data());
            flushed.at("flush", &self.state)?;
        }
        Ok(record)
    }

    fn write(&self, record: &Record) -> Result<(), FileError> {
        let write = || {
            let json = serde_json::to_vec(record)?;
            let mut bytes = format!("{} ", checksum(&json)).into_bytes();
            bytes.extend_from_slice(&json);
            if bytes.len() > RECORD {
                return Err(io::Error::other("its note is too long"));
            }
            bytes.resize(RECORD, b'\n');
            let mut file = OpenOptions::new().write(true).open(&self.state)?;
            file.seek(SeekFrom::Start((record.revision % 2) * RECORD as u64))?;
            file.write_all(&bytes)?;
            if self.fsync { file.sync_data() } else { Ok(()) }
        };
        write().at("write", &self.state)
    }

    /// Writes the record that follows `record`.
    pub(super) fn advance(&self, record: &mut Record) -> Result<(), FileError> {
        record.revision += 1;
        self.write(record)
    }

    /// Records the place to which the content is about to go.
    pub(super) fn record_place(&self, record: &mut Record, place: &Place) -> Result<(), FileError> {
        record.place = Some(place.as_str().to_owned());
        self.advance(record)
    }

    /// True if its content is here, and no version's.
    pub(super) fn has_content(&self) -> Result<bool, FileError> {
        self.content.try_exists().at("look for", &self.content)
    }

    /// The bytes that its content takes here.
    fn size(&self) -> u64 {
        fs::metadata(&self.content).map_or(0, |attributes| attributes.len())
    }

    /// Removes all there is.
    pub(super) fn remove(&self, folder: &Folder) -> Result<(), FileError> {
        let size = self.size();
        // The content last: without its state it is removed when the folder is opened again.
        for path in [&self.state, &self.content] {
            match fs::remove_file(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.at("remove", path)?,
            }
        }
        folder.budget.give_back(size);
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Option<Record> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (sum, json) = text.trim_end().split_once(' ')?;
    (checksum(json.as_bytes()) == sum).then(|| serde_json::from_str(json).ok())?
}

fn checksum(bytes: &[u8]) -> String {
    BASE64.encode(Sha256::digest(bytes))
}

/// A part that is being written.
pub(super) struct PartFile {
    unfinished: Unfinished,
    record: Record,
    content: File,
    _lock: File,
    /// Of the bytes that this part adds.
    share: Share,
    /// The length of the file before this part.
    start: u64,
    /// The end of the file, in bytes of content.
    end: u64,
}

impl PartFile {
    /// Opens the content for a part that begins at `offset`.
    pub(super) fn open(
        folder: &Folder,
        upload: &UploadId,
        offset: u64,
    ) -> Result<Self, RepositoryError> {
        let unfinished = Unfinished::new(folder, upload)?;
        let lock = unfinished.lock()?;
        let record = unfinished.read_durable()?;
        if record.offset != offset {
            return Err(RepositoryError::offset_mismatch(record.offset));
        }
        if !unfinished.has_content()? {
            // It has become a version.
            return Err(RepositoryError::AlreadyWritten);
        }
        let path = &unfinished.content;
        let mut content = OpenOptions::new().write(true).open(path).at("open", path)?;
        let (size, start) = (unfinished.size(), HEADER as u64 + offset);
        content.set_len(start).at("write", path)?;
        folder.budget.give_back(size);
        folder.budget.count(start);
        content.seek(SeekFrom::End(0)).at("write", path)?;
        // Also if it is not new: the call that created it may not have come as far as this.
        if offset == 0 {
            folder.sync_parent(path)?;
        }
        Ok(Self {
            unfinished,
            record,
            content,
            _lock: lock,
            share: folder.budget.share(),
            start,
            end: offset,
        })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), RepositoryError> {
        self.share.take(bytes.len() as u64)?;
        let path = &self.unfinished.content;
        self.content.write_all(bytes).at("write", path)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// The number of bytes appended since the last record.
    pub(super) fn unrecorded(&self) -> u64 {
        self.end - self.record.offset
    }

    /// Returns a function that has the disk take all bytes appended before its call.
    pub(super) fn flush(
        &self,
    ) -> Result<impl FnOnce() -> Result<(), FileError> + Send + 'static + use<>, FileError> {
        let path = self.unfinished.content.clone();
        let content = self.content.try_clone().at("flush", &path)?;
        Ok(move || content.sync_data().at("flush", &path))
    }

    /// Has the disk take the appended bytes, and then the record of them.
    pub(super) fn record(&mut self, note: &Bytes) -> Result<Progress, RepositoryError> {
        if self.unfinished.fsync {
            let path = &self.unfinished.content;
            self.content.sync_data().at("flush", path)?;
        }
        self.record.offset = self.end;
        self.record.note = BASE64.encode(note);
        self.unfinished.advance(&mut self.record)?;
        Ok(self.record.progress())
    }

    /// Takes back the bytes appended since the last record.
    pub(super) fn take_back(&mut self) -> Result<(), RepositoryError> {
        let path = &self.unfinished.content;
        let end = HEADER as u64 + self.record.offset;
        Ok(self.content.set_len(end).at("write", path)?)
    }
}

impl Drop for PartFile {
    /// Bytes on the disk count until they are removed.
    fn drop(&mut self) {
        let added = self.unfinished.size().saturating_sub(self.start);
        self.share.keep(added);
    }
}

impl Folder {
    /// Begins an upload, in the place of the one of its group that was touched longest ago, if
    /// there are too many.
    pub(super) fn begin_upload(
        &self,
        upload: &UploadId,
        begun: &Begun,
    ) -> Result<(), RepositoryError> {
        let mut of_group = Vec::new();
        for (id, unfinished) in self.unfinished_uploads()? {
            if id.group() == upload.group() && unfinished.has_content()? {
                let attributes = fs::metadata(&unfinished.state);
                let touched = attributes.and_then(|attributes| attributes.modified());
                of_group.push((touched.ok(), unfinished));
            }
        }
        of_group.sort_by_key(|(touched, _)| *touched);
        let surplus = (of_group.len() + 1).saturating_sub(MAX_OF_GROUP);
        for (_, oldest) in of_group.iter().take(surplus) {
            oldest.remove(self)?;
        }
        let unfinished = Unfinished::new(self, upload)?;
        Ok(unfinished.begin(self, begun)?)
    }

    /// Removes the uploads whose time is over, and returns those that were not finished.
    pub(super) fn remove_expired_uploads(
        &self,
        now: SystemTime,
    ) -> Result<Vec<UploadId>, RepositoryError> {
        let mut expired = Vec::new();
        for (id, unfinished) in self.unfinished_uploads()? {
            let record = match unfinished.read() {
                Err(RepositoryError::NotFound) => continue,
                record => record?,
            };
            if record.expires <= unix_seconds(now) {
                if unfinished.has_content()? {
                    expired.push(id);
                }
                unfinished.remove(self)?;
            }
        }
        Ok(expired)
    }

    /// Removes the remains of a crash, and counts the bytes that are kept.
    pub(super) fn tidy_uploads(&self) -> Result<(), FileError> {
        let folder = self.path(RESUMABLE);
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let path = entry.at("list", &folder)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(id) = name.strip_suffix(CONTENT_SUFFIX) else {
                continue;
            };
            if Path::new(&folder)
                .join(id)
                .try_exists()
                .at("look for", &path)?
            {
                let attributes = fs::metadata(&path).at("look at", &path)?;
                self.budget.count(attributes.len());
            } else {
                fs::remove_file(&path).at("remove", &path)?;
            }
        }
        Ok(())
    }

    fn unfinished_uploads(&self) -> Result<Vec<(UploadId, Unfinished)>, FileError> {
        let folder = self.path(RESUMABLE);
        let mut uploads = Vec::new();
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let name = entry.at("list", &folder)?.file_name();
            let id = name.to_str().and_then(|name| UploadId::new(name).ok());
            if let Some(id) = id
                && let Ok(unfinished) = Unfinished::new(self, &id)
            {
                uploads.push((id, unfinished));
            }
        }
        Ok(uploads)
    }
}
