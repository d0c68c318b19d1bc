//! Attempts of somebody who has a presigned URL, or none, and wants more than it grants.
//!
//! Each attack is a change of a request that would be answered, and each has the same end: the
//! refusal of the contract, with nothing looked up, no policy asked and the inner service not
//! reached. The [`spy`] server keeps a journal of all three; the [`forger`] signs whatever it is
//! told to.

mod claims;
mod forger;
mod keys;
mod methods;
mod paths;
mod requests;
mod signature;
mod spy;

use http::Method;
use spy::Server;

/// The answers to an attack.
type Expected = (u16, &'static str);

const INVALID: Expected = (403, "invalid-signature");
const MISSING: Expected = (403, "missing-signature");

/// Sends `target` with `method`, and holds the answer and the journal against what is `expected`.
async fn assert_refused(
    server: &Server,
    attack: &str,
    method: &Method,
    target: &str,
    expected: Expected,
) {
    let answer = server.send(method.clone(), target).await;
    let (status, code) = expected;
    assert_eq!(answer.status, status, "{attack}: {target}");
    // A HEAD request's refusal has no body.
    if *method == Method::HEAD {
        let cache_control = answer.header("cache-control");
        assert_eq!(cache_control, Some("no-store"), "{attack}");
    } else {
        assert_eq!(answer.refusal(), code, "{attack}: {target}");
    }
    assert_eq!(server.journal(), [""; 0], "{attack}: {target}");
}

/// The attack on a URL that reads.
async fn assert_get_refused(server: &Server, attack: &str, target: &str, expected: Expected) {
    assert_refused(server, attack, &Method::GET, target, expected).await;
}

/// `text` with its first `from` replaced, which must be there.
fn altered(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from} in {text}");
    text.replacen(from, to, 1)
}
