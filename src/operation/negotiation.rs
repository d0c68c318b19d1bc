//! `Accept` and `_format`: a client must take JSON, the one format there is.

use crate::content_type::{accepted, essence, parse_media_type};
use crate::fhir::Refusal;
use crate::refusal::RefusalCode;
use http::HeaderMap;

/// The name of JSON that is produced, and the others that FHIR clients use. The last two are older
/// than FHIR R3.
const JSON: [&str; 4] = [
    "application/fhir+json",
    "application/json",
    "application/json+fhir",
    "text/json",
];

/// The media range of some clients that take any kind of JSON.
const ANY_JSON: &str = "application/*+json";

/// Refuses a request that excludes JSON. `_format` outweighs `Accept`
/// (<https://hl7.org/fhir/R4/http.html#parameters>).
pub(super) fn check(headers: &HeaderMap, query: &str) -> Result<(), Refusal> {
    let mut formats = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, value)| name == "_format" && !value.is_empty())
        .peekable();
    let is_acceptable = if formats.peek().is_some() {
        formats.all(|(_, format)| is_json_format(&format))
    } else {
        accepts_json(headers)
    };
    if is_acceptable {
        Ok(())
    } else {
        Err(RefusalCode::NotAcceptable.into())
    }
}

/// True if a media type is JSON, whatever its parameters (`fhirVersion`, `charset`).
pub(super) fn is_json(media_type: &str) -> bool {
    parse_media_type(media_type).is_some_and(|mime| JSON.contains(&&*essence(&mime)))
}

fn is_json_format(format: &str) -> bool {
    // A `+` that the client did not encode has become a blank.
    let format = format.trim().replace(' ', "+");
    format.eq_ignore_ascii_case("json") || is_json(&format)
}

/// RFC 9110 §12.5.1, for a server with one format. A range that cannot be parsed excludes nothing.
fn accepts_json(headers: &HeaderMap) -> bool {
    let ranges: Vec<(String, bool)> = accepted(headers)
        .map(|range| {
            let quality = range.get_parameter("q").map(str::parse::<f32>);
            let is_wanted = !matches!(quality, Some(Ok(quality)) if quality <= 0.0);
            (essence(&range).into_owned(), is_wanted)
        })
        .collect();
    // Of several ranges that match alike, one that wants it decides.
    let wants = |essence: &str| {
        let matching = ranges.iter().filter(|(range, _)| range == essence);
        matching.map(|(_, is_wanted)| *is_wanted).max()
    };
    // The most specific range decides. Clients that name JSON by another of its names take ours.
    let other_names = || {
        let mut names = JSON[1..].iter().chain([&ANY_JSON]);
        names.any(|name| wants(name) == Some(true))
    };
    ranges.is_empty()
        || wants(JSON[0]).unwrap_or_else(|| {
            other_names() || wants("application/*").or(wants("*/*")).unwrap_or(false)
        })
}
