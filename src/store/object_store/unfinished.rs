//! The progress of an upload whose parts arrive over hours: an object that only its newest writer
//! replaces.
//!
//! ```text
//! resumable/{group}/{id}    a line about the upload, a line about its parts, and its tail
//! joined/{random}           its parts, as one multipart upload, while it is not whole
//! ```
//!
//! The tail has the bytes that fill no part yet. It is in the same object as the offset, so that
//! one put makes both durable. The put names the object that it replaces (`If-Match`): of two
//! writers one succeeds.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use object_store::{GetRange, PutMode, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::content_name::{ContentName, random};
use super::error::{Action, Meaning};
use super::mark::{Facts, Kind, Mark};
use crate::content_type::OCTET_STREAM;
use crate::id::UploadId;
use crate::store::{Begun, Progress, RepositoryError};
use crate::url::unix_seconds;

/// The folder of all that is not finished.
pub(super) const FOLDER: &str = "resumable";

/// More than the first line takes, in bytes.
const LINE: u64 = 8 * 1024;

pub(super) fn folder(upload: &UploadId) -> String {
    format!("{FOLDER}/{}", upload.group())
}

pub(super) fn name(upload: &UploadId) -> String {
    format!("{}/{upload}", folder(upload))
}

/// An upload, as far as a look at it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Outline {
    pub(super) offset: u64,
    /// In base64.
    note: String,
    /// In Unix seconds.
    expires: u64,
    /// The time at which it was last written, in milliseconds of Unix time.
    pub(super) touched: u64,
    /// Another for each writing: the client repeats a request whose answer it has not seen.
    nonce: String,
    /// The random part of the names that its bytes get.
    pub(super) random: String,
    /// The end of the time in which somebody may be putting parts, in milliseconds of Unix time.
    claimed: Option<u64>,
    /// The name that its content gets, or has got.
    pub(super) name: Option<String>,
    /// True if its content is there.
    pub(super) is_finished: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Parts {
    /// The store's id of the upload in parts; `None` while there is no part.
    pub(super) upload: Option<String>,
    pub(super) ids: Vec<String>,
}

/// An upload, with the version of its object.
#[derive(Debug, Clone)]
pub(super) struct Unfinished {
    pub(super) outline: Outline,
    pub(super) parts: Parts,
    pub(super) tail: Bytes,
    version: UpdateVersion,
}

#[derive(Debug, thiserror::Error)]
#[error("the state of a resumable upload at {0} is damaged")]
struct Damaged(String);

#[derive(Debug, thiserror::Error)]
#[error("another server is at work on the upload")]
struct Claimed;

impl Outline {
    pub(super) fn progress(&self) -> Progress {
        // It was written as base64.
        let note = BASE64.decode(&self.note).unwrap_or_default();
        Progress::new(self.offset, note)
    }

    pub(super) fn advance(&mut self, offset: u64, note: &Bytes) {
        self.offset = offset;
        self.note = BASE64.encode(note);
    }

    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        self.expires <= unix_seconds(now)
    }

    pub(super) fn content(&self) -> Option<ContentName> {
        ContentName::parse(self.name.as_deref()?)
    }

    pub(super) fn claim(&mut self, lasts: Option<Duration>) {
        self.claimed = lasts.map(|lasts| milliseconds(SystemTime::now() + lasts));
    }

    pub(super) fn is_claimed(&self) -> bool {
        self.claimed
            .is_some_and(|until| until > milliseconds(SystemTime::now()))
    }

    /// An error if a part that begins at `offset` may not be appended.
    pub(super) fn check(&self, offset: u64) -> Result<(), RepositoryError> {
        if self.offset != offset {
            return Err(RepositoryError::offset_mismatch(self.offset));
        }
        if self.name.is_some() {
            return Err(RepositoryError::AlreadyWritten);
        }
        let now = milliseconds(SystemTime::now());
        match self.claimed {
            Some(until) if until > now => {
                let pause = Duration::from_millis(until - now) + Duration::from_secs(1);
                Err(RepositoryError::busy(pause, Claimed))
            }
            _ => Ok(()),
        }
    }
}

