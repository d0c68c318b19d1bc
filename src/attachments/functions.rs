//! URLs in resources, without HTTP.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;

use super::body::UrlsBody;
use super::minting::Minting;
use super::output::Output;
use super::queue::Replacement;
use super::reference::Sought;
use super::scan::Format;
use crate::mint::{Caller, Presigner};
use crate::response_body::BoxError;

impl Presigner {
    /// Puts presigned URLs into a resource, in place of its references to Binaries. Returns the
    /// number of members that changed.
    ///
    /// The rules are those of [the layer](crate::attachments). A Binary that the policy denies this
    /// caller, or that is not there, leaves its reference.
    ///
    /// ```
    /// use serde_json::json;
    /// use tower_presign::{
    ///     AllowAll, BinaryId, ContentType, MemoryRepository, Presigner, SigningKey, Terms, UrlSigner,
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let repository = MemoryRepository::new();
    /// # repository.create(BinaryId::new("face-7")?, ContentType::new("image/png")?)?;
    /// let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
    /// let signer = UrlSigner::new(key, "https://storage.example.com/binary")?;
    /// let presigner = Presigner::new(signer, repository, AllowAll);
    ///
    /// // A notification that a subscription sends: there is no request, and so no caller to ask for.
    /// let mut patient = json!({ "resourceType": "Patient", "photo": [{ "url": "Binary/face-7" }] });
    /// presigner.presign_attachments(Terms::new(), &mut patient).await;
    /// let url = patient["photo"][0]["url"].as_str().unwrap_or_default();
    /// assert!(url.starts_with("https://storage.example.com/binary/face-7/1?"));
    ///
    /// presigner.restore_references(&mut patient);
    /// assert_eq!(patient["photo"][0]["url"], "Binary/face-7/_history/1");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn presign_attachments(
        &self,
        caller: impl Into<Caller>,
        resource: &mut Value,
    ) -> usize {
        let sought = Sought::References(self.reference_bases().to_vec());
        let mut minting = Minting::new(self.clone(), caller.into(), usize::MAX);
        // It is polled again at once, by the task that waits.
        let cx = &mut Context::from_waker(Waker::noop());
        each_url(resource, &mut |url| {
            if let Some(reference) = sought.find_in(url) {
                minting.want(&reference, cx);
            }
        });
        poll_fn(|cx| minting.poll_all(cx)).await;
        let mut changed = 0;
        each_url(resource, &mut |url| {
            let reference = sought.find_in(url);
            let replacement = reference.map(|reference| minting.replacement(&reference));
            if let Some(Replacement::Text(text)) = replacement {
                *url = String::from_utf8_lossy(&text).into_owned();
                changed += 1;
            }
        });
        changed
    }

    /// Puts presigned URLs into a resource as text; as
    /// [`presign_attachments`](Self::presign_attachments), but no byte changes beside the URLs.
    /// Text that is no JSON comes back as it was.
    pub async fn presign_attachments_json(
        &self,
        caller: impl Into<Caller>,
        json: impl Into<Bytes>,
    ) -> Bytes {
        let body = Full::new(json.into());
        collect(self.output(caller.into(), body, Format::Resource)).await
    }

    /// Puts presigned URLs into a file of NDJSON while it is read, a resource a line, in memory that
    /// does not grow with the file. For exports.
    ///
    /// The returned body can be sent, or read frame by frame.
    pub fn presign_attachments_ndjson<B>(&self, caller: impl Into<Caller>, file: B) -> UrlsBody<B>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        self.output(caller.into(), file, Format::Lines)
    }

    /// Puts references in place of presigned URLs, expired or not, before a resource is stored.
    /// Returns the number of members that changed. URLs of others stay.
    pub fn restore_references(&self, resource: &mut Value) -> usize {
        let sought = Sought::Urls(self.verifier().base_url().into());
        let mut changed = 0;
        each_url(resource, &mut |url| {
            if let Some(reference) = sought.find_in(url) {
                *url = reference.text();
                changed += 1;
            }
        });
        changed
    }

    fn output<B>(&self, caller: Caller, body: B, format: Format) -> UrlsBody<B>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        let output = Output::new(body, format, self.clone(), caller, usize::MAX);
        UrlsBody::output(Box::new(output), None)
    }
}

/// Reads to its end a body that cannot fail.
async fn collect(body: UrlsBody<Full<Bytes>>) -> Bytes {
    let mut body = pin!(body);
    let mut json = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            json.extend_from_slice(&data);
        }
    }
    json.freeze()
}

/// Calls `change` with the text of each member `url` that may be an Attachment's.
fn each_url(resource: &mut Value, change: &mut impl FnMut(&mut String)) {
    let name = if resource.is_array() { "" } else { "resource" };
    walk(resource, name, Around::default(), change);
}

/// The facts that are known of the elements around a value.
#[derive(Clone, Copy, Default)]
struct Around {
    is_in_binary: bool,
    /// The element around is one of `entry`.
    is_in_entry: bool,
}

fn walk(value: &mut Value, name: &str, around: Around, change: &mut impl FnMut(&mut String)) {
    match value {
        // The elements of an array have its name, and those of an array in an array have none.
        Value::Array(elements) => {
            for element in elements {
                let name = if element.is_array() { "" } else { name };
                walk(element, name, around, change);
            }
        }
        Value::Object(members) => {
            let mut inside = Around {
                is_in_entry: name == "entry",
                ..around
            };
            if matches!(name, "resource" | "contained" | "outcome")
                && let Some(Value::String(name)) = members.get("resourceType")
            {
                inside.is_in_binary = name == "Binary";
            }
            let is_attachment = !(matches!(name, "extension" | "modifierExtension" | "link")
                || name == "request" && around.is_in_entry
                || inside.is_in_binary);
            for (name, value) in members {
                match value {
                    Value::String(url) if name == "url" && is_attachment => change(url),
                    Value::Array(_) | Value::Object(_) => walk(value, name, inside, change),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
