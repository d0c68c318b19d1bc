//! A media type that content is stored with and uploads are held to.

use std::fmt;
use std::str::FromStr;

use mime::Mime;

/// The longest content type, in bytes: generous beside RFC 6838's 127 + 1 + 127 for the names.
const MAX_LENGTH: usize = 512;

/// A complete media type, such as `image/png` or `text/plain; charset=utf-8`.
///
/// It keeps the text that it was made from, byte for byte, since that text is signed into write
/// URLs and stored with the content.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ContentType(Box<str>);

/// Why a text is no content type.
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
    /// It is not of the form `type/subtype`, with optional parameters (RFC 9110 §8.3.1).
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
    /// [`InvalidContentType`], which says which rule is broken by what.
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

    /// Whether content that calls itself `other` is of this type.
    ///
    /// Type, subtype and each parameter of `self` must be there, compared without regard to case;
    /// `other` may have further parameters, since browsers add a `charset`.
    pub(crate) fn accepts(&self, other: &str) -> bool {
        let (Some(own), Some(other)) = (parse_media_type(&self.0), parse_media_type(other)) else {
            return false;
        };
        own.essence_str() == other.essence_str()
            && own.params().all(|(name, value)| {
                other
                    .get_param(name)
                    .is_some_and(|theirs| theirs.as_str().eq_ignore_ascii_case(value.as_str()))
            })
    }
}

/// What HTTP takes for white space (RFC 9110 §5.6.3).
const BLANK: [char; 2] = [' ', '\t'];

/// What is not a media type, or not a complete one, could be taken for anything.
pub(crate) fn complete_media_type(text: &str) -> Option<Mime> {
    parse_media_type(text).filter(is_complete)
}

fn is_complete(mime: &Mime) -> bool {
    mime.type_() != mime::STAR && mime.subtype() != mime::STAR
}

/// Parses a media type as headers have it. What passes is ASCII, and so a header value.
pub(crate) fn parse_media_type(text: &str) -> Option<Mime> {
    let mime: Mime = text.parse().or_else(|_| compact(text).parse()).ok()?;
    (text.is_ascii() && mime.subtype() != "").then_some(mime)
}

/// Blanks and tabs around `;` are legal, and so is nothing between two of them (RFC 9110 §5.6.6),
/// though `mime` minds.
fn compact(text: &str) -> String {
    let mut is_quoted = false;
    let parts = text.split(|c| {
        is_quoted ^= c == '"';
        c == ';' && !is_quoted
    });
    let mut compact = String::with_capacity(text.len());
    for (position, part) in parts.enumerate() {
        let part = part.trim_end_matches(BLANK);
        if position == 0 {
            compact.push_str(part);
        } else if !part.is_empty() {
            compact.push(';');
            compact.push_str(part.trim_start_matches(BLANK));
        }
    }
    compact
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
