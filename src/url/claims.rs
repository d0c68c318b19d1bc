//! A [`Grant`] as the signed part of a request target, and back.
//!
//! Parsing is strict: it accepts what [`write`] writes, and nothing else, but for file names, which
//! are made safe, whoever signed them. It is only ever given bytes whose signature is right.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::grant::{Grant, Permission};
use crate::binary::{BinaryId, BinaryKey, VersionId};
use crate::content_type::ContentType;
use crate::filename::Filename;

/// Appends `/{id}/{versionId}?{claims}`, without the signature.
pub(super) fn write(grant: &Grant, key_id: &str, out: &mut String) {
    let (id, version) = (grant.key.id(), grant.key.version());
    for part in ["/", id.as_str(), "/", version.as_str()] {
        out.push_str(part);
    }
    let mut separator = '?';
    let mut claim = |name: &str, value: Value<'_>| {
        out.push(std::mem::replace(&mut separator, '&'));
        out.push_str(name);
        out.push('=');
        match value {
            Value::Plain(text) => out.push_str(text),
            Value::Encoded(text) => URL_SAFE_NO_PAD.encode_string(text, out),
            // Writing to a `String` cannot fail.
            Value::Number(number) => drop(write!(out, "{number}")),
        }
    };

    if let Permission::Write { content_type, .. } = &grant.permission {
        claim("Content-Type", Value::Encoded(content_type.as_str()));
    }
    if let Some(context) = grant.key.context() {
        claim("Context", Value::Encoded(context));
    }
    if let Permission::Read {
        attachment: true, ..
    } = grant.permission
    {
        claim("Disposition", Value::Plain("attachment"));
    }
    claim("Expires", Value::Number(grant.expires));
    if let Permission::Read {
        filename: Some(filename),
        ..
    } = &grant.permission
    {
        claim("Filename", Value::Encoded(filename.as_str()));
    }
    claim("Key-Pair-Id", Value::Plain(key_id));
    if let Permission::Write { max_length, .. } = grant.permission {
        if let Some(max_length) = max_length {
            claim("Max-Length", Value::Number(max_length));
        }
        claim("Method", Value::Plain("PUT"));
    }
}

/// The value of the last `Key-Pair-Id` of a URL, whoever wrote it.
pub(crate) fn key_id(url: &str) -> Option<&str> {
    url.rsplit('&')
        .find_map(|claim| claim.strip_prefix("Key-Pair-Id="))
}

enum Value<'a> {
    Plain(&'a str),
    Encoded(&'a str),
    Number(u64),
}

/// Reads what [`write`] wrote; `None` if anything about it is not as `write` would have it.
#[inline]
pub(super) fn parse(target: &str) -> Option<Grant> {
    let (path, claims) = target.split_once('?')?;
    let (id, version) = path.strip_prefix('/')?.split_once('/')?;
    let mut key = BinaryKey::new(BinaryId::new(id).ok()?, VersionId::new(version).ok()?);

    let mut claims = Claims::new(claims);
    let content_type = claims.take("Content-Type");
    let context = claims.take("Context");
    let disposition = claims.take("Disposition");
    let expires = number(claims.take("Expires")?)?;
    let filename = claims.take("Filename");
    // That of a key in the ring, or the signature could not be right.
    claims.take("Key-Pair-Id")?;
    let max_length = claims.take("Max-Length");
    let method = claims.take("Method");
    claims.end()?;

    if let Some(context) = context {
        key = key.with_context(text(context)?);
    }
    let permission = match (method, content_type, disposition, filename, max_length) {
        (None, None, disposition, filename, None) => Permission::Read {
            filename: match filename {
                Some(filename) => Some(Filename::new(text(filename)?)?),
                None => None,
            },
            attachment: match disposition {
                Some("attachment") => true,
                Some(_) => return None,
                None => false,
            },
        },
        (Some("PUT"), Some(content_type), None, None, max_length) => Permission::Write {
            content_type: ContentType::new(text(content_type)?).ok()?,
            max_length: match max_length {
                Some(max_length) => Some(number(max_length)?),
                None => None,
            },
        },
        _ => return None,
    };
    Some(Grant {
        key,
        permission,
        expires,
    })
}

/// The claims in the order of the text. Taken in alphabetical order, none can hide: one that is
/// repeated, unknown or out of order is still there at the [`end`](Self::end).
struct Claims<'a> {
    rest: Option<&'a str>,
}

impl<'a> Claims<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: Some(text) }
    }

    /// The value of the claim `name`, if it comes next.
    #[expect(
        clippy::inline_always,
        reason = "each name's comparison is then a few instructions"
    )]
    #[inline(always)]
    fn take(&mut self, name: &str) -> Option<&'a str> {
        let rest = self.rest?;
        let value = rest.strip_prefix(name)?.strip_prefix('=')?;
        let (value, rest) = match value.split_once('&') {
            Some((value, rest)) => (value, Some(rest)),
            None => (value, None),
        };
        self.rest = rest;
        Some(value)
    }

    fn end(self) -> Option<()> {
        self.rest.is_none().then_some(())
    }
}

/// Decimal, without the sign and the leading zeros that `parse` would also take.
fn number(text: &str) -> Option<u64> {
    let is_plain = text == "0" || !text.starts_with(['+', '0']);
    is_plain.then(|| text.parse().ok()).flatten()
}

fn text(base64url: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(base64url).ok()?).ok()
}
