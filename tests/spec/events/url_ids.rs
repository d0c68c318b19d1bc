//! `url_id`: the id that ties the uses of a URL to its mint.

use axum::body::Body;
use http::Method;
use tower_presign::{MintRequest, PresignLayer, Terms, UrlId};

use super::{Host, Message, OPERATION};
use crate::support::*;

/// The message of an event, and its `url_id`.
fn named(message: &Message) -> (&str, &str) {
    (&message.fields["message"], &message.fields["url_id"])
}

#[tokio::test]
async fn the_mint_and_each_use_of_a_url_have_the_id_that_its_terms_gave_it() {
    let id = UrlId::random();
    let policy = move |_: MintRequest| std::future::ready(Ok(Terms::new().id(id)));
    let layer = PresignLayer::new(signer(), scan("image/png"), policy).clock(|| at(NOW));
    let host = Host::with(layer.resumable_uploads(true));
    let id = id.as_str();

    let write = request(Method::GET, &format!("{OPERATION}?upload=true"), &[], "");
    let (message, answer) = host.tell(write).await;
    assert_eq!(named(&message), ("mint", id));
    let write = answer.url();
    assert!(write.contains(&format!("&Id={id}&")), "{write}");
    let tus = ("tus-resumable", "1.0.0");
    let creation = request(Method::POST, &write, &[tus, ("upload-length", "7")], "");
    let (message, begun) = host.tell(creation).await;
    assert_eq!(named(&message), ("upload", id));
    let upload = begun.header("location").unwrap();
    let ask = request(Method::HEAD, upload, &[tus], Body::empty());
    assert_eq!(named(&host.tell(ask).await.0), ("upload", id));
    assert_eq!(
        named(&host.put(&write, &[], "content").await),
        ("upload", id)
    );

    let read = host.mint(OPERATION).await;
    assert_eq!(named(&host.get(&read, &[]).await), ("download", id));
    let refused = host.put(&read, &[], "content").await;
    assert_eq!(named(&refused), ("refusal", id));
}

#[tokio::test]
async fn a_url_for_one_download_has_an_id_without_being_given_one() {
    let once = async |_: MintRequest| Ok(Terms::new().single_use());
    let layer = PresignLayer::new(signer(), scan("image/png"), once).clock(|| at(NOW));
    let host = Host::with(layer);
    let message = host.get(OPERATION, &[]).await;
    assert_eq!(message.fields["url_id"].len(), 32, "{message:?}");
}
