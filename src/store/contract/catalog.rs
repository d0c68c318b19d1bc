//! The tests of a [`Catalog`].

use super::cataloguing as promises;
use crate::id::BinaryId;
use crate::store::Catalog;

/// All promises are listed here, and here alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __catalog_tests {
    (@promises $then:ident $($with:tt)*) => {
        $crate::__catalog_tests! { @$then [$($with)*]
            before_it_is_published_a_version_is_located_and_not_found
            what_was_published_is_found
            a_place_is_kept_as_it_is
            the_context_of_a_target_is_in_its_key
            a_version_is_published_once
            of_racing_publications_one_wins
            a_publication_dropped_at_any_moment_is_nothing_or_whole
            a_second_publication_makes_a_new_version_and_keeps_the_old
            places_that_no_version_refers_to_are_reported_and_no_others
            a_version_that_never_was_is_not_found
            a_binary_that_never_was_is_not_found
        }
    };
    (@deletions $then:ident $($with:tt)*) => {
        $crate::__catalog_tests! { @$then [$($with)*]
            what_was_deleted_is_gone_and_its_places_are_free
        }
    };
    (@tests [$attributes:tt $arguments:tt] $($promise:ident)*) => {
        $crate::__contract_tests! { $attributes catalog $arguments $($promise)* }
    };
    (@functions [] $($promise:ident)*) => {
        $(#[doc = "Panics unless this is so."]
        pub async fn $promise<C: Catalog>(make: &impl AsyncFn() -> (C, BinaryId)) {
            let (catalog, id) = make().await;
            promises::$promise(&catalog, id).await;
        })*
    };
    (@functions [delete] $($promise:ident)*) => {
        $(#[doc = "Panics unless this is so."]
        pub async fn $promise<C: Catalog>(
            make: &impl AsyncFn() -> (C, BinaryId),
            delete: &impl AsyncFn(&C, BinaryId),
        ) {
            let (catalog, id) = make().await;
            promises::$promise(&catalog, id, delete).await;
        })*
    };
    ($(#[$($attribute:tt)*])* make = $make:expr $(,)?) => {
        $crate::__catalog_tests! { @promises tests [$(#[$($attribute)*])*] [$make] }
    };
    ($(#[$($attribute:tt)*])* make = $make:expr, delete = $delete:expr $(,)?) => {
        $crate::__catalog_tests! { @promises tests [$(#[$($attribute)*])*] [$make] }
        $crate::__catalog_tests! { @deletions tests [$(#[$($attribute)*])*] [$make, $delete] }
    };
}

crate::__catalog_tests! { @promises functions }
crate::__catalog_tests! { @deletions functions delete }
