//! [`PresignLayer`] and [`ServeLayer`]: their settings.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use serde_json::Value;
use tower_layer::Layer;

use crate::attachments::AttachmentsLayer;
use crate::batch;
use crate::config::{BasePath, Config, InvalidPath, Operation, Resumption, Serving};
use crate::mint::Presigner;
use crate::policy::{AccessPolicy, AllowAll, UseLedger};
use crate::service::Presign;
use crate::store::{BinaryRepository, BoxRepository};
use crate::url::{InvalidBaseUrl, UrlSigner, UrlVerifier};

/// The layer that hands out presigned URLs, and serves them.
///
/// 1. `[base]/Binary/[id]/$presigned-url` is answered with a presigned URL, if the
///    [`AccessPolicy`] agrees.
/// 2. The storage path, which is the path of the signer's storage base URL and everything below
///    it, is served from the [`BinaryRepository`], if the URL's signature is right.
/// 3. Everything else goes to the inner service as it came.
///
/// It has no type parameters and is cheap to clone.
///
/// # The operation
///
/// | request | the URL in its answer |
/// |---|---|
/// | `GET [base]/Binary/[id]/$presigned-url` | reads the current version |
/// | `GET [base]/Binary/[id]/_history/[vid]/$presigned-url` | reads that version |
/// | `GET [base]/Binary/[id]/$presigned-url?upload=true` | writes the next version |
///
/// `POST` is answered like `GET`, and its body may be a `Parameters` resource with `upload` as a
/// `valueBoolean`. Other parameters are ignored by the layer, and the policy sees those of the query
/// in [`MintRequest::parts`](crate::MintRequest::parts). The answer is 200 `application/fhir+json`:
///
/// ```json
/// {
///   "resourceType": "Parameters",
///   "parameter": [{ "name": "url", "valueUri": "https://health.example.com/storage/scan-7/1?Expires=…" }]
/// }
/// ```
///
/// [`describe_urls`](Self::describe_urls) adds the method, the expiry and the headers to send.
///
/// # Its place
///
/// Put it **behind** the layers that identify the caller, so that the policy sees what they found.
/// Put it in front of those that refuse strangers: a presigned URL is used without an account.
/// CORS, body limits and timeouts go in front of it.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct PresignLayer {
    operation: Operation,
    serving: Serving,
    is_serving: bool,
}

/// The layer of a server that only serves presigned URLs, which another server hands out.
///
/// It holds keys that [verify](UrlVerifier), and needs no policy. The operation goes to the inner
/// service, as does everything else that is not below the storage path.
///
/// ```
/// use tower_presign::{MemoryRepository, ServeLayer, SigningKey, UrlVerifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
/// let verifier = UrlVerifier::new(key, "https://storage.example.com/binary")?;
/// let layer = ServeLayer::new(verifier, MemoryRepository::new());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct ServeLayer {
    serving: Serving,
}

impl PresignLayer {
    /// A layer with defaults for everything else.
    ///
    /// There is no default policy. [`AllowAll`] allows everything, and must be asked for by name.
    pub fn new(
        signer: UrlSigner,
        repository: impl BinaryRepository,
        policy: impl AccessPolicy,
    ) -> Self {
        let verifier = signer.verifier().clone();
        let presigner = Presigner::new(signer, repository, policy);
        let (repository, policy) = presigner.parts();
        Self {
            serving: Serving::new(verifier, repository, policy),
            operation: Operation {
                presigner,
                fhir_base: None,
                describes_urls: false,
                resumes_uploads: false,
                is_timeout: Vec::new(),
            },
            is_serving: true,
        }
    }

    /// Mint only: the storage path goes to the inner service. For servers whose URLs another
    /// server serves, with the same keys and base URL.
    pub fn operation_only(mut self) -> Self {
        self.is_serving = false;
        self
    }

    /// Serve only: the operation goes to the inner service. A server that has no policy to mint by
    /// begins with [`ServeLayer::new`].
    pub fn storage_only(self) -> ServeLayer {
        ServeLayer {
            serving: self.serving,
        }
    }

    /// The presigner of this layer, for hosts that mint without a request to the operation.
    pub fn presigner(&self) -> Presigner {
        self.operation.presigner.clone()
    }

