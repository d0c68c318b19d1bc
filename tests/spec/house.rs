//! The rules of the house: which room of `src` may import from which, and how long a file may get.
//!
//! A room is a file of `src`, or a folder with all that is in it. Imports are the paths in the
//! code, in `use` and elsewhere, read as text, so that no feature hides one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A room, and the rooms of its own rank that it may import from: earlier ones, so that no circle
/// can come about.
type Room = (&'static str, &'static [&'static str]);

/// The rooms from the lowest rank to the highest. Each may import from all ranks below its own.
const RANKS: &[&[Room]] = &[
    &[
        ("refusal", &[]),
        ("ending", &["refusal"]),
        ("detached", &[]),
        ("place", &[]),
        ("id", &[]),
        ("key", &["id", "place"]),
        ("uploads", &["key"]),
        ("turns", &["id"]),
        ("interim", &[]),
        ("content_type", &[]),
        ("filename", &[]),
        ("content_kind", &[]),
        ("extension", &[]),
        (
            "served_type",
            &["content_kind", "content_type", "extension"],
        ),
        ("content_disposition", &["filename", "id", "served_type"]),
    ],
    &[("url", &[])],
    &[("store", &[]), ("store/object_store", &["store"])],
    &[
        ("fhir", &[]),
        ("events", &["fhir"]),
        ("serving/plan", &["fhir"]),
    ],
    &[("policy", &[])],
    &[("mint", &[])],
    &[
        ("config", &[]),
        ("response_body", &[]),
        ("request_body", &["config", "response_body"]),
        ("operation", &["config", "request_body", "response_body"]),
        ("attachments", &["config", "request_body", "response_body"]),
        ("serving", &["config", "request_body", "response_body"]),
    ],
    &[
        ("future", &[]),
        ("route", &[]),
        ("batch", &["route"]),
        ("service", &["future", "route"]),
    ],
    &[("layer", &[])],
    &[("guide", &[])],
];

/// A room, paths that it may not name, not even in part, and the rule that says so.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "url",
        &[
            "http::Method",
            "http::method",
            "http::Request",
            "http::request",
            "http::Response",
            "http::response",
            "http::StatusCode",
            "http::status",
            "http::HeaderMap",
            "http_body",
            "http_body_util",
            "tokio",
            "tower_layer",
            "tower_service",
        ],
        "a URL knows no HTTP method and no server",
    ),
    ("store", OURS, "a store knows no signature of ours"),
    ("store", ANSWERS, "a store answers no request"),
    // A bucket is asked over HTTP, and the statuses of its answers are not ours.
    (
        "store/object_store",
        OURS,
        "a store knows no signature of ours",
    ),
    (
        "store/object_store",
        &["http::Response", "http::response"],
        "a store answers no request",
    ),
    (
        "serving/plan",
        &[
            "async",
            "futures_core",
            "futures_util",
            "std::future",
            "std::task",
            "std::fs",
            "std::io",
            "std::net",
            "tokio",
            "http_body",
            "http_body_util",
        ],
        "a plan does no I/O",
    ),
    (
        "serving/plan",
        &["Instant", "SystemTime::now"],
        "a plan has no clock",
    ),
    (
        "serving/plan",
        &[
            "crate::store::BinaryRepository",
            "crate::store::BoxRepository",
            "crate::store::ErasedRepository",
            "crate::store::Catalog",
            "crate::store::ContentStore",
            "crate::store::Content",
            "crate::store::ContentStream",
            "crate::store::Upload",
        ],
        "a plan knows no repository",
    ),
];

const OURS: &[&str] = &[
    "hmac",
    "crate::url::Keyring",
    "crate::url::SigningKey",
    "crate::url::UrlSigner",
    "crate::url::UrlVerifier",
    "crate::url::VerifyError",
];

const ANSWERS: &[&str] = &[
    "http::Response",
    "http::response",
    "http::StatusCode",
    "http::status",
];

const MAX_LINES_OF_CODE: usize = 400;

