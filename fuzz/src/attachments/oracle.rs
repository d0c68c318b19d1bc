//! The document as it is to be, found by parsing it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tower_presign::{Access, BinaryId, Target, Terms, VersionId};

use super::documents::Format;
use super::{FHIR_BASE, Input, LAYER};
use crate::common::BASE;
use crate::support::block_on;

/// The deepest document in which anything is replaced, in containers.
const MAX_DEPTH: usize = 512;

/// The document as it is to be; `None` if it is no JSON, or too deep.
pub(super) fn expected(document: &[u8], input: &Input) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut found = Vec::new();
    let documents: Vec<&str> = match input.format {
        Format::Lines => text.split('\n').collect(),
        _ => vec![text],
    };
    for document in documents {
        if input.format == Format::Lines && document.trim_ascii().is_empty() {
            continue;
        }
        let root: &RawValue = serde_json::from_str(document).ok()?;
        if depth(document) > MAX_DEPTH {
            return None;
        }
        if !matches!(root.get().as_bytes()[0], b'{' | b'[') {
            return None;
        }
        let is_resource =
            matches!(Members::of(root), Some(members) if members.resource_type().is_some());
        if input.format != Format::Json || is_resource {
            let role = if root.get().starts_with('{') {
                "resource"
            } else {
                ""
            };
            walk(text, root, role, false, false, &mut found);
        }
    }
    let mut expected = Vec::new();
    let mut end = 0;
    for (range, inside) in found {
        let replacement = if input.is_request {
            own(&inside)
        } else {
            reference(&inside).and_then(|(id, version)| url(id, version))
        };
        if let Some(replacement) = replacement {
            expected.extend_from_slice(&document[end..range.start]);
            expected.extend_from_slice(replacement.as_bytes());
            end = range.end;
        }
    }
    expected.extend_from_slice(&document[end..]);
    Some(expected)
}

/// The depth of a document that is JSON, in containers.
fn depth(document: &str) -> usize {
    let (mut depth, mut deepest, mut is_in_text, mut is_escaped) = (0, 0, false, false);
    for byte in document.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_in_text = !is_in_text,
            b'[' | b'{' if !is_in_text => depth += 1,
            b']' | b'}' if !is_in_text => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Finds the strings that may be replaced, in order: where they are, and what they say.
fn walk(
    text: &str,
    value: &RawValue,
    name: &str,
    is_in_entry: bool,
    is_in_binary: bool,
    found: &mut Vec<(Range<usize>, String)>,
) {
    if let Ok(Elements(elements)) = serde_json::from_str(value.get()) {
        for element in elements {
            let name = if element.get().starts_with('[') {
                ""
            } else {
                name
            };
            walk(text, element, name, is_in_entry, is_in_binary, found);
        }
        return;
    }
    let Some(members) = Members::of(value) else {
        return;
    };
    let mut is_binary = is_in_binary;
    if ["resource", "contained", "outcome"].contains(&name)
        && let Some(type_) = members.resource_type()
    {
        is_binary = type_ == "Binary";
    }
    let excluded = ["extension", "modifierExtension", "link"].contains(&name)
        || name == "request" && is_in_entry
        || is_binary;
    for (member, value) in &members.0 {
        let inside = serde_json::from_str::<String>(value.get());
        if let Ok(inside) = inside
            && member == "url"
            && !excluded
        {
            let start = value.get().as_ptr() as usize - text.as_ptr() as usize + 1;
            found.push((start..start + value.get().len() - 2, inside));
        } else {
            walk(text, value, member, name == "entry", is_binary, found);
        }
    }
}

/// The members of an object, in order, each as often as it is there.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    fn resource_type(&self) -> Option<String> {
        let mut types = self.0.iter().filter(|(name, _)| name == "resourceType");
        types.find_map(|(_, value)| {
            let is_text = value.get().starts_with('"');
            // Half a surrogate is no text, and no Binary.
            is_text.then(|| serde_json::from_str(value.get()).unwrap_or_default())
        })
    }
}

/// A name; empty if it has half a surrogate, which stands for nothing.
struct AnyName<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for AnyName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = AnyName<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<AnyName<'de>, E> {
                let name = std::str::from_utf8(bytes).unwrap_or_default();
                Ok(AnyName(name.to_owned().into()))
            }
        }
        deserializer.deserialize_bytes(Names)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects;
        impl<'de> Visitor<'de> for Objects {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<AnyName, &RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Objects)
    }
}

struct Elements<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Arrays;
        impl<'de> Visitor<'de> for Arrays {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(Arrays)
    }
}

/// The Binary, and its version, that a reference names.
pub(super) fn reference(text: &str) -> Option<(BinaryId, Option<VersionId>)> {
    let relative = text
        .strip_prefix(FHIR_BASE)
        .map_or(Some(text), |rest| rest.strip_prefix('/'))?;
    let parts: Vec<&str> = relative.split('/').collect();
    match parts[..] {
        ["Binary", id] => Some((BinaryId::new(id).ok()?, None)),
        ["Binary", id, "_history", version] => {
            Some((BinaryId::new(id).ok()?, Some(VersionId::new(version).ok()?)))
        }
        _ => None,
    }
}

/// The URL that the operation would answer with.
fn url(id: BinaryId, version: Option<VersionId>) -> Option<String> {
    let target = match version {
        Some(version) => Target::version_of(id, version),
        None => Target::new(id, Access::Read),
    };
    let url = block_on(LAYER.presigner().presign(target, Terms::new()));
    url.ok().map(String::from)
}

/// The reference that stands for a URL of ours.
fn own(text: &str) -> Option<String> {
    let rest = text.strip_prefix(BASE)?.strip_prefix('/')?;
    let path = rest.split(['?', '#']).next()?;
    let parts: Vec<&str> = path.split('/').collect();
    let [id, version] = parts[..] else {
        return None;
    };
    BinaryId::new(id).ok()?;
    VersionId::new(version).ok()?;
    Some(format!("Binary/{id}/_history/{version}"))
}
