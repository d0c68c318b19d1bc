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
        ("http://my_service:3000/storage", "/storage"),
    ] {
        let signer = UrlSigner::new(key(), base).unwrap();
        assert_eq!(signer.verifier().base_path(), path, "{base}");
        let kept = base.trim_end_matches('/');
        assert_eq!(signer.base_url(), kept);
        let parsed = url::Url::parse(kept).unwrap();
        assert_eq!(parsed.as_str().trim_end_matches('/'), kept);
    }
}

#[test]
fn a_base_url_of_another_form_is_refused() {
    use InvalidBaseUrl::{Host, Port, Scheme, Segment, UserInfo};

    for (base, expected) in [
        ("", Scheme),
        ("/storage", Scheme),
        ("storage.example.com/x", Scheme),
        ("//storage.example.com/x", Scheme),
        ("ftp://storage.example.com/x", Scheme),
        ("HTTPS://storage.example.com/x", Scheme),
        ("https:/storage.example.com", Scheme),
        (" https://storage.example.com", Scheme),
        (
            "https://Storage.example.com",
            Host("Storage.example.com".into()),
        ),
        ("https://storage.example.com:443/x", Port("443".into())),
        ("http://storage.example.com:80/x", Port("80".into())),
        ("https://storage.example.com:0443/x", Port("0443".into())),
        ("https://storage.example.com:/x", Port("".into())),
        ("https://storage.example.com:0/x", Port("0".into())),
        ("https://storage.example.com:65536/x", Port("65536".into())),
        ("https://storage.example.com:http/x", Port("http".into())),
        ("https://user@storage.example.com/x", UserInfo),
        ("https://user:secret@storage.example.com/x", UserInfo),
        ("https://@storage.example.com/x", UserInfo),
        ("https:///x", Host("".into())),
        ("https://:8443/x", Host("".into())),
        ("https://bücher.example/x", Host("bücher.example".into())),
        (
            "https://storage.example.com?x",
            Host("storage.example.com?x".into()),
        ),
        (
            "https://storage.example.com#x",
            Host("storage.example.com#x".into()),
        ),
        (
            "https://storage%2eexample.com/x",
            Host("storage%2eexample.com".into()),
        ),
        (
            "https://stor age.example.com/x",
            Host("stor age.example.com".into()),
        ),
        (
            "https://storage.example.com\\x",
            Host("storage.example.com\\x".into()),
        ),
        ("https://[::1/x", Host("[:".into())),
        ("https://::1/x", Host(":".into())),
        ("https://[::A]/x", Host("[::A]".into())),
        ("https://storage.example.com/x?y=1", Segment("x?y=1".into())),
        ("https://storage.example.com/x#y", Segment("x#y".into())),
        ("https://storage.example.com/a/../b", Segment("..".into())),
        ("https://storage.example.com/..", Segment("..".into())),
        ("https://storage.example.com/./x", Segment(".".into())),
        ("https://storage.example.com//x", Segment("".into())),
        ("https://storage.example.com/a//b", Segment("".into())),
        (
            "https://storage.example.com/%73torage",
            Segment("%73torage".into()),
        ),
        ("https://storage.example.com/a b", Segment("a b".into())),
        ("https://storage.example.com/é", Segment("é".into())),
        ("https://storage.example.com/a;b", Segment("a;b".into())),
        ("https://storage.example.com/x\n", Segment("x\n".into())),
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
fn the_refusal_of_a_base_url_says_what_is_wanted_and_what_breaks_it() {
    for (base, expected) in [
        (
            "ftp://x.example",
            "the storage base URL must start with http:// or https://",
        ),
        (
            "https://user:secret@x.example",
            "the storage base URL must have no user name and no password",
        ),
        (
            "https://bücher.example",
            "the host \"bücher.example\" of the storage base URL is not as URL libraries write it: \
             a-z 0-9 - _ and dots; an international name in punycode (xn--…); \
             an IPv4 address as four numbers, an IPv6 address in brackets and in its shortest form",
        ),
        (
            "https://x.example:443",
            "the port \"443\" of the storage base URL must be a number from 1 to 65535, \
             and be left out where the scheme implies it",
        ),
        (
            "https://x.example/a b",
            "the segment \"a b\" in the path of the storage base URL must be A-Z a-z 0-9 - _ . ~, \
             and neither empty nor `.` nor `..`",
        ),
    ] {
        let error = UrlSigner::new(key(), base).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
