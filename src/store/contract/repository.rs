//! The tests of a [`BinaryRepository`], and what they share.

use super::support::{Promise, assert_whole, ok, upload};
use crate::id::BinaryId;
use crate::key::BinaryKey;
use crate::store::{BinaryRepository, Located, RepositoryError, Target};
use crate::url::Access;

/// All promises are listed here, and here alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __repository_tests {
    (@promises $then:ident $($with:tt)*) => {
        $crate::__repository_tests! { @$then [$($with)*]
            before_the_first_upload_a_version_is_located_and_not_found
            a_store_is_asked_for_its_url_before_there_is_content
            what_was_written_is_read_back
            ranges_select_what_rfc_9110_says
            large_content_is_read_back_whole_and_in_part
            empty_content_is_content
            the_context_of_a_target_is_in_its_key
            a_place_is_a_short_cut_alone
            a_second_upload_makes_a_new_version_and_keeps_the_old
            a_version_that_never_was_is_not_found
            a_binary_that_never_was_is_not_found
            a_version_is_written_once
            an_upload_is_invisible_until_it_is_whole
            a_failed_upload_leaves_nothing_and_may_be_repeated
            a_write_dropped_before_its_content_has_ended_leaves_nothing
            a_write_dropped_at_any_moment_is_nothing_or_whole_and_findable
            a_read_dropped_at_any_moment_harms_no_other
            of_racing_uploads_one_wins
        }
    };
    (@deletions $then:ident $($with:tt)*) => {
        $crate::__repository_tests! { @$then [$($with)*]
            what_was_deleted_is_gone_for_every_key
            a_binary_without_content_is_gone_when_deleted
            an_upload_does_not_outlive_its_binary
        }
    };
    (@tests [$attributes:tt $arguments:tt] $($promise:ident)*) => {
        $crate::__contract_tests! { $attributes repository $arguments $($promise)* }
    };
    (@functions [] $($promise:ident)*) => {
        $(#[doc = "Panics unless this is so."]
        pub async fn $promise<R: BinaryRepository>(make: &impl AsyncFn() -> (R, BinaryId)) {
            let (repository, id) = make().await;
            promises::$promise(&repository, id).await;
        })*
    };
    (@functions [delete] $($promise:ident)*) => {
        $(#[doc = "Panics unless this is so."]
        pub async fn $promise<R: BinaryRepository>(
            make: &impl AsyncFn() -> (R, BinaryId),
            delete: &impl AsyncFn(&R, BinaryId),
        ) {
            let (repository, id) = make().await;
            promises::$promise(&repository, id, delete).await;
        })*
    };
    (@calls [$make:ident] $($promise:ident)*) => {
        $({
            let _named = Promise(stringify!($promise));
            $promise($make).await;
        })*
    };
    ($(#[$($attribute:tt)*])* make = $make:expr $(,)?) => {
        $crate::__repository_tests! { @promises tests [$(#[$($attribute)*])*] [$make] }
    };
    ($(#[$($attribute:tt)*])* make = $make:expr, delete = $delete:expr $(,)?) => {
        $crate::__repository_tests! { @promises tests [$(#[$($attribute)*])*] [$make] }
        $crate::__repository_tests! { @deletions tests [$(#[$($attribute)*])*] [$make, $delete] }
    };
}

mod promises {
    pub(super) use super::super::deletion::*;
    pub(super) use super::super::reading::*;
    pub(super) use super::super::writing::*;
}

crate::__repository_tests! { @promises functions }
crate::__repository_tests! { @deletions functions delete }

pub(super) async fn check<R: BinaryRepository>(make: &impl AsyncFn() -> (R, BinaryId)) {
    crate::__repository_tests! { @promises calls make }
}

pub(super) async fn locate<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
    access: Access,
) -> Located {
    ok(repository.locate(&Target::new(id, access)).await, "locate")
}

/// Writes the next version of a Binary.
pub(super) async fn write<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
    bytes: &[u8],
) -> BinaryKey {
    let key = locate(repository, id, Access::Write).await.key;
    write_to(repository, &key, bytes).await;
    key
}

pub(super) async fn write_to<R: BinaryRepository>(repository: &R, key: &BinaryKey, bytes: &[u8]) {
    let located = locate(repository, key.id(), Access::Write).await;
    let upload = upload(&located.content_type, bytes);
    ok(repository.write(key, upload).await, "write");
}

pub(super) async fn assert_content<R: BinaryRepository>(
    repository: &R,
    key: &BinaryKey,
    expected: &[u8],
) {
    let located = locate(repository, key.id(), Access::Read).await;
    let content = ok(repository.read(key, None).await, "read");
    assert_whole(content, &located.content_type, expected, "what is read").await;
}

pub(super) async fn assert_not_found<R: BinaryRepository>(repository: &R, key: &BinaryKey) {
    let head = repository.head(key).await;
    assert!(
        matches!(head, Err(RepositoryError::NotFound)),
        "head of a version without content is NotFound, not {head:?}"
    );
    let read = repository.read(key, None).await;
    assert!(
        matches!(read, Err(RepositoryError::NotFound)),
        "read of a version without content is NotFound, not {read:?}"
    );
}
