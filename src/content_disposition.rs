//! The header by which a browser shows content, or saves it under a name.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::filename::Filename;
use crate::id::BinaryId;
use crate::served_type::ServedType;

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

/// `Content-Disposition` (RFC 6266): inline only for content known to be harmless. It has both
/// forms of the file name, for old clients and new. Without a name it is `{id}.{extension}`: a
/// browser would make one of the URL's last segment, which is the version.
pub(crate) fn content_disposition(
    served: &ServedType<'_>,
    filename: Option<&Filename>,
    attachment: bool,
    id: BinaryId,
) -> HeaderValue {
    let is_inline = !attachment && served.kind.is_shown_inline();
    let disposition = if is_inline { "inline" } else { "attachment" };
    let value = if let Some(filename) = filename {
        let plain = plain_filename(filename);
        let extended = utf8_percent_encode(filename.as_str(), EXTENDED_VALUE);
        format!("{disposition}; filename=\"{plain}\"; filename*=UTF-8''{extended}")
    } else {
        // Most downloads come here: `concat` is faster than a formatter.
        let (id, extension) = (id.as_str(), served.extension);
        let name = id.strip_suffix(extension);
        let name = name.and_then(|name| name.strip_suffix('.')).unwrap_or(id);
        [disposition, "; filename=\"", name, ".", extension, "\""].concat()
    };
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// A name in ASCII, without the characters that must be escaped in quotes, and without `%`, which
/// some browsers decode (RFC 6266, appendix D).
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
