//! Content on its way in.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use sha2::{Digest as _, Sha256};

use super::{ByteRange, Content, RepositoryError, UploadError};
use crate::content_type::ContentType;
use crate::id::UploadId;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Accepts or refuses content that has arrived whole, before it becomes visible.
pub(crate) type Acceptance =
    Box<dyn for<'a> FnOnce(Arrived<'a>) -> BoxFuture<'a, Result<(), UploadError>> + Send>;

/// Content that has arrived whole, and that nobody sees yet.
#[derive(Clone, Copy)]
pub(crate) struct Arrived<'a> {
    /// In bytes.
    pub(crate) length: u64,
    pub(crate) sha256: [u8; 32],
    /// `None` if the repository stores and publishes in one step.
    pub(crate) stored: Option<&'a dyn ReadStored>,
}

/// Content that is stored and not yet published.
pub(crate) trait ReadStored: Send + Sync {
    fn read(&self, range: Option<ByteRange>) -> BoxFuture<'_, Result<Content, RepositoryError>>;
}

/// Content to store: the argument of [`write`](super::BinaryRepository::write).
///
/// It is a stream that ends with `None` only when the content is whole: within all limits, as
/// long as announced, and of the announced digest. After an error it yields errors for ever, so
/// that an end which follows one is never taken for the content's. The upload is aborted by an
/// error, or by being dropped. The end may take a while to come: the host's policy may be asked
/// first ([`AccessPolicy::accept`](crate::AccessPolicy::accept)).
pub struct Upload {
    content_type: ContentType,
    length: Option<u64>,
    expects_continue: bool,
    acceptance: Option<Acceptance>,
    /// The resumable upload that has the bytes already. Until the id is taken the stream fails.
    resumed: Option<UploadId>,
    content: UploadContent,
    state: State,
}

/// The state of an upload.
enum State {
    Arriving,
    /// All of it is here, and waits for the verdict of the policy.
    Judged {
        verdict: BoxFuture<'static, Result<(), UploadError>>,
        sha256: [u8; 32],
    },
    Whole {
        sha256: [u8; 32],
    },
    Failed,
}

/// The content of an upload, without any decision on it. Clones are handles of the one stream: if
/// the repository has no use for it, the server still reads it, for its digest.
#[derive(Clone)]
pub(crate) struct UploadContent(Arc<Mutex<Progress>>);

struct Progress {
    /// In bytes.
    received: u64,
    /// `None` once it has ended.
    stream: Option<Pin<Box<dyn Hashed>>>,
    /// Of the whole.
    sha256: Option<[u8; 32]>,
}

/// A stream that knows the SHA-256 of the bytes that it has yielded.
pub(crate) trait Hashed: Stream<Item = Result<Bytes, UploadError>> + Send {
    fn sha256(&self) -> [u8; 32];
}

impl Upload {
    /// An upload of a length that is not known in advance.
    pub fn new(
        content_type: ContentType,
        stream: impl Stream<Item = Result<Bytes, UploadError>> + Send + 'static,
    ) -> Self {
        let stream = Hashing {
            stream: Box::pin(stream),
            so_far: Sha256::new(),
        };
        Self::hashed(content_type, stream)
    }

    /// As [`new`](Self::new), of bytes that are hashed already.
    pub(crate) fn hashed(content_type: ContentType, stream: impl Hashed + 'static) -> Self {
        let progress = Progress {
            received: 0,
            stream: Some(Box::pin(stream)),
            sha256: None,
        };
        Self::of(content_type, progress)
    }

    /// An upload whose bytes are in the store already, `length` of them, as the resumable upload
    /// of this id.
    pub(crate) fn resumed(
        content_type: ContentType,
        upload: UploadId,
        length: u64,
        sha256: [u8; 32],
    ) -> Self {
        let progress = Progress {
            received: length,
            stream: None,
            sha256: Some(sha256),
        };
        Self {
            length: Some(length),
            resumed: Some(upload),
            ..Self::of(content_type, progress)
        }
    }

    fn of(content_type: ContentType, progress: Progress) -> Self {
        Self {
            content_type,
            length: None,
            expects_continue: true,
            acceptance: None,
            resumed: None,
            content: UploadContent(Arc::new(Mutex::new(progress))),
            state: State::Arriving,
        }
    }

    /// A handle of the content.
    pub(crate) fn content(&self) -> UploadContent {
        self.content.clone()
    }

    /// Sets [`expects_continue`](Self::expects_continue): the client waits before it sends.
    /// Default: yes.
    #[must_use]
    pub fn with_expects_continue(mut self, expects_continue: bool) -> Self {
        self.expects_continue = expects_continue;
        self
    }

    /// Announces the length, in bytes.
    #[must_use]
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Lets the content become visible only if `acceptance` agrees. It is asked before the stream
    /// ends with `None`, unless the repository [takes it over](Self::take_acceptance).
    pub(crate) fn with_acceptance(mut self, acceptance: Acceptance) -> Self {
        self.acceptance = Some(acceptance);
        self
    }

