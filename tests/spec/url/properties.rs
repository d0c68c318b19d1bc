//! Properties of every presigned URL, and of every text that is not one.

use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tower_presign::store::Place;
use tower_presign::url::{Expires, ReadTerms, ResumeTerms, WriteTerms};
use tower_presign::{
    Access, AllowAll, BinaryId, BinaryKey, ContentType, Filename, Grant, MemoryRepository,
    Permission, PresignLayer, SigningKey, UrlSigner, VersionId,
};
use tower_presign::{UploadId, UrlId};

use crate::support::{BASE, SECRET, respond, signature};

/// A moment before all expiries, which no lifetime is too long from.
const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// A signer that accepts any lifetime.
fn signer(key_id: &str, secret: &[u8], base: &str) -> UrlSigner {
    let key = SigningKey::new(key_id, secret).unwrap();
    UrlSigner::new(key, base)
        .unwrap()
        .with_max_lifetime(Duration::MAX)
}

fn test_signer() -> UrlSigner {
    signer("test", SECRET.as_bytes(), BASE)
}

fn any_signer() -> impl Strategy<Value = UrlSigner> {
    let base = select(vec![
        BASE,
        "http://localhost:3000",
        "https://[2001:db8::1]:8443/a/b_c/d~e",
    ]);
    let secret = vec(any::<u8>(), 32..100).prop_filter("one byte repeated", |secret| {
        secret.iter().any(|byte| *byte != secret[0])
    });
    ("[A-Za-z0-9_-]{1,64}", secret, base).prop_map(|(id, secret, base)| signer(&id, &secret, base))
}

fn any_id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._-]{1,64}".prop_filter("a dot segment", |id| id != "." && id != "..")
}

fn any_content_type() -> impl Strategy<Value = ContentType> {
    let parameters = "(; ?[a-z]{1,8}=([A-Za-z0-9.-]{1,8}|\"[ -!#-\\[\\]-~]{1,8}\")){0,2}";
    ("[a-z]{1,12}/[a-z0-9][a-z0-9.+-]{0,20}", parameters).prop_map(|(essence, parameters)| {
        ContentType::new(format!("{essence}{parameters}")).unwrap()
    })
}

fn any_key() -> impl Strategy<Value = BinaryKey> {
    let (context, place) = (option::of(any::<String>()), option::of("[ -~]{1,50}"));
    (any_id(), any_id(), context, place).prop_map(|(id, version, context, place)| {
        let id = BinaryId::new(id).unwrap();
        let mut key = BinaryKey::new(id, VersionId::new(version).unwrap());
        if let Some(context) = context {
            key = key.with_context(context);
        }
        if let Some(place) = place {
            key = key.with_place(Place::new(place).unwrap());
        }
        key
    })
}

fn any_random_id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9]{16,64}"
}

fn any_read_terms() -> impl Strategy<Value = ReadTerms> {
    let filename = option::of(any::<String>());
    (filename, any::<bool>(), any::<bool>()).prop_map(|(filename, attachment, once)| {
        let mut terms = ReadTerms::new();
        terms.filename = filename.and_then(Filename::new);
        terms.attachment = attachment;
        terms.once = once;
        terms
    })
}

fn any_write_terms() -> impl Strategy<Value = WriteTerms> {
    (any_content_type(), option::of(any::<u64>())).prop_map(|(content_type, max_length)| {
        let mut terms = WriteTerms::new(content_type);
        terms.max_length = max_length;
        terms
    })
}

fn any_permission() -> impl Strategy<Value = Permission> {
    let resume = (any_random_id(), any_write_terms())
        .prop_map(|(upload, terms)| ResumeTerms::new(UploadId::new(upload).unwrap(), terms).into());
    prop_oneof![
        any_read_terms().prop_map(Permission::from),
        any_write_terms().prop_map(Permission::from),
        resume,
    ]
}

