//! A stored media type, as downloads name it.

use std::borrow::Cow;

use crate::content_kind::ContentKind;
use crate::content_type::{OCTET_STREAM, complete_media_type, essence};
use crate::extension::{extension, usual_extension};

/// Read once for all headers of a download.
pub(crate) struct ServedType<'a> {
    /// Under its registered name, with its parameters. It can be a header value.
    pub(crate) text: Cow<'a, str>,
    pub(crate) kind: ContentKind,
    /// The end of the name of a file of this type, without the dot.
    pub(crate) extension: &'static str,
}

impl<'a> ServedType<'a> {
    /// `None` for a text that is no complete media type.
    pub(crate) fn of(stored: &'a str) -> Option<Self> {
        // Most content is of a type that needs no parsing.
        match usual_extension(stored) {
            Some(extension) => Some(Self {
                text: stored.into(),
                kind: ContentKind::of(stored),
                extension,
            }),
            None => Self::parse(stored),
        }
    }

    fn parse(stored: &'a str) -> Option<Self> {
        let mime = complete_media_type(stored)?;
        let essence = essence(&mime);
        Some(Self {
            text: match &essence {
                // Browsers send some names for content that they then do not show. The essence has
                // been replaced if its name is one of these.
                Cow::Borrowed(registered) => {
                    let parameters = stored.find(';').map_or("", |start| &stored[start..]);
                    [registered, parameters].concat().into()
                }
                Cow::Owned(_) => stored.into(),
            },
            kind: ContentKind::of(&essence),
            extension: extension(&essence),
        })
    }

    /// The type of content whose own nobody can read.
    pub(crate) fn unknown() -> Self {
        Self {
            text: OCTET_STREAM.into(),
            kind: ContentKind::of(OCTET_STREAM),
            extension: extension(OCTET_STREAM),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::extension::EXTENSIONS;
    use crate::served_type::ServedType;

    #[test]
    fn the_types_are_in_alphabetical_order() {
        assert!(EXTENSIONS.is_sorted());
    }

    #[test]
    fn the_types_are_as_parsing_would_have_them() {
        for (name, extension) in EXTENSIONS {
            let known = ServedType::of(name).unwrap();
            let parsed = ServedType::parse(name).unwrap();
            assert_eq!(known.text, parsed.text);
            assert_eq!(known.kind, parsed.kind);
            assert_eq!(
                (known.extension, parsed.extension),
                (*extension, *extension)
            );
        }
    }
}