impl Unfinished {
    pub(super) async fn begin(
        bucket: &Bucket,
        upload: &UploadId,
        begun: &Begun,
    ) -> Result<(), RepositoryError> {
        let mut outline = Outline {
            offset: 0,
            note: String::new(),
            expires: unix_seconds(begun.expires),
            touched: 0,
            nonce: String::new(),
            random: random()?,
            claimed: None,
            name: None,
            is_finished: false,
        };
        outline.advance(0, &begun.note);
        let state = state(&mut outline, &Parts::default(), &Bytes::new())?;
        match put(bucket, &name(upload), state, PutMode::Create).await {
            // Nobody else has the id.
            Err(fault) if fault.meaning() == Meaning::Taken => Ok(()),
            put => Ok(put.map(drop)?),
        }
    }

    pub(super) async fn read(bucket: &Bucket, upload: &UploadId) -> Result<Self, RepositoryError> {
        let name = name(upload);
        let object = bucket.get(&name, None, None).await?;
        let object = object.ok_or(RepositoryError::NotFound)?;
        let version = UpdateVersion {
            e_tag: object.meta.e_tag.clone(),
            version: object.meta.version.clone(),
        };
        let limit = bucket.time_for(usize::try_from(object.meta.size).unwrap_or(usize::MAX));
        let bytes = bucket.within(limit, Action::Get, object.bytes()).await?;
        let damaged = || RepositoryError::internal(Damaged(name.clone()));
        let (outline, rest) = line(&bytes).ok_or_else(damaged)?;
        let (parts, tail) = line(&rest).ok_or_else(damaged)?;
        Ok(Self {
            outline: serde_json::from_slice(&outline).map_err(|_| damaged())?,
            parts: serde_json::from_slice(&parts).map_err(|_| damaged())?,
            tail,
            version,
        })
    }

    /// The first line alone.
    pub(super) async fn look(
        bucket: &Bucket,
        upload: &UploadId,
    ) -> Result<Outline, RepositoryError> {
        let name = name(upload);
        let range = GetRange::Bounded(0..LINE);
        let object = bucket.get(&name, Some(range), None).await?;
        let object = object.ok_or(RepositoryError::NotFound)?;
        let bytes = bucket.content(object).await?;
        let outline = line(&bytes).and_then(|(line, _)| serde_json::from_slice(&line).ok());
        outline.ok_or_else(|| RepositoryError::internal(Damaged(name)))
    }

    /// Replaces the object that was read, if nobody else has.
    pub(super) async fn write(
        &mut self,
        bucket: &Bucket,
        upload: &UploadId,
        (mut outline, parts, tail): (Outline, Parts, Bytes),
    ) -> Result<(), RepositoryError> {
        let state = state(&mut outline, &parts, &tail)?;
        let mode = PutMode::Update(self.version.clone());
        let version = match put(bucket, &name(upload), state, mode).await {
            Ok(version) => version,
            Err(fault)
                if matches!(
                    fault.meaning(),
                    Meaning::Changed | Meaning::Taken | Meaning::Absent
                ) =>
            {
                let now = Self::read(bucket, upload).await?;
                if now.outline.nonce != outline.nonce {
                    now.outline.check(self.outline.offset)?;
                    return Err(RepositoryError::unavailable(Claimed));
                }
                now.version
            }
            Err(fault) => return Err(fault.into()),
        };
        *self = Self {
            outline,
            parts,
            tail,
            version,
        };
        Ok(())
    }

    pub(super) fn parts_of(&self) -> (Outline, Parts, Bytes) {
        (self.outline.clone(), self.parts.clone(), self.tail.clone())
    }
}

fn state(
    outline: &mut Outline,
    parts: &Parts,
    tail: &Bytes,
) -> Result<PutPayload, RepositoryError> {
    outline.nonce = random()?;
    outline.touched = milliseconds(SystemTime::now());
    let mut state = serde_json::to_vec(outline).map_err(RepositoryError::internal)?;
    state.push(b'\n');
    serde_json::to_writer(&mut state, parts).map_err(RepositoryError::internal)?;
    state.push(b'\n');
    let state = [state.into(), tail.clone()].into_iter();
    Ok(state.filter(|bytes| !bytes.is_empty()).collect())
}

async fn put(
    bucket: &Bucket,
    name: &str,
    state: PutPayload,
    mode: PutMode,
) -> Result<UpdateVersion, super::error::Fault> {
    let mark = Mark::new(Kind::Content(String::new()), Facts::default());
    bucket.put(name, state, OCTET_STREAM, &mark, mode).await
}

/// The first line, and the rest.
fn line(bytes: &Bytes) -> Option<(Bytes, Bytes)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.slice(..end), bytes.slice(end + 1..)))
}

fn milliseconds(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    since_1970.map_or(0, |elapsed| {
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    })
}
