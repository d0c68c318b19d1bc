//! Patience with a store. The clock is tokio's: where nothing else is to be done, it jumps.

use std::time::Duration;

use super::*;
use futures_util::future::LocalBoxFuture;
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use tokio::time::Instant;
use tower_presign::BinaryRepository as _;
use tower_presign::store::{Bucket, ObjectStoreRepository, Upload};

const PATIENCE: Duration = Duration::from_secs(10);
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

struct Slow {
    inner: Arc<ThrottledStore<InMemory>>,
    layer: PresignLayer,
    id: BinaryId,
}

impl Slow {
    /// A store that answers at once, and a Binary in it, with content of so many bytes.
    async fn new(length: usize) -> Self {
        let store = ThrottledStore::new(InMemory::new(), ThrottleConfig::default());
        let store = Arc::new(store);
        let repository = ObjectStoreRepository::new(Bucket::new(store.clone()));
        let id = BinaryId::random();
        let png = ContentType::new("image/png").unwrap();
        let key = repository.create(id, png.clone()).await.unwrap();
        let upload = Upload::new(png, stream::iter([Ok(bytes(length, 1))]));
        repository.write(&key, upload).await.unwrap();
        Self {
            inner: store,
            layer: layer(repository),
            id,
        }
    }

    fn waits(&self, to: ThrottleConfig) {
        self.inner.config_mut(|config| *config = to);
    }

    fn stalls(&self) {
        self.waits(ThrottleConfig {
            wait_put_per_call: FOREVER,
            wait_delete_per_call: FOREVER,
            wait_get_per_call: FOREVER,
            wait_list_per_call: FOREVER,
            ..ThrottleConfig::default()
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stalls_is_given_up_in_ten_seconds_by_every_request() {
    for length in [1000, LARGE] {
        let store = Slow::new(length).await;
        let (layer, id) = (&store.layer, store.id.as_str());
        let (read, write) = (&mint(layer, id).await, &mint_upload(layer, id).await);
        let operation = &format!("/Binary/{id}/$presigned-url");
        store.stalls();
        let range = [("range", "bytes=5-9")];
        let known = [("if-none-match", "\"1\"")];
        let waiting = [("expect", "100-continue")];
        let requests: [(&str, LocalBoxFuture<Answer>); 8] = [
            ("a mint", Box::pin(get(layer, operation))),
            ("GET", Box::pin(get(layer, read))),
            ("a range", Box::pin(get_with(layer, read, &range))),
            ("a condition", Box::pin(get_with(layer, read, &known))),
            ("a small PUT", Box::pin(put(layer, write, "content"))),
            ("a part", Box::pin(put(layer, write, bytes(5 << 20, 1)))),
            ("a large PUT", Box::pin(put(layer, write, bytes(LARGE, 1)))),
            (
                "a PUT that waits",
                Box::pin(put_with(layer, write, &waiting, "content")),
            ),
        ];
        for (what, request) in requests {
            let started = Instant::now();
            let answer = request.await;
            answer.assert_refused(503, "unavailable");
            let took = started.elapsed();
            assert!(took <= PATIENCE, "{what}: {took:?}");
        }
        let started = Instant::now();
        let head = head_with(layer, read, &[]).await;
        assert_eq!(head.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(started.elapsed() <= PATIENCE);
    }
}

#[tokio::test(start_paused = true)]
async fn content_that_stalls_is_given_up_in_ten_seconds() {
    for length in [1000, LARGE] {
        let store = Slow::new(length).await;
        let url = mint(&store.layer, store.id.as_str()).await;
        store.waits(ThrottleConfig {
            wait_get_per_byte: PATIENCE,
            ..ThrottleConfig::default()
        });
        let started = Instant::now();
        get(&store.layer, &url)
            .await
            .assert_refused(503, "unavailable");
        assert!(started.elapsed() <= PATIENCE + PATIENCE / 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_speaks_in_ten_seconds() {
    let store = Slow::new(10).await;
    store.stalls();
    let started = Instant::now();
    let opened = ObjectStoreRepository::open(Bucket::new(store.inner.clone())).await;
    assert!(
        matches!(opened, Err(RepositoryError::Unavailable(_))),
        "{opened:?}"
    );
    assert!(started.elapsed() <= PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn content_on_a_slow_link_is_waited_for_as_long_as_the_store_answers() {
    let store = Slow::new(10).await;
    store.waits(ThrottleConfig {
        wait_put_per_call: Duration::from_secs(50),
        ..ThrottleConfig::default()
    });
    let url = mint_upload(&store.layer, store.id.as_str()).await;
    let stored = put(&store.layer, &url, bytes(5 << 20, 1)).await;
    assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
}

#[tokio::test(start_paused = true)]
async fn content_that_does_not_arrive_is_given_up_though_the_store_answers() {
    let store = Slow::new(10).await;
    store.waits(ThrottleConfig {
        wait_put_per_call: FOREVER,
        ..ThrottleConfig::default()
    });
    let url = mint_upload(&store.layer, store.id.as_str()).await;
    let started = Instant::now();
    let answer = put(&store.layer, &url, bytes(5 << 20, 1)).await;
    answer.assert_refused(503, "unavailable");
    // 100 KiB a second.
    let limit = PATIENCE + Duration::from_secs(5 * 1024 / 100);
    assert!(started.elapsed() <= limit, "{:?}", started.elapsed());
}

/// A store that answers late, but answers.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_is_no_store_that_stalls() {
    let store = Slow::new(1000).await;
    let late = Duration::from_secs(4);
    store.waits(ThrottleConfig {
        wait_put_per_call: late,
        wait_get_per_call: late,
        wait_list_per_call: late,
        ..ThrottleConfig::default()
    });
    let (layer, id) = (&store.layer, store.id.as_str());
    let read = mint(layer, id).await;
    assert_eq!(get(layer, &read).await.body, bytes(1000, 1));
    let write = mint_upload(layer, id).await;
    let stored = put(layer, &write, bytes(LARGE, 2)).await;
    assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
}
