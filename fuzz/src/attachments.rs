//! URLs in resources, against an oracle that parses: the same members are replaced, and all other
//! bytes stay as they were, wherever chunks end.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{
    Access, AllowAll, BinaryId, BinaryKey, BinaryRepository, ContentType, PresignLayer, Terms,
    VersionId,
};

use crate::common::{BASE, at, signer};
use crate::support::{self, NOW, block_on};

/// Every Binary is there, at version 7, but those whose id begins with `no`.
struct Most;

impl BinaryRepository for Most {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        if target.id().as_str().starts_with("no") {
            return Err(RepositoryError::NotFound);
        }
        let version = target.version().unwrap_or(VersionId::from(7));
        Ok(Located::new(
            target.key(version),
            ContentType::new("image/png").unwrap(),
        ))
    }

    async fn head(&self, _: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn read(&self, _: &BinaryKey, _: Option<ByteRange>) -> Result<Content, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn write(&self, _: &BinaryKey, _: Upload) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }
}

const FHIR_BASE: &str = "https://health.example.com/fhir";

static LAYER: LazyLock<PresignLayer> = LazyLock::new(|| {
    PresignLayer::new(signer(), Most, AllowAll)
        .clock(|| at(NOW))
        .fhir_base_url(FHIR_BASE)
        .unwrap()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_request: bool,
    format: Format,
    document: Document<'a>,
    /// The lengths of the chunks. The last is used for the rest.
    chunks: Vec<u8>,
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
enum Format {
    Resource,
    Json,
    Lines,
}

#[derive(Arbitrary, Debug)]
enum Document<'a> {
    Raw(&'a [u8]),
    Built(Vec<Node<'a>>),
}

#[derive(Arbitrary, Debug)]
enum Node<'a> {
    Object(Vec<(Name<'a>, Node<'a>)>, Space),
    Array(Vec<Node<'a>>, Space),
    Text(Text<'a>),
    Number(i16),
    Null,
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Name<'a> {
    Known(u8, Escape),
    Other(&'a str),
}

const NAMES: [&str; 14] = [
    "url",
    "resourceType",
    "extension",
    "modifierExtension",
    "link",
    "request",
    "entry",
    "resource",
    "contained",
    "outcome",
    "photo",
    "fullUrl",
    "valueAttachment",
    "value",
];

#[derive(Arbitrary, Debug)]
enum Text<'a> {
    Known(u8, Escape),
    Other(&'a str),
}

const TEXTS: [&str; 18] = [
    "Binary/1",
    "Binary/1/_history/2",
    "Binary/no-1",
    "https://health.example.com/fhir/Binary/a.b_c-d",
    "https://health.example.com/fhir/Binary/1/_history/x",
    "https://elsewhere.example.com/fhir/Binary/1",
    "Binary/",
    "Binary/1/",
    "Binary/1/_history/",
    "Binary/..",
    "Binary",
    "Patient",
    "Bundle",
    "https://storage.example.com/binary/1/2?Expires=1&Signature=x",
    "https://storage.example.com/binary/1/2",
    "https://storage.example.com/binary/1/2/3",
    "https://storage.example.com/binary1/2",
    "",
];

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Escape {
    None,
    Slashes,
    Letter(u8),
    All,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Space {
    None,
    Blank,
    Lines,
}

pub fn run(data: &[u8]) {
    let Some(input) = support::input::<Input>(data) else {
        return;
    };
    let document = input.document.build(input.format);
    let expected = expected(&document, &input);
    let chunks = chunks(&document, &input.chunks);
    let actual = if input.is_request {
        request(input.format, chunks)
    } else {
        answer(input.format, chunks)
    };
    if let Some(expected) = expected {
        assert_eq!(
            String::from_utf8_lossy(&actual),
            String::from_utf8_lossy(&expected)
        );
    } else if !input.is_request {
        // What had been replaced before it turned out to be no JSON can be undone.
        let restored = restored(&actual);
        assert_eq!(
            restored,
            self::restored(&document),
            "{}",
            String::from_utf8_lossy(&actual)
        );
    }
}

/// The text without what differs between references and the URLs that stand for them.
fn restored(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).replace("\\/", "/");
    let mut restored = String::new();
    let mut rest = &*text;
    while let Some(start) = rest.find(BASE) {
        let (before, url) = rest.split_at(start);
        restored.push_str(before);
        restored.push('@');
        let end = url.find('"').unwrap_or(url.len());
        rest = &url[end..];
    }
    restored.push_str(rest);
    // References, as they are.
    let mut out = String::new();
    let mut rest = restored.as_str();
    while let Some(start) = rest.find('"') {
        let (before, quoted) = rest.split_at(start + 1);
        out.push_str(before);
        let end = quoted.find('"').unwrap_or(quoted.len());
        let inside = &quoted[..end];
        let decoded = serde_json::from_str::<String>(&format!("\"{inside}\""));
        let is_reference = decoded.is_ok_and(|text| {
            reference(&text).is_some_and(|(id, _)| !id.as_str().starts_with("no"))
        });
        out.push_str(if is_reference { "@" } else { inside });
        rest = &quoted[end..];
    }
    out.push_str(rest);
    out
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Resource => "application/fhir+json",
        Format::Json => "application/json",
        Format::Lines => "application/fhir+ndjson",
    }
}

/// What becomes of an answer.
fn answer(format: Format, chunks: Chunks) -> Vec<u8> {
    let mut chunks = Some(chunks);
    let inner = service_fn(move |_: Request<_>| {
        let response = Response::builder().header(CONTENT_TYPE, content_type(format));
        let response = response.body(chunks.take().unwrap());
        std::future::ready(Ok::<_, std::convert::Infallible>(response.unwrap()))
    });
    let service = LAYER.attachments().layer(inner);
    let request = Request::get("/Patient/1").body(Chunks::default());
    block_on(async {
        let response = service.oneshot(request.unwrap()).await.unwrap();
        let announced = response.body().size_hint().exact();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(announced.is_none_or(|length| length == body.len() as u64));
        body.to_vec()
    })
}

/// What a host gets of a request.
fn request(format: Format, chunks: Chunks) -> Vec<u8> {
    let inner = service_fn(async move |request: Request<_>| {
        let body = Request::into_body(request);
        let body = http_body_util::BodyExt::collect(body).await.unwrap();
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok::<_, std::convert::Infallible>(Response::new(text))
    });
    let service = LAYER.attachments().layer(inner);
    let request = Request::post("/Patient").header(CONTENT_TYPE, content_type(format));
    block_on(async {
        let response = service
            .oneshot(request.body(chunks).unwrap())
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap();
        body.to_bytes().to_vec()
    })
}

#[derive(Clone, Default)]
struct Chunks(std::collections::VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

fn chunks(document: &[u8], lengths: &[u8]) -> Chunks {
    let mut rest = Bytes::copy_from_slice(document);
    let mut chunks = Chunks::default();
    for length in lengths {
        let length = rest.len().min(usize::from(*length));
        chunks.0.push_back(rest.split_to(length));
    }
    chunks.0.push_back(rest);
    chunks
}

// The oracle

/// The document as it is to be; `None` if it is no JSON.
fn expected(document: &[u8], input: &Input) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut found = Vec::new();
    let documents: Vec<&str> = match input.format {
        Format::Lines => text.split('\n').collect(),
        _ => vec![text],
    };
    for document in documents {
        if input.format == Format::Lines && document.trim_ascii().is_empty() {
            continue;
        }
        let root: &RawValue = serde_json::from_str(document).ok()?;
        if !matches!(root.get().as_bytes()[0], b'{' | b'[') {
            return None;
        }
        let is_resource =
            matches!(Members::of(root), Some(members) if members.resource_type().is_some());
        if input.format != Format::Json || is_resource {
            let role = if root.get().starts_with('{') {
                "resource"
            } else {
                ""
            };
            walk(text, root, role, false, false, &mut found);
        }
    }
    let mut expected = Vec::new();
    let mut end = 0;
    for (range, inside) in found {
        let replacement = if input.is_request {
            own(&inside)
        } else {
            reference(&inside).and_then(|(id, version)| url(id, version))
        };
        if let Some(replacement) = replacement {
            expected.extend_from_slice(&document[end..range.start]);
            expected.extend_from_slice(replacement.as_bytes());
            end = range.end;
        }
    }
    expected.extend_from_slice(&document[end..]);
    Some(expected)
}

/// Finds the strings that may be replaced, in order: where they are, and what they say.
fn walk(
    text: &str,
    value: &RawValue,
    name: &str,
    is_in_entry: bool,
    is_in_binary: bool,
    found: &mut Vec<(Range<usize>, String)>,
) {
    if let Ok(Elements(elements)) = serde_json::from_str(value.get()) {
        for element in elements {
            let name = if element.get().starts_with('[') {
                ""
            } else {
                name
            };
            walk(text, element, name, is_in_entry, is_in_binary, found);
        }
        return;
    }
    let Some(members) = Members::of(value) else {
        return;
    };
    let mut is_binary = is_in_binary;
    if ["resource", "contained", "outcome"].contains(&name)
        && let Some(type_) = members.resource_type()
    {
        is_binary = type_ == "Binary";
    }
    let excluded = ["extension", "modifierExtension", "link"].contains(&name)
        || name == "request" && is_in_entry
        || is_binary;
    for (member, value) in &members.0 {
        let inside = serde_json::from_str::<String>(value.get());
        if let Ok(inside) = inside
            && member == "url"
            && !excluded
        {
            let start = value.get().as_ptr() as usize - text.as_ptr() as usize + 1;
            found.push((start..start + value.get().len() - 2, inside));
        } else {
            walk(text, value, member, name == "entry", is_binary, found);
        }
    }
}

/// The members of an object, in order, each as often as it is there.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    fn resource_type(&self) -> Option<String> {
        let mut types = self.0.iter().filter(|(name, _)| name == "resourceType");
        types.find_map(|(_, value)| {
            let is_text = value.get().starts_with('"');
            // Half a surrogate is no text, and no Binary.
            is_text.then(|| serde_json::from_str(value.get()).unwrap_or_default())
        })
    }
}

/// A name; empty if it has half a surrogate, which stands for nothing.
struct AnyName<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for AnyName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = AnyName<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<AnyName<'de>, E> {
                let name = std::str::from_utf8(bytes).unwrap_or_default();
                Ok(AnyName(name.to_owned().into()))
            }
        }
        deserializer.deserialize_bytes(Names)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects;
        impl<'de> Visitor<'de> for Objects {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<AnyName, &RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Objects)
    }
}

