//! The three ways of requests, by their paths.

use std::sync::Arc;

use http::{Method, Uri};

use crate::config::{BasePath, Config, Operation, Serving, is_below};
use crate::id::{BinaryId, InvalidId, VersionId};
use crate::operation::Subject;
use crate::url::has_signature;

/// The way of a request that the inner service does not get.
pub(crate) enum Route {
    /// The operation. An error means that the text in place of an id is none.
    Operation(Arc<Operation>, Result<Subject, InvalidId>),
    /// The storage path.
    Storage(Arc<Serving>),
    /// A URL of ours, at another path than the storage path.
    Stray,
}

impl Route {
    /// Decides, without allocating. `None`: the inner service's.
    #[inline]
    pub(crate) fn of(config: &Config, method: &Method, uri: &Uri) -> Option<Self> {
        let path = uri.path();
        let serving = config.serving.as_ref();
        let serving = serving.filter(|serving| is_below(path, serving.path.as_str()));
        // With the root as storage path every path is below it: then the operation comes first.
        if serving.is_none_or(|serving| serving.path.as_str().is_empty())
            && let Some(operation) = &config.operation
            // `OPTIONS` is left to the host: its answer may be that to a CORS preflight.
            && method != Method::OPTIONS
            && let Some(owner) = strip_operation(path)
            && let Some(subject) = subject(owner, operation.fhir_base.as_ref())
        {
            return Some(Self::Operation(Arc::clone(operation), subject));
        }
        match serving {
            Some(serving) => Some(Self::Storage(Arc::clone(serving))),
            None => is_stray(config, method, uri).then_some(Self::Stray),
        }
    }
}

/// True if a genuine URL has lost the beginning of its path on the way, to a nested router or a
/// proxy. The inner service could make nothing of it.
#[inline]
fn is_stray(config: &Config, method: &Method, uri: &Uri) -> bool {
    let (Some(serving), Some(target)) = (&config.serving, uri.path_and_query()) else {
        return false;
    };
    // Requests for the inner service come as far as this.
    let target = target.as_str();
    if !has_signature(target) || method == Method::OPTIONS {
        return false;
    }
    let mut slashes = uri.path().rmatch_indices('/');
    let Some((before_id, _)) = slashes.nth(1) else {
        return false;
    };
    let (folder, target) = target.split_at(before_id);
    let is_end_of_folder = serving.path.as_str().ends_with(folder);
    let mut sorted = String::new();
    is_end_of_folder
        && serving
            .verifier
            .authenticate(target, &mut sorted)
            .is_ok_and(|authentic| authentic.grant().is_ok())
}

/// The part of a path before the operation's name. `$` is a legal character of a path (RFC 3986
/// §3.3), yet some clients encode it.
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
    if base.is_some_and(|base| base.as_str() != actual_base) || !is_normal(actual_base) {
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

/// True if this path has one spelling for every guard that compares paths: no segment is empty, `.`
/// or `..`, and no letter or digit is percent-encoded (RFC 3986 §6.2.2).
fn is_normal(base: &str) -> bool {
    let is_encoded = |segment: &str| {
        let mut parts = segment.split('%').skip(1);
        parts.any(|part| {
            let code = part.get(..2).unwrap_or_default();
            let is_code = code.len() == 2 && code.bytes().all(|b| b.is_ascii_hexdigit());
            let decoded = u8::from_str_radix(code, 16).unwrap_or_default();
            !is_code || decoded.is_ascii_alphanumeric()
        })
    };
    base.split('/')
        .skip(1)
        .all(|segment| !matches!(segment, "" | "." | "..") && !is_encoded(segment))
}
