//! The names of objects that are content and nothing else: `2026-11-29/{random}.{type}`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::content_type::ContentType;
use crate::store::{Day, RepositoryError};

/// The length of a day's text, and of the random part: 128 bits.
const DAY: usize = 10;
const RANDOM: usize = 22;

/// The text after the random part, for content whose bytes are elsewhere.
const JOINED: char = 'j';

/// The folder of such bytes.
const BYTES: &str = "joined";

/// The text after the random part, for content whose facts are elsewhere.
const PARTED: char = 'p';

/// The folder of such facts.
const FACTS: &str = "facts";

/// The longest content type that a name has in it, in base64: file systems allow 255 bytes a name.
const LONGEST_TYPE: usize = 120;

/// The name of an object that is content, with the content's type if that is not long. So the type
/// is known from the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContentName(String);

impl ContentName {
    /// A name that no other object ever had.
    pub(super) fn new(day: Day, content_type: &ContentType) -> Result<Self, RepositoryError> {
        Ok(Self::build(&format!("{day}/{}", random()?), content_type))
    }

    /// The name of content whose bytes are [elsewhere](Self::bytes), since they came in parts. The
    /// object of this name has the facts about them alone.
    pub(super) fn joined(day: Day, random: &str, content_type: &ContentType) -> Self {
        Self::build(&format!("{day}/{random}{JOINED}"), content_type)
    }

    /// A name that no other object ever had, for content whose facts are [elsewhere](Self::facts).
    pub(super) fn parted(day: Day, content_type: &ContentType) -> Result<Self, RepositoryError> {
        let stem = format!("{day}/{}{PARTED}", random()?);
        Ok(Self::build(&stem, content_type))
    }

    /// A name of this random part.
    pub(super) fn of(day: Day, random: &str, content_type: &ContentType) -> Self {
        Self::build(&format!("{day}/{random}"), content_type)
    }

    /// The name of bytes that come in parts, and that become content later.
    pub(super) fn unplaced(random: &str) -> String {
        format!("{BYTES}/{random}")
    }

    /// The name of the bytes, if the object of this name has not got them.
    pub(super) fn bytes(&self) -> Option<String> {
        Some(Self::unplaced(self.random(JOINED)?))
    }

    /// The name of the object that has the facts, if the object of this name has not got them. It
    /// was put in parts, and its digest is known only after the last.
    pub(super) fn facts(&self) -> Option<String> {
        Some(format!("{FACTS}/{}", self.random(PARTED)?))
    }

    /// The random part, if it is followed by `text`.
    fn random(&self, text: char) -> Option<&str> {
        let (_, name) = self.0.split_once('/')?;
        let random = name.split('.').next()?.strip_suffix(text)?;
        (random.len() == RANDOM).then_some(random)
    }

    fn build(stem: &str, content_type: &ContentType) -> Self {
        Self(match encode(content_type) {
            Some(content_type) => format!("{stem}.{content_type}"),
            None => stem.to_owned(),
        })
    }

    /// The name of [`stem`](Self::stem) and type.
    pub(super) fn from_stem(stem: &str, content_type: &ContentType) -> Option<Self> {
        let (day, random) = (stem.get(..DAY)?, stem.get(DAY..)?);
        let name = Self::build(&format!("{day}/{random}"), content_type);
        Self::parse(name.as_str())
    }

    /// Any text that is accepted names content: no other object can be reached.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (day, name) = text.split_once('/')?;
        let (random, content_type) = match name.split_once('.') {
            Some((random, content_type)) => (random, Some(content_type)),
            None => (name, None),
        };
        let is_day = day.len() == DAY && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let bare = match random.strip_suffix([JOINED, PARTED]) {
            Some(bare) if random.len() > RANDOM => bare,
            _ => random,
        };
        let is_random = bare.len() == RANDOM && bare.bytes().all(is_base64);
        let is_type = content_type.is_none_or(|content_type| decode(content_type).is_some());
        (is_day && is_random && is_type).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without the type, and without a slash.
    pub(super) fn stem(&self) -> String {
        let (day, name) = self.0.split_once('/').unwrap_or_default();
        format!("{day}{}", name.split('.').next().unwrap_or_default())
    }

    pub(super) fn content_type(&self) -> Option<ContentType> {
        decode(self.0.split_once('.')?.1)
    }
}

/// 128 bits of the operating system's randomness.
pub(super) fn random() -> Result<String, RepositoryError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(RepositoryError::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A type as names have it, unless it is too long.
pub(super) fn encode(content_type: &ContentType) -> Option<String> {
    let text = URL_SAFE_NO_PAD.encode(content_type.as_str());
    (text.len() <= LONGEST_TYPE).then_some(text)
}

pub(super) fn decode(text: &str) -> Option<ContentType> {
    let text = URL_SAFE_NO_PAD.decode(text).ok()?;
    ContentType::new(String::from_utf8(text).ok()?).ok()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
