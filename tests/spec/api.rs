//! The promises of the public types to whoever builds upon them. All of it is checked when
//! this file is compiled: a promise that is broken is a compile error.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::hash::Hash;
use std::str::FromStr;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use http::Response;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Upload, UploadError,
};
use tower_presign::url::{InvalidBaseUrl, KeyError, VerifyError};
use tower_presign::*;

/// `promise!(Type: Bound + Bound)` for each of the types.
macro_rules! promise {
    ($($type:ty: $bound:tt $(+ $more:tt)*;)*) => {
        $(const _: () = {
            const fn is<T: $bound $(+ $more)* + ?Sized>() {}
            is::<$type>();
        };)*
    };
}

// Configured once, and shared by all connections.
promise! {
    PresignLayer: Clone + Send + Sync + Unpin + Debug;
    Presign<Inner>: Clone + Send + Sync + Unpin + Debug;
    UrlSigner: Clone + Send + Sync + Unpin + Debug;
    Keyring: Clone + Send + Sync + Unpin + Debug;
    SigningKey: Clone + Send + Sync + Unpin + Debug;
    AllowAll: Copy + Send + Sync + Unpin + Debug + Default;
    std::sync::Arc<MemoryRepository>: BinaryRepository;
    MemoryRepository: Clone + Send + Sync + Unpin + Debug + Default;
    FsRepository: Clone + Send + Sync + Unpin + Debug;
}
#[cfg(feature = "object-store")]
promise! {
    ObjectStoreRepository: Clone + Send + Sync + Unpin + Debug;
    store::SigningProtocol: Copy + Eq + Send + Sync + Unpin + Debug;
}

// Names.
promise! {
    BinaryId: Copy + Ord + Hash + Send + Sync + Unpin + Debug + Display + FromStr + (AsRef<str>);
    VersionId: Copy + Ord + Hash + Send + Sync + Unpin + Debug + Display + FromStr + (AsRef<str>);
    VersionId: (From<u64>);
    ContentType: Clone + Eq + Hash + Send + Sync + Unpin + Debug + Display + FromStr + (AsRef<str>);
    Filename: Clone + Eq + Hash + Send + Sync + Unpin + Debug + (AsRef<str>);
    BinaryKey: Clone + Eq + Hash + Send + Sync + Unpin + Debug;
}

// Questions, permissions and findings.
promise! {
    Access: Copy + Eq + Hash + Send + Sync + Unpin + Debug;
    Target: Clone + Eq + Send + Sync + Unpin + Debug;
    Terms: Clone + Send + Sync + Unpin + Debug + Default;
    MintRequest: Send + Sync + Unpin + Debug;
    RedeemRequest<'static>: Copy + Send + Sync + Unpin + Debug;
    Grant: Clone + Eq + Send + Sync + Unpin + Debug;
    Permission: Clone + Eq + Send + Sync + Unpin + Debug;
    PresignedUrl: Clone + Eq + Send + Sync + Unpin + Debug + (Into<String>);
    Located: Clone + Eq + Send + Sync + Unpin + Debug;
    Metadata: Clone + Eq + Send + Sync + Unpin + Debug;
    ByteRange: Copy + Eq + Hash + Send + Sync + Unpin + Debug;
    RedactedUri<'static>: Copy + Send + Sync + Unpin + Debug + Display;
}

// Content on its way.
promise! {
    Upload: Send + Unpin + Debug + (Stream<Item = Result<Bytes, UploadError>>);
    Content: Send + Unpin + Debug + (Stream<Item = Result<Bytes, RepositoryError>>);
    ResponseBody<Body>: Send + Unpin + Debug + Default + (http_body::Body<Data = Bytes>);
    ResponseFuture<Ready>: Send + Unpin + Debug + (Future<Output = Answer>);
    attachments::UrlsBody<Body>: Send + Unpin + Debug + Default + (http_body::Body<Data = Bytes>);
    attachments::ReferencesBody<Body>: Send + Unpin + Debug + (http_body::Body<Data = Bytes>);
    attachments::Attachments<Inner>: Clone + Send + Sync + Unpin + Debug;
}

// Errors.
promise! {
    Denial: Clone + Send + Sync + Unpin + Error + 'static;
    RepositoryError: Send + Sync + Unpin + Error + 'static;
    RepositoryError: (From<std::io::Error>) + (From<UploadError>);
    UploadError: Send + Sync + Unpin + Error + 'static;
    InvalidId: Copy + Eq + Send + Sync + Unpin + Error + 'static;
    InvalidContentType: Clone + Eq + Send + Sync + Unpin + Error + 'static;
    InvalidBaseUrl: Clone + Eq + Send + Sync + Unpin + Error + 'static;
    KeyError: Clone + Eq + Send + Sync + Unpin + Error + 'static;
    VerifyError: Clone + Eq + Send + Sync + Unpin + Error + 'static;
}

type Inner = axum::Router;
type Ready = std::future::Ready<Result<Response<Body>, std::convert::Infallible>>;
type Answer = Result<Response<ResponseBody<Body>>, std::convert::Infallible>;

#[test]
fn the_inner_service_can_be_reached_and_taken_back() {
    use tower::Layer as _;
    let key = SigningKey::new("test", b"a secret of 32 bytes, better random").unwrap();
    let signer = UrlSigner::new(key, "https://example.com/storage").unwrap();
    let layer = PresignLayer::new(signer, MemoryRepository::new(), AllowAll);
    let mut service = layer.layer("inner");
    assert_eq!(*service.get_ref(), "inner");
    *service.get_mut() = "another";
    assert_eq!(service.into_inner(), "another");
}

#[test]
fn a_version_that_is_counted_has_its_number_as_its_id() {
    for number in [0, 1, 42, u64::MAX] {
        let version = VersionId::from(number);
        assert_eq!(version, VersionId::new(number.to_string()).unwrap());
    }
}

#[test]
fn a_policy_that_the_host_keeps_a_handle_of_is_a_policy() {
    fn is_policy(_: impl tower_presign::AccessPolicy) {}
    is_policy(std::sync::Arc::new(AllowAll));
}