    /// Answers the operation below this path alone (`/fhir/R4`): the path as it arrives, which in a
    /// nest lacks the nest's prefix. Default: below any.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`] when no request can be below the path.
    pub fn fhir_base(mut self, path: impl AsRef<str>) -> Result<Self, InvalidPath> {
        let path = BasePath::new(path.as_ref())?;
        self.operation.presigner.add_reference_base(path.as_str());
        self.operation.fhir_base = Some(path);
        Ok(self)
    }

    /// The FHIR base as clients know it; as [`Presigner::fhir_base_url`].
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] when the URL is not in the form that a storage base URL has.
    pub fn fhir_base_url(mut self, url: impl AsRef<str>) -> Result<Self, InvalidBaseUrl> {
        self.operation.presigner = self.operation.presigner.fhir_base_url(url)?;
        Ok(self)
    }

    /// Answers an entry of a batch `Bundle` that calls the operation
    /// (`Binary/[id]/$presigned-url`), for the batch handler of a host. Returns the entry of the
    /// response, with the `Parameters`, or with the outcome of a refusal. `None` if the entry is
    /// about something else.
    ///
    /// `caller` is the request with the batch, as the policy sees it.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use tower_presign::{AllowAll, BinaryId, ContentType, MemoryRepository, PresignLayer, SigningKey, UrlSigner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
    /// # let signer = UrlSigner::new(key, "https://storage.example.com/binary")?;
    /// # let layer = PresignLayer::new(signer, MemoryRepository::new(), AllowAll);
    /// # let (caller, ()) = http::Request::post("/fhir").body(())?.into_parts();
    /// let entry = json!({ "request": { "method": "GET", "url": "Binary/7/$presigned-url" } });
    /// let answer = layer.answer_batch_entry(&caller, &entry).await.unwrap_or_default();
    /// assert_eq!(answer["response"]["status"], "404 Not Found");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn answer_batch_entry(&self, caller: &Parts, entry: &Value) -> Option<Value> {
        batch::answer(&self.operation, caller, entry).await
    }

    /// The layer that puts presigned URLs into the resources of the host's own answers, and takes
    /// them out of those that clients send: see [`attachments`](crate::attachments).
    ///
    /// It has the settings that this layer has when it is called.
    pub fn attachments(&self) -> AttachmentsLayer {
        let Operation {
            presigner,
            fhir_base,
            ..
        } = &self.operation;
        AttachmentsLayer::new(presigner.clone(), fhir_base.clone())
    }

    /// The lifetime of a URL whose [`Terms`](crate::Terms) set none, in whole seconds.
    /// Default: 1 hour.
    pub fn default_lifetime(mut self, lifetime: Duration) -> Self {
        let presigner = self.operation.presigner;
        self.operation.presigner = presigner.default_lifetime(lifetime);
        self
    }

    /// Rounds expiries up to multiples of this many whole seconds. Within each such period, a URL
    /// minted twice is then the same text, so that browsers can cache its content. Default: none.
    ///
    /// This lengthens every lifetime by up to as much, even one that [`Terms`](crate::Terms) set,
    /// but never beyond the maximum lifetime.
    pub fn expiry_granularity(mut self, granularity: Duration) -> Self {
        let presigner = self.operation.presigner;
        self.operation.presigner = presigner.expiry_granularity(granularity);
        self
    }

    /// Has the operation return more than the `url`: the `method` (`valueCode`), the moment at
    /// which the URL `expires` (`valueInstant`), and each `header` to send (parts `name` and
    /// `value`). A write URL that also takes an upload in parts is `resumable` (`valueBoolean`).
    /// Default: no.
    pub fn describe_urls(mut self, describe: bool) -> Self {
        self.operation.describes_urls = describe;
        self
    }

    fn set(mut self, change: impl FnOnce(&mut Serving)) -> Self {
        let (serving, operation) = (&mut self.serving, &mut self.operation);
        change(serving);
        operation.presigner.share(
            serving.max_upload,
            serving.redirects_to_storage,
            &serving.clock,
        );
        operation.is_timeout.clone_from(&serving.is_timeout);
        operation.resumes_uploads = serving.resumption.is_some();
        self
    }
}