    /// Hands the decision to a repository that can ask for it between storing and publishing.
    pub(crate) fn take_acceptance(&mut self) -> Option<Acceptance> {
        self.acceptance.take()
    }

    /// The id of the [resumable](super::Resumable) upload that has all of the bytes, if they have
    /// come in parts. The caller then stores the bytes that are there under that id, once the
    /// stream has ended with `None`; no chunk comes before that. If nobody takes the id the stream
    /// fails.
    ///
    /// To be called before the first chunk is asked for, by repositories and stores that are
    /// [`resumable`](super::BinaryRepository::resumable).
    pub fn take_resumed(&mut self) -> Option<UploadId> {
        self.resumed.take()
    }

    /// True if the bytes have come in parts and nobody has taken the id yet.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed.is_some()
    }

    /// The media type to store: the one that was granted. For text it has the charset that the
    /// client named, if the grant names none.
    #[must_use]
    pub fn content_type(&self) -> &ContentType {
        &self.content_type
    }

    /// The length that the client announced, in bytes. The stream fails if it does not hold.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// True if the client may be waiting for `100 Continue`, which the first call of
    /// [`next`](Self::next) sends (`Expect: 100-continue`, RFC 9110 §10.1.1). If so, refuse an
    /// upload that cannot be stored before that call, and the client is spared sending it. If not,
    /// the content is on its way already, and may be taken in during the check.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// The next chunk, or `None` once the content is whole.
    ///
    /// # Errors
    ///
    /// The reason why it never will be whole; pass it on as
    /// [`RepositoryError::Upload`](super::RepositoryError), which `?` does.
    pub async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The SHA-256 of the content: `Some` once the stream has ended with `None`.
    #[must_use]
    pub fn sha256(&self) -> Option<[u8; 32]> {
        match self.state {
            State::Whole { sha256 } => Some(sha256),
            _ => None,
        }
    }
}

impl Stream for Upload {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.resumed.is_some() {
            // The bytes are in the store, and nobody has taken the id to look for them.
            return self.fail(UploadError::Incomplete(None));
        }
        loop {
            match &mut self.state {
                State::Arriving => match ready!(Pin::new(&mut self.content).poll_next(cx)) {
                    Some(Ok(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                    Some(Err(error)) => return self.fail(error),
                    None => {
                        let Some(sha256) = self.content.sha256() else {
                            return self.fail(UploadError::Incomplete(None));
                        };
                        self.state = match self.acceptance.take() {
                            Some(acceptance) => State::Judged {
                                verdict: acceptance(Arrived {
                                    length: self.content.received(),
                                    sha256,
                                    stored: None,
                                }),
                                sha256,
                            },
                            None => State::Whole { sha256 },
                        };
                    }
                },
                State::Judged { verdict, sha256 } => {
                    let sha256 = *sha256;
                    match ready!(verdict.as_mut().poll(cx)) {
                        Ok(()) => self.state = State::Whole { sha256 },
                        Err(error) => return self.fail(error),
                    }
                }
                State::Whole { .. } => return Poll::Ready(None),
                State::Failed => {
                    return Poll::Ready(Some(Err(UploadError::Incomplete(None))));
                }
            }
        }
    }
}

impl Upload {
    fn fail(&mut self, error: UploadError) -> Poll<Option<Result<Bytes, UploadError>>> {
        self.state = State::Failed;
        Poll::Ready(Some(Err(error)))
    }
}

impl UploadContent {
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// `Some` once the stream has ended with `None`.
    pub(crate) fn sha256(&self) -> Option<[u8; 32]> {
        self.progress().sha256
    }

    /// The length so far, in bytes.
    pub(crate) fn received(&self) -> u64 {
        self.progress().received
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for UploadContent {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut progress = self.progress();
        let Some(stream) = &mut progress.stream else {
            let is_whole = progress.sha256.is_some();
            return Poll::Ready((!is_whole).then(|| Err(UploadError::Incomplete(None))));
        };
        let chunk = ready!(stream.as_mut().poll_next(cx));
        match &chunk {
            Some(Ok(chunk)) => progress.received += chunk.len() as u64,
            Some(Err(_)) => progress.stream = None,
            None => {
                progress.sha256 = Some(stream.sha256());
                progress.stream = None;
            }
        }
        Poll::Ready(chunk)
    }
}

/// Any stream, hashed.
struct Hashing<S> {
    stream: Pin<Box<S>>,
    so_far: Sha256,
}

impl<S: Stream<Item = Result<Bytes, UploadError>>> Stream for Hashing<S> {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(self.stream.as_mut().poll_next(cx));
        if let Some(Ok(chunk)) = &chunk {
            self.so_far.update(chunk);
        }
        Poll::Ready(chunk)
    }
}

impl<S: Stream<Item = Result<Bytes, UploadError>> + Send> Hashed for Hashing<S> {
    fn sha256(&self) -> [u8; 32] {
        self.so_far.clone().finalize().into()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .field("expects_continue", &self.expects_continue)
            .finish_non_exhaustive()
    }
}
