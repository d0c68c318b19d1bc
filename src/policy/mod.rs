//! The policy: it decides who may have a presigned URL, and on which terms. It is asked again when
//! the URL is used, and learns of the end of that use.

mod accepting;
mod denial;
mod request;
mod settled;
mod terms;
mod use_ledger;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use accepting::Accepting;
pub use denial::Denial;
pub use request::{MintRequest, Minted, RedeemRequest};
pub use settled::Settled;
pub use terms::Terms;
pub(crate) use use_ledger::ErasedLedger;
pub use use_ledger::{MemoryUseLedger, UseLedger};

/// The host's rights check.
///
/// An `async fn(MintRequest) -> Result<Terms, Denial>` is a policy, and so is a closure that
/// returns such a future.
///
/// Implement the trait itself to be asked at more moments. In the life of a URL they are:
///
/// | moment | method | an error |
/// |---|---|---|
/// | somebody asks for the URL | [`mint`](Self::mint) | refuses it |
/// | it is made, and not yet handed out | [`minted`](Self::minted) | withholds it |
/// | it is used: genuine and not expired | [`redeem`](Self::redeem) | refuses the use |
/// | an upload has arrived, and nobody sees it yet | [`accept`](Self::accept) | throws it away |
/// | a request that used it has ended | [`settled`](Self::settled) | |
///
/// ```
/// use tower_presign::{Access, Denial, MintRequest, Terms};
///
/// #[derive(Clone)]
/// struct User { may_write: bool } // what the host's authentication adds to a request
///
/// async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
///     match request.extensions().get::<User>() {
///         None => Err(Denial::login_required()),
///         Some(user) if request.access() == Access::Write && !user.may_write => {
///             Err(Denial::forbidden())
///         }
///         Some(_) => Ok(Terms::new()),
///     }
/// }
/// # fn assert_policy(_: impl tower_presign::AccessPolicy) {}
/// # assert_policy(authorize);
/// ```
///
/// An `async` closure that captures nothing is a policy too. One that captures something must
/// return an `async` block that owns what it needs: an `async` closure lends its captures to its
/// futures, and these outlive the call. [`policy_fn`] is for an `async fn` with a state.
///
/// ```
/// # use std::sync::Arc;
/// # use tower_presign::{AccessPolicy, Denial, MintRequest, Terms};
/// # fn assert_policy(_: impl AccessPolicy) {}
/// assert_policy(async |_: MintRequest| Ok(Terms::new()));
///
/// let allowed = Arc::new(["scan-7".to_owned()]);
/// assert_policy(move |request: MintRequest| {
///     let allowed = Arc::clone(&allowed);
///     async move {
///         let is_allowed = allowed.iter().any(|id| id == request.id().as_str());
///         is_allowed.then(Terms::new).ok_or(Denial::forbidden())
///     }
/// });
/// ```
pub trait AccessPolicy: Send + Sync + 'static {
    /// Decides if the caller may have the URL, and on which terms.
    ///
    /// Runs before anything is looked up, so a denial reveals nothing about what exists.
    fn mint(&self, request: MintRequest) -> impl Future<Output = Result<Terms, Denial>> + Send;

    /// The URL is made and not yet handed out. An error withholds it: the place for an audit trail
    /// that must miss none. Default: it is handed out.
    ///
    /// Nothing comes from [`mint`](Self::mint) to here but the grant and the caller's request:
    /// [`Terms::id`] and [`Terms::context`] are the ways for more. No policy is asked about the URLs
    /// of [`Presigner::presign`](crate::Presigner::presign).
    fn minted(&self, minted: Minted<'_>) -> impl Future<Output = Result<(), Denial>> + Send {
        let _ = minted;
        async { Ok(()) }
    }

    /// Decides if a genuine, unexpired URL may be used now. Runs before any content is touched.
    ///
    /// The place for revocation and audit. Default: yes.
    fn redeem(
        &self,
        request: RedeemRequest<'_>,
    ) -> impl Future<Output = Result<(), Denial>> + Send {
        let _ = request;
        async { Ok(()) }
    }

    /// Decides if an upload may become visible. All of its bytes are here, and none can be read by
    /// anybody else: the place to scan, count or compare them. Default: yes.
    ///
    /// A [`Composed`](crate::Composed) repository asks between storing and publishing, and lets the
    /// policy [read](Accepting::content) the stored bytes. For every other repository the end of
    /// the upload's stream is withheld until this has answered; length and digest are known then,
    /// and the bytes cannot be read.
    ///
    /// It runs to its end even if the client leaves meanwhile. It is not asked about an upload that
    /// the layer has redirected to the repository's storage. An upload that is accepted here may
    /// still lose a race for its version.
    ///
    /// The client gets the error, [`Denial::rejected`] for instance, and nothing of the upload
    /// stays.
    ///
    /// ```
    /// use tower_presign::{
    ///     AccessPolicy, Accepting, Denial, MintRequest, RefusalCode, Terms,
    /// };
    ///
    /// struct PdfOnly;
    ///
    /// impl AccessPolicy for PdfOnly {
    ///     async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
    ///         Ok(Terms::new())
    ///     }
    ///
    ///     async fn accept(&self, upload: Accepting<'_>) -> Result<(), Denial> {
    ///         let mut content = upload.content(None).await.map_err(Denial::unavailable)?;
    ///         let mut start = Vec::new();
    ///         while let Some(chunk) = content.next().await {
    ///             start.extend_from_slice(&chunk.map_err(Denial::unavailable)?);
    ///             if start.len() >= 5 {
    ///                 break;
    ///             }
    ///         }
    ///         if start.starts_with(b"%PDF-") {
    ///             Ok(())
    ///         } else {
    ///             Err(Denial::rejected().because("This is no PDF."))
    ///         }
    ///     }
    /// }
    /// # assert_eq!(Denial::rejected().code(), RefusalCode::Rejected);
    /// ```
    fn accept(&self, upload: Accepting<'_>) -> impl Future<Output = Result<(), Denial>> + Send {
        let _ = upload;
        async { Ok(()) }
    }

    /// Learns of the end of a request that used a URL, with its code and its number of bytes.
    /// Default: does nothing.
    ///
    /// It is called once for each request that used a URL, about which [`redeem`](Self::redeem) was asked, even if that
    /// refused it, and even if the client has gone. It does not hold up the answer. A future that
    /// is not ready at once runs in a task of the tokio runtime (feature `tokio`, which `fs` and
    /// `object-store` have) and is dropped where there is none; the end of the process takes the
    /// tasks with it. So an audit that must not miss a use belongs in `redeem`, and this method
    /// adds the outcome to it.
    ///
    /// Many requests may use a URL to write, and one of them stores the content:
    /// [`Settled::has_stored`].
    fn settled(&self, settled: Settled<'_>) -> impl Future<Output = ()> + Send {
        let _ = settled;
        async {}
    }
}