impl ServeLayer {
    /// A layer that serves every URL that `verifier` finds genuine, with defaults for everything
    /// else.
    pub fn new(verifier: impl Into<UrlVerifier>, repository: impl BinaryRepository) -> Self {
        let repository = BoxRepository::new(repository);
        // It is asked at the use of a URL alone.
        let policy = Arc::new(AllowAll);
        Self {
            serving: Serving::new(verifier.into(), repository, policy),
        }
    }

    /// Asks a policy at each use of a URL ([`AccessPolicy::redeem`], `accept`, `settled`). Its
    /// `mint` and `minted` are never asked. Default: every genuine URL may be used.
    pub fn policy(mut self, policy: impl AccessPolicy) -> Self {
        self.serving.policy = Arc::new(policy);
        self
    }

    fn set(mut self, change: impl FnOnce(&mut Serving)) -> Self {
        change(&mut self.serving);
        self
    }
}

/// The settings that both layers have.
macro_rules! serving_settings {
    ($($layer:ident)*) => {$(
        impl $layer {
            /// The path under which requests for content arrive, where a proxy or a nested router
            /// has changed it. Default: the path of the storage base URL.
            ///
            /// A nested axum router needs a fallback of its own for the layer to see these
            /// requests.
            ///
            /// # Errors
            ///
            /// [`InvalidPath`] when no request can be below the path.
            pub fn storage_path(self, path: impl AsRef<str>) -> Result<Self, InvalidPath> {
                let path = BasePath::new(path.as_ref())?;
                Ok(self.set(|serving| serving.path = path))
            }

            /// Serves a URL even if its parameters arrive in another order than the signed one: for
            /// gateways that rebuild queries from a map. Default: no
            /// ([`UrlVerifier::with_accept_reordered_query`]).
            pub fn accept_reordered_query(self, accept: bool) -> Self {
                self.set(|serving| {
                    let verifier = serving.verifier.clone();
                    serving.verifier = verifier.with_accept_reordered_query(accept);
                })
            }

            /// The longest upload, in bytes, whatever a URL grants. Default: 5 GiB.
            pub fn max_upload(self, bytes: u64) -> Self {
                self.set(|serving| serving.max_upload = bytes)
            }

            /// The most uploads at once, to all versions together. Each version takes no more than
            /// two. Others get 429 `too-many-requests`. Default: 256.
            ///
            /// All services that this layer and its clones make count together. An upload holds up
            /// to half a megabyte of memory. The repository holds the bytes that have come.
            pub fn max_uploads_at_once(self, uploads: usize) -> Self {
                self.set(|serving| serving.max_uploads_at_once = uploads)
            }

            /// Lets an upload come in parts, over days if need be: see
            /// [`guide::resumable_uploads`](crate::guide::resumable_uploads). Default: no.
            ///
            /// The URLs of such uploads are signed with the first key of the ring. Requests with
            /// the methods `POST`, `PATCH` and `DELETE` are then answered below the storage path.
            ///
            /// # Panics
            ///
            /// When the repository [cannot](BinaryRepository::resumable) keep them.
            #[track_caller]
            pub fn resumable_uploads(self, resumable: bool) -> Self {
                self.set(|serving| {
                    assert!(
                        !resumable || serving.repository.resumable().is_some(),
                        "the repository keeps no uploads that come in parts: of a repository of \
                        your own, implement `BinaryRepository::resumable`",
                    );
                    let signer = serving.verifier.signer();
                    serving.resumption = resumable.then(|| Arc::new(Resumption::new(signer)));
                })
            }

            /// The time after which an incomplete resumable upload is removed, in whole seconds
            /// from its beginning: at most the maximum lifetime of a URL. Default: a day.
            pub fn resume_lifetime(self, lifetime: Duration) -> Self {
                self.set(|serving| serving.resume_lifetime = lifetime)
            }

            /// Allows empty content. Default: no, since an empty upload is nearly always the
            /// mistake of a client that lost its content.
            pub fn allow_empty_uploads(self, allow: bool) -> Self {
                self.set(|serving| serving.allows_empty_uploads = allow)
            }

            /// Lets browsers keep downloads, privately and for as long as the URL is valid.
            /// Default: no.
            pub fn cache_downloads(self, cache: bool) -> Self {
                self.set(|serving| serving.caches_downloads = cache)
            }

            /// Redirects a request that may be served (307) to a URL of the repository's storage,
            /// if the repository offers one ([`BinaryRepository::presign`]). That URL is valid for
            /// a minute. URLs that are handed out then point here in any case, so that the policy
            /// is asked at each use. Default: no, and the repository's URLs are handed out
            /// themselves.
            ///
            /// Content is still served from here if the answer depends on the content: to `HEAD`,
            /// and to a request with a condition. The two sources have entity tags of their own, so
            /// a client that resumes a redirected download gets it from the beginning. A redirected
            /// request gets the storage's headers and errors, not this layer's.
            ///
            /// An upload is redirected only if its client waits for an answer
            /// (`Expect: 100-continue`), says its length, has no digest, and sends the headers that
            /// the storage wants: with the repository for object stores, `If-None-Match: *` on S3.
            /// Terms that the storage cannot bind do not hold there: on S3, a redirected client may
            /// send up to 5 GiB in that minute.
            ///
            /// A page of another origin comes to the storage with the origin `null`: the storage's
            /// CORS rules must allow any.
            pub fn redirect_to_storage(self, redirect: bool) -> Self {
                self.set(|serving| serving.redirects_to_storage = redirect)
            }

            /// The record of URLs for one download that have been used
            /// ([`Terms::single_use`](crate::Terms::single_use)). All servers that serve the same
            /// URLs need the same one. Default: none, and the use of such a URL is an error of the
            /// server.
            pub fn use_ledger(self, ledger: impl UseLedger) -> Self {
                self.set(|serving| serving.use_ledger = Some(Arc::new(ledger)))
            }

            /// The source of the time. Default: [`SystemTime::now`].
            pub fn clock(
                self,
                clock: impl Fn() -> SystemTime + Send + Sync + 'static,
            ) -> Self {
                self.set(|serving| serving.clock = Arc::new(clock))
            }

            /// Takes an error of this type in a request body for a sign that the client stalled,
            /// so that the answer is 408 rather than 400. I/O errors of the kind `TimedOut` are
            /// taken so in any case.
            ///
            /// With tower-http's `RequestBodyTimeoutLayer` in front, the type is
            /// `tower_http::timeout::TimeoutError`.
            pub fn timeout_error<E: Error + 'static>(self) -> Self {
                self.set(|serving| serving.is_timeout.push(<dyn Error>::is::<E>))
            }
        }
    )*};
}

