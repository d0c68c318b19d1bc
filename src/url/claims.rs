//! The claims of a presigned URL: one table, from which writing, parsing, redaction and the
//! format's documentation follow.

use super::format::split_once;
use super::grant::Permission;

/// A claim: one row of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    ContentType,
    Context,
    Disposition,
    Expires,
    Filename,
    Id,
    KeyPairId,
    MaxLength,
    Method,
    Once,
    Place,
    Resume,
}

/// The encoding of a claim's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Characters that need no encoding.
    Plain,
    /// Base64url of UTF-8 text, without padding.
    Base64url,
    /// Decimal, without sign or leading zero.
    Number,
}

/// The kinds of grants that have a claim.
#[derive(Clone, Copy)]
pub(super) struct Grants {
    kinds: &'static [Kind],
    /// Each of them has it.
    always: bool,
}

pub(super) struct Row {
    pub(super) claim: Claim,
    pub(super) name: &'static str,
    pub(super) grants: Grants,
    pub(super) encoding: Encoding,
    /// It names no patient and leads nowhere.
    pub(super) is_logged: bool,
}

/// In the order of the claims in a URL, which is alphabetical.
#[rustfmt::skip]
pub(super) const TABLE: [Row; 12] = {
    use Claim as C;
    use Encoding::{Base64url, Number, Plain};
    const LOGGED: bool = true;
    const HIDDEN: bool = false;
    [
        row(C::ContentType, "Content-Type", UPLOADS.always(), Base64url, HIDDEN),
        row(C::Context,     "Context",      ALL,              Base64url, HIDDEN),
        row(C::Disposition, "Disposition",  READS,            Plain,     LOGGED),
        row(C::Expires,     "Expires",      ALL.always(),     Number,    LOGGED),
        row(C::Filename,    "Filename",     READS,            Base64url, HIDDEN),
        row(C::Id,          "Id",           ALL,              Plain,     LOGGED),
        row(C::KeyPairId,   "Key-Pair-Id",  ALL.always(),     Plain,     LOGGED),
        row(C::MaxLength,   "Max-Length",   UPLOADS,          Number,    LOGGED),
        row(C::Method,      "Method",       UPLOADS.always(), Plain,     LOGGED),
        row(C::Once,        "Once",         READS,            Plain,     LOGGED),
        row(C::Place,       "Place",        READS,            Base64url, HIDDEN),
        row(C::Resume,      "Resume",       RESUMES.always(), Plain,     LOGGED),
    ]
};

const ALL: Grants = grants(&[Kind::Read, Kind::Write, Kind::Resume]);
const READS: Grants = grants(&[Kind::Read]);
const UPLOADS: Grants = grants(&[Kind::Write, Kind::Resume]);
const RESUMES: Grants = grants(&[Kind::Resume]);

const fn grants(kinds: &'static [Kind]) -> Grants {
    Grants {
        kinds,
        always: false,
    }
}

const fn row(
    claim: Claim,
    name: &'static str,
    grants: Grants,
    encoding: Encoding,
    is_logged: bool,
) -> Row {
    Row {
        claim,
        name,
        grants,
        encoding,
        is_logged,
    }
}

impl Row {
    /// True if a text begins with this claim.
    #[inline]
    fn begins(&self, text: &str) -> bool {
        // The byte after the name rules out nearly every other claim.
        text.as_bytes().get(self.name.len()) == Some(&b'=') && text.starts_with(self.name)
    }

    /// The bit of this claim in a set of claims.
    const fn bit(&self) -> u16 {
        1 << self.claim as u16
    }
}

/// The claims that each kind of grant may have, and those that it must.
const ALLOWED: [u16; 3] = claims_of_kinds(false);
const REQUIRED: [u16; 3] = claims_of_kinds(true);

