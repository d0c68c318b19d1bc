//! Documents that look like resources, and are spelled in all ways.

use arbitrary::Arbitrary;

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
pub(super) enum Format {
    Resource,
    Json,
    Lines,
}

#[derive(Arbitrary, Debug)]
pub(super) enum Document<'a> {
    Raw(&'a [u8]),
    Built(Vec<Node<'a>>),
}

#[derive(Arbitrary, Debug)]
pub(super) enum Node<'a> {
    Object(Vec<(Name<'a>, Node<'a>)>, Space),
    Array(Vec<Node<'a>>, Space),
    Text(Text<'a>),
    Number(i16),
    Null,
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
pub(super) enum Name<'a> {
    Known(u8, Escape),
    Other(&'a str),
}

const NAMES: [&str; 14] = [
    "url",
    "resourceType",
    "extension",
    "modifierExtension",
    "link",
    "request",
    "entry",
    "resource",
    "contained",
    "outcome",
    "photo",
    "fullUrl",
    "valueAttachment",
    "value",
];

#[derive(Arbitrary, Debug)]
pub(super) enum Text<'a> {
    Known(u8, Escape),
    Other(&'a str),
}

const TEXTS: [&str; 18] = [
    "Binary/1",
    "Binary/1/_history/2",
    "Binary/no-1",
    "https://health.example.com/fhir/Binary/a.b_c-d",
    "https://health.example.com/fhir/Binary/1/_history/x",
    "https://elsewhere.example.com/fhir/Binary/1",
    "Binary/",
    "Binary/1/",
    "Binary/1/_history/",
    "Binary/..",
    "Binary",
    "Patient",
    "Bundle",
    "https://storage.example.com/binary/1/2?Expires=1&Signature=x",
    "https://storage.example.com/binary/1/2",
    "https://storage.example.com/binary/1/2/3",
    "https://storage.example.com/binary1/2",
    "",
];

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(super) enum Escape {
    None,
    Slashes,
    Letter(u8),
    All,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(super) enum Space {
    None,
    Blank,
    Lines,
}

impl Document<'_> {
    pub(super) fn build(&self, format: Format) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.to_vec(),
            Self::Built(nodes) => {
                let mut out = Vec::new();
                let documents = if format == Format::Lines {
                    nodes.len()
                } else {
                    1
                };
                for (position, node) in nodes.iter().take(documents).enumerate() {
                    if position > 0 {
                        out.push(b'\n');
                    }
                    node.build(&mut out, format == Format::Lines);
                }
                out
            }
        }
    }
}

impl Node<'_> {
    fn build(&self, out: &mut Vec<u8>, is_line: bool) {
        match self {
            Self::Object(members, space) => {
                out.push(b'{');
                for (position, (name, value)) in members.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    space.build(out, is_line);
                    let (name, escape) = match name {
                        Name::Known(index, escape) => {
                            (NAMES[usize::from(*index) % NAMES.len()], *escape)
                        }
                        Name::Other(name) => (*name, Escape::None),
                    };
                    quote(name, escape, out);
                    space.build(out, is_line);
                    out.push(b':');
                    space.build(out, is_line);
                    value.build(out, is_line);
                }
                space.build(out, is_line);
                out.push(b'}');
            }
            Self::Array(elements, space) => {
                out.push(b'[');
                for (position, element) in elements.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    space.build(out, is_line);
                    element.build(out, is_line);
                }
                space.build(out, is_line);
                out.push(b']');
            }
            Self::Text(text) => match text {
                Text::Known(index, escape) => {
                    quote(TEXTS[usize::from(*index) % TEXTS.len()], *escape, out);
                }
                Text::Other(text) => quote(text, Escape::None, out),
            },
            Self::Number(number) => {
                let number = f64::from(*number) / 8.0;
                out.extend_from_slice(format!("{number}E+2").as_bytes());
            }
            Self::Null => out.extend_from_slice(b"null"),
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl Space {
    fn build(self, out: &mut Vec<u8>, is_line: bool) {
        let space: &[u8] = match self {
            Self::None => b"",
            Self::Lines if !is_line => b"\r\n\t ",
            Self::Blank | Self::Lines => b" ",
        };
        out.extend_from_slice(space);
    }
}

fn quote(text: &str, escape: Escape, out: &mut Vec<u8>) {
    let quoted = serde_json::to_string(text).unwrap();
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    for (position, character) in quoted.chars().enumerate() {
        let is_inside = position > 0 && position + 1 < quoted.chars().count();
        let is_escaped = is_plain
            && is_inside
            && match escape {
                Escape::None => false,
                Escape::Slashes => character == '/',
                Escape::Letter(at) => usize::from(at) == position,
                Escape::All => true,
            };
        let mut buffer = [0; 4];
        match (is_escaped, escape) {
            (false, _) => {
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
            (true, Escape::Slashes) => out.extend_from_slice(b"\\/"),
            (true, _) => {
                let code = format!("\\u{:04x}", u32::from(character));
                out.extend_from_slice(code.as_bytes());
            }
        }
    }
}