fn any_grant() -> impl Strategy<Value = Grant> {
    let expires = (1..=u64::MAX).prop_map(Expires::at_unix_seconds);
    (
        any_key(),
        any_permission(),
        expires,
        any_random_id(),
        any::<bool>(),
    )
        .prop_map(|(key, permission, expires, id, has_id)| {
            let needs_id = matches!(&permission, Permission::Read(terms) if terms.once);
            let grant = Grant::new(key, permission, expires);
            if needs_id || has_id {
                grant.with_id(UrlId::new(id).unwrap())
            } else {
                grant
            }
        })
}

/// The part after the base in the URL for `grant`.
fn target(signer: &UrlSigner, grant: &Grant) -> String {
    let url = signer.sign(grant);
    url.as_str()
        .strip_prefix(signer.base_url())
        .unwrap()
        .to_owned()
}

/// Signs any text, as [`test_signer`] would.
fn forge(signed: &str) -> String {
    signature::sign(SECRET, BASE, signed)
}

/// A single byte of `text`, which is ASCII, replaced, inserted or taken out.
fn mutate(text: &str, mutation: &Mutation) -> String {
    let mut bytes = text.as_bytes().to_vec();
    match mutation {
        Mutation::Replace(at, byte) => bytes[at.index(text.len())] = *byte,
        Mutation::Insert(at, byte) => bytes.insert(at.index(text.len() + 1), *byte),
        Mutation::Delete(at) => drop(bytes.remove(at.index(text.len()))),
        Mutation::Truncate(at) => bytes.truncate(at.index(text.len())),
        Mutation::Swap(one, other) => return swap_segments(text, *one, *other),
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Debug, Clone)]
enum Mutation {
    Replace(Index, u8),
    Insert(Index, u8),
    Delete(Index),
    Truncate(Index),
    Swap(Index, Index),
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    let any_index = any::<Index>;
    // All of ASCII that can be seen: what a request target may consist of, and more.
    let any_byte = || 0x21..=0x7E_u8;
    prop_oneof![
        (any_index(), any_byte()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any_index(), any_byte()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        any_index().prop_map(Mutation::Delete),
        any_index().prop_map(Mutation::Truncate),
        (any_index(), any_index()).prop_map(|(one, other)| Mutation::Swap(one, other)),
    ]
}

/// Two of the parts between `/`, `?`, `&` and `=` in each other's place.
fn swap_segments(text: &str, one: Index, other: Index) -> String {
    let mut segments: Vec<&str> = text.split_inclusive(['/', '?', '&', '=']).collect();
    let count = segments.len();
    segments.swap(one.index(count), other.index(count));
    segments.concat()
}

/// Texts of the pieces that URLs are made of, in any order.
fn any_mixture() -> impl Strategy<Value = String> {
    let pieces = vec![
        "/",
        "?",
        "&",
        "=",
        "%",
        "%2F",
        "..",
        ".",
        ";",
        "#",
        "+",
        " ",
        "\0",
        "\n",
        "é",
        "\u{10FFFF}",
        "0",
        "1",
        "18446744073709551616",
        "binary",
        "scan",
        "Binary",
        "_history",
        "$presigned-url",
        "%24presigned-url",
        "PUT",
        "Content-Type=",
        "Context=",
        "Disposition=",
        "attachment",
        "Expires=",
        "Filename=",
        "Key-Pair-Id=",
        "test",
        "Max-Length=",
        "Method=",
        "Signature=",
        signature::NAME,
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "aW1hZ2UvcG5n",
        "upload=true",
    ];
    vec(select(pieces), 0..20).prop_map(|pieces| pieces.concat())
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), any_mixture()]
}

/// Seeds of failures belong into a test of their own, with a name.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

