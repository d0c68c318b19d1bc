//! [`RedactedUri`]: a URI as logs may hold it.

use std::fmt;

use http::Uri;

use super::claims::TABLE;

/// A request's URI as logs may hold it: its text grants no access.
///
/// Its `Display` and `Debug` forms are the path and the query. Of the query they show the names of
/// the parameters, and the values of those alone that are known to be harmless (the table of claims
/// in [`url`](crate::url) marks them): not the `Signature`, not the `Filename` and the `Context`,
/// which can name a patient, and not the parameters of the host's other routes. A presigned URL
/// that a client has mangled, its query encoded into its path for instance, still shows none of
/// them.
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
                Some((name, value)) if is_harmless(name) && is_plain(value) => {
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

/// True if the value of a query parameter says nothing about a patient and grants nothing.
fn is_harmless(name: &str) -> bool {
    // The operation's own parameter.
    name == "upload" || TABLE.iter().any(|row| row.name == name && row.is_logged)
}

/// The position of the first claim that is to be hidden, if claims are in the path by mistake.
fn claims(path: &str) -> Option<usize> {
    let hidden = TABLE.iter().filter(|row| !row.is_logged);
    hidden
        .flat_map(|row| {
            [
                position(path, row.name, "="),
                position(path, row.name, "%3D"),
            ]
        })
        .chain([position(path, "Signature", "")])
        .flatten()
        .min()
}

/// The position of a name in a path, in letters of either size.
fn position(path: &str, name: &str, end: &str) -> Option<usize> {
    let hidden = [name, end].concat();
    path.as_bytes()
        .windows(hidden.len())
        .position(|part| part.eq_ignore_ascii_case(hidden.as_bytes()))
}

/// True if the text can only be one name or value, by whatever rules it is read.
fn is_plain(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= 64 && text.bytes().all(is_plain)
}
