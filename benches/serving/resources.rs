//! URLs in resources: the layer that rewrites a search of 100 documents, beside a host that does so
//! itself.

use axum::Router;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use tower_presign::{AllowAll, PresignLayer};

use crate::load::{self, Requests};
use crate::row::Table;
use crate::search::{All, foreign, parse_walk_write, references};
use crate::servers::Servers;
use crate::site::signer;

const CONNECTIONS: u32 = 16;

const FHIR_JSON: [(http::HeaderName, &str); 1] = [(CONTENT_TYPE, "application/fhir+json")];

pub(crate) fn measure(table: &Table, servers: &mut Servers<'_>) {
    let urls = "100 attachments as URLs : serde_json parses, walks, writes";
    let none = "a Bundle without references, with the rewriting layer : without it";
    if !table.wants(urls) && !table.wants(none) {
        return;
    }
    let server = servers.start("search").address;
    // Longer than it was: the URLs are there.
    load::get(&server, "/layer/references", references().len() + 10_000);
    for (name, goal, ours, theirs) in [
        (urls, 1.0, "layer/references", "serde-json/references"),
        (none, 0.9, "layer/foreign", "foreign"),
    ] {
        let requests = |path| Requests::of(&format!("{server}/{path}"), CONNECTIONS);
        let (ours, theirs) = (requests(ours), requests(theirs));
        table.ratio(name, Some(goal), "requests/s", || {
            (ours.rate(), theirs.rate())
        });
    }
}

pub(crate) fn app() -> Router {
    let (references, foreign) = (references(), foreign());
    let layered = Router::new()
        .route("/layer/references", answer(&references))
        .route("/layer/foreign", answer(&foreign))
        .layer(PresignLayer::new(signer(), All, AllowAll).attachments());
    let by_hand = get(async move || (FHIR_JSON, parse_walk_write(&references)));
    Router::new()
        .route("/serde-json/references", by_hand)
        .route("/foreign", answer(&foreign))
        .merge(layered)
}

fn answer(json: &Bytes) -> MethodRouter {
    let json = json.clone();
    get(async move || (FHIR_JSON, json))
}