struct Elements<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Arrays;
        impl<'de> Visitor<'de> for Arrays {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(Arrays)
    }
}

/// The Binary, and its version, that a reference names.
fn reference(text: &str) -> Option<(BinaryId, Option<VersionId>)> {
    let relative = text
        .strip_prefix(FHIR_BASE)
        .map_or(Some(text), |rest| rest.strip_prefix('/'))?;
    let parts: Vec<&str> = relative.split('/').collect();
    match parts[..] {
        ["Binary", id] => Some((BinaryId::new(id).ok()?, None)),
        ["Binary", id, "_history", version] => {
            Some((BinaryId::new(id).ok()?, Some(VersionId::new(version).ok()?)))
        }
        _ => None,
    }
}

/// The URL that the operation would answer with.
fn url(id: BinaryId, version: Option<VersionId>) -> Option<String> {
    let target = match version {
        Some(version) => Target::version_of(id, version),
        None => Target::new(id, Access::Read),
    };
    let url = block_on(LAYER.presigner().presign(target, Terms::new()));
    url.ok().map(String::from)
}

/// The reference that stands for a URL of ours.
fn own(text: &str) -> Option<String> {
    let rest = text.strip_prefix(BASE)?.strip_prefix('/')?;
    let path = rest.split(['?', '#']).next()?;
    let parts: Vec<&str> = path.split('/').collect();
    let [id, version] = parts[..] else {
        return None;
    };
    BinaryId::new(id).ok()?;
    VersionId::new(version).ok()?;
    Some(format!("Binary/{id}/_history/{version}"))
}

