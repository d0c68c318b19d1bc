//! Signing and verifying a URL, over the floor that the format sets: one HMAC with a prepared key
//! over as many bytes, and base64url.

mod support;

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use support::{Benches, Comparison};
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{BinaryId, BinaryKey, Grant, SigningKey, UrlSigner, VersionId};

const BASE: &str = "https://storage.example.com/binary";

fn main() {
    let secret = [7, 1, 8, 2].repeat(8);
    let signer = UrlSigner::new(SigningKey::new("2026-11", &secret).unwrap(), BASE).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_455_000);
    let key = BinaryKey::new(
        BinaryId::new("c138a343-02e1-40f0-801f-e3d7f5317d4e").unwrap(),
        VersionId::new("f4609304-c1ca-4a5b-af7d-77a289a2ac55").unwrap(),
    );
    let grant = Grant::new(
        key,
        ReadTerms::new(),
        Expires::at_unix_seconds(1_893_456_000),
    );
    let url = signer.sign(&grant);
    let target = url.as_str().strip_prefix(BASE).unwrap();
    let (claims, signature) = target.rsplit_once("&Signature=").unwrap();
    let string_to_sign = format!("tower-presign/v1\n{BASE}\n{claims}");
    let mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();

    let hmac_and_decode = || {
        let mut decoded = [0; 33];
        let decoding = URL_SAFE_NO_PAD.decode_slice(black_box(signature), &mut decoded);
        let mac = mac.clone().chain_update(black_box(&string_to_sign));
        decoding.is_ok() & mac.verify_slice(&decoded[..32]).is_ok()
    };
    let hmac_and_encode = || {
        let mac = mac.clone().chain_update(black_box(&string_to_sign));
        let mut encoded = [0; 43];
        let encoding = URL_SAFE_NO_PAD.encode_slice(mac.finalize().into_bytes(), &mut encoded);
        (encoding.is_ok(), encoded)
    };

    println!("string to sign: {} bytes", string_to_sign.len());
    let mut benches = Benches::of(Comparison::Ratio);
    benches.compare("verify a read URL", hmac_and_decode, || {
        signer.verifier().verify(black_box(target), now).unwrap()
    });
    benches.compare("sign a read URL", hmac_and_encode, || {
        signer.sign(black_box(&grant))
    });
}