serving_settings!(PresignLayer ServeLayer);

impl<S> Layer<S> for PresignLayer {
    type Service = Presign<S>;

    /// Puts the layer around a service.
    ///
    /// # Panics
    ///
    /// When the storage base URL has no path (`https://health.example.com`): the layer would answer
    /// every request, and the service none. A server that only serves is a [`ServeLayer`]; one whose
    /// proxy adds a path has a [`storage_path`](Self::storage_path).
    #[track_caller]
    fn layer(&self, inner: S) -> Presign<S> {
        let has_path = !(self.serving.path.as_str().is_empty()
            && self.serving.verifier.base_path().is_empty());
        assert!(
            has_path || !self.is_serving,
            "the storage base URL {} has no path, so the layer would answer every request itself: \
            give it one, as in {0}/storage, or use storage_only() on a server that only serves",
            self.serving.verifier.base_url(),
        );
        let config = Config {
            operation: Some(Arc::new(self.operation.clone())),
            serving: self.is_serving.then(|| Arc::new(self.serving.clone())),
        };
        Presign::new(inner, config)
    }
}

impl<S> Layer<S> for ServeLayer {
    type Service = Presign<S>;

    fn layer(&self, inner: S) -> Presign<S> {
        let config = Config {
            operation: None,
            serving: Some(Arc::new(self.serving.clone())),
        };
        Presign::new(inner, config)
    }
}

impl fmt::Debug for PresignLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignLayer")
            .field("verifier", &self.serving.verifier)
            .field("storage_path", &self.serving.path.as_str())
            .field("fhir_base", &self.operation.fhir_base)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeLayer")
            .field("verifier", &self.serving.verifier)
            .field("storage_path", &self.serving.path.as_str())
            .finish_non_exhaustive()
    }
}
