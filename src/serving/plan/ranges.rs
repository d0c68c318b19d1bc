//! The `Range` header (RFC 9110 §14).

use http::HeaderMap;
use http::header::RANGE;
use http_range_header::{SyntacticallyCorrectRange, parse_range_header};

use crate::store::ByteRange;

/// The ranges that a request asks for; none if it asks for the whole content.
///
/// A header that is malformed, of another unit than bytes, or of more than 100 ranges is ignored
/// (RFC 9110 §14.2).
pub(super) fn requested(headers: &HeaderMap) -> Vec<ByteRange> {
    let mut values = headers.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Vec::new();
    };
    let Ok(parsed) = parse_range_header(value.to_str().unwrap_or_default()) else {
        return Vec::new();
    };
    let byte_range = |range| match range {
        SyntacticallyCorrectRange::Indexed(first, last) => ByteRange::FromTo(first, last),
        SyntacticallyCorrectRange::FromStart(first) => ByteRange::From(first),
        SyntacticallyCorrectRange::FromLast(count) => ByteRange::Last(count),
    };
    parsed.into_ranges().into_iter().map(byte_range).collect()
}

/// Joins several ranges of content of `length` bytes into one. `None` if they leave gaps: such a
/// request gets the whole content, as RFC 9110 §14.2 lets us.
///
/// Fails if none of them selects anything.
pub(super) fn coalesce(ranges: &[ByteRange], length: u64) -> Result<Option<ByteRange>, ()> {
    let mut selected: Vec<_> = ranges
        .iter()
        .filter_map(|range| range.resolve(length).ok())
        .collect();
    selected.sort_unstable_by_key(|range| range.start);
    let mut selected = selected.into_iter();
    let Some(mut all) = selected.next() else {
        return Err(());
    };
    for next in selected {
        if next.start > all.end {
            return Ok(None);
        }
        all.end = all.end.max(next.end);
    }
    // Suffixes of empty content are all of it.
    let last = all.end.checked_sub(1);
    Ok(last.map(|last| ByteRange::FromTo(all.start, last)))
}
