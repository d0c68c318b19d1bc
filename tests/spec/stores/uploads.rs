//! Uploads, as a repository sees them.

use bytes::Bytes;
use futures_util::stream;
use tower_presign::store::{Upload, UploadError};

use super::png;

/// SHA-256 of `abc`: FIPS 180-4, example B.1.
const SHA256_OF_ABC: [u8; 32] = [
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
];

#[tokio::test]
async fn the_sha256_of_an_upload_is_known_at_its_end_and_not_before() {
    let chunks = ["a", "", "bc"].map(|chunk| Ok(Bytes::from(chunk)));
    let mut upload = Upload::new(png(), stream::iter(chunks));
    for _ in 0..3 {
        assert_eq!(upload.sha256(), None);
        upload.next().await.unwrap().unwrap();
    }
    assert_eq!(upload.sha256(), None, "the end has not been seen");
    for _ in 0..2 {
        assert!(upload.next().await.is_none());
        assert_eq!(upload.sha256(), Some(SHA256_OF_ABC));
    }
}

/// Whoever overlooks the error must not take the end for a success.
#[tokio::test]
async fn an_upload_that_has_failed_never_ends_as_if_it_were_whole() {
    let chunks = [Ok(Bytes::from("abc")), Err(UploadError::DigestMismatch)];
    let mut upload = Upload::new(png(), stream::iter(chunks));
    upload.next().await.unwrap().unwrap();
    let error = upload.next().await.unwrap().unwrap_err();
    assert!(matches!(error, UploadError::DigestMismatch));
    for _ in 0..2 {
        let after = upload.next().await.unwrap().unwrap_err();
        assert!(matches!(after, UploadError::Incomplete(None)));
        assert_eq!(upload.sha256(), None);
    }
}

#[test]
fn a_place_is_a_short_text_of_printable_ascii() {
    use tower_presign::store::{InvalidPlace, Place};
    for text in ["2026-11-29/0", " ~", &"x".repeat(512)] {
        assert_eq!(Place::new(text).unwrap().as_str(), text);
    }
    for text in ["", &"x".repeat(513)] {
        let invalid = Place::new(text).unwrap_err();
        assert!(matches!(invalid, InvalidPlace::Length { length, .. } if length == text.len()));
    }
    for text in ["\0", "a\nb", "\u{7f}", "ä"] {
        assert_eq!(Place::new(text), Err(InvalidPlace::Character));
    }
}
