//! The moments of a policy after a URL was minted: an upload before anybody sees it, the one use of
//! a URL for one download, and the end of every use.

mod accept;
mod settled;
mod single_use;

use axum::body::Body;
use http::{Extensions, Method, Request};
use tower_presign::{
    AccessPolicy, Denial, MintRequest, Minted, PresignLayer, RedeemRequest, Terms,
};

use crate::support::*;

/// Lets those through whom a layer in front has found to be somebody.
struct Known;

#[derive(Clone)]
struct User;

fn known(extensions: &Extensions) -> Result<(), Denial> {
    let user = extensions.get::<User>();
    user.map(|_| ()).ok_or_else(Denial::forbidden)
}

impl AccessPolicy for Known {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn minted(&self, minted: Minted<'_>) -> Result<(), Denial> {
        known(minted.extensions())
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        known(request.extensions())
    }
}

#[tokio::test]
async fn findings_of_layers_in_front_are_known_when_a_url_is_handed_out_and_used() {
    let shelf = repository::Shelf::new(b"content");
    let layer = PresignLayer::new(signer(), shelf, Known).clock(|| at(NOW));
    let by = |user: Option<User>, url: &str| {
        let mut request: Request<Body> = request(Method::GET, url, &[], "");
        user.and_then(|user| request.extensions_mut().insert(user));
        request
    };
    let operation = "/fhir/R4/Binary/scan/$presigned-url";
    let url = call(&layer, by(Some(User), operation)).await.url();
    assert_eq!(call(&layer, by(Some(User), &url)).await.text(), "content");
    for url in [operation, &url] {
        let answer = call(&layer, by(None, url)).await;
        answer.assert_refused(403, "forbidden");
    }
}
