//! The format as the docs of `tower_presign::url` tell it, without regard to speed, and without the
//! crates that the real verifier is made of.

use std::collections::BTreeMap;

use http::Method;
use tower_presign::store::Place;
use tower_presign::url::{Expires, ReadTerms, ResumeTerms, WriteTerms};
use tower_presign::{
    BinaryId, BinaryKey, ContentType, Filename, Grant, Permission, UploadId, UrlId, VersionId,
};

use super::{OTHER_SECRET, Verdict, with_place};
use crate::common::{BASE, SECRET, signature};
use crate::support::NOW;

/// And the minute by which a clock that mints may be ahead.
const MAX_LIFETIME: u64 = 7 * 24 * 60 * 60 + 60;

pub(super) fn verify(target: &str) -> Verdict {
    let grant = authentic(target)?;
    check_time(&grant)?;
    Ok(with_place(grant))
}

pub(super) fn verify_for(target: &str, method: &Method) -> Verdict {
    let grant = authentic(target)?;
    let methods: &[_] = match grant.permission {
        Permission::Read(_) => &[Method::GET, Method::HEAD],
        Permission::Write(_) => &[Method::PUT],
        _ => &[Method::HEAD, Method::GET, Method::PATCH, Method::DELETE],
    };
    if !methods.contains(method) {
        return Err("method-not-allowed");
    }
    check_time(&grant)?;
    Ok(with_place(grant))
}

/// True if it goes on with an upload in parts, which a layer need not take.
pub(super) fn is_resume(target: &str) -> bool {
    authentic(target).is_ok_and(|grant| matches!(grant.permission, Permission::Resume(_)))
}

fn authentic(target: &str) -> Result<Grant, &'static str> {
    if !target.contains("Signature=") {
        return Err("missing-signature");
    }
    authentic_grant(target).ok_or("invalid-signature")
}

fn check_time(grant: &Grant) -> Result<(), &'static str> {
    match grant.expires.unix_seconds() {
        0..=NOW => Err("expired"),
        expires if expires - NOW > MAX_LIFETIME => Err("lifetime-too-long"),
        _ => Ok(()),
    }
}

fn authentic_grant(target: &str) -> Option<Grant> {
    let signed = &target[..target.rfind(signature::NAME)?];
    let (path, query) = signed.split_once('?')?;
    let claims: Vec<_> = query
        .split('&')
        .map(|claim| claim.split_once('='))
        .collect();
    let claims: Vec<(&str, &str)> = claims.into_iter().collect::<Option<_>>()?;
    let secret = match claims.iter().find(|(name, _)| *name == "Key-Pair-Id")?.1 {
        "test" => SECRET,
        "old" => OTHER_SECRET,
        _ => return None,
    };
    if signature::sign(secret, BASE, signed) != target {
        return None;
    }
    grant(path, &claims)
}

fn grant(path: &str, claims: &[(&str, &str)]) -> Option<Grant> {
    let ["", id, version] = path.split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    // In alphabetical order, each at most once.
    if !claims.is_sorted_by(|one, next| one.0 < next.0) {
        return None;
    }
    let mut claims: BTreeMap<_, _> = claims.iter().copied().collect();
    claims.remove("Key-Pair-Id");
    let mut key = BinaryKey::new(BinaryId::new(id).ok()?, VersionId::new(version).ok()?);
    if let Some(context) = claims.remove("Context") {
        key = key.with_context(decode_text(context)?);
    }
    let expires = Expires::at_unix_seconds(decimal(claims.remove("Expires")?)?);
    let url_id = match claims.remove("Id") {
        Some(id) => Some(UrlId::new(id).ok()?),
        None => None,
    };
    let permission = match claims.remove("Method") {
        None => {
            if let Some(place) = claims.remove("Place") {
                key = key.with_place(Place::new(decode_text(place)?).ok()?);
            }
            read_terms(&mut claims, url_id.is_some())?.into()
        }
        Some("PUT") => write_terms(&mut claims)?.into(),
        Some("PATCH") => {
            let upload = UploadId::new(claims.remove("Resume")?).ok()?;
            Permission::from(ResumeTerms::new(upload, write_terms(&mut claims)?))
        }
        Some(_) => return None,
    };
    let grant = Grant::new(key, permission, expires);
    claims.is_empty().then_some(match url_id {
        Some(id) => grant.with_id(id),
        None => grant,
    })
}

type Claims<'a> = BTreeMap<&'a str, &'a str>;

fn read_terms(claims: &mut Claims<'_>, has_id: bool) -> Option<ReadTerms> {
    let mut terms = ReadTerms::new();
    terms.attachment = match claims.remove("Disposition") {
        Some("attachment") => true,
        Some(_) => return None,
        None => false,
    };
    if let Some(name) = claims.remove("Filename") {
        terms.filename = Some(Filename::new(decode_text(name)?)?);
    }
    terms.once = match claims.remove("Once") {
        Some("1") if has_id => true,
        Some(_) => return None,
        None => false,
    };
    Some(terms)
}

fn write_terms(claims: &mut Claims<'_>) -> Option<WriteTerms> {
    let content_type = decode_text(claims.remove("Content-Type")?)?;
    let mut terms = WriteTerms::new(ContentType::new(content_type).ok()?);
    if let Some(bytes) = claims.remove("Max-Length") {
        terms.max_length = Some(decimal(bytes)?);
    }
    Some(terms)
}

fn decimal(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

fn decode_text(base64url: &str) -> Option<String> {
    String::from_utf8(signature::from_base64url(base64url)?).ok()
}
