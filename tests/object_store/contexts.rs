//! Whose the context of a URL is: the host's, whatever the repository keeps where.

use std::sync::{Arc, Mutex};

use super::engines::Engine;
use super::*;
use tower_presign::{AccessPolicy, Denial, MintRequest, RedeemRequest, Terms};

/// Refuses URLs without a context, as the crate's page shows, and mints with the one it is given.
#[derive(Clone, Default)]
struct Tenants {
    minted: Arc<Mutex<Option<&'static str>>>,
    redeemed: Arc<Mutex<Vec<Option<String>>>>,
}

impl AccessPolicy for Tenants {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(match *self.minted.lock().unwrap() {
            Some(context) => Terms::new().context(context),
            None => Terms::new(),
        })
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        let context = request.grant().key.context();
        let mut redeemed = self.redeemed.lock().unwrap();
        redeemed.push(context.map(str::to_owned));
        context.map(|_| ()).ok_or_else(Denial::forbidden)
    }
}

pub async fn a_context_is_the_hosts_alone(engine: Engine) {
    for length in [1000, LARGE] {
        let id = BinaryId::random();
        let png = ContentType::new("image/png").unwrap();
        engine.repository.create(id, png).await.unwrap();
        let tenants = Tenants::default();
        let layer = PresignLayer::new(signer(), engine.repository.clone(), tenants.clone());
        let layer = layer.clock(|| at(NOW));
        let id = id.to_string();

        *tenants.minted.lock().unwrap() = Some("tenant-7");
        let content = bytes(length, 1);
        let stored = put(&layer, &mint_upload(&layer, &id).await, content.clone()).await;
        assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
        let read = get(&layer, &mint(&layer, &id).await).await;
        assert!(read.body == content, "{length} bytes");
        let redeemed = std::mem::take(&mut *tenants.redeemed.lock().unwrap());
        assert_eq!(redeemed, vec![Some("tenant-7".to_owned()); 2]);

        *tenants.minted.lock().unwrap() = None;
        let url = mint(&layer, &id).await;
        assert!(!url.contains("Context="), "{url}");
        let refused = get(&layer, &url).await;
        refused.assert_refused(403, "forbidden");
    }
}
