//! What repositories are made of: uploads, errors, a host's catalog and a store of content.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use tower_presign::ContentType;
use tower_presign::store::{RepositoryError, Upload, UploadError};

fn png() -> ContentType {
    ContentType::new("image/png").unwrap()
}

// Uploads

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

// Errors

#[test]
fn an_operator_reads_the_source_of_an_error() {
    let source = || io::Error::other("/var/lib/content: the disk has left");
    for (error, text) in [
        (
            RepositoryError::unavailable(source()),
            "the storage is not available: /var/lib/content: the disk has left",
        ),
        (
            RepositoryError::internal(source()),
            "the storage failed: /var/lib/content: the disk has left",
        ),
        (
            UploadError::Incomplete(Some(source().into())).into(),
            "the upload failed: the upload is incomplete: /var/lib/content: the disk has left",
        ),
        (
            UploadError::Incomplete(None).into(),
            "the upload failed: the upload is incomplete",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
