//! Whether a browser shows content or saves it, and under which name.

use http::HeaderValue;
use mime::Mime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::filename::Filename;

/// The raster formats that browsers show. Not SVG, which is a document with scripts.
const RASTER_IMAGES: [&str; 10] = [
    "apng", "avif", "bmp", "gif", "jpeg", "jxl", "png", "tiff", "webp", "x-icon",
];

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
    content_type: Option<&Mime>,
    filename: Option<&Filename>,
    attachment: bool,
) -> HeaderValue {
    let kind = if !attachment && content_type.is_some_and(is_shown_inline) {
        "inline"
    } else {
        "attachment"
    };
    filename
        .and_then(|filename| {
            let plain = plain_filename(filename);
            let extended = utf8_percent_encode(filename.as_str(), EXTENDED_VALUE);
            let value = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{extended}");
            HeaderValue::try_from(value).ok()
        })
        .unwrap_or(HeaderValue::from_static(kind))
}

/// What cannot do harm as a page of our origin: raster images, audio, video, PDF and plain text.
fn is_shown_inline(content_type: &Mime) -> bool {
    // `image/png+xml`, if there were such a thing, would be XML.
    if content_type.suffix().is_some() {
        return false;
    }
    let subtype = content_type.subtype();
    match content_type.type_() {
        mime::AUDIO | mime::VIDEO => true,
        mime::IMAGE => RASTER_IMAGES.iter().any(|raster| subtype == *raster),
        _ => matches!(content_type.essence_str(), "application/pdf" | "text/plain"),
    }
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
