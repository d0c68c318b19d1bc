//! Presigned URLs, mutated: none verifies that was not minted as it is. And a second verifier,
//! written after the format's description alone, agrees, also about claims that were signed though
//! no signer would write them.

mod naive;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, Request};
use http_body_util::Empty;
use tower_presign::store::Place;
use tower_presign::url::{Expires, ReadTerms, ResumeTerms, VerifyError, WriteTerms};
use tower_presign::{
    Access, AllowAll, BinaryId, BinaryKey, ContentType, Filename, Grant, Keyring, MemoryRepository,
    Permission, PresignLayer, SigningKey, UploadId, UrlId, UrlSigner, VersionId,
};

use crate::common::{BASE, INNER, SECRET, at, signature};
use crate::support::{self, NOW};

const OTHER_SECRET: &str = "another thirty-two bytes, secret";

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    grant: AnyGrant<'a>,
    other: AnyGrant<'a>,
    signer: Signer,
    method: AnyMethod,
    is_forged: bool,
    mutations: Vec<Mutation>,
}

#[derive(Arbitrary, Debug)]
struct AnyGrant<'a> {
    id: &'a [u8],
    version: &'a [u8],
    context: Option<&'a str>,
    place: Option<&'a str>,
    permission: AnyPermission<'a>,
    expires: AnyExpires,
    url_id: Option<&'a [u8]>,
}

#[derive(Arbitrary, Debug)]
enum AnyPermission<'a> {
    Read {
        filename: Option<&'a str>,
        attachment: bool,
        once: bool,
    },
    Write(AnyWrite<'a>),
    Resume(&'a [u8], AnyWrite<'a>),
}

#[derive(Arbitrary, Debug)]
struct AnyWrite<'a> {
    content_type: &'a str,
    max_length: Option<u64>,
}

#[derive(Arbitrary, Debug)]
enum AnyExpires {
    AroundNow(i8),
    AroundTheMaximum(i8),
    Ever(u64),
}

#[derive(Arbitrary, Debug)]
enum Signer {
    Signing,
    VerifyOnly,
    UnknownKey,
    OtherSecret,
    OtherBase,
}

#[derive(Arbitrary, Debug)]
enum AnyMethod {
    Granted,
    Get,
    Head,
    Put,
    Delete,
}

#[derive(Arbitrary, Debug)]
enum Mutation {
    Flip(u16, u8),
    Replace(u16, u8),
    Insert(u16, u8),
    Delete(u16),
    PercentEncode(u16),
    SwitchCase(u16),
    /// The parameter at one place, again at another.
    Duplicate(u8, u8),
    Move(u8, u8),
    /// A parameter of the other URL in place of this one's.
    Transplant(u8, u8),
    /// The head of this URL, the tail of the other.
    Splice(u16, u16),
}

pub fn run(data: &[u8]) {
    let Some(input) = support::input::<Input>(data) else {
        return;
    };
    let (Some(grant), Some(other)) = (input.grant.build(), input.other.build()) else {
        return;
    };
    let signer = signer();
    let verifier = signer.verifier();
    let genuine = target(&input.signer.build(), &grant);
    let other = target(&signer, &other);

    let mut mutant = genuine.clone().into_bytes();
    if input.is_forged {
        mutant.truncate(genuine.rfind("&Signature=").unwrap());
    }
    for mutation in input.mutations.iter().take(8) {
        mutation.apply(&mut mutant, other.as_bytes());
    }
    let Ok(mut mutant) = String::from_utf8(mutant) else {
        return;
    };
    if input.is_forged {
        mutant = signature::sign(SECRET, BASE, &mutant);
    }
    let method = input.method.build(&grant);

    let verdict = said(verifier.verify(&mutant, at(NOW)));
    assert_eq!(verdict, naive::verify(&mutant), "{mutant}");
    if !input.is_forged && mutant == genuine {
        let is_ours = matches!(input.signer, Signer::Signing | Signer::VerifyOnly);
        assert_eq!(is_genuine(&verdict), is_ours, "{genuine}");
        assert!(verdict.is_err() || verdict == said(Ok(grant)), "{genuine}");
    } else if !input.is_forged {
        // By splices it may have become the other one.
        assert!(
            mutant == other || !is_genuine(&verdict),
            "{genuine} {mutant}"
        );
    }
    check_layer(&signer, &mutant, method);
}

