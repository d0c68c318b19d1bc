//! [`RedactedUri`]: a URI as logs may hold it.

use std::fmt;

use http::Uri;

/// The query parameters whose values say nothing about a patient and grant nothing.
const HARMLESS: [&str; 6] = [
    "Disposition",
    "Expires",
    "Key-Pair-Id",
    "Max-Length",
    "Method",
    "upload",
];

/// The claims whose values are hidden wherever they stand.
const HIDDEN: [&str; 5] = [
    "Context=",
    "Context%3D",
    "Filename=",
    "Filename%3D",
    "Signature",
];

/// A request's URI as logs may hold it: what it shows grants no access.
///
/// Its `Display` and `Debug` forms are the path and the query. Of the query they show the names of
/// the parameters, and the values of those alone that are known to be harmless: not the `Signature`,
/// not the `Filename` and the `Context`, which can name a patient, and not what other routes of the
/// host are asked for. A presigned URL that a client has mangled, its query encoded into its path
/// for instance, still shows none of them.
///
/// ```
/// use http::Uri;
/// use tower_presign::RedactedUri;
///
/// let uri = Uri::from_static("/storage/scan/1?Expires=1800000060&Key-Pair-Id=a&Signature=q0jMl2w");
/// assert_eq!(
///     RedactedUri::new(&uri).to_string(),
///     "/storage/scan/1?Expires=1800000060&Key-Pair-Id=a&Signature=***",
/// );
/// ```
///
/// With the feature `tracing`, `events::make_span` puts it into the span of a request.
#[derive(Clone, Copy)]
pub struct RedactedUri<'a>(&'a Uri);

impl<'a> RedactedUri<'a> {
    /// Wraps the URI of a request.
    #[must_use]
    pub fn new(uri: &'a Uri) -> Self {
        Self(uri)
    }
}

impl fmt::Display for RedactedUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.path();
        match claims(path) {
            None => f.write_str(path)?,
            Some(start) => write!(f, "{}***", &path[..start])?,
        }
        let parameters = self
            .0
            .query()
            .into_iter()
            .flat_map(|query| query.split('&'));
        for (index, parameter) in parameters.enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            match parameter.split_once('=') {
                Some((name, value)) if HARMLESS.contains(&name) && is_plain(value) => {
                    f.write_str(parameter)?;
                }
                Some((name, _)) if is_plain(name) => write!(f, "{name}=***")?,
                _ => f.write_str("***")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RedactedUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where claims begin that are in the path by mistake: with the first that is to be hidden.
fn claims(path: &str) -> Option<usize> {
    let position = |hidden: &str| {
        let mut names = path.as_bytes().windows(hidden.len());
        names.position(|name| name.eq_ignore_ascii_case(hidden.as_bytes()))
    };
    HIDDEN.iter().filter_map(|hidden| position(hidden)).min()
}

/// Whether there is nothing in it that could be more than one name or value, by whatever rules.
fn is_plain(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= 64 && text.bytes().all(is_plain)
}
