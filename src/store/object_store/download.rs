//! Content on its way out of a bucket.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use object_store::{Error as StoreError, GetRange, GetResult};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep, timeout};

use super::bucket::Bucket;
use super::error::{Action, Fault, Meaning};
use super::mark::{self, Facts, Kind, Mark};
use crate::store::{ByteRange, Content, Metadata, RepositoryError};

/// The number of times that a store is asked for the rest without sending any of it.
const TRIES: u32 = 3;

/// The pause before the first of these; it grows fivefold.
const PAUSE: Duration = Duration::from_millis(100);

/// An object, or a part of it; `None` if there is none. An object that is no content comes with as
/// much of it as the store gave.
pub(super) async fn open(
    bucket: &Bucket,
    name: &str,
    range: Option<ByteRange>,
) -> Result<Option<GetResult>, RepositoryError> {
    // Some stores count with a sign.
    let fits = |position: u64| position < i64::MAX as u64;
    let (range, asked) = match range {
        None => return Ok(bucket.get(name, None, None).await?),
        Some(range) => match range {
            ByteRange::FromTo(first, last) if fits(last) => {
                (range, GetRange::Bounded(first..last + 1))
            }
            ByteRange::FromTo(first, _) | ByteRange::From(first) if fits(first) => {
                (range, GetRange::Offset(first))
            }
            ByteRange::Last(count) if count > 0 && fits(count) => (range, GetRange::Suffix(count)),
            _ => return resolve(bucket, name, range).await,
        },
    };
    match bucket.get(name, Some(asked), None).await {
        Ok(Some(object)) if object.range.is_empty() && is_content(&object) => {
            range.resolve(object.meta.size)?;
            Ok(Some(object))
        }
        Ok(object) => Ok(object),
        // Azure knows no ranges from the end.
        Err(fault)
            if matches!(
                fault.meaning(),
                Meaning::OutsideRange | Meaning::NotSupported
            ) =>
        {
            resolve(bucket, name, range).await
        }
        Err(fault) => Err(fault.into()),
    }
}

/// As [`open`], in two steps, the first of which learns the length.
pub(super) async fn resolve(
    bucket: &Bucket,
    name: &str,
    range: ByteRange,
) -> Result<Option<GetResult>, RepositoryError> {
    let Some(object) = bucket.look(name).await? else {
        return Ok(None);
    };
    if !is_content(&object) {
        return Ok(Some(object));
    }
    let range = range.resolve(object.meta.size)?;
    if range.is_empty() {
        return Ok(Some(object));
    }
    let asked = GetRange::Bounded(range);
    Ok(bucket.get(name, Some(asked), object.meta.e_tag).await?)
}

/// True if an object is content itself, and does not stand in its place.
fn is_content(object: &GetResult) -> bool {
    Mark::of(object).is_none_or(|mark| matches!(mark.kind, Kind::Content(_)))
}

/// The metadata of an object that is content.
pub(super) fn metadata(object: &GetResult, known: Facts) -> Result<Metadata, RepositoryError> {
    let mark = Mark::of(object);
    let joined = mark.filter(|mark| mark.kind == Kind::Joined);
    let facts = match joined {
        Some(mark) => mark.facts,
        None => mark::checked(object, known)?,
    };
    let metadata = Metadata::new(
        mark::content_type(object).to_owned(),
        facts.length.unwrap_or(object.meta.size),
        object.meta.last_modified.into(),
    );
    Ok(match facts.sha256 {
        Some(sha256) => metadata.with_sha256(sha256),
        None => metadata,
    })
}

/// An object as content to serve, of which the first bytes have come. So a fault of small content
/// is found before anything is answered, and its head and bytes leave together.
///
/// It is an error before the first byte if the object has another length than content was put with.
/// It is one before the last byte if it has another digest.
pub(super) async fn content(
    bucket: &Bucket,
    name: &str,
    object: GetResult,
    known: Facts,
) -> Result<Content, RepositoryError> {
    let metadata = metadata(&object, known)?;
    let range = object.range.clone();
    let is_whole = range == (0..metadata.length);
    let mut body = Body {
        bucket: bucket.clone(),
        name: name.to_owned(),
        e_tag: object.meta.e_tag.clone(),
        rest: range.clone(),
        digest: metadata
            .sha256
            .filter(|_| is_whole)
            .map(|expected| (Sha256::new(), expected)),
        stream: Some(object.into_stream()),
    };
    let first = stream::iter(body.next().await?.map(Ok));
    let stream = first.chain(body.into_stream());
    Ok(Content::new(metadata, range, stream))
}