impl<F, Fut> AccessPolicy for F
where
    F: Fn(MintRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Terms, Denial>> + Send,
{
    fn mint(&self, request: MintRequest) -> impl Future<Output = Result<Terms, Denial>> + Send {
        self(request)
    }
}

/// A policy of an `async fn` and the state that it works with.
///
/// ```
/// use std::sync::Arc;
/// use tower_presign::{Denial, MintRequest, Terms, policy_fn};
///
/// struct Rights(Vec<String>);
///
/// async fn authorize(rights: Arc<Rights>, request: MintRequest) -> Result<Terms, Denial> {
///     let is_allowed = rights.0.iter().any(|id| id == request.id().as_str());
///     is_allowed.then(Terms::new).ok_or(Denial::forbidden())
/// }
///
/// let policy = policy_fn(Arc::new(Rights(vec!["scan-7".to_owned()])), authorize);
/// # fn assert_policy(_: impl tower_presign::AccessPolicy) {}
/// # assert_policy(policy);
/// ```
///
/// The state is cloned for each question, so it should be cheap to clone: an [`Arc`], or a pool of
/// connections.
pub fn policy_fn<S, F, Fut>(state: S, policy: F) -> impl AccessPolicy
where
    S: Clone + Send + Sync + 'static,
    F: Fn(S, MintRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Terms, Denial>> + Send,
{
    move |request: MintRequest| policy(state.clone(), request)
}

/// A policy that the host keeps a handle of.
impl<P: AccessPolicy> AccessPolicy for Arc<P> {
    fn mint(&self, request: MintRequest) -> impl Future<Output = Result<Terms, Denial>> + Send {
        (**self).mint(request)
    }

    fn minted(&self, minted: Minted<'_>) -> impl Future<Output = Result<(), Denial>> + Send {
        (**self).minted(minted)
    }

    fn redeem(
        &self,
        request: RedeemRequest<'_>,
    ) -> impl Future<Output = Result<(), Denial>> + Send {
        (**self).redeem(request)
    }

    fn accept(&self, upload: Accepting<'_>) -> impl Future<Output = Result<(), Denial>> + Send {
        (**self).accept(upload)
    }

    fn settled(&self, settled: Settled<'_>) -> impl Future<Output = ()> + Send {
        (**self).settled(settled)
    }
}

/// **Gives everyone a URL to read and to write everything.** For tests and demonstrations, or
/// behind a layer that lets nobody unauthorised through to the operation.
///
/// Such a guard must cover every path that ends with `/$presigned-url` or `/%24presigned-url`, with
/// every method: the operation is answered below any base, unless
/// [`fhir_base`](crate::PresignLayer::fhir_base) names the one.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl AccessPolicy for AllowAll {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`AccessPolicy`] in the form that can be a trait object.
pub(crate) trait ErasedPolicy: Send + Sync {
    fn mint(&self, request: MintRequest) -> BoxFuture<'_, Result<Terms, Denial>>;
    fn minted<'a>(&'a self, minted: Minted<'a>) -> BoxFuture<'a, Result<(), Denial>>;
    fn redeem<'a>(&'a self, request: RedeemRequest<'a>) -> BoxFuture<'a, Result<(), Denial>>;
    fn accept<'a>(&'a self, upload: Accepting<'a>) -> BoxFuture<'a, Result<(), Denial>>;
    fn settled<'a>(&'a self, settled: Settled<'a>) -> BoxFuture<'a, ()>;
}

impl<P: AccessPolicy> ErasedPolicy for P {
    fn mint(&self, request: MintRequest) -> BoxFuture<'_, Result<Terms, Denial>> {
        Box::pin(AccessPolicy::mint(self, request))
    }

    fn minted<'a>(&'a self, minted: Minted<'a>) -> BoxFuture<'a, Result<(), Denial>> {
        Box::pin(AccessPolicy::minted(self, minted))
    }

    fn redeem<'a>(&'a self, request: RedeemRequest<'a>) -> BoxFuture<'a, Result<(), Denial>> {
        Box::pin(AccessPolicy::redeem(self, request))
    }

    fn accept<'a>(&'a self, upload: Accepting<'a>) -> BoxFuture<'a, Result<(), Denial>> {
        Box::pin(AccessPolicy::accept(self, upload))
    }

    fn settled<'a>(&'a self, settled: Settled<'a>) -> BoxFuture<'a, ()> {
        Box::pin(AccessPolicy::settled(self, settled))
    }
}