// Presigned URLs

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_grant_that_was_signed_is_the_one_that_is_verified(signer in any_signer(), grant in any_grant()) {
        let verified = signer.verifier().verify(&target(&signer, &grant), NOW).unwrap();
        // Two keys are equal that differ in their place.
        let place = grant.key.place().filter(|_| grant.access() == Access::Read);
        prop_assert_eq!(verified.key.place(), place);
        prop_assert_eq!(verified, grant);
    }

    #[test]
    fn whatever_is_changed_is_refused(
        signer in any_signer(),
        grant in any_grant(),
        mutations in vec(any_mutation(), 1..40),
    ) {
        let genuine = target(&signer, &grant);
        for mutation in &mutations {
            let changed = mutate(&genuine, mutation);
            if changed != genuine {
                let verified = signer.verifier().verify(&changed, NOW);
                prop_assert!(verified.is_err(), "{} for {}", changed, genuine);
            }
        }
    }

    #[test]
    fn no_other_signer_accepts_it(one in any_signer(), other in any_signer(), grant in any_grant()) {
        let verified = other.verifier().verify(&target(&one, &grant), NOW);
        prop_assert!(verified.is_err());
    }

    #[test]
    fn names_and_values_are_of_plain_characters(signer in any_signer(), grant in any_grant()) {
        let target = target(&signer, &grant);
        let (path, query) = target.split_once('?').unwrap();
        let is_plain = |text: &str| {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let segments: Vec<&str> = path.split('/').collect();
        let ["", id, version] = segments[..] else {
            return Err(TestCaseError::fail(target));
        };
        prop_assert!(is_plain(id) && is_plain(version), "{}", target);
        for claim in query.split('&') {
            let (name, value) = claim.split_once('=').unwrap();
            prop_assert!(is_plain(name) && is_plain(value), "{}", target);
        }
    }

    #[test]
    fn url_libraries_leave_it_as_it_is(signer in any_signer(), grant in any_grant()) {
        let presigned = signer.sign(&grant);
        let parsed = url::Url::parse(presigned.as_str()).unwrap();
        prop_assert_eq!(parsed.as_str(), presigned.as_str());

        let mut claims: Vec<_> = parsed.query_pairs().into_owned().collect();
        claims.sort();
        let mut rebuilt = parsed.clone();
        rebuilt.query_pairs_mut().clear().extend_pairs(claims);
        prop_assert_eq!(rebuilt.as_str(), presigned.as_str());

        let uri: Uri = presigned.as_str().parse().unwrap();
        prop_assert_eq!(uri.to_string(), presigned.as_str());
    }

    /// Whoever has the key can sign any text, and it is accepted only in the one form that the
    /// signer gives it.
    #[test]
    fn a_grant_has_one_form(grant in any_grant(), mutations in vec(any_mutation(), 1..40)) {
        let signer = test_signer();
        let genuine = target(&signer, &grant);
        let (signed, _) = genuine.rsplit_once(signature::NAME).unwrap();
        prop_assert_eq!(forge(signed), genuine.as_str());

        for mutation in &mutations {
            let forged = forge(&mutate(signed, mutation));
            // But for file names, which are made safe.
            let has_filename = |grant: &Grant| {
                matches!(&grant.permission, Permission::Read(terms) if terms.filename.is_some())
            };
            if let Ok(grant) = signer.verifier().verify(&forged, NOW)
                && !has_filename(&grant)
            {
                prop_assert_eq!(target(&signer, &grant), forged.as_str());
            }
        }
    }
}

// Texts that are no presigned URLs

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_text_makes_the_verifier_panic(text in any_text()) {
        let signer = test_signer();
        prop_assert!(signer.verifier().verify(&text, NOW).is_err());
        // Signed, it gets as far as the parser.
        let _ = signer.verifier().verify(&forge(&text), NOW);
        let in_place = format!("/scan/1?Expires=9&Key-Pair-Id=test{text}");
        let _ = signer.verifier().verify(&forge(&in_place), NOW);
    }

    #[test]
    fn no_target_makes_the_layer_panic_or_serve(
        prefix in select(vec!["", "/", "/binary", "/binary/", "/fhir/Binary/"]),
        text in any_text(),
        suffix in select(vec!["", "/$presigned-url", "/%24presigned-url?upload=true"]),
        method in select(vec![
            Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS,
        ]),
    ) {
        let Ok(uri) = format!("{prefix}{text}{suffix}").parse::<Uri>() else {
            return Ok(());
        };
        let layer = PresignLayer::new(test_signer(), MemoryRepository::new(), AllowAll);
        let mut request = Request::new(Full::<Bytes>::default());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = runtime.block_on(respond(&layer, request));
        let status = response.status();
        prop_assert!(
            status.is_client_error() || status == StatusCode::NO_CONTENT,
            "{status}"
        );
    }
}

