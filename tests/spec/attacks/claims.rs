//! Attacks on the claims: those that break the signature, and those that a key has signed although
//! they are not of the format.

use http::Method;

use super::forger::{genuine, read_claims, write_claims};
use super::spy::{CONTENT, KEY_ID, NOW, Server, read_grant};
use super::{INVALID, altered, assert_get_refused, assert_refused};
use crate::support::signature::base64url;

/// Numbers that some parser reads, and the format does not have.
#[rustfmt::skip]
fn strange_numbers() -> Vec<String> {
    let expires = NOW + 600;
    let mut numbers = vec![
        // The right one, spelled otherwise.
        format!("+{expires}"),
        format!("0{expires}"),
        format!("{expires}.0"),
        format!("{expires}e0"),
        format!("{expires}+"),
        format!("{expires:#x}"),
        format!("{}{expires}", "0".repeat(4000)),
        "9".repeat(4000),
    ];
    numbers.extend([
        "", "+1", "-1", "-0", "00", "01", "1.0", "1.", ".5", "1e9", "1E9", "0x7fffffff", "1_000",
        "1,000", "%201", "1%20", "%31", "1%00", "1%0A", "NaN", "inf", "Infinity", "true", "null",
        "1;2", "1L", "\u{FF11}", "\u{661}\u{662}", "18446744073709551616",
        "18446744073709551616000",
    ].map(str::to_owned));
    numbers
}

/// A presigned URL's target, taken apart.
struct Parts {
    method: Method,
    path: String,
    claims: Vec<String>,
    /// With its name.
    signature: String,
}

impl Parts {
    fn of(method: Method, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap();
        let (claims, signature) = query.rsplit_once('&').unwrap();
        Self {
            method,
            path: path.to_owned(),
            claims: claims.split('&').map(str::to_owned).collect(),
            signature: signature.to_owned(),
        }
    }

    /// The target with other claims and the same signature.
    fn with_claims(&self, claims: &[String]) -> String {
        format!("{}?{}&{}", self.path, claims.join("&"), self.signature)
    }

    /// The target that a template describes.
    fn fill(&self, template: &str, addition: &str) -> String {
        template
            .replace("<path>", &self.path)
            .replace("<claims>", &self.claims.join("&"))
            .replace("<signature>", &self.signature)
            .replace("<x>", addition)
    }

    async fn assert_refused(&self, server: &Server, attack: &str, target: &str) {
        assert_refused(server, attack, &self.method, target, INVALID).await;
    }
}

/// A URL of each kind.
async fn start() -> (Server, [Parts; 2]) {
    let server = Server::start().await;
    let read = Parts::of(Method::GET, &server.read_target());
    let write = Parts::of(Method::PUT, &server.write_target());
    (server, [read, write])
}

#[tokio::test]
async fn none_can_be_dropped_or_repeated() {
    let (server, urls) = start().await;
    for url in urls {
        for (i, claim) in url.claims.iter().enumerate() {
            let mut claims = url.claims.clone();
            claims.remove(i);
            let target = url.with_claims(&claims);
            url.assert_refused(&server, "dropped", &target).await;
            for place in 0..=url.claims.len() {
                let mut claims = url.claims.clone();
                claims.insert(place, claim.clone());
                let target = url.with_claims(&claims);
                url.assert_refused(&server, "repeated", &target).await;
            }
        }
    }
}

#[tokio::test]
async fn none_can_be_spelled_otherwise() {
    let (server, urls) = start().await;
    let encoded = |text: &str| format!("%{:02X}{}", text.as_bytes()[0], &text[1..]);
    for url in urls {
        for (i, claim) in url.claims.iter().enumerate() {
            let (name, value) = claim.split_once('=').unwrap();
            let spellings = [
                format!("{name}="),
                name.to_owned(),
                format!("={value}"),
                format!("{claim}0"),
                format!("{claim}+"),
                format!("{claim}%20"),
                format!("{claim}="),
                format!("{name}[]={value}"),
                format!("{name}=={value}"),
                format!("{name}%3D{value}"),
                format!("{name}:{value}"),
                format!("{}={value}", name.to_ascii_lowercase()),
                format!("{}={value}", name.to_ascii_uppercase()),
                format!("{}={value}", encoded(name)),
                format!("{name}={}", encoded(value)),
                format!("{name}={value},{value}"),
                format!("{name}=\"{value}\"").replace('"', "%22"),
            ];
            for spelling in spellings {
                let mut claims = url.claims.clone();
                claims[i].clone_from(&spelling);
                let attack = format!("{spelling} for {claim}");
                let target = url.with_claims(&claims);
                url.assert_refused(&server, &attack, &target).await;
            }
        }
    }
}

