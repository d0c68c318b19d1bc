//! Who may have a presigned URL, on which terms, and whether it may still be used.

mod denial;
mod request;
mod terms;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use denial::Denial;
pub use request::{MintRequest, Minted, RedeemRequest};
pub use terms::Terms;

/// The host's rights check.
///
/// An `async fn(MintRequest) -> Result<Terms, Denial>` is a policy, and so is a closure that
/// returns such a future. Implement the trait itself to also decide, each time a URL is used,
/// whether it may still be.
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
    /// Whether the caller may have the URL, and on which terms.
    ///
    /// Runs before anything is looked up, so a denial tells nothing about what exists.
    fn mint(&self, request: MintRequest) -> impl Future<Output = Result<Terms, Denial>> + Send;

    /// The URL is made and not yet handed out. An error withholds it: the place of an audit trail
    /// that must not miss one. Default: it is handed out.
    ///
    /// It is asked where [`mint`](Self::mint) has been, and so not for a URL that
    /// [`Presigner::presign`](crate::Presigner::presign) makes without a policy.
    fn minted(&self, minted: Minted<'_>) -> impl Future<Output = Result<(), Denial>> + Send {
        let _ = minted;
        async { Ok(()) }
    }

    /// Whether a genuine, unexpired URL may be used now. Runs before any content is touched.
    ///
    /// The place for revocation and audit. Default: yes.
    fn redeem(
        &self,
        request: RedeemRequest<'_>,
    ) -> impl Future<Output = Result<(), Denial>> + Send {
        let _ = request;
        async { Ok(()) }
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
/// The state is cloned for each question: an [`Arc`], or a pool of connections.
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
}
