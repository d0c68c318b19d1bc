//! The tests of a [`ContentStore`].

use super::storing as promises;
use crate::store::ContentStore;

/// All promises are listed here, and here alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __content_store_tests {
    (@promises $then:ident $($with:tt)*) => {
        $crate::__content_store_tests! { @$then [$($with)*]
            what_was_put_is_read_back
            ranges_select_what_rfc_9110_says
            large_content_is_read_back_whole_and_in_part
            empty_content_is_content
            each_upload_has_a_place_of_its_own_that_begins_with_its_day
            a_day_lists_its_places_and_no_others
            uploads_at_once_do_not_mix
            a_failed_upload_leaves_nothing
            a_put_dropped_before_its_content_has_ended_leaves_nothing
            a_put_dropped_at_any_moment_leaves_nothing_or_what_is_listed
            what_was_deleted_is_gone
            where_nothing_was_put_nothing_is_found
            a_store_is_asked_for_its_url_of_anything
        }
    };
    (@tests [$attributes:tt $arguments:tt] $($promise:ident)*) => {
        $crate::__contract_tests! { $attributes content_store $arguments $($promise)* }
    };
    (@functions [] $($promise:ident)*) => {
        $(#[doc = "Panics unless this is so."]
        pub async fn $promise<S: ContentStore>(make: &impl AsyncFn() -> S) {
            let store = make().await;
            promises::$promise(&store).await;
        })*
    };
    ($(#[$($attribute:tt)*])* make = $make:expr $(,)?) => {
        $crate::__content_store_tests! { @promises tests [$(#[$($attribute)*])*] [$make] }
    };
}

crate::__content_store_tests! { @promises functions }
