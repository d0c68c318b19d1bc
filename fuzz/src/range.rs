//! `Range` and `If-Range` (RFC 9110 §14), against an oracle that keeps a flag for each byte.

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use http::header::{HeaderValue, IF_RANGE, RANGE};
use http::{HeaderMap, Method};

use tower_presign::VersionId;
use tower_presign::plan::{Decision, Opening, ReadRequest, Validators};

use crate::common::at;
use crate::support::{self, NOW};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    length: u8,
    is_head: bool,
    ranges: Vec<AnyRange<'a>>,
    if_range: Option<AnyIfRange<'a>>,
}

#[derive(Arbitrary, Debug)]
enum AnyRange<'a> {
    Raw(&'a [u8]),
    Built(Vec<(Spec, Separator)>),
    Repeated(Spec, u8),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Spec {
    FromTo(u8, u8),
    From(u8),
    Last(u8),
    Huge(u64, u64),
    BeyondU64(u8),
    Empty,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Separator {
    Comma,
    CommaBlank,
    Blanks,
    Commas,
}

#[derive(Arbitrary, Debug)]
enum AnyIfRange<'a> {
    Own,
    Weak,
    OtherTag,
    Date(i8),
    Raw(&'a [u8]),
}

pub fn run(data: &[u8]) {
    let Some(input) = support::input::<Input>(data) else {
        return;
    };
    let mut headers = HeaderMap::new();
    for range in input.ranges.iter().take(2) {
        let Ok(value) = HeaderValue::try_from(range.build()) else {
            return;
        };
        headers.append(RANGE, value);
    }
    if let Some(if_range) = &input.if_range {
        let Ok(value) = HeaderValue::try_from(if_range.build()) else {
            return;
        };
        headers.insert(IF_RANGE, value);
    }
    let length = u64::from(input.length % 64);
    let method = if input.is_head {
        Method::HEAD
    } else {
        Method::GET
    };
    let request = ReadRequest::new(&method, &headers);
    let version = VersionId::from(1);
    let validators = Validators::new(&version, at(NOW), at(NOW));
    let decision = match request.opening(&version) {
        Opening::Content(range) => Decision::Content(range),
        Opening::Metadata => request.decide(&validators, length),
    };
    let expected = if input.is_head {
        Expected::Whole
    } else {
        expected(&headers, usize::try_from(length).unwrap())
    };
    let actual = match decision {
        Decision::Head => Expected::Whole,
        Decision::Content(None) => Expected::Whole,
        Decision::Content(Some(range)) => match range.resolve(length) {
            // Of empty content there is no part that could be named.
            Ok(selected) if selected.is_empty() => Expected::Whole,
            Ok(selected) => {
                let (first, last) = (selected.start, selected.end - 1);
                Expected::Part(first.try_into().unwrap(), last.try_into().unwrap())
            }
            Err(_) => Expected::Nothing,
        },
        Decision::RangeNotSatisfiable => Expected::Nothing,
        Decision::NotModified | Decision::PreconditionFailed => panic!("{decision:?}"),
    };
    assert_eq!(actual, expected, "{headers:?}");
}

#[derive(Debug, PartialEq)]
enum Expected {
    Whole,
    /// From this byte to that one, both included.
    Part(usize, usize),
    Nothing,
}

fn expected(headers: &HeaderMap, length: usize) -> Expected {
    let values: Vec<_> = headers.get_all(RANGE).iter().collect();
    let [value] = values[..] else {
        return Expected::Whole;
    };
    let Some(specs) = value.to_str().ok().and_then(parse) else {
        return Expected::Whole;
    };
    if let Some(if_range) = headers.get(IF_RANGE) {
        let date = if_range
            .to_str()
            .ok()
            .and_then(|date| httpdate::parse_http_date(date).ok());
        if if_range != "\"1\"" && date != Some(at(NOW)) {
            return Expected::Whole;
        }
    }
    let is_selected = |at: usize| {
        specs.iter().any(|(first, last)| match (*first, *last) {
            (Some(first), last) => {
                first <= at as u128 && last.is_none_or(|last| at as u128 <= last)
            }
            (None, Some(count)) => length as u128 <= at as u128 + count,
            (None, None) => false,
        })
    };
    let selected: Vec<bool> = (0..length).map(is_selected).collect();
    let is_suffix =
        |(first, last): &(Option<u128>, Option<u128>)| first.is_none() && *last > Some(0);
    match selected.iter().position(|is_selected| *is_selected) {
        // Of empty content a suffix is all of it.
        None if length == 0 && specs.iter().any(is_suffix) => Expected::Whole,
        None => Expected::Nothing,
        Some(first) => {
            let last = selected
                .iter()
                .rposition(|is_selected| *is_selected)
                .unwrap_or(first);
            let has_gap = selected[first..=last].contains(&false);
            if has_gap {
                Expected::Whole
            } else {
                Expected::Part(first, last)
            }
        }
    }
}

type Positions = (Option<u128>, Option<u128>);

/// RFC 9110 §14.1.1. What is not of that grammar is as if it were not there, and so is what goes
/// beyond 100 ranges, 15 empty elements or 30 digits, which no honest client sends.
fn parse(value: &str) -> Option<Vec<Positions>> {
    let (unit, set) = value.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let elements: Vec<_> = set.split(',').collect();
    let mut specs = Vec::new();
    let mut empty = 0;
    for (position, element) in elements.iter().enumerate() {
        let trimmed = element.trim_matches([' ', '\t']);
        if empty == 15 {
            return None;
        }
        if trimmed.is_empty() {
            empty += 1;
            continue;
        }
        // Blanks belong to the commas.
        let is_last = position + 1 == elements.len();
        if is_last && element.ends_with([' ', '\t']) {
            return None;
        }
        let (first, last) = trimmed.split_once('-')?;
        let spec = (number(first)?, number(last)?);
        if matches!(spec, (None, None)) || matches!(spec, (Some(first), Some(last)) if first > last)
        {
            return None;
        }
        specs.push(spec);
    }
    (1..=100).contains(&specs.len()).then_some(specs)
}

/// An absent number is fine, another text is not.
fn number(text: &str) -> Option<Option<u128>> {
    if text.is_empty() {
        return Some(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 30;
    // Numbers beyond the length of any content are all the same.
    is_number.then(|| {
        text.parse::<u128>()
            .ok()
            .map(|number| number.min(u64::MAX.into()))
    })
}

impl AnyRange<'_> {
    fn build(&self) -> Vec<u8> {
        let mut text = String::from("bytes=");
        match self {
            Self::Raw(raw) => return raw.to_vec(),
            Self::Built(specs) => {
                for (position, (spec, separator)) in specs.iter().enumerate() {
                    if position > 0 {
                        text.push_str(match separator {
                            Separator::Comma => ",",
                            Separator::CommaBlank => ", ",
                            Separator::Blanks => " \t,\t ",
                            Separator::Commas => ",,",
                        });
                    }
                    spec.write(&mut text);
                }
            }
            Self::Repeated(spec, count) => {
                for _ in 0..*count {
                    spec.write(&mut text);
                    text.push(',');
                }
            }
        }
        text.into_bytes()
    }
}

impl Spec {
    fn write(self, text: &mut String) {
        let result = match self {
            Self::FromTo(first, last) => write!(text, "{}-{}", first % 72, last % 72),
            Self::From(first) => write!(text, "{}-", first % 72),
            Self::Last(count) => write!(text, "-{}", count % 72),
            Self::Huge(first, last) => write!(text, "{first}-{last}"),
            Self::BeyondU64(first) => write!(text, "{}-99999999999999999999", first % 72),
            Self::Empty => Ok(()),
        };
        result.unwrap();
    }
}

impl AnyIfRange<'_> {
    fn build(&self) -> Vec<u8> {
        match self {
            Self::Own => b"\"1\"".to_vec(),
            Self::Weak => b"W/\"1\"".to_vec(),
            Self::OtherTag => b"\"2\"".to_vec(),
            Self::Date(seconds) => {
                let time = at(NOW.saturating_add_signed((seconds / 32).into()));
                httpdate::fmt_http_date(time).into_bytes()
            }
            Self::Raw(raw) => raw.to_vec(),
        }
    }
}