// Documents

impl Document<'_> {
    fn build(&self, format: Format) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.to_vec(),
            Self::Built(nodes) => {
                let mut out = Vec::new();
                let documents = if format == Format::Lines {
                    nodes.len()
                } else {
                    1
                };
                for (position, node) in nodes.iter().take(documents).enumerate() {
                    if position > 0 {
                        out.push(b'\n');
                    }
                    node.build(&mut out, format == Format::Lines);
                }
                out
            }
        }
    }
}

impl Node<'_> {
    fn build(&self, out: &mut Vec<u8>, is_line: bool) {
        match self {
            Self::Object(members, space) => {
                out.push(b'{');
                for (position, (name, value)) in members.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    space.build(out, is_line);
                    let (name, escape) = match name {
                        Name::Known(index, escape) => {
                            (NAMES[usize::from(*index) % NAMES.len()], *escape)
                        }
                        Name::Other(name) => (*name, Escape::None),
                    };
                    quote(name, escape, out);
                    space.build(out, is_line);
                    out.push(b':');
                    space.build(out, is_line);
                    value.build(out, is_line);
                }
                space.build(out, is_line);
                out.push(b'}');
            }
            Self::Array(elements, space) => {
                out.push(b'[');
                for (position, element) in elements.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    space.build(out, is_line);
                    element.build(out, is_line);
                }
                space.build(out, is_line);
                out.push(b']');
            }
            Self::Text(text) => match text {
                Text::Known(index, escape) => {
                    quote(TEXTS[usize::from(*index) % TEXTS.len()], *escape, out);
                }
                Text::Other(text) => quote(text, Escape::None, out),
            },
            Self::Number(number) => {
                let number = f64::from(*number) / 8.0;
                out.extend_from_slice(format!("{number}E+2").as_bytes());
            }
            Self::Null => out.extend_from_slice(b"null"),
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl Space {
    fn build(self, out: &mut Vec<u8>, is_line: bool) {
        let space: &[u8] = match self {
            Self::None => b"",
            Self::Lines if !is_line => b"\r\n\t ",
            Self::Blank | Self::Lines => b" ",
        };
        out.extend_from_slice(space);
    }
}

fn quote(text: &str, escape: Escape, out: &mut Vec<u8>) {
    let Value::String(_) = Value::from(text) else {
        unreachable!()
    };
    let quoted = serde_json::to_string(text).unwrap();
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    for (position, character) in quoted.chars().enumerate() {
        let is_inside = position > 0 && position + 1 < quoted.chars().count();
        let is_escaped = is_plain
            && is_inside
            && match escape {
                Escape::None => false,
                Escape::Slashes => character == '/',
                Escape::Letter(at) => usize::from(at) == position,
                Escape::All => true,
            };
        let mut buffer = [0; 4];
        match (is_escaped, escape) {
            (false, _) => {
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
            (true, Escape::Slashes) => out.extend_from_slice(b"\\/"),
            (true, _) => {
                let code = format!("\\u{:04x}", u32::from(character));
                out.extend_from_slice(code.as_bytes());
            }
        }
    }
}
