//! The kinds of a Binary's objects, by their names.

use super::content_name::{self, ContentName};
use super::mark::{self, Facts};
use crate::content_type::ContentType;
use crate::id::BinaryId;

/// The beginnings of names, in the order in which a Binary's objects are listed.
const GATE: &str = "0";
const SLOT: char = '1';
const SLOT_LENGTH: usize = 17;

/// The folder of a Binary's objects.
pub(super) fn folder(id: BinaryId) -> String {
    format!("binary/{id}")
}

/// The object that stands for a Binary. It has the content type, or nothing once it is deleted.
pub(super) fn gate(id: BinaryId) -> String {
    format!("binary/{id}/{GATE}")
}

/// An empty object whose name has the content type in it, so that a listing shows it. `None` for
/// types that are too long for a name.
pub(super) fn type_hint(id: BinaryId, content_type: &ContentType) -> Option<String> {
    let content_type = content_name::encode(content_type)?;
    Some(format!("binary/{id}/{GATE}-{content_type}"))
}

/// The object that a version is put into. A higher version is listed before a lower one.
pub(super) fn slot(id: BinaryId, version: u64) -> String {
    format!("binary/{id}/{SLOT}{:016x}", !version)
}

/// An empty object whose name has the place of a version's content in it.
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

/// The place of a version's content, as a URL says it.
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

/// The kinds of a Binary's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name<'a> {
    Gate,
    Type(&'a str),
    Slot(u64),
    /// Of this version, whose content is apart.
    Place(u64, &'a str),
}

impl<'a> Name<'a> {
    /// The kind of an object, by the last segment of its name.
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

/// The content that a [`place_hint`] names, when it is of this type.
pub(super) fn hinted(hint: &str, content_type: &ContentType) -> Option<Apart> {
    let (stem, facts) = hint.split_once(',')?;
    Some(Apart {
        name: ContentName::from_stem(stem, content_type)?,
        facts: parse_facts(facts)?,
    })
}

/// The number of a Binary's objects that say all that a URL must know: the gate, its type, the
/// newest version, and the place of that version's content.
pub(super) const SURVEYED: usize = 4;

/// The facts that the first objects of a Binary show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) gate: Gate,
    pub(super) content_type: Option<ContentType>,
    /// The number of the current version; 0 if there is none.
    pub(super) current: u64,
    /// True if the current version's slot is empty. Its content is apart then, or has no bytes.
    pub(super) is_empty: bool,
    /// The place of the current version's content, as its hint has it.
    pub(super) place: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Gate {
    #[default]
    Missing,
    Open,
    /// The Binary is deleted, even if other objects of it are still there.
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

    /// The place of the current version's content, of this type; `None` if that is not known.
    pub(super) fn whereabouts(&self, content_type: &ContentType) -> Option<Whereabouts> {
        match &self.place {
            Some(hint) => hinted(hint, content_type).map(Whereabouts::Apart),
            None => (self.current > 0 && !self.is_empty).then_some(Whereabouts::Slot),
        }
    }
}
