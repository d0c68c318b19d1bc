//! For whom members become URLs, and how the policy is asked.

use tokio::sync::Semaphore;

use super::*;

#[tokio::test]
async fn an_attachment_denied_or_missing_keeps_its_reference() {
    let resource = |url: &str| {
        json!({ "resourceType": "Patient", "photo": [
            { "url": "Binary/secret-1" }, { "url": url }, { "url": "Binary/missing-1" },
        ] })
        .to_string()
    };
    assert_eq!(
        sent(resource("Binary/face")).await,
        resource(&url_of("face", 7))
    );
}

#[tokio::test]
async fn the_policy_sees_the_caller_and_the_version() {
    let seen: &'static Mutex<Vec<(String, Option<VersionId>)>> = Box::leak(Box::default());
    let policy = move |request: MintRequest| {
        let caller = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        seen.lock()
            .unwrap()
            .push((caller, request.target().version()));
        ready(Ok(Terms::new()))
    };
    let layer = PresignLayer::new(signer(), Cabinet::default(), policy);
    let request = Request::get("/fhir/Patient/1").header("authorization", "Bearer nurse");
    let request = request.body(Body::empty()).unwrap();
    let json = patient("Binary/face/_history/3").to_string();
    exchange(&layer.attachments(), request, fhir(json)).await;
    let expected = ("Bearer nurse".to_owned(), Some(VersionId::from(3)));
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn the_policy_is_asked_once_for_each_binary() {
    let policy = NoSecrets::default();
    let repository = Cabinet::default();
    let layer = PresignLayer::new(signer(), repository.clone(), policy.clone());
    let photos: Vec<_> = (0..300)
        .map(|number| json!({ "url": format!("Binary/face-{}", number % 3) }))
        .collect();
    let json = json!({ "resourceType": "Patient", "photo": photos }).to_string();
    let sent = answer(&layer, fhir(json)).await;
    assert_eq!((policy.asked(), repository.asked()), (3, 3));
    let photos = sent.json()["photo"].clone();
    assert_eq!(photos[0], photos[297]);
    assert!(photos[299]["url"].as_str().unwrap().starts_with(BASE));
}

/// A repository that knows a version by its name alone is not asked for it.
#[tokio::test]
async fn a_version_that_is_named_needs_no_look_at_the_records() {
    let repository = Cabinet {
        is_open: true,
        ..Cabinet::default()
    };
    let policy = NoSecrets::default();
    let layer = PresignLayer::new(signer(), repository.clone(), policy.clone()).clock(|| at(NOW));
    let json = patient("Binary/face/_history/3").to_string();
    let sent = answer(&layer, fhir(json)).await;
    assert_eq!(sent.json(), patient(&url_of("face", 3)));
    assert_eq!((policy.asked(), repository.asked()), (1, 0));

    let json = patient("Binary/face").to_string();
    answer(&layer, fhir(json)).await;
    assert_eq!((policy.asked(), repository.asked()), (2, 1));
}

#[tokio::test]
async fn the_policy_is_asked_for_sixteen_at_once() {
    struct Slow {
        running: AtomicUsize,
        most: AtomicUsize,
        all_there: Semaphore,
    }
    impl AccessPolicy for Slow {
        async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
            let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(running, Ordering::Relaxed);
            // None goes on before sixteen are there.
            if running == 16 {
                self.all_there.add_permits(1000);
            }
            self.all_there.acquire().await.unwrap().forget();
            self.running.fetch_sub(1, Ordering::Relaxed);
            Ok(Terms::new())
        }
    }
    let policy = Arc::new(Slow {
        running: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        all_there: Semaphore::new(0),
    });
    let layer = PresignLayer::new(signer(), Cabinet::default(), Arc::clone(&policy));
    let photos: Vec<_> = (0..100)
        .map(|number| json!({ "url": format!("Binary/face-{number}") }))
        .collect();
    let json = json!({ "resourceType": "Patient", "photo": photos }).to_string();
    let sent = soon(answer(&layer, fhir(json))).await;
    assert_eq!(policy.most.load(Ordering::Relaxed), 16);
    let photos = sent.json()["photo"].as_array().unwrap().clone();
    assert!(
        photos
            .iter()
            .all(|photo| photo["url"].as_str().unwrap().starts_with(BASE))
    );
}

#[tokio::test]
async fn beyond_the_limit_references_stay() {
    let layer = cabinet();
    let photos: Vec<_> = (0..5)
        .map(|number| json!({ "url": format!("Binary/face-{number}") }))
        .collect();
    let json = json!({ "resourceType": "Patient", "photo": photos }).to_string();
    let attachments = layer.attachments().max_urls(2);
    let sent = exchange(&attachments, read("/fhir/Patient/1"), fhir(json)).await;
    let is_url = |photo: &Value| photo["url"].as_str().unwrap().starts_with(BASE);
    let photos = sent.json()["photo"].as_array().unwrap().clone();
    let urls: Vec<_> = photos.iter().map(is_url).collect();
    assert_eq!(urls, [true, true, false, false, false]);
}