// What URLs are made of

/// FHIR's grammar and `_`, without the two texts that a path cannot contain.
fn is_id(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(is_allowed) && text != "." && text != ".."
}

/// Characters that show `gpj.exe` as `exe.jpg` (Unicode's `Bidi_Control`).
const REORDERING: [char; 12] = [
    '\u{061C}', '\u{200E}', '\u{200F}', '\u{202A}', '\u{202B}', '\u{202C}', '\u{202D}', '\u{202E}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_id_follows_its_grammar_and_stays_as_it_is(
        text in prop_oneof![any_text(), "[A-Za-z0-9._-]{0,70}", "[a-z.]{0,2}[!-~][a-z.]{0,2}", "[.]{0,3}"],
    ) {
        let (id, version) = (BinaryId::new(&text), VersionId::new(&text));
        prop_assert_eq!(id.is_ok(), is_id(&text));
        prop_assert_eq!(version.is_ok(), is_id(&text));
        if let (Ok(id), Ok(version)) = (id, version) {
            prop_assert_eq!(id.as_str(), &text);
            prop_assert_eq!(version.as_str(), &text);
            prop_assert_eq!(id.to_string(), text.as_str());
            prop_assert_eq!(BinaryId::from_str(&text), Ok(id));
        }
    }

    #[test]
    fn ids_are_equal_if_their_texts_are(one in any_id(), other in any_id()) {
        let equal = BinaryId::new(&one).unwrap() == BinaryId::new(&other).unwrap();
        prop_assert_eq!(equal, one == other);
    }

    #[test]
    fn a_content_type_keeps_its_text_and_fits_a_header(
        text in prop_oneof![
            any_text(),
            "[ -~]{1,8}/[ -~]{1,8}",
            "image/png; ?[a-z]{1,4}=\"?\\PC{0,8}\"?",
            "[*a-z]{1,2}/[*a-z]{1,2}",
            "text/[a-z]{490,520}",
        ],
    ) {
        if let Ok(content_type) = ContentType::new(&text) {
            prop_assert_eq!(content_type.as_str(), &text);
            prop_assert_eq!(content_type.to_string(), text.as_str());
            prop_assert_eq!(ContentType::from_str(&text), Ok(content_type));
            prop_assert!(text.len() <= 512);
            let header = HeaderValue::from_str(&text).unwrap();
            prop_assert_eq!(header.to_str().ok(), Some(text.as_str()));
        }
    }

    #[test]
    fn a_filename_is_safe_whatever_it_is_made_from(
        text in prop_oneof![
            any::<String>(),
            any_mixture(),
            "[./\\\\ a\n\u{202E}\u{200B}é]{0,20}",
            "\\PC{200,300}(\\.[a-z ]{0,20})?",
            "[a. ]{240,270}",
        ],
    ) {
        let Some(filename) = Filename::new(&text) else {
            return Ok(());
        };
        let name = filename.as_str();
        prop_assert!((1..=255).contains(&name.len()));
        prop_assert!(!name.contains(['/', '\\']) && !name.contains(char::is_control));
        prop_assert!(!name.contains(REORDERING));
        prop_assert!(!name.ends_with('.') && name != "." && name != "..");
        prop_assert_eq!(name.trim(), name);
        prop_assert_eq!(Filename::new(name), Some(filename.clone()));
    }
}

#[test]
fn a_filename_that_is_safe_stays_as_it_is() {
    for name in [
        "scan.png",
        "Zoë's scan (1).PDF",
        ".profile",
        "a b",
        "文書.txt",
        "x".repeat(255).as_str(),
    ] {
        assert_eq!(Filename::new(name).unwrap().as_str(), name);
    }
}