#[tokio::test]
async fn their_order_is_fixed() {
    let (server, urls) = start().await;
    for url in urls {
        for i in 0..url.claims.len() {
            for j in 0..i {
                let mut permuted = url.claims.clone();
                permuted.swap(i, j);
                let target = url.with_claims(&permuted);
                url.assert_refused(&server, "swapped", &target).await;
            }
        }
        let mut reversed = url.claims.clone();
        reversed.reverse();
        let target = url.with_claims(&reversed);
        url.assert_refused(&server, "reversed", &target).await;
    }
}

#[rustfmt::skip]
const ADDITIONS: [&str; 19] = [
    "", "x", "x=", "x=1", "&", ";x", "Method=PUT", "Method=GET", "Disposition=inline",
    "Expires=1800006000", "Filename=eA", "Max-Length=9999999", "Context=b3RoZXI",
    "Content-Type=dGV4dC9odG1s", "response-content-type=text/html",
    "response-content-disposition=inline", "upload=true", "versionId=2", "_format=html",
];

#[tokio::test]
async fn nothing_can_be_added_anywhere() {
    let (server, urls) = start().await;
    for url in urls {
        for template in [
            "<path>?<x>&<claims>&<signature>",
            "<path>?<claims>&<x>&<signature>",
            "<path>?<claims>&<signature>&<x>",
            "<path>?<claims>&<signature>;<x>",
            "<path>?<claims>&<signature>?<x>",
            "<path>?<claims>&<signature>%26<x>",
            "<path>?<x>?<claims>&<signature>",
            "<path>;<x>?<claims>&<signature>",
            "<path>/<x>?<claims>&<signature>",
        ] {
            for addition in ADDITIONS {
                let attack = format!("{addition} in {template}");
                let target = url.fill(template, addition);
                url.assert_refused(&server, &attack, &target).await;
            }
        }
    }
}

#[tokio::test]
async fn path_claims_and_signature_have_their_places() {
    let (server, urls) = start().await;
    for url in urls {
        for template in [
            "<path>%3F<claims>&<signature>",
            "<path>&<claims>&<signature>",
            "<path>?<claims>&amp;<signature>",
            "<path>?<claims>&&<signature>",
            "<path>?&<claims>&<signature>",
            "<path>?<claims>&<signature>&",
            "<path>?<claims>?<signature>",
            "<path>?<claims>&<claims>&<signature>",
            "<path>?<claims>&<signature>&<claims>",
            "<path>?<claims>&<signature>&<claims>&<signature>",
            "<path><path>?<claims>&<signature>",
            "/storage?<claims>&<signature>",
        ] {
            let target = url.fill(template, "");
            url.assert_refused(&server, template, &target).await;
        }
        for separator in [";", ",", "%26", "&amp;", "&&"] {
            let target = url.fill("<path>?<claims>&<signature>", "");
            let claims = url.claims.join("&");
            let target = altered(&target, &claims, &claims.replace('&', separator));
            url.assert_refused(&server, separator, &target).await;
        }
    }
}

