//! `Accept` and `_format`: whether the client takes JSON, the one format there is.

use http::HeaderMap;
use http::header::ACCEPT;
use mime::Mime;

use crate::outcome::{Code, Refusal};

/// The names of JSON that FHIR clients use, the last two since before FHIR R3.
const JSON: [&str; 4] = [
    "application/fhir+json",
    "application/json",
    "application/json+fhir",
    "text/json",
];

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
        Err(Code::NotAcceptable.into())
    }
}

/// Whether a media type is JSON, whatever its parameters (`fhirVersion`, `charset`).
pub(super) fn is_json(media_type: &str) -> bool {
    media_type.parse::<Mime>().is_ok_and(|mime| {
        JSON.iter()
            .any(|json| mime.essence_str().eq_ignore_ascii_case(json))
    })
}

fn is_json_format(format: &str) -> bool {
    // A `+` that the client did not encode has become a blank.
    let format = format.trim().replace(' ', "+");
    format == "json" || is_json(&format)
}

/// RFC 9110 §12.5.1, for a server with one format. What cannot be parsed excludes nothing.
fn accepts_json(headers: &HeaderMap) -> bool {
    let ranges: Vec<(Mime, bool)> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.trim().parse::<Mime>().ok())
        .map(|range| {
            let quality = range.get_param("q").map(|q| q.as_str().parse::<f32>());
            let is_wanted = !matches!(quality, Some(Ok(quality)) if quality <= 0.0);
            (range, is_wanted)
        })
        .collect();
    ranges.is_empty()
        || JSON.iter().any(|json| {
            // The most specific range decides; of equal ones, any that wants it.
            ranges
                .iter()
                .filter_map(|(range, is_wanted)| Some((specificity(range, json)?, *is_wanted)))
                .max()
                .is_some_and(|(_, is_wanted)| is_wanted)
        })
}

fn specificity(range: &Mime, media_type: &str) -> Option<u8> {
    let (own_type, _) = media_type.split_once('/')?;
    if range.essence_str().eq_ignore_ascii_case(media_type) {
        Some(2)
    } else if range.subtype() == mime::STAR && range.type_() == own_type {
        Some(1)
    } else {
        (range.essence_str() == "*/*").then_some(0)
    }
}
