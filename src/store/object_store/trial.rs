//! A trial of all that serving needs of a store.

use bytes::Bytes;
use object_store::{PutMode, UpdateVersion};

use super::bucket::Bucket;
use super::content_name::random;
use super::error::{Action, Fault, Meaning};
use super::mark::{Facts, Kind, Mark};
use crate::store::RepositoryError;

/// Tries each right once, with two objects below `trial/`, which are removed afterwards.
pub(super) async fn try_out(bucket: &Bucket, is_write_once: bool) -> Result<(), RepositoryError> {
    let folder = format!("trial/{}", random()?);
    let (first, second) = (format!("{folder}/1"), format!("{folder}/2"));
    let tried = try_objects(bucket, &folder, [&first, &second], is_write_once).await;
    // A store that does not answer would not answer this either.
    if matches!(tried, Err(RepositoryError::Unavailable(_))) {
        return tried;
    }
    let removed = bucket.delete_all(vec![first, second]).await;
    tried.and(removed.map_err(told))
}

async fn try_objects(
    bucket: &Bucket,
    folder: &str,
    [first, second]: [&str; 2],
    is_write_once: bool,
) -> Result<(), RepositoryError> {
    let mark = Mark::new(Kind::Content(random()?), Facts::default());
    let put = async |name: &str, mode| {
        let content = Bytes::from_static(b"trial");
        let put = bucket.put(name, content, "text/plain", &mark, mode);
        put.await.map(drop).map_err(told)
    };
    // In this order, to see that they are listed in the other.
    put(second, PutMode::Overwrite).await?;
    if is_write_once {
        let mode = || PutMode::Create;
        put(first, mode()).await?;
        match put(first, mode()).await {
            Err(RepositoryError::AlreadyWritten) => {}
            Err(error) => return Err(error),
            Ok(()) => {
                return Err(RepositoryError::internal(
                    "the object store replaces an object that must not be there (If-None-Match: *)",
                ));
            }
        }
    } else {
        put(first, PutMode::Overwrite).await?;
    }
    if bucket.client().multipart.is_some() {
        // No object has it.
        let other = UpdateVersion {
            e_tag: Some("\"0\"".to_owned()),
            version: Some("1".to_owned()),
        };
        match put(first, PutMode::Update(other)).await {
            // A store that refuses the condition itself loses nothing.
            Err(RepositoryError::Unavailable(error)) => {
                return Err(RepositoryError::Unavailable(error));
            }
            Err(_) => {}
            Ok(()) => {
                return Err(RepositoryError::internal(
                    "the object store replaces an object that must be another (If-Match)",
                ));
            }
        }
    }
    let kept = bucket.get(first, None, None).await.map_err(told)?;
    if !kept.is_some_and(|object| Mark::of(&object).as_ref() == Some(&mark)) {
        return Err(RepositoryError::internal(
            "the object store does not keep attributes",
        ));
    }
    let starting = bucket.put_in_parts(first, "text/plain", &mark);
    let mut parts = starting.await.map_err(told)?;
    let aborting = bucket.within(bucket.patience(), Action::Abort, parts.abort());
    aborting.await.map_err(told)?;
    let listed = bucket.first(folder, 1).await.map_err(told)?;
    if listed.len() != 1 || listed[0].name != "1" {
        return Err(RepositoryError::internal(
            "the object store does not list objects in the order of their names",
        ));
    }
    Ok(())
}

/// Nothing that a store answers here is about a Binary.
fn told(fault: Fault) -> RepositoryError {
    match fault.meaning() {
        Meaning::Absent => RepositoryError::internal(fault),
        _ => fault.into(),
    }
}