#[test]
fn the_house_keeps_its_rules() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.contains(&src.join("lib.rs")));

    let broken: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let file = path.strip_prefix(&src).unwrap().to_str().unwrap();
            broken_rules(&file.replace('\\', "/"), &fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn the_table_has_no_circle() {
    for rank in RANKS {
        for (position, (room, peers)) in rank.iter().enumerate() {
            for peer in *peers {
                let stands_before = rank[..position].iter().any(|(name, _)| name == peer);
                assert!(stands_before, "{room} imports from {peer}");
            }
        }
    }
}

#[test]
fn a_broken_rule_is_found() {
    let cases = [
        (
            "url/claims.rs",
            "\n\nuse crate::policy::Terms;",
            "src/url/claims.rs:3: `crate::policy::Terms`: url stands below policy",
        ),
        (
            "store/memory.rs",
            "use crate::{url::{Access, Grant}, serving::read};",
            "src/store/memory.rs:1: `crate::serving::read`: store stands below serving",
        ),
        (
            "operation/mod.rs",
            "use crate::serving;",
            "src/operation/mod.rs:1: `crate::serving`: operation stands beside serving",
        ),
        (
            "url/mod.rs",
            "fn f() { let x = /* { */ crate::layer::g::<u8>('{'); }",
            "src/url/mod.rs:1: `crate::layer::g`: url stands below layer",
        ),
        (
            "url/signer.rs",
            "use super::super::service::Presign;",
            "src/url/signer.rs:1: `crate::service::Presign`: url stands below service",
        ),
        (
            "events/mod.rs",
            "use crate::RedactedUri;",
            "src/events/mod.rs:1: `crate::RedactedUri`: an import names the room",
        ),
        (
            "url/signer.rs",
            "use http::{HeaderValue, Method as M};",
            "src/url/signer.rs:1: `http::Method`: a URL knows no HTTP method and no server",
        ),
        (
            "store/error.rs",
            "fn f() -> http::StatusCode { todo!() }",
            "src/store/error.rs:1: `http::StatusCode`: a store answers no request",
        ),
        (
            "serving/plan/read.rs",
            "use std::time::SystemTime;\nfn now() -> SystemTime { SystemTime::now() }",
            "src/serving/plan/read.rs:2: `SystemTime::now`: a plan has no clock",
        ),
        (
            "serving/plan/mod.rs",
            "async fn read() {}",
            "src/serving/plan/mod.rs:1: `async`: a plan does no I/O",
        ),
        (
            "serving/plan/mod.rs",
            "use crate::store::{Content as Bytes, Metadata};",
            "src/serving/plan/mod.rs:1: `crate::store::Content`: a plan knows no repository",
        ),
        (
            "store/object_store/presign.rs",
            "use crate::url::{Grant, UrlSigner};",
            "src/store/object_store/presign.rs:1: `crate::url::UrlSigner`: a store knows",
        ),
        (
            "serving/plan/mod.rs",
            "use super::read;",
            "src/serving/plan/mod.rs:1: `crate::serving::read`: serving/plan stands below serving",
        ),
        (
            "cellar.rs",
            "",
            "src/cellar.rs: tests/spec/house.rs has no rank for this file",
        ),
    ];
    for (file, source, start) in cases {
        let broken = broken_rules(file, source);
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert!(broken[0].starts_with(start), "{broken:?}");
    }

    let lines = |count: usize| "//! Words.\n\n\"\n\"; // words\n".repeat(count / 2);
    assert_eq!(broken_rules("url/claims.rs", &lines(400)), [""; 0]);
    assert_eq!(
        broken_rules("url/claims.rs", &lines(402)),
        ["src/url/claims.rs: 402 lines of code, of at most 400"]
    );
}

#[test]
fn an_import_is_not_mistaken() {
    let innocent = r##"
        //! [`crate::layer::PresignLayer`]
        /// `use crate::layer::PresignLayer;` /* and more
        use crate::key::{BinaryId, BinaryKey};
        use ::http::{header::{self, CONTENT_TYPE}, HeaderValue};
        use super::{claims, grant::*};
        /* use crate::layer; /* use crate::service; */ use http::Method; */
        pub(crate) fn f<'a>(quote: char, method: &'a str) -> bool {
            let escaped = ['\'', '"', '\u{1f}'];
            let text = "a \" crate::layer::b \\";
            let raw = (r"crate::layer", r#"" crate::layer::b"#, b"crate::layer::b\"", br"\");
            quote == '"' || method.http::<'a>() == Self::Method
        }
    "##;
    assert_eq!(broken_rules("url/signer.rs", innocent), [""; 0]);
}

/// The rules that `source` breaks in the file `src/{file}`, each with line and path.
fn broken_rules(file: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut broken = Vec::new();

    let lines: BTreeSet<usize> = tokens.iter().map(|token| token.line).collect();
    if lines.len() > MAX_LINES_OF_CODE {
        let lines = lines.len();
        broken.push(format!(
            "src/{file}: {lines} lines of code, of at most {MAX_LINES_OF_CODE}"
        ));
    }
    if file == "lib.rs" {
        return broken;
    }

    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let Some((room, rank, peers)) = room_of(module) else {
        broken.push(format!(
            "src/{file}: tests/spec/house.rs has no rank for this file"
        ));
        return broken;
    };
    for (line, path) in paths(&tokens) {
        let path = from_the_root(&path, module);
        let mut break_rule =
            |rule: &str| broken.push(format!("src/{file}:{line}: `{path}`: {rule}"));

        // A macro that is exported is at the front door, and those of one room begin like this.
        if path.starts_with("crate::__") {
            continue;
        }
        if let Some(inside) = path.strip_prefix("crate::") {
            match room_of(&inside.replace("::", "/")) {
                None => break_rule("an import names the room of an item, not the front door"),
                Some((other, ..)) if is_in(other, room) || peers.contains(&other) => {}
                Some((other, height, _)) if height > rank => {
                    break_rule(&format!("{room} stands below {other}"));
                }
                Some((other, height, _)) if height == rank => {
                    break_rule(&format!("{room} stands beside {other}"));
                }
                Some(_) => {}
            }
        }
        for (_, forbidden, rule) in FORBIDDEN.iter().filter(|(name, ..)| *name == room) {
            let is_named = |part: &&&str| format!("::{path}::").contains(&format!("::{part}::"));
            if forbidden.iter().find(is_named).is_some() {
                break_rule(rule);
            }
        }
    }
    broken
}

/// The room that a module is in, with its rank and its peers: `serving/plan` before `serving`.
fn room_of(module: &str) -> Option<(&'static str, usize, &'static [&'static str])> {
    let rooms = RANKS.iter().enumerate();
    rooms
        .flat_map(|(rank, rooms)| rooms.iter().map(move |(room, peers)| (*room, rank, *peers)))
        .filter(|(room, ..)| is_in(module, room))
        .max_by_key(|(room, ..)| room.len())
}

fn is_in(module: &str, room: &str) -> bool {
    let rest = module.strip_prefix(room);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path as it would be written in `lib.rs`, if it starts with `super` or `self`.
fn from_the_root(path: &[&str], module: &str) -> String {
    let mut start: Vec<&str> = module.split('/').collect();
    let relative = path
        .iter()
        .take_while(|name| matches!(**name, "super" | "self"));
    let rest = path[relative.clone().count()..].iter().copied();
    if rest.len() == path.len() || rest.len() == 0 {
        return path.join("::");
    }
    for _ in relative.filter(|name| **name == "super") {
        start.pop();
    }
    let names: Vec<&str> = ["crate"].into_iter().chain(start).chain(rest).collect();
    names.join("::")
}

/// The paths in code, of one name or more, with their lines. `a::{b, c::d}` is `a::b` and
/// `a::c::d`.
fn paths<'a>(tokens: &[Token<'a>]) -> Vec<(usize, Vec<&'a str>)> {
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(token) = tokens.get(next) {
        let before = next.checked_sub(1).map_or("", |at| tokens[at].text);
        // `::http` starts a path where a name or a type before it would go on with one.
        let goes_on = before == "."
            || before == "::" && next > 1 && {
                let name = tokens[next - 2].text;
                is_name(name) && name != "use" || name == ">"
            };
        if is_name(token.text) && !goes_on {
            next = read_path(tokens, next, Vec::new(), &mut found);
        } else {
            next += 1;
        }
    }
    found
}

/// Reads what follows `path` from the token `at` on, and returns where it ends.
fn read_path<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    mut path: Vec<&'a str>,
    found: &mut Vec<(usize, Vec<&'a str>)>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let line = tokens[at].line;
    if text(at) == "{" {
        while !matches!(text(at), "}" | "") {
            at = read_path(tokens, at + 1, path.clone(), found);
        }
        return at + 1;
    }
    if is_name(text(at)) || text(at) == "*" {
        path.push(text(at));
        at += 1;
        if text(at) == "::" && (is_name(text(at + 1)) || matches!(text(at + 1), "{" | "*")) {
            return read_path(tokens, at + 1, path, found);
        }
        if text(at) == "as" {
            at += 2;
        }
        if path.len() > 1 && path.last() == Some(&"self") {
            path.pop();
        }
        found.push((line, path));
    }
    at
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[derive(Debug)]
struct Token<'a> {
    line: usize,
    /// A name, a number, `::`, another character, or one line of a literal.
    text: &'a str,
}

/// The code, without white space and comments.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let comment = comment(rest);
        let literal = literal(rest);
        let is_part_of_name = |c: char| c.is_alphanumeric() || c == '_';
        let length = match (comment, literal) {
            (Some(length), _) | (_, Some(length)) => length,
            _ if is_part_of_name(first) => rest.find(|c| !is_part_of_name(c)).unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let (text, after) = rest.split_at(length);
        if comment.is_none() && !first.is_whitespace() {
            // A text in quotes must not be read as a name.
            let lines = text
                .lines()
                .map(|text| if literal.is_some() { "\"" } else { text });
            tokens.extend((line..).zip(lines).map(|(line, text)| Token { line, text }));
        }
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The length of the comment that `text` starts with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut depth = 0;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if depth == 0 {
            return (at > 0).then_some(at);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += rest.chars().next()?.len_utf8();
        }
    }
}

/// The length of the string or character that `text` starts with.
fn literal(text: &str) -> Option<usize> {
    let plain = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let rest = if let Some(raw) = plain.strip_prefix('r') {
        let body = raw.trim_start_matches('#');
        let end = format!("\"{}", "#".repeat(raw.len() - body.len()));
        body.strip_prefix('"')?.split_once(&end)?.1
    } else {
        let quote = plain.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let mut body = plain[1..].chars();
        if quote == '\'' && !plain[1..].starts_with('\\') && plain[1..].chars().nth(1) != Some('\'')
        {
            return None; // A lifetime.
        }
        loop {
            match body.next()? {
                '\\' => drop(body.next()),
                c if c == quote => break,
                _ => {}
            }
        }
        body.as_str()
    };
    Some(text.len() - rest.len())
}
