//! Whether a browser shows content or saves it, and under which name.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::content_kind::ContentKind;
use crate::filename::Filename;

/// Characters that RFC 8187 §3.2.1 does not allow unencoded in `filename*`.
const EXTENDED_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `Content-Disposition` (RFC 6266): inline only what is known to be harmless, and both forms of the
/// file name, for old clients and new.
pub(crate) fn content_disposition(
    kind: ContentKind,
    filename: Option<&Filename>,
    attachment: bool,
) -> HeaderValue {
    let disposition = if !attachment && kind.is_shown_inline() {
        "inline"
    } else {
        "attachment"
    };
    filename
        .and_then(|filename| {
            let plain = plain_filename(filename);
            let extended = utf8_percent_encode(filename.as_str(), EXTENDED_VALUE);
            let value = format!("{disposition}; filename=\"{plain}\"; filename*=UTF-8''{extended}");
            HeaderValue::try_from(value).ok()
        })
        .unwrap_or(HeaderValue::from_static(disposition))
}

/// A name in ASCII, without what must be escaped in quotes, and without `%`, which some browsers
/// decode (RFC 6266, appendix D).
fn plain_filename(filename: &Filename) -> String {
    filename
        .as_str()
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect()
}
