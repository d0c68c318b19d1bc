//! A media type that content is stored with and uploads are held to, read as browsers read it
//! (<https://mimesniff.spec.whatwg.org/#parsing-a-mime-type>).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_url::mime::Mime;
use http::HeaderMap;
use http::header::ACCEPT;

pub(crate) const OCTET_STREAM: &str = "application/octet-stream";

/// Names of media types that are not registered, and that clients send all the same.
const ALIASES: &[(&str, &str)] = &[
    ("image/jpg", "image/jpeg"),
    ("image/pjpeg", "image/jpeg"),
    ("image/x-png", "image/png"),
    ("image/x-ms-bmp", "image/bmp"),
    ("image/vnd.microsoft.icon", "image/x-icon"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/x-mp3", "audio/mpeg"),
    ("audio/x-mpeg", "audio/mpeg"),
    ("audio/wave", "audio/wav"),
    ("audio/x-wav", "audio/wav"),
    ("audio/x-pn-wav", "audio/wav"),
    ("audio/vnd.wave", "audio/wav"),
    ("audio/x-m4a", "audio/mp4"),
    ("audio/x-flac", "audio/flac"),
    ("audio/x-aac", "audio/aac"),
    ("video/x-m4v", "video/mp4"),
    ("application/x-pdf", "application/pdf"),
    ("application/x-gzip", "application/gzip"),
    ("application/x-zip-compressed", "application/zip"),
];

/// The longest content type, in bytes: generous beside RFC 6838's 127 + 1 + 127 for the names.
const MAX_LENGTH: usize = 512;

/// A complete media type, such as `image/png` or `text/plain; charset=utf-8`.
///
/// It is read as browsers read it: a parameter's value needs no quotes, even around a comma, an
/// equal sign or a slash (`video/webm;codecs=vp8,opus`). Text that is no parameter is skipped. A
/// text in which browsers find two media types is no content type.
///
/// It keeps the text that it was made from, byte for byte, since that text is signed into write
/// URLs and stored with the content.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ContentType(Box<str>);

/// The reason why a text is no content type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidContentType {
    /// It is longer than 512 bytes.
    #[error("a content type has at most 512 bytes, not {length}")]
    #[non_exhaustive]
    Length {
        /// The length of the text, in bytes.
        length: usize,
    },
    /// It is not of the form `type/subtype`, with optional parameters, or has two of them.
    #[error("{0:?} is no media type such as image/png")]
    Syntax(Box<str>),
    /// It has a wildcard in place of a name.
    #[error("{0:?} stands for several media types; one is wanted")]
    Wildcard(Box<str>),
}

impl ContentType {
    /// Parses a media type.
    ///
    /// # Errors
    ///
    /// [`InvalidContentType`], which names the broken rule, and what breaks it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidContentType> {
        let text = text.as_ref();
        if text.len() > MAX_LENGTH {
            return Err(InvalidContentType::Length { length: text.len() });
        }
        match parse_media_type(text) {
            Some(mime) if !is_complete(&mime) => Err(InvalidContentType::Wildcard(text.into())),
            Some(_) if !text.ends_with(BLANK) => Ok(Self(text.into())),
            _ => Err(InvalidContentType::Syntax(text.into())),
        }
    }

    /// The text that it was made from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if content that calls itself `other` is of this type.
    ///
    /// Type, subtype and each parameter of `self` must be there, compared without regard to case;
    /// `other` may have further parameters, since browsers add a `charset`. Names that mean the
    /// same type are the same.
    pub(crate) fn accepts(&self, other: &str) -> bool {
        let (Some(own), Some(other)) = (parse_media_type(&self.0), parse_media_type(other)) else {
            return false;
        };
        essence(&own) == essence(&other)
            && own.parameters.iter().all(|(name, value)| {
                other
                    .get_parameter(name.as_str())
                    .is_some_and(|theirs| theirs.eq_ignore_ascii_case(value))
            })
    }

    /// This type. If it names no charset, it gets the one with which the text was sent: browsers
    /// would guess it otherwise.
    pub(crate) fn with_charset_of(self, sent: &str) -> Self {
        let charset = || {
            let own = parse_media_type(&self.0)?;
            let sent = parse_media_type(sent)?;
            let charset = sent.get_parameter("charset")?;
            let is_token = !charset.is_empty() && charset.bytes().all(is_charset_byte);
            let is_unnamed = own.type_ == "text" && own.get_parameter("charset").is_none();
            let text = self.0.trim_end_matches(BLANK_OR_SEMICOLON);
            (is_token && is_unnamed).then(|| format!("{text};charset={charset}"))
        };
        let text = charset().filter(|text| text.len() <= MAX_LENGTH);
        text.map_or(self, |text| Self(text.into()))
    }
}

/// RFC 2978 §2.3, without the characters that need quotes in a parameter.
fn is_charset_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'+-^_`~.".contains(&byte)
}

/// The white space of HTTP (RFC 9110 §5.6.3).
const BLANK: [char; 2] = [' ', '\t'];
const BLANK_OR_SEMICOLON: [char; 3] = [' ', '\t', ';'];

/// `None` for a text that is no complete media type: it could be taken for anything.
pub(crate) fn complete_media_type(text: &str) -> Option<Mime> {
    parse_media_type(text).filter(is_complete)
}

fn is_complete(mime: &Mime) -> bool {
    mime.type_ != "*" && mime.subtype != "*"
}

/// Parses a media type as browsers do. A text that passes can be a header value.
pub(crate) fn parse_media_type(text: &str) -> Option<Mime> {
    let is_text = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    if text.starts_with(BLANK) || !text.bytes().all(is_text) || has_second(text) {
        return None;
    }
    text.parse().ok()
}

/// The media ranges that a client accepts (RFC 9110 §12.5.1). Malformed ones are left out.
pub(crate) fn accepted(headers: &HeaderMap) -> impl Iterator<Item = Mime> {
    let values = headers.get_all(ACCEPT).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let ranges = texts.flat_map(|text| text.split(','));
    ranges.filter_map(|range| parse_media_type(range.trim()))
}

/// True if a browser finds a media type after a comma. It would take that one for the content's
/// (<https://fetch.spec.whatwg.org/#concept-header-extract-mime-type>).
fn has_second(text: &str) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let mut pieces = text.split(|c| {
        let is_end = c == ',' && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        is_end
    });
    pieces.next();
    pieces.any(|piece| piece.parse::<Mime>().is_ok())
}

/// The type and subtype, in lower case, under the name that is registered.
pub(crate) fn essence(mime: &Mime) -> Cow<'static, str> {
    // Each download needs it: `concat` is faster than a formatter.
    let essence = [&*mime.type_, "/", &*mime.subtype].concat();
    match alias(&essence) {
        Some(registered) => registered.into(),
        None => essence.into(),
    }
}

fn alias(essence: &str) -> Option<&'static str> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == essence);
    alias.map(|(_, registered)| *registered)
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for ContentType {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for ContentType {
    type Err = InvalidContentType;

    fn from_str(text: &str) -> Result<Self, InvalidContentType> {
        Self::new(text)
    }
}
