//! A file name that is safe to suggest to a browser.

use std::fmt;

/// The longest name that common file systems can store, in bytes.
const MAX_LENGTH: usize = 255;

/// The longest extension that is kept when a name must be cut, in bytes with its dot.
const MAX_EXTENSION: usize = 16;

/// The name under which a browser should save a download.
///
/// It has no control characters, no characters that reorder the text around them, no path
/// separators, and at most 255 bytes, whatever text it is made from.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Filename(Box<str>);

impl Filename {
    /// Makes a safe name out of any text: path separators become `_`, control and bidirectional
    /// formatting characters are left out, and blanks and dots at the end are cut. A name over 255
    /// bytes is cut in front of its extension. `None` when nothing remains.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Option<Self> {
        let cleaned: String = text
            .as_ref()
            .chars()
            .filter(|&c| !c.is_control() && !is_format_control(c))
            .map(|c| if matches!(c, '/' | '\\') { '_' } else { c })
            .collect();
        let trimmed = trim(&cleaned);
        let short = if trimmed.len() > MAX_LENGTH {
            cut(trimmed)
        } else {
            trimmed.into()
        };
        (!short.is_empty()).then_some(Self(short))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn trim(text: &str) -> &str {
    text.trim_start()
        .trim_end_matches(|c: char| c.is_whitespace() || c == '.')
}

fn cut(name: &str) -> Box<str> {
    let extension = name
        .rfind('.')
        .map(|dot| &name[dot..])
        .filter(|extension| extension.len() <= MAX_EXTENSION)
        .unwrap_or_default();
    let end = (0..=MAX_LENGTH - extension.len())
        .rev()
        .find(|&end| name.is_char_boundary(end))
        .unwrap_or_default();
    let stem = &name[..end];
    // Cut once more: the stem may now end with a dot.
    format!("{}{extension}", trim(stem)).into()
}

/// Characters that change how their neighbours are shown (`gpj.exe` as `exe.jpg`), or break lines.
/// Not the joiners U+200C and U+200D: emoji and Persian are written with them.
fn is_format_control(c: char) -> bool {
    matches!(c,
        '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

impl fmt::Debug for Filename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl AsRef<str> for Filename {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
