//! A [`Grant`] as the signed part of a request target, and back.
//!
//! Parsing is strict: it accepts the output of [`write`] and nothing else. Only file names are made
//! safe, whoever signed them. The parser gets no bytes but those whose signature is right.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims::{Claim, Encoding, Kind, TABLE, Values};
use super::expires::Expires;
use super::grant::{Grant, Permission, ReadTerms, ResumeTerms, WriteTerms};
use crate::content_type::{ContentType, InvalidContentType};
use crate::filename::Filename;
use crate::id::{BinaryId, InvalidId, UploadId, UrlId, VersionId};
use crate::key::BinaryKey;
use crate::place::{InvalidPlace, Place};

/// Appends `/{id}/{versionId}?{claims}`, without the signature.
pub(super) fn write(grant: &Grant, key_id: &str, out: &mut String) {
    let (id, version) = (grant.key.id(), grant.key.version());
    for part in ["/", id.as_str(), "/", version.as_str()] {
        out.push_str(part);
    }
    let mut separator = '?';
    for row in &TABLE {
        let Some(value) = value(row.claim, grant, key_id) else {
            continue;
        };
        out.push(std::mem::replace(&mut separator, '&'));
        out.push_str(row.name);
        out.push('=');
        match (value, row.encoding) {
            (Value::Text(text), Encoding::Base64url) => {
                URL_SAFE_NO_PAD.encode_string(text, out);
            }
            (Value::Text(text), _) => out.push_str(text),
            // Writing to a `String` cannot fail.
            (Value::Number(number), _) => drop(write!(out, "{number}")),
        }
    }
}

enum Value<'a> {
    Text(&'a str),
    Number(u64),
}

/// The value of a claim, if the grant has it.
#[inline]
fn value<'a>(claim: Claim, grant: &'a Grant, key_id: &'a str) -> Option<Value<'a>> {
    let (read, write, resume) = match &grant.permission {
        Permission::Read(read) => (Some(read), None, None),
        Permission::Write(write) => (None, Some(write), None),
        Permission::Resume(resume) => (None, Some(&resume.write), Some(resume)),
    };
    let text = match claim {
        Claim::ContentType => write.map(|terms| terms.content_type.as_str()),
        Claim::Context => grant.key.context(),
        Claim::Disposition => read.filter(|terms| terms.attachment).map(|_| ATTACHMENT),
        Claim::Expires => return Some(Value::Number(grant.expires.unix_seconds())),
        Claim::Filename => read.and_then(|terms| Some(terms.filename.as_ref()?.as_str())),
        Claim::Id => grant.id.as_ref().map(UrlId::as_str),
        Claim::KeyPairId => Some(key_id),
        Claim::MaxLength => return write?.max_length.map(Value::Number),
        Claim::Method => Kind::of(&grant.permission).method(),
        Claim::Once => read.filter(|terms| terms.once).map(|_| ONCE),
        Claim::Place => read.and_then(|_| Some(grant.key.place()?.as_str())),
        Claim::Resume => resume.map(|terms| terms.upload.as_str()),
    };
    text.map(Value::Text)
}

const ATTACHMENT: &str = "attachment";
const ONCE: &str = "1";

/// Something in the text is not as [`write`] would have it.
pub(crate) struct Malformed;

/// Reads the output of [`write`].
#[expect(
    clippy::inline_always,
    reason = "the result is large, and each copy of it counts in a verification"
)]
#[inline(always)]
pub(super) fn parse(target: &str) -> Result<Grant, Malformed> {
    let path = target.strip_prefix('/').ok_or(Malformed)?;
    let (id, rest) = split_once(path, b'/').ok_or(Malformed)?;
    let (version, claims) = split_once(rest, b'?').ok_or(Malformed)?;
    let mut key = BinaryKey::new(BinaryId::new(id)?, VersionId::new(version)?);

    let (kind, values) = Values::parse(claims).ok_or(Malformed)?;
    if let Some(context) = values.get(Claim::Context) {
        key = key.with_context(text(context)?);
    }
    if let Some(place) = values.get(Claim::Place) {
        key = key.with_place(Place::new(text(place)?)?);
    }
    let permission = match kind {
        Kind::Read => Permission::Read(read_terms(&values)?),
        Kind::Write => Permission::Write(write_terms(&values)?),
        Kind::Resume => Permission::from(ResumeTerms {
            upload: UploadId::new(required(&values, Claim::Resume)?)?,
            write: write_terms(&values)?,
        }),
    };
    let expires = number(required(&values, Claim::Expires)?)?;
    let id = values.get(Claim::Id).map(UrlId::new).transpose()?;
    if id.is_none() && matches!(&permission, Permission::Read(terms) if terms.once) {
        return Err(Malformed);
    }
    Ok(Grant {
        key,
        permission,
        expires: Expires::at_unix_seconds(expires),
        id,
    })
}

/// As [`str::split_once`] of a character of ASCII, which takes several times as long.
#[inline]
pub(super) fn split_once(text: &str, delimiter: u8) -> Option<(&str, &str)> {
    let position = memchr::memchr(delimiter, text.as_bytes())?;
    Some((&text[..position], &text[position + 1..]))
}

fn read_terms(values: &Values<'_>) -> Result<ReadTerms, Malformed> {
    let filename = |name| Filename::new(text(name)?).ok_or(Malformed);
    Ok(ReadTerms {
        filename: values.get(Claim::Filename).map(filename).transpose()?,
        attachment: is_set(values.get(Claim::Disposition), ATTACHMENT)?,
        once: is_set(values.get(Claim::Once), ONCE)?,
    })
}

fn write_terms(values: &Values<'_>) -> Result<WriteTerms, Malformed> {
    let content_type = text(required(values, Claim::ContentType)?)?;
    Ok(WriteTerms {
        content_type: ContentType::new(content_type)?,
        max_length: values.get(Claim::MaxLength).map(number).transpose()?,
    })
}

fn required<'a>(values: &Values<'a>, claim: Claim) -> Result<&'a str, Malformed> {
    values.get(claim).ok_or(Malformed)
}

/// True if a claim is there whose only value is `only`.
fn is_set(value: Option<&str>, only: &str) -> Result<bool, Malformed> {
    match value {
        Some(value) if value == only => Ok(true),
        Some(_) => Err(Malformed),
        None => Ok(false),
    }
}

/// Decimal, without the sign and the leading zeros that `parse` would also take.
fn number(text: &str) -> Result<u64, Malformed> {
    if text != "0" && text.starts_with(['+', '0']) {
        return Err(Malformed);
    }
    text.parse().map_err(|_| Malformed)
}

fn text(base64url: &str) -> Result<String, Malformed> {
    let bytes = URL_SAFE_NO_PAD.decode(base64url).map_err(|_| Malformed)?;
    String::from_utf8(bytes).map_err(|_| Malformed)
}

impl From<InvalidId> for Malformed {
    fn from(_: InvalidId) -> Self {
        Self
    }
}

impl From<InvalidPlace> for Malformed {
    fn from(_: InvalidPlace) -> Self {
        Self
    }
}

impl From<InvalidContentType> for Malformed {
    fn from(_: InvalidContentType) -> Self {
        Self
    }
}