/// The layer hears what is on the wire, and the inner service nothing.
fn check_layer(signer: &UrlSigner, target: &str, method: Method) {
    let verifier = signer.verifier();
    let request = Request::builder()
        .method(&method)
        .uri(format!("/binary{target}"))
        .body(Empty::<Bytes>::new());
    let Ok(request) = request else {
        return;
    };
    let on_wire = request.uri().path_and_query().map(PathAndQuery::as_str);
    let Some(target) = on_wire.and_then(|target| target.strip_prefix("/binary")) else {
        return;
    };
    let target = target.to_owned();
    let is_storage = target.is_empty() || target.starts_with(['/', '?']);
    let (parts, body) = request.into_parts();
    let verdict = said(verifier.verify_request(&parts, at(NOW)));
    if is_storage {
        assert_eq!(verdict, naive::verify_for(&target, &method), "{target}");
    }
    let layer = PresignLayer::new(signer.clone(), MemoryRepository::new(), AllowAll);
    let request = Request::from_parts(parts, body);
    let answer = support::call(&layer.clock(|| at(NOW)), request);
    if !is_storage {
        assert_eq!(answer.status, INNER, "{target}");
        return;
    }
    let expected = match verdict {
        _ if naive::is_resume(&target) => "method-not-allowed",
        Ok((grant, _)) => match grant.permission {
            // This layer has no ledger to remember it in.
            Permission::Read(terms) if terms.once => "internal",
            Permission::Read(_) => "not-found",
            // The request has no Content-Type.
            _ => "content-type-mismatch",
        },
        Err(code) => code,
    };
    if method == Method::HEAD {
        assert!(answer.body.is_empty());
        assert!(answer.status.is_client_error() || answer.status.is_server_error());
    } else {
        assert_eq!(answer.refusal(), expected, "{target}");
    }
}

fn said(verdict: Result<Grant, VerifyError>) -> Verdict {
    verdict.map(with_place).map_err(code)
}

/// Keys are equal that differ in their place alone.
fn with_place(grant: Grant) -> (Grant, Option<Place>) {
    let place = grant.key.place().cloned();
    (grant, place)
}

fn code(error: VerifyError) -> &'static str {
    match error {
        VerifyError::MissingSignature => "missing-signature",
        VerifyError::Expired => "expired",
        VerifyError::LifetimeTooLong => "lifetime-too-long",
        VerifyError::MethodNotAllowed { .. } => "method-not-allowed",
        _ => "invalid-signature",
    }
}

fn is_genuine(verdict: &Verdict) -> bool {
    !matches!(verdict, Err("invalid-signature" | "missing-signature"))
}

/// A grant and its place, or the code of the refusal.
type Verdict = Result<(Grant, Option<Place>), &'static str>;

fn key(id: &str, secret: &str) -> SigningKey {
    SigningKey::new(id, secret).unwrap()
}

fn signer() -> UrlSigner {
    let keys = Keyring::new(key("test", SECRET));
    let keys = keys.with_verify_only(key("old", OTHER_SECRET)).unwrap();
    UrlSigner::new(keys, BASE).unwrap()
}

/// The part after the base in the URL for `grant`.
fn target(signer: &UrlSigner, grant: &Grant) -> String {
    let url = signer.sign(grant);
    url.as_str()[signer.base_url().len()..].to_owned()
}

impl Signer {
    fn build(&self) -> UrlSigner {
        let (id, secret, base) = match self {
            Self::Signing => ("test", SECRET, BASE),
            Self::VerifyOnly => ("old", OTHER_SECRET, BASE),
            Self::UnknownKey => ("unknown", SECRET, BASE),
            Self::OtherSecret => ("test", OTHER_SECRET, BASE),
            Self::OtherBase => ("test", SECRET, "https://storage.example.com/binary2"),
        };
        UrlSigner::new(key(id, secret), base).unwrap()
    }
}

impl AnyMethod {
    fn build(&self, grant: &Grant) -> Method {
        match (self, grant.access()) {
            (Self::Granted, Access::Read) | (Self::Get, _) => Method::GET,
            (Self::Granted, _) | (Self::Put, _) => Method::PUT,
            (Self::Head, _) => Method::HEAD,
            (Self::Delete, _) => Method::DELETE,
        }
    }
}

