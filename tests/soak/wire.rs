//! The clients' knowledge of the server, and their requests as they go over the wire.

use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{Method, Request, StatusCode};
use tower_presign::url::{Expires, ReadTerms, WriteTerms};
use tower_presign::{BinaryId, BinaryKey, ContentType, Grant, SigningKey, UrlSigner, VersionId};

use crate::support::Answer;
use crate::support::client::Client;
use crate::support::random::Random;
use crate::support::server::{Server, URL_ORIGIN, secret};

/// The number of contents that are kept in mind, to be read again.
const REMEMBERED: usize = 2000;

pub const MAX_LENGTH: usize = 2 * 1024 * 1024;

/// Twice what Linux keeps for a client that does not read. Otherwise the server would be done, and
/// Linux gives up such a connection of its own after some minutes.
const LONG: usize = 8 * 1024 * 1024;

pub const HOUR: u64 = 60 * 60;

/// A first version of a Binary that was stored.
#[derive(Clone)]
pub struct Scan {
    pub id: BinaryId,
    pub content: Bytes,
}

pub struct Api {
    pub address: String,
    /// The server's own: what it would not sign can be tried as well.
    signer: UrlSigner,
    /// Parts of this are sent.
    pub source: Bytes,
    scans: RwLock<Vec<Scan>>,
    pub long: Scan,
}

impl Api {
    pub async fn new(server: &Server, random: &mut Random) -> Self {
        let key = SigningKey::new("example", secret()).unwrap();
        let source = random.bytes(LONG);
        let mut api = Self {
            address: server.origin.strip_prefix("http://").unwrap().to_owned(),
            signer: UrlSigner::new(key, format!("{URL_ORIGIN}/storage")).unwrap(),
            scans: RwLock::default(),
            long: Scan {
                id: BinaryId::random(),
                content: source.clone(),
            },
            source,
        };
        let client = Client::http1();
        api.long.id = api.create(&client).await;
        let short = Scan {
            id: api.create(&client).await,
            content: api.source.slice(..1),
        };
        for Scan { id, content } in [&api.long, &short] {
            let put = api.put(&api.sign(write(*id), HOUR), content.clone());
            assert_eq!(client.send(put).await.status, StatusCode::OK);
        }
        api.remember(short, random);
        api
    }

    pub fn remember(&self, scan: Scan, random: &mut Random) {
        let mut scans = self.scans.write().unwrap_or_else(PoisonError::into_inner);
        if scans.len() < REMEMBERED {
            scans.push(scan);
        } else {
            scans[random.below(REMEMBERED)] = scan;
        }
    }

    pub fn any_scan(&self, random: &mut Random) -> Scan {
        let scans = self.scans.read().unwrap_or_else(PoisonError::into_inner);
        random.choose(&scans).clone()
    }

    /// The target of a URL that is valid for so many seconds, if it is valid at all.
    pub fn sign(&self, grant: Grant, seconds: u64) -> String {
        self.sign_until(grant, now() + seconds)
    }

    pub fn sign_until(&self, mut grant: Grant, expires: u64) -> String {
        grant.expires = Expires::at_unix_seconds(expires);
        let url = self.signer.sign(&grant);
        url.as_str().strip_prefix(URL_ORIGIN).unwrap().to_owned()
    }

    /// A Binary without content.
    pub async fn create(&self, client: &Client) -> BinaryId {
        let resource = r#"{"resourceType":"Binary","contentType":"image/png"}"#;
        let request = Request::post(self.url("/fhir/R4/Binary"))
            .header(AUTHORIZATION, "Bearer demo")
            .header(CONTENT_TYPE, "application/fhir+json");
        let answer = client.send(request.body(resource.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        BinaryId::new(answer.json()["id"].as_str().unwrap()).unwrap()
    }

    pub fn mint(&self, id: BinaryId, query: &str, token: &str) -> Request<Body> {
        let target = format!("/fhir/R4/Binary/{id}/$presigned-url{query}");
        let request = Request::get(self.url(&target));
        let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        request.body(Body::empty()).unwrap()
    }

    pub fn get(&self, target: &str) -> Request<Body> {
        Request::get(self.url(target)).body(Body::empty()).unwrap()
    }

    pub fn put(&self, target: &str, content: Bytes) -> Request<Body> {
        let request = Request::put(self.url(target)).header(CONTENT_TYPE, "image/png");
        request.body(content.into()).unwrap()
    }

    /// A request of tus, with the type that a part has.
    pub fn tus(&self, method: Method, target: &str) -> Builder {
        let request = Request::builder().method(method).uri(self.url(target));
        request
            .header("tus-resumable", "1.0.0")
            .header(CONTENT_TYPE, "application/offset+octet-stream")
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }
}

/// Reads the first version of a Binary. When is for [`Api::sign`] to say.
pub fn read(id: BinaryId) -> Grant {
    Grant::new(first(id), ReadTerms::new(), Expires::at_unix_seconds(0))
}

/// Writes the first version of a Binary.
pub fn write(id: BinaryId) -> Grant {
    write_up_to(id, u64::MAX)
}

/// As [`write`], of at most so many bytes.
pub fn write_up_to(id: BinaryId, max_length: u64) -> Grant {
    let png = ContentType::new("image/png").unwrap();
    let terms = WriteTerms::new(png).with_max_length(max_length);
    Grant::new(first(id), terms, Expires::at_unix_seconds(0))
}

fn first(id: BinaryId) -> BinaryKey {
    BinaryKey::new(id, VersionId::new("1").unwrap())
}

pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// The target of the URL that was minted.
pub fn target(minted: &Answer) -> String {
    minted.url().strip_prefix(URL_ORIGIN).unwrap().to_owned()
}
