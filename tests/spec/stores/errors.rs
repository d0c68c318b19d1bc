//! Errors, as an operator reads them.

use std::io;

use tower_presign::store::{RepositoryError, UploadError};

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
