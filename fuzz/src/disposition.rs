//! `Content-Disposition`: a browser reads the file name that was granted, and nothing else, and is
//! told to show raster images, audio, video, PDF and plain text alone.

use std::str;

use arbitrary::Arbitrary;
use http::Method;
use percent_encoding::percent_decode_str;
use tower_presign::Filename;
use tower_presign::url::ReadTerms;

use crate::support;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    top_level: u8,
    subtype: u8,
    suffix: u8,
    parameter: bool,
    attachment: bool,
    name: Vec<Piece<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Text(&'a str),
    Special(u8),
    Long(u8),
}

/// Characters with a meaning to header parsers, file systems, or whoever reads the name.
const SPECIAL: [char; 24] = [
    '"',
    '\\',
    '/',
    '%',
    ';',
    '\'',
    '*',
    '\r',
    '\n',
    '\0',
    '\u{7F}',
    '\u{85}',
    '.',
    ' ',
    '\u{3000}',
    '\u{200D}',
    '\u{200F}',
    '\u{202E}',
    '\u{2028}',
    '\u{2066}',
    '\u{2069}',
    '\u{FEFF}',
    'é',
    '\u{1FA7B}',
];

const TOP_LEVELS: [&str; 7] = [
    "image",
    "audio",
    "video",
    "text",
    "application",
    "model",
    "IMAGE",
];
const RASTER: [&str; 10] = [
    "apng", "avif", "bmp", "gif", "jpeg", "jxl", "png", "tiff", "webp", "x-icon",
];
const SUBTYPES: [&str; 9] = [
    "pdf",
    "plain",
    "html",
    "svg",
    "xml",
    "mpeg",
    "javascript",
    "octet-stream",
    "PNG",
];
const SUFFIXES: [&str; 3] = ["", "+xml", "+json"];

pub fn run(data: &[u8]) {
    let Some(input) = support::input::<Input>(data) else {
        return;
    };
    let top_level = pick(&TOP_LEVELS, input.top_level);
    let subtype = pick(&[&SUBTYPES[..], &RASTER].concat(), input.subtype);
    let suffix = pick(&SUFFIXES, input.suffix);
    let parameter = if input.parameter {
        "; charset=utf-8"
    } else {
        ""
    };
    let content_type = format!("{top_level}/{subtype}{suffix}{parameter}");

    let original: String = input.name.iter().take(8).map(Piece::build).collect();
    let filename = Filename::new(&original);
    let (repository, key) = support::scan(&content_type);
    let layer = support::layer(repository);
    support::store(&layer, &key, &content_type, b"content");
    let mut terms = ReadTerms::new();
    terms.filename = filename.clone();
    terms.attachment = input.attachment;
    let url = support::presigned(&key, terms);
    let answer = support::call(&layer, support::request(Method::GET, &url).unwrap());
    assert_eq!(answer.status, 200);
    let header = answer.header("content-disposition").unwrap();
    let disposition = Disposition::parse(header).unwrap_or_else(|| panic!("{header}"));

    let kind = (top_level.to_ascii_lowercase(), subtype.to_ascii_lowercase());
    let is_shown = suffix.is_empty()
        && match (&*kind.0, &*kind.1) {
            ("image", subtype) => RASTER.contains(&subtype),
            ("audio" | "video", _) | ("application", "pdf") | ("text", "plain") => true,
            _ => false,
        };
    let is_inline = is_shown && !input.attachment;
    assert_eq!(
        disposition.kind == "inline",
        is_inline,
        "{content_type}: {header}"
    );
    assert!(is_inline || disposition.kind == "attachment");

    let Some(filename) = filename else {
        let plain = disposition.plain.unwrap();
        let extension = plain
            .strip_prefix("scan.")
            .unwrap_or_else(|| panic!("{header}"));
        assert!(!extension.is_empty() && extension.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(disposition.extended, None);
        return;
    };
    let name = filename.as_str();
    check_name(name, &original);
    assert_eq!(disposition.extended.as_deref(), Some(name), "{header}");
    let plain = disposition.plain.unwrap();
    // As many characters, the strange ones replaced.
    assert_eq!(plain.chars().count(), name.chars().count());
    for (plain, actual) in plain.chars().zip(name.chars()) {
        assert!(plain == actual || plain == '_', "{header}");
    }
}

/// No character that may not be in a name is in it; a name without any is as it was.
fn check_name(name: &str, original: &str) {
    let is_bad = |c: char| {
        c.is_control()
            || "/\\".contains(c)
            || "\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}\u{2066}\u{2067}\u{2068}\u{2069}\u{200E}\u{200F}\u{061C}\u{2028}\u{2029}"
                .contains(c)
    };
    assert!(!name.contains(is_bad), "{name:?}");
    assert!((1..=255).contains(&name.len()), "{name:?}");
    assert_eq!(
        Filename::new(name).as_ref().map(Filename::as_str),
        Some(name),
        "{original:?}"
    );
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_ .,()".contains(c);
    let is_trimmed = !original.starts_with(' ') && !original.ends_with([' ', '.']);
    if original.len() <= 255 && is_trimmed && original.chars().all(is_plain) {
        assert_eq!(name, original);
    }
}

impl Piece<'_> {
    fn build(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Special(which) => SPECIAL[usize::from(*which) % SPECIAL.len()].to_string(),
            Self::Long(length) => "é".repeat(usize::from(*length)),
        }
    }
}

fn pick<'a>(from: &[&'a str], which: u8) -> &'a str {
    from[usize::from(which) % from.len()]
}

/// A reader of its own, of RFC 6266 §4.1 and RFC 8187 §3.2, which takes nothing but their grammar.
struct Disposition<'a> {
    kind: &'a str,
    plain: Option<String>,
    extended: Option<String>,
}

impl<'a> Disposition<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let (kind, mut rest) = token(header)?;
        let (mut plain, mut extended) = (None, None);
        while !rest.is_empty() {
            let (name, value) = token(rest.strip_prefix("; ")?)?;
            let value = value.strip_prefix('=')?;
            let is_first;
            (is_first, rest) = if name == "filename" {
                let (text, rest) = quoted(value)?;
                (plain.replace(text).is_none(), rest)
            } else if name == "filename*" {
                let (text, rest) = extended_value(value)?;
                (extended.replace(text).is_none(), rest)
            } else {
                return None;
            };
            if !is_first {
                return None;
            }
        }
        Some(Self {
            kind,
            plain,
            extended,
        })
    }
}

fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.strip_prefix('"')?.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 2..])),
            '\\' => value.push(characters.next()?.1),
            '\t' | ' '..='~' => value.push(character),
            _ => return None,
        }
    }
    None
}

fn extended_value(text: &str) -> Option<(String, &str)> {
    let encoded = text.strip_prefix("UTF-8''")?;
    let is_value_char = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`|~%".contains(c);
    let end = encoded.find(|c| !is_value_char(c)).unwrap_or(encoded.len());
    let (encoded, rest) = encoded.split_at(end);
    let is_hex = |part: &str| {
        part.get(..2)
            .is_some_and(|hex| u8::from_str_radix(hex, 16).is_ok())
    };
    if !encoded.split('%').skip(1).all(is_hex) {
        return None;
    }
    let bytes: Vec<u8> = percent_decode_str(encoded).collect();
    Some((String::from_utf8(bytes).ok()?, rest))
}