const fn claims_of_kinds(always: bool) -> [u16; 3] {
    let mut sets = [0; 3];
    let mut row = 0;
    while row < TABLE.len() {
        let grants = TABLE[row].grants;
        let mut kind = 0;
        while kind < grants.kinds.len() {
            if grants.always || !always {
                sets[grants.kinds[kind] as usize] |= TABLE[row].bit();
            }
            kind += 1;
        }
        row += 1;
    }
    sets
}

impl Grants {
    const fn always(self) -> Self {
        Self {
            always: true,
            ..self
        }
    }
}

/// The kind of a grant, as the claim `Method` says it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Resume,
}

impl Kind {
    pub(super) fn of(permission: &Permission) -> Self {
        match permission {
            Permission::Read(_) => Self::Read,
            Permission::Write(_) => Self::Write,
            Permission::Resume(_) => Self::Resume,
        }
    }

    /// The value of `Method`.
    pub(super) fn method(self) -> Option<&'static str> {
        match self {
            Self::Read => None,
            Self::Write => Some("PUT"),
            Self::Resume => Some("PATCH"),
        }
    }

    fn with_method(method: Option<&str>) -> Option<Self> {
        [Self::Read, Self::Write, Self::Resume]
            .into_iter()
            .find(|kind| kind.method() == method)
    }
}

/// The values of a URL's claims, as they stand there.
pub(super) struct Values<'a>([Option<&'a str>; TABLE.len()]);

impl<'a> Values<'a> {
    /// Splits `{name}={value}&…`. `None` if a claim is unknown, repeated or out of order, or if the
    /// kind of grant that `Method` names lacks one, or cannot have one.
    #[expect(
        clippy::inline_always,
        reason = "the result is large, and each copy of it counts in a verification"
    )]
    #[inline(always)]
    pub(super) fn parse(text: &'a str) -> Option<(Kind, Self)> {
        let mut values = [None; TABLE.len()];
        let mut present = 0;
        let mut rows = TABLE.iter();
        let mut rest = Some(text);
        while let Some(text) = rest {
            // Only later rows can follow.
            let row = rows.find(|row| row.begins(text))?;
            let value = &text[row.name.len() + 1..];
            let (value, others) = split_once(value, b'&')
                .map_or((value, None), |(value, others)| (value, Some(others)));
            rest = others;
            values[row.claim as usize] = Some(value);
            present |= row.bit();
        }
        let kind = Kind::with_method(values[Claim::Method as usize])?;
        let (allowed, required) = (ALLOWED[kind as usize], REQUIRED[kind as usize]);
        let is_right = present & !allowed == 0 && required & !present == 0;
        is_right.then_some((kind, Self(values)))
    }

    pub(super) fn get(&self, claim: Claim) -> Option<&'a str> {
        self.0[claim as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoding, Kind, TABLE};

    #[test]
    fn the_rows_are_in_the_order_of_their_names_and_of_the_enum() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name && a.claim < b.claim));
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.claim as usize, index, "{}", row.name);
        }
    }

    #[test]
    fn the_documentation_of_the_format_has_the_table() {
        let rows: Vec<String> = include_str!("mod.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//!    | `"))
            .map(|row| row.split(" | ").take(4).collect::<Vec<_>>().join(" | "))
            .collect();
        let expected: Vec<String> = TABLE
            .iter()
            .map(|row| {
                let grants = match row.grants.kinds {
                    [Kind::Read, Kind::Write, Kind::Resume] => "all",
                    [Kind::Read] => "reads",
                    [Kind::Write, Kind::Resume] => "writes, resumes",
                    [Kind::Resume] => "resumes",
                    _ => "unnamed",
                };
                let always = if row.grants.always { ", always" } else { "" };
                let encoding = match row.encoding {
                    Encoding::Plain => "plain",
                    Encoding::Base64url => "base64url",
                    Encoding::Number => "number",
                };
                let logs = if row.is_logged { "shown" } else { "hidden" };
                format!("{}` | {grants}{always} | {encoding} | {logs}", row.name)
            })
            .collect();
        assert_eq!(rows, expected);
    }
}
