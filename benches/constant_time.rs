//! The time of verification, which must not show how much of a signature is right.
//!
//! The method is that of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant
//! time?", 2017). Each comparison measures single calls of two classes of signature, in random
//! order, and asks by Welch's t-test whether the two classes' mean times differ. Interrupts make
//! some calls much longer, so the test is repeated without the slowest of all calls, at several
//! percentiles, and the greatest |t| counts.
//!
//! To be read like this:
//!
//! - |t| < 4.5 is no evidence of a difference; a machine that does other work only adds noise.
//! - |t| grows with the square root of the number of calls where there is a difference, and does
//!   not where there is none: repeat a suspicious run with more calls (the first argument).
//! - The control is verification with a comparison that ends at the first wrong byte. If its |t|
//!   is not far over 4.5, this machine is too noisy for the other figures to mean anything.
//! - A genuine signature takes longer than a wrong one, since the claims are then parsed. This
//!   says nothing that the answer itself does not say.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{BinaryId, BinaryKey, Grant, SigningKey, UrlSigner, VersionId};

const BASE: &str = "https://storage.example.com/binary";
const SECRET: &[u8] = b"thirty-two bytes of test secret!";
const EXPIRES: u64 = 1_893_456_000;

/// The greatest |t| that is no evidence.
const THRESHOLD: f64 = 4.5;

/// The percentage of the calls that are kept, the slowest left out.
const KEPT: [usize; 8] = [100, 99, 95, 90, 80, 70, 60, 50];

/// Which bytes of a signature are wrong (255), and which are right (0).
type Class = [u8; 32];

const GENUINE: Class = [0; 32];
const RANDOM: Class = [255; 32];
const FIRST_BYTE_WRONG: Class = only(0);
const LAST_BYTE_WRONG: Class = only(31);

const fn only(wrong: usize) -> Class {
    let mut class = GENUINE;
    class[wrong] = 255;
    class
}

fn main() {
    let calls = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let calls = calls.unwrap_or(1_000_000);
    let mut random = Random(getrandom::u64().unwrap() | 1);
    let signer = UrlSigner::new(SigningKey::new("2026-11", SECRET).unwrap(), BASE).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(EXPIRES - 1000);
    let urls = std::array::from_fn(|number| Url::new(&signer, number));

    let subject = |target: &str| signer.verifier().verify(target, now).is_ok();
    let derived = mac(SECRET, "tower-presign/v1");
    let early_exit = |target: &str| ends_at_the_first_wrong_byte(&derived, target);

    println!("{calls} calls each; |t| < {THRESHOLD}: no evidence of a difference");
    let mut compare = |name, verify: &dyn Fn(&str) -> bool, one, other| {
        let t = greatest_t(&urls, &mut random, calls, verify, [one, other]);
        println!("{name}: |t| = {t:.1}");
        t
    };
    let control = compare(
        "control, first byte wrong or last byte wrong",
        &early_exit,
        &FIRST_BYTE_WRONG,
        &LAST_BYTE_WRONG,
    );
    let differences = [
        compare(
            "first byte wrong or last byte wrong",
            &subject,
            &FIRST_BYTE_WRONG,
            &LAST_BYTE_WRONG,
        ),
        compare(
            "all bytes random or last byte wrong",
            &subject,
            &RANDOM,
            &LAST_BYTE_WRONG,
        ),
        compare("all bytes random, twice", &subject, &RANDOM, &RANDOM),
    ];
    compare(
        "genuine or random (these differ)",
        &subject,
        &GENUINE,
        &RANDOM,
    );

    println!(
        "verdict: {}",
        if control < 2.0 * THRESHOLD {
            "none, since the control's leak is not seen; try more calls"
        } else if differences.iter().all(|t| *t < THRESHOLD) {
            "no evidence that time depends on how much of a signature is right"
        } else {
            "suspicious; try again with more calls"
        }
    );
}

/// A URL in the parts that the classes are made of.
struct Url {
    /// Up to and with `&Signature=`.
    start: String,
    signature: Vec<u8>,
}

impl Url {
    fn new(signer: &UrlSigner, number: usize) -> Self {
        let id = BinaryId::new(format!("scan-{number:05}")).unwrap();
        let key = BinaryKey::new(id, VersionId::from(1));
        let url = signer.sign(&Grant::new(
            key,
            ReadTerms::new(),
            Expires::at_unix_seconds(EXPIRES),
        ));
        let target = url.as_str().strip_prefix(BASE).unwrap();
        let (start, signature) = target.split_at(target.len() - 43);
        Self {
            start: start.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).unwrap(),
        }
    }

    /// Takes as long for every class, lest the processor be in another state afterwards.
    fn write(&self, class: &Class, random: &mut Random, target: &mut String) {
        let mut signature = self.signature.clone();
        for (byte, is_wrong) in signature.iter_mut().zip(class) {
            *byte ^= (random.byte() | 1) & is_wrong;
        }
        target.clear();
        target.push_str(&self.start);
        URL_SAFE_NO_PAD.encode_string(signature, target);
    }
}

fn greatest_t(
    urls: &[Url; 256],
    random: &mut Random,
    calls: usize,
    verify: &dyn Fn(&str) -> bool,
    classes: [&Class; 2],
) -> f64 {
    // Every call finds its input at the same address, so that only its bytes differ.
    let mut target = String::with_capacity(1024);
    let mut times: Vec<(bool, f64)> = (0..calls + calls / 10)
        .map(|_| {
            let is_other = random.byte() < 128;
            let url = &urls[usize::from(random.byte())];
            url.write(classes[usize::from(is_other)], random, &mut target);
            let start = Instant::now();
            black_box(verify(black_box(&target)));
            (is_other, start.elapsed().as_secs_f64() * 1e9)
        })
        .collect();
    // The first calls warm the machine up.
    times.drain(..calls / 10);
    times.sort_by(|one, other| one.1.total_cmp(&other.1));
    KEPT.iter()
        .map(|percent| welch_t(&times[..times.len() * percent / 100]).abs())
        .fold(0.0, f64::max)
}

/// The difference of the two means, in standard errors.
fn welch_t(times: &[(bool, f64)]) -> f64 {
    let mean_and_error = |class: bool| {
        let times = || {
            times
                .iter()
                .filter(|time| time.0 == class)
                .map(|time| time.1)
        };
        let count = times().map(|_| 1.0).sum::<f64>();
        let mean = times().sum::<f64>() / count;
        let variance = times().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let (one, other) = (mean_and_error(false), mean_and_error(true));
    (one.0 - other.0) / (one.1 + other.1).sqrt()
}

/// The opposite of all that verification must be.
fn ends_at_the_first_wrong_byte(derived: &[u8], target: &str) -> bool {
    let (claims, signature) = target.split_at(target.len() - 43);
    let claims = claims.trim_end_matches("&Signature=");
    let mut given = [0; 33];
    let is_decoded = URL_SAFE_NO_PAD.decode_slice(signature, &mut given).is_ok();
    let expected = mac(derived, &format!("tower-presign/v1\n{BASE}\n{claims}"));
    let mut pairs = expected.iter().zip(&given);
    is_decoded && pairs.all(|(expected, given)| black_box(expected) == given)
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

/// Xorshift64: good enough to shuffle by, and fast.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_be_bytes()[0]
    }
}