impl AnyGrant<'_> {
    fn build(&self) -> Option<Grant> {
        let id = BinaryId::new(fhir_id(self.id)).ok()?;
        let mut key = BinaryKey::new(id, VersionId::new(fhir_id(self.version)).ok()?);
        if let Some(context) = self.context {
            key = key.with_context(context);
        }
        let expires = match self.expires {
            AnyExpires::AroundNow(seconds) => NOW.saturating_add_signed(seconds.into()),
            AnyExpires::AroundTheMaximum(seconds) => {
                (NOW + 7 * 24 * 60 * 60).saturating_add_signed(seconds.into())
            }
            AnyExpires::Ever(expires) => expires,
        };
        let permission = self.permission.build()?;
        if let (Permission::Read(_), Some(Ok(place))) = (&permission, self.place.map(Place::new)) {
            key = key.with_place(place);
        }
        // A URL for one use must have an id.
        let must_have_id = matches!(&permission, Permission::Read(terms) if terms.once);
        let url_id = self.url_id.or(must_have_id.then_some(b""));
        let grant = Grant::new(key, permission, Expires::at_unix_seconds(expires));
        Some(match url_id {
            Some(id) => grant.with_id(UrlId::new(random_id(id)).ok()?),
            None => grant,
        })
    }
}

impl AnyPermission<'_> {
    fn build(&self) -> Option<Permission> {
        Some(match self {
            Self::Read {
                filename,
                attachment,
                once,
            } => {
                let mut terms = ReadTerms::new();
                terms.filename = filename.and_then(Filename::new);
                terms.attachment = *attachment;
                terms.once = *once;
                terms.into()
            }
            Self::Write(write) => write.build()?.into(),
            Self::Resume(upload, write) => {
                let upload = UploadId::new(random_id(upload)).ok()?;
                ResumeTerms::new(upload, write.build()?).into()
            }
        })
    }
}

impl AnyWrite<'_> {
    fn build(&self) -> Option<WriteTerms> {
        let content_type = ContentType::new(self.content_type);
        let content_type = content_type.or_else(|_| ContentType::new("image/png"));
        let mut terms = WriteTerms::new(content_type.ok()?);
        terms.max_length = self.max_length;
        Some(terms)
    }
}

fn fhir_id(bytes: &[u8]) -> String {
    id(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._",
        1,
        bytes,
    )
}

/// Of an upload, or of a URL.
fn random_id(bytes: &[u8]) -> String {
    id(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        16,
        bytes,
    )
}

fn id(alphabet: &[u8], min_length: usize, bytes: &[u8]) -> String {
    let character = |byte: &u8| char::from(alphabet[usize::from(*byte) % alphabet.len()]);
    let mut id: String = bytes.iter().take(64).map(character).collect();
    while id.len() < min_length {
        id.push('7');
    }
    id
}

impl Mutation {
    fn apply(&self, url: &mut Vec<u8>, other: &[u8]) {
        if url.is_empty() {
            return;
        }
        let at = |place: u16| usize::from(place) % url.len();
        match *self {
            Self::Flip(place, bit) => {
                let place = at(place);
                url[place] ^= 1 << (bit % 8);
            }
            Self::Replace(place, byte) => {
                let place = at(place);
                url[place] = byte;
            }
            Self::Insert(place, byte) => url.insert(at(place), byte),
            Self::Delete(place) => drop(url.remove(at(place))),
            Self::PercentEncode(place) => {
                let place = at(place);
                let encoded = format!("%{:02X}", url[place]);
                url.splice(place..=place, encoded.bytes());
            }
            Self::SwitchCase(place) => {
                let place = at(place);
                url[place] ^= if url[place].is_ascii_alphabetic() {
                    0x20
                } else {
                    0
                };
            }
            Self::Duplicate(from, to) => with_parameters(url, |parameters| {
                let copy = parameters[usize::from(from) % parameters.len()].clone();
                parameters.insert(usize::from(to) % (parameters.len() + 1), copy);
            }),
            Self::Move(from, to) => with_parameters(url, |parameters| {
                let moved = parameters.remove(usize::from(from) % parameters.len());
                parameters.insert(usize::from(to) % (parameters.len() + 1), moved);
            }),
            Self::Transplant(from, to) => with_parameters(url, |parameters| {
                let theirs: Vec<_> = other.split(|byte| *byte == b'&').collect();
                let place = usize::from(to) % parameters.len();
                parameters[place] = theirs[usize::from(from) % theirs.len()].to_vec();
            }),
            Self::Splice(end, start) => {
                url.truncate(at(end));
                url.extend_from_slice(&other[usize::from(start) % other.len()..]);
            }
        }
    }
}

fn with_parameters(url: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    // The path goes with the first parameter otherwise.
    let start = url
        .iter()
        .position(|byte| *byte == b'?')
        .map_or(0, |at| at + 1);
    let mut parameters: Vec<_> = url[start..]
        .split(|byte| *byte == b'&')
        .map(<[u8]>::to_vec)
        .collect();
    change(&mut parameters);
    url.truncate(start);
    url.extend(parameters.join(&b'&'));
}