/// The bytes of a part of an object, for as long as they flow. When the store breaks off, it is
/// asked for the rest of the very same object.
struct Body {
    bucket: Bucket,
    name: String,
    e_tag: Option<String>,
    rest: Range<u64>,
    /// The digest of the bytes that have come so far, and the one that the whole must have.
    digest: Option<(Sha256, [u8; 32])>,
    stream: Option<BoxStream<'static, Result<Bytes, StoreError>>>,
}

impl Body {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, RepositoryError>> + Send + 'static {
        stream::unfold(Some(self), async move |body| {
            let mut body = body?;
            match body.next().await {
                Ok(None) => None,
                Ok(Some(bytes)) => Some((Ok(bytes), Some(body))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, RepositoryError> {
        let started = Instant::now();
        let mut pause = PAUSE;
        let mut tries = 0;
        while !self.rest.is_empty() {
            let fault = match self.read().await {
                Ok(bytes) if bytes.is_empty() => continue,
                Ok(bytes) => return self.take(bytes).map(Some),
                Err(fault) => fault,
            };
            self.stream = None;
            tries += 1;
            let is_over = tries > TRIES
                || started.elapsed() >= self.bucket.patience()
                || self.e_tag.is_none();
            let may_pass = match fault.meaning() {
                Meaning::Unavailable => true,
                // When a connection breaks, the client goes on by itself, with the same
                // credentials.
                Meaning::Denied(_) => tries == 1,
                _ => false,
            };
            if is_over || !may_pass {
                return Err(fault.into());
            }
            sleep(pause).await;
            pause *= 5;
        }
        Ok(None)
    }

    /// The next bytes of the rest.
    async fn read(&mut self) -> Result<Bytes, Fault> {
        // So there is time for a second try: a connection may be dead though the store is not.
        let limit = self.bucket.patience() / 2;
        match timeout(limit, self.read_on()).await {
            Ok(bytes) => bytes,
            Err(_) => Err(Fault::late(Action::Get, limit)),
        }
    }

    async fn read_on(&mut self) -> Result<Bytes, Fault> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let e_tag = self.e_tag.as_deref();
                none.insert(resume(&self.bucket, &self.name, &self.rest, e_tag).await?)
            }
        };
        match stream.next().await {
            Some(bytes) => bytes.map_err(|error| Fault::new(Action::Get, error)),
            None => Err(Fault::Short),
        }
    }

    fn take(&mut self, bytes: Bytes) -> Result<Bytes, RepositoryError> {
        self.rest.start += bytes.len() as u64;
        if self.rest.start > self.rest.end {
            return Err(RepositoryError::internal(
                "the store sent more than it announced",
            ));
        }
        if let Some((digest, expected)) = &mut self.digest {
            digest.update(&bytes);
            if self.rest.is_empty() && digest.clone().finalize()[..] != expected[..] {
                return Err(RepositoryError::internal(format!(
                    "{} no longer has the SHA-256 that it was put with",
                    self.name
                )));
            }
        }
        Ok(bytes)
    }
}

/// The rest of the very same object.
async fn resume(
    bucket: &Bucket,
    name: &str,
    rest: &Range<u64>,
    e_tag: Option<&str>,
) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, Fault> {
    let range = GetRange::Bounded(rest.clone());
    match bucket
        .get(name, Some(range), e_tag.map(str::to_owned))
        .await?
    {
        Some(object) if object.range == *rest && object.meta.e_tag.as_deref() == e_tag => {
            Ok(object.into_stream())
        }
        _ => Err(Fault::Gone),
    }
}
