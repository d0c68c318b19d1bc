//! Which object of a Binary is what, by its name.

use super::content_name::{self, ContentName};
use super::mark::{self, Facts};
use crate::content_type::ContentType;
use crate::id::BinaryId;

/// Of one Binary: in this order its objects are listed.
const GATE: &str = "0";
const SLOT: char = '1';
const SLOT_LENGTH: usize = 17;

/// The folder of a Binary's objects.
pub(super) fn folder(id: BinaryId) -> String {
    format!("binary/{id}")
}

/// The object that says that there is a Binary: its content type, or nothing once it is deleted.
pub(super) fn gate(id: BinaryId) -> String {
    format!("binary/{id}/{GATE}")
}

/// An empty object whose name has the content type in it, so that a listing tells it. `None` for
/// types that are too long for a name.
pub(super) fn type_hint(id: BinaryId, content_type: &ContentType) -> Option<String> {
    let content_type = content_name::encode(content_type)?;
    Some(format!("binary/{id}/{GATE}-{content_type}"))
}

/// Where a version is put. A higher version is listed before a lower one.
pub(super) fn slot(id: BinaryId, version: u64) -> String {
    format!("binary/{id}/{SLOT}{:016x}", !version)
}

/// An empty object whose name tells where the content of a version is.
pub(super) fn place_hint(id: BinaryId, version: u64, content: &Apart) -> String {
    let stem = content.name.stem();
    let Facts { length, sha256 } = content.facts;
    let length = length.map(|length| format!("{length:x}"));
    let (length, sha256) = (length.unwrap_or_default(), sha256.map(mark::encode));
    let sha256 = sha256.unwrap_or_default();
    format!("{}-{stem},{length},{sha256}", slot(id, version))
}

/// Content in an object of its own, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Apart {
    pub(super) name: ContentName,
    pub(super) facts: Facts,
}

/// Where the content of a version is, as a URL says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In the slot itself.
    Slot,
    Apart(Apart),
}

impl Whereabouts {
    const SLOT: &str = "slot";

    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == Self::SLOT {
            return Some(Self::Slot);
        }
        let (name, facts) = text.split_once(',')?;
        Some(Self::Apart(Apart {
            name: ContentName::parse(name)?,
            facts: parse_facts(facts)?,
        }))
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Slot => Self::SLOT.to_owned(),
            Self::Apart(Apart { name, facts }) => {
                let length = facts.length.map(|length| format!("{length:x}"));
                let (length, sha256) = (length.unwrap_or_default(), facts.sha256.map(mark::encode));
                format!("{},{length},{}", name.as_str(), sha256.unwrap_or_default())
            }
        }
    }
}

fn parse_facts(text: &str) -> Option<Facts> {
    let (length, sha256) = text.split_once(',')?;
    Some(Facts {
        length: match length {
            "" => None,
            length => Some(u64::from_str_radix(length, 16).ok()?),
        },
        sha256: match sha256 {
            "" => None,
            sha256 => Some(mark::decode(sha256)?),
        },
    })
}

/// What an object of a Binary is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name<'a> {
    Gate,
    Type(&'a str),
    Slot(u64),
    /// Of this version, whose content is apart.
    Place(u64, &'a str),
}

impl<'a> Name<'a> {
    /// Of the last segment of an object's name.
    pub(super) fn parse(name: &'a str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix(GATE) {
            return match rest {
                "" => Some(Self::Gate),
                rest => rest.strip_prefix('-').map(Self::Type),
            };
        }
        let number = name.get(..SLOT_LENGTH)?.strip_prefix(SLOT)?;
        let version = !u64::from_str_radix(number, 16).ok()?;
        match &name[SLOT_LENGTH..] {
            "" => Some(Self::Slot(version)),
            rest => rest
                .strip_prefix('-')
                .map(|place| Self::Place(version, place)),
        }
    }
}

/// The content that a [`place_hint`] tells of, when it is of this type.
pub(super) fn hinted(hint: &str, content_type: &ContentType) -> Option<Apart> {
    let (stem, facts) = hint.split_once(',')?;
    Some(Apart {
        name: ContentName::from_stem(stem, content_type)?,
        facts: parse_facts(facts)?,
    })
}

/// How many objects of a Binary say all that a URL must know: the gate, its type, the newest
/// version, and the place of that version's content.
pub(super) const SURVEYED: usize = 4;

/// What the first objects of a Binary say of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) gate: Gate,
    pub(super) content_type: Option<ContentType>,
    /// The number of the current version; 0 if there is none.
    pub(super) current: u64,
    /// Whether the current version's slot is empty: its content is apart then, or has no bytes.
    pub(super) is_empty: bool,
    /// The place of the current version's content, as its hint has it.
    pub(super) place: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Gate {
    #[default]
    Missing,
    Open,
    /// The Binary is deleted, whatever other objects of it there still are.
    Closed,
}

impl Survey {
    /// `objects` are the names without the folder, and the sizes, of the first objects of a Binary.
    pub(super) fn of<'a>(objects: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        let mut survey = Self::default();
        for (name, size) in objects {
            match Name::parse(name) {
                Some(Name::Gate) => {
                    survey.gate = if size == 0 { Gate::Closed } else { Gate::Open };
                }
                Some(Name::Type(text)) => survey.content_type = content_name::decode(text),
                Some(Name::Slot(version)) if version > survey.current => {
                    survey.current = version;
                    survey.is_empty = size == 0;
                }
                Some(Name::Place(version, place)) if version == survey.current => {
                    survey.place = Some(place.to_owned());
                }
                _ => {}
            }
        }
        survey
    }

    /// Where the content of the current version, of this type, is; `None` if that is not known.
    pub(super) fn whereabouts(&self, content_type: &ContentType) -> Option<Whereabouts> {
        match &self.place {
            Some(hint) => hinted(hint, content_type).map(Whereabouts::Apart),
            None => (self.current > 0 && !self.is_empty).then_some(Whereabouts::Slot),
        }
    }
}
