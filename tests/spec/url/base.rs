//! Which storage base URLs a signer takes. The base is part of the string to sign, so it must be one
//! that every client leaves as it is.

use tower_presign::url::InvalidBaseUrl;
use tower_presign::{SigningKey, UrlSigner};

fn key() -> SigningKey {
    SigningKey::new("test", "thirty-two bytes of test secret!").unwrap()
}

#[test]
fn a_base_url_is_of_the_form_that_url_libraries_keep() {
    for (base, path) in [
        ("https://storage.example.com", ""),
        ("https://storage.example.com/", ""),
        ("https://storage.example.com/binary", "/binary"),
        ("https://storage.example.com/binary///", "/binary"),
        ("http://localhost:3000/storage", "/storage"),
        ("http://127.0.0.1:8080/storage", "/storage"),
        ("https://[::1]:8443/storage", "/storage"),
        ("https://[2001:db8::1]/storage", "/storage"),
        ("https://x.example:65535/a/b/c", "/a/b/c"),
        ("https://x.example:80/a", "/a"),
        ("http://x.example:443/a", "/a"),
        ("https://xn--bcher-kva.example/A-Z_0.9~", "/A-Z_0.9~"),
        ("https://x.example/...", "/..."),
    ] {
        let signer = UrlSigner::new(key(), base).unwrap();
        assert_eq!(signer.base_path(), path, "{base}");
        let kept = base.trim_end_matches('/');
        assert_eq!(signer.base_url(), kept);
        let parsed = url::Url::parse(kept).unwrap();
        assert_eq!(parsed.as_str().trim_end_matches('/'), kept);
    }
}

#[test]
fn a_base_url_of_another_form_is_refused() {
    use InvalidBaseUrl::{Authority, Path, Scheme};

    for (base, expected) in [
        ("", Scheme),
        ("/storage", Scheme),
        ("storage.example.com/x", Scheme),
        ("//storage.example.com/x", Scheme),
        ("ftp://storage.example.com/x", Scheme),
        ("HTTPS://storage.example.com/x", Scheme),
        ("https:/storage.example.com", Scheme),
        (" https://storage.example.com", Scheme),
        ("https://Storage.example.com", Authority),
        ("https://storage.example.com:443/x", Authority),
        ("http://storage.example.com:80/x", Authority),
        ("https://storage.example.com:0443/x", Authority),
        ("https://storage.example.com:/x", Authority),
        ("https://storage.example.com:0/x", Authority),
        ("https://storage.example.com:65536/x", Authority),
        ("https://storage.example.com:http/x", Authority),
        ("https://user@storage.example.com/x", Authority),
        ("https://user:secret@storage.example.com/x", Authority),
        ("https://@storage.example.com/x", Authority),
        ("https:///x", Authority),
        ("https://:8443/x", Authority),
        ("https://bücher.example/x", Authority),
        ("https://storage.example.com?x", Authority),
        ("https://storage.example.com#x", Authority),
        ("https://storage%2eexample.com/x", Authority),
        ("https://stor age.example.com/x", Authority),
        ("https://storage.example.com\\x", Authority),
        ("https://[::1/x", Authority),
        ("https://::1/x", Authority),
        ("https://[::A]/x", Authority),
        ("https://storage.example.com/x?y=1", Path),
        ("https://storage.example.com/x#y", Path),
        ("https://storage.example.com/a/../b", Path),
        ("https://storage.example.com/..", Path),
        ("https://storage.example.com/./x", Path),
        ("https://storage.example.com//x", Path),
        ("https://storage.example.com/a//b", Path),
        ("https://storage.example.com/%73torage", Path),
        ("https://storage.example.com/a b", Path),
        ("https://storage.example.com/é", Path),
        ("https://storage.example.com/a;b", Path),
        ("https://storage.example.com/x\n", Path),
    ] {
        let error = UrlSigner::new(key(), base).err();
        assert_eq!(error, Some(expected), "{base:?}");
    }
}

#[test]
fn a_base_url_whose_host_url_libraries_respell_or_refuse_is_refused() {
    let bases = [
        "https://127.1/x",
        "https://2130706433/x",
        "https://0177.0.0.1/x",
        "https://0x7f.0.0.1/x",
        "https://256.256.256.256/x",
        "https://1.2.3.4.5/x",
        "https://[0:0:0:0:0:0:0:1]/x",
        "https://[::ffff:1.2.3.4]/x",
        "https://[]/x",
        "https://[::1]x/x",
        "https://[1.2.3.4]/x",
    ];
    for base in bases {
        let is_kept = url::Url::parse(base).is_ok_and(|parsed| parsed.as_str() == base);
        assert!(!is_kept, "{base}");
    }
    let accepted: Vec<&str> = bases
        .into_iter()
        .filter(|base| UrlSigner::new(key(), base).is_ok())
        .collect();
    assert_eq!(accepted, [""; 0]);
}

#[test]
fn the_refusal_of_a_base_url_says_what_is_wanted() {
    assert_eq!(
        InvalidBaseUrl::Scheme.to_string(),
        "the storage base URL must start with http:// or https://"
    );
    assert_eq!(
        InvalidBaseUrl::Authority.to_string(),
        "the storage base URL needs a host in lower case, without user name, and no port that its scheme implies"
    );
    assert_eq!(
        InvalidBaseUrl::Path.to_string(),
        "the path of the storage base URL may consist of segments of A-Z a-z 0-9 - _ . ~ only, none of them empty, `.` or `..`"
    );
}
