//! Paths, and which of the three ways a request to them takes.

use std::sync::Arc;

use http::{Method, Uri};

use crate::config::{BasePath, Config, Operation, Serving};
use crate::id::{BinaryId, InvalidId, VersionId};

/// What the operation is called on: `Binary/[id]` or `Binary/[id]/_history/[vid]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) id: BinaryId,
    pub(crate) version: Option<VersionId>,
}

/// The way of a request that the inner service does not get.
pub(crate) enum Route {
    /// The operation; on an error if what stands for an id is none.
    Operation(Arc<Operation>, Result<Subject, InvalidId>),
    /// The storage path.
    Storage(Arc<Serving>),
}

impl Route {
    /// Decides, without allocating. `None`: the inner service's.
    #[inline]
    pub(crate) fn of(config: &Config, method: &Method, uri: &Uri) -> Option<Self> {
        let path = uri.path();
        let serving = config.serving.as_ref();
        let serving = serving.filter(|serving| is_below(path, serving.path.as_str()));
        // With a storage base URL that is a bare host every path is a storage path: then the
        // operation comes first.
        if serving.is_none_or(|serving| serving.path.as_str().is_empty())
            && let Some(operation) = &config.operation
            // `OPTIONS` is left to the host: its answer may be that to a CORS preflight.
            && method != Method::OPTIONS
            && let Some(owner) = strip_operation(path)
            && let Some(subject) = subject(owner, operation.fhir_base.as_ref())
        {
            return Some(Self::Operation(Arc::clone(operation), subject));
        }
        serving.map(|serving| Self::Storage(Arc::clone(serving)))
    }
}

/// What stands before the operation's name. `$` is a legal character of a path (RFC 3986 §3.3),
/// yet some clients encode it.
#[inline]
fn strip_operation(path: &str) -> Option<&str> {
    let path = path.strip_suffix("presigned-url")?;
    path.strip_suffix("/$")
        .or_else(|| path.strip_suffix("/%24"))
}

/// `None` if this is not about a Binary.
fn subject(owner: &str, base: Option<&BasePath>) -> Option<Result<Subject, InvalidId>> {
    let (rest, last) = owner.rsplit_once('/')?;
    let (before, id, version) = match rest.strip_suffix("/_history") {
        Some(instance) => {
            let (before, id) = instance.rsplit_once('/')?;
            (before, id, Some(last))
        }
        None => (rest, last, None),
    };
    let actual_base = before.strip_suffix("/Binary")?;
    if base.is_some_and(|base| base.as_str() != actual_base) {
        return None;
    }
    let subject = || {
        Ok(Subject {
            id: BinaryId::new(id)?,
            version: version.map(VersionId::new).transpose()?,
        })
    };
    Some(subject())
}

/// Byte by byte, since most paths differ in one of the first: a call of `memcmp` takes longer.
#[inline]
fn is_below(path: &str, folder: &str) -> bool {
    let mut path = path.bytes();
    folder.bytes().all(|byte| path.next() == Some(byte)) && matches!(path.next(), None | Some(b'/'))
}