#[tokio::test]
async fn numbers_cannot_be_changed() {
    let server = Server::start().await;
    let expires = format!("Expires={}", NOW + 600);
    let max_length = "Max-Length=1000";
    let (read, write) = (server.read_target(), server.write_target());
    let mut numbers = strange_numbers();
    numbers.extend([0, NOW + 601, u64::MAX].map(|number| number.to_string()));
    for number in numbers {
        let attack = format!("{number} for a number");
        let target = altered(&read, &expires, &format!("Expires={number}"));
        assert_get_refused(&server, &attack, &target, INVALID).await;
        let target = altered(&write, max_length, &format!("Max-Length={number}"));
        assert_refused(&server, &attack, &Method::PUT, &target, INVALID).await;
    }
}

/// Without this, the refusals of what the forger signs would prove nothing.
#[tokio::test]
async fn a_url_that_the_forger_signs_is_genuine() {
    let server = Server::start().await;
    let answer = server.send(Method::GET, &genuine(&read_claims())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(server.journal(), ["redeem", "read"]);
    // The type of the upload is missing: the URL was accepted, and its user was not.
    let answer = server.send(Method::PUT, &genuine(&write_claims())).await;
    answer.assert_refused(415, "content-type-mismatch");
    assert_eq!(server.journal(), ["redeem"]);
}

#[tokio::test]
async fn a_signature_does_not_make_a_strange_number_right() {
    let server = Server::start().await;
    let expires = (NOW + 600).to_string();
    for number in strange_numbers() {
        let attack = format!("{number} signed for a number");
        let target = genuine(&altered(&read_claims(), &expires, &number));
        assert_get_refused(&server, &attack, &target, INVALID).await;
        let target = genuine(&altered(&write_claims(), "1000", &number));
        assert_refused(&server, &attack, &Method::PUT, &target, INVALID).await;
    }
}

/// The claims that a template describes.
fn fill(template: &str) -> String {
    template
        .replace("<expires>", &format!("Expires={}", NOW + 600))
        .replace("<key>", &format!("Key-Pair-Id={KEY_ID}"))
        .replace("<png>", "Content-Type=aW1hZ2UvcG5n")
}

#[tokio::test]
async fn a_signature_does_not_make_claims_right_that_are_not_of_the_format() {
    let server = Server::start().await;
    for (attack, claims) in [
        ("no claims", ""),
        ("no Expires", "<key>"),
        ("another order", "<key>&<expires>"),
        ("Expires twice", "<expires>&<expires>&<key>"),
        ("Expires once more", "<expires>&<key>&Expires=9"),
        ("the key id twice", "<expires>&<key>&<key>"),
        ("another key id", "<expires>&<key>&Key-Pair-Id=x"),
        ("another key id first", "<expires>&Key-Pair-Id=x&<key>"),
        ("lower case", "expires=1800000600&<key>"),
        ("an encoded name", "%45xpires=1800000600&<key>"),
        ("an unknown claim at the end", "<expires>&<key>&Zone=1"),
        ("an unknown claim in front", "Age=1&<expires>&<key>"),
        ("an unknown claim within", "<expires>&IP=::1&<key>"),
        ("an empty claim in front", "&<expires>&<key>"),
        ("an empty claim within", "<expires>&&<key>"),
        ("an empty claim at the end", "<expires>&<key>&"),
        ("no =", "<expires>&<key>&Method"),
        ("a second ?", "?<expires>&<key>"),
        ("; for &", "<expires>;<key>"),
    ] {
        let target = genuine(&format!("/scan/1?{}", fill(claims)));
        assert_get_refused(&server, attack, &target, INVALID).await;
    }
}

#[tokio::test]
async fn a_signature_does_not_make_claims_right_that_no_read_url_has() {
    let server = Server::start().await;
    for (attack, claims) in [
        ("Method=GET", "<expires>&<key>&Method=GET"),
        ("Method=get", "<expires>&<key>&Method=get"),
        ("no method", "<expires>&<key>&Method="),
        ("Content-Type", "<png>&<expires>&<key>"),
        ("Max-Length", "<expires>&<key>&Max-Length=1"),
        ("inline", "Disposition=inline&<expires>&<key>"),
        ("Attachment", "Disposition=Attachment&<expires>&<key>"),
        ("no disposition", "Disposition=&<expires>&<key>"),
        ("no file name", "<expires>&Filename=&<key>"),
        ("a file name of dots", "<expires>&Filename=Li4gLg&<key>"),
        ("a plain file name", "<expires>&Filename=scan.png&<key>"),
        ("half a byte", "<expires>&Filename=c&<key>"),
        ("not UTF-8", "Context=6w&<expires>&<key>"),
        ("padding", "Context=dA==&<expires>&<key>"),
        ("unused bits", "Context=dB&<expires>&<key>"),
        ("standard base64", "Context=Pj4+&<expires>&<key>"),
        ("a blank", "Context=dGVu%20YW50&<expires>&<key>"),
    ] {
        let target = genuine(&format!("/scan/1?{}", fill(claims)));
        assert_get_refused(&server, attack, &target, INVALID).await;
    }
}

#[tokio::test]
async fn a_signature_does_not_make_claims_right_that_no_write_url_has() {
    let server = Server::start().await;
    let line_break = base64url("image/png\r\nX: y");
    let line_break = format!("Content-Type={line_break}&<expires>&<key>&Method=PUT");
    for (attack, claims) in [
        ("no Content-Type", "<expires>&<key>&Method=PUT"),
        ("no Method", "<png>&<expires>&<key>"),
        ("Method=put", "<png>&<expires>&<key>&Method=put"),
        ("Method=POST", "<png>&<expires>&<key>&Method=POST"),
        (
            "Method twice",
            "<png>&<expires>&<key>&Method=PUT&Method=PUT",
        ),
        (
            "Max-Length after Method",
            "<png>&<expires>&<key>&Method=PUT&Max-Length=1",
        ),
        (
            "Max-Length twice",
            "<png>&<expires>&<key>&Max-Length=1&Max-Length=1&Method=PUT",
        ),
        (
            "image/*",
            "Content-Type=aW1hZ2UvKg&<expires>&<key>&Method=PUT",
        ),
        ("no type", "Content-Type=&<expires>&<key>&Method=PUT"),
        ("plain", "Content-Type=image/png&<expires>&<key>&Method=PUT"),
        ("a line break", &line_break),
        ("Filename", "<png>&<expires>&Filename=eA&<key>&Method=PUT"),
        (
            "Disposition",
            "<png>&Disposition=attachment&<expires>&<key>&Method=PUT",
        ),
    ] {
        let target = genuine(&format!("/scan/2?{}", fill(claims)));
        assert_refused(&server, attack, &Method::PUT, &target, INVALID).await;
    }
}

/// A name does no harm once it is safe, so it is no reason to refuse what was signed.
#[tokio::test]
async fn a_signed_file_name_is_made_safe() {
    let server = Server::start().await;
    let name = base64url("../\u{202E}evil\r\n\".png");
    let signed = altered(&read_claims(), "&Key", &format!("&Filename={name}&Key"));
    let answer = server.send(Method::GET, &genuine(&signed)).await;
    assert_eq!(
        answer.header("content-disposition"),
        Some("inline; filename=\".._evil_.png\"; filename*=UTF-8''.._evil%22.png")
    );
}

#[tokio::test]
async fn expiry_and_lifetime_are_judged_by_what_is_signed() {
    let server = Server::start().await;
    let maximum = 7 * 24 * 60 * 60;
    for (expires, expected) in [
        (0, (403, "expired")),
        (NOW - 1, (403, "expired")),
        (NOW, (403, "expired")),
        (NOW + maximum + 61, (403, "lifetime-too-long")),
        (u64::MAX, (403, "lifetime-too-long")),
    ] {
        let mut grant = read_grant("scan", "1");
        grant.expires = super::spy::expires(expires);
        let genuine = server.sign(&grant);
        let attack = format!("Expires={expires}");
        assert_get_refused(&server, &attack, &genuine, expected).await;
        // Saying otherwise does not help.
        let claimed = altered(&genuine, &attack, &format!("Expires={}", NOW + 600));
        assert_get_refused(&server, &attack, &claimed, INVALID).await;
    }
    let answer = server.send(Method::GET, &server.read_target()).await;
    assert_eq!(answer.body, CONTENT);
}
