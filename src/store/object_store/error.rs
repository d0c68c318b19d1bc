//! What a store's errors mean.

use std::error::Error;
use std::iter;

use http::StatusCode;
use object_store::Error as StoreError;

use crate::store::RepositoryError;

/// How the store's client begins the text of an answer that is no success. The type of that error
/// is not public, and has the status nowhere else. A test holds it to a server's answers.
const STATUS: &str = "Server returned non-2xx status code: ";

pub(super) fn from_store(error: StoreError) -> RepositoryError {
    match &error {
        StoreError::NotFound { .. } => RepositoryError::NotFound,
        StoreError::AlreadyExists { .. } => RepositoryError::AlreadyWritten,
        StoreError::Generic { .. } => match status(&error) {
            Some(StatusCode::INSUFFICIENT_STORAGE) => RepositoryError::StorageFull,
            Some(status) if is_fault_of_request(status) => RepositoryError::internal(error),
            // Unreachable, overloaded, or broken off.
            _ => RepositoryError::unavailable(error),
        },
        // Among them refused credentials, which is for the operator to mend.
        _ => RepositoryError::internal(error),
    }
}

fn is_fault_of_request(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

/// The status of the store's answer, if there was one.
fn status(error: &StoreError) -> Option<StatusCode> {
    let first: &(dyn Error + 'static) = error;
    iter::successors(Some(first), |&cause| cause.source()).find_map(|cause| {
        cause
            .to_string()
            .strip_prefix(STATUS)?
            .get(..3)?
            .parse()
            .ok()
    })
}
