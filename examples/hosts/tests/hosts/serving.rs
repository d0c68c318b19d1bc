//! The answers that callers get, and the refusals.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RANGE};
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{ANNA, BEN, DOCTOR, Host, STRANGER, World, until};

/// The id that stands in a URL.
fn url_id(url: &str) -> &str {
    url.split('&').find_map(|parameter| parameter.strip_prefix("Id=")).unwrap()
}

#[tokio::test]
async fn a_binary_is_created_filled_and_read() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    create_fill_and_read(&world, &host).await;
}

#[tokio::test]
async fn one_setting_keeps_the_bytes_in_a_bucket() {
    let Some(world) = World::with_bucket().await else { return };
    let host = world.start().await;
    create_fill_and_read(&world, &host).await;
}

async fn create_fill_and_read(world: &World, host: &Host) {
    let binary = host.create(ANNA, ANNA).await;
    let write = host.mint(ANNA, &binary, "?upload=true").await.url();
    assert!(write.starts_with("http://storage.example.com/acme/storage/"));
    assert_eq!(host.put(&write, "image").await.status, StatusCode::OK);
    assert_eq!(world.files("acme").len(), 1);
    let read = host.mint(ANNA, &binary, "").await.url();
    host.get(&read).await.assert_content("image");
    host.put(&write, "other").await.assert_refused(412, "already-written");
    assert_eq!(world.files("acme").len(), 1, "what was refused leaves nothing");

    let second = host.mint(ANNA, &binary, "?upload=true").await.url();
    assert_eq!(host.put(&second, "second").await.status, StatusCode::OK);
    host.get(&read).await.assert_content("image");
    host.call(ANNA, Method::GET, &binary).await.assert_content("second");
    let first = host.call(ANNA, Method::GET, &format!("{binary}/_history/1")).await;
    first.assert_content("image");
    let third = host.call(ANNA, Method::GET, &format!("{binary}/_history/3")).await;
    third.assert_refused(404, "not-found");
}

#[tokio::test]
async fn rights_follow_the_patients_compartment() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let anna = host.store(ANNA, ANNA, "of anna").await;
    let ben = host.store(DOCTOR, BEN, "of ben").await;

    for (caller, binary, query, expected) in [
        (DOCTOR, &anna, "", None),
        (ANNA, &anna, "", None),
        (ANNA, &anna, "?upload=true", None),
        (BEN, &ben, "", None),
        (BEN, &ben, "?upload=true", Some((403, "forbidden"))),
        (ANNA, &ben, "", Some((404, "not-found"))),
        (STRANGER, &anna, "", Some((401, "login-required"))),
        ("nobody", &anna, "", Some((401, "login-required"))),
    ] {
        let minted = host.mint(caller, binary, query).await;
        let read = host.call(caller, Method::GET, binary).await;
        match expected {
            None => {
                assert_eq!(minted.status, StatusCode::OK, "{caller} {binary} {query}");
                assert_eq!(read.status, StatusCode::OK, "{caller} {binary}");
            }
            Some((status, code)) => {
                minted.assert_refused(status, code);
                if query.is_empty() {
                    read.assert_refused(status, code);
                }
            }
        }
    }
    // To a caller with a compartment, a missing Binary looks like another's.
    let missing = host.mint(ANNA, "/acme/fhir/Binary/missing", "").await;
    let others = host.mint(ANNA, &ben, "").await;
    assert_eq!(missing.body, others.body);
    host.call(ANNA, Method::DELETE, &ben).await.assert_refused(404, "not-found");
    host.call(BEN, Method::DELETE, &ben).await.assert_refused(403, "forbidden");
    let of_ben = json!({
        "resourceType": "Binary",
        "contentType": "image/png",
        "securityContext": { "reference": "Patient/ben" },
    });
    for caller in [ANNA, BEN, STRANGER, "nobody"] {
        host.post(caller, "/acme/fhir/Binary", &of_ben).await.assert_refused(403, "forbidden");
    }
    let incomplete = json!({ "resourceType": "Binary", "contentType": "image/png" });
    host.post(DOCTOR, "/acme/fhir/Binary", &incomplete).await.assert_refused(422, "rejected");
}

#[tokio::test]
async fn the_audit_trail_has_each_url_and_each_use() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.store(ANNA, ANNA, "image").await;
    let read = host.mint(BEN, &binary, "").await;
    read.assert_refused(404, "not-found");
    let read = host.mint(DOCTOR, &binary, "").await.url();
    host.get(&read).await.assert_content("image");
    let beyond = host.request(Method::GET, &read).header(RANGE, "bytes=100-");
    host.send(beyond, "").await.assert_refused(416, "range-not-satisfiable");

    let ended = "SELECT count(*) FROM url_use WHERE event <> 'begun'";
    until(async || world.database.count(ended).await == 3).await;
    let id = binary.rsplit('/').next().unwrap();
    let urls = "SELECT concat_ws(' ', tenant, caller, \"binary\", version, access)
        FROM url ORDER BY minted";
    let expected = [format!("acme anna {id} 1 Write"), format!("acme doctor {id} 1 Read")];
    assert_eq!(world.database.texts(urls).await, expected);
    let uses = "SELECT concat_ws(' ', caller, event, bytes) FROM url_use JOIN url ON url = id
        WHERE seconds BETWEEN 0 AND 60 OR event = 'begun' ORDER BY caller, event";
    let expected = [
        "anna begun",
        "anna ok 5",
        "doctor begun",
        "doctor begun",
        "doctor ok 5",
        "doctor range-not-satisfiable 0",
    ];
    assert_eq!(world.database.texts(uses).await, expected);
}

#[tokio::test]
async fn without_its_row_in_the_audit_trail_nobody_gets_a_url() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.store(DOCTOR, ANNA, "image").await;
    world.database.execute("ALTER TABLE url RENAME COLUMN caller TO away").await;
    let minted = host.mint(DOCTOR, &binary, "").await;
    minted.assert_refused(503, "unavailable");
    assert!(!minted.json().to_string().contains("caller"), "no client learns why");
    world.database.execute("ALTER TABLE url RENAME COLUMN away TO caller").await;
    assert_eq!(host.mint(DOCTOR, &binary, "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_its_row_in_the_audit_trail_no_use_takes_place() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.store(DOCTOR, ANNA, "image").await;
    let read = host.mint(DOCTOR, &binary, "").await.url();
    let write = host.mint(DOCTOR, &binary, "?upload=true").await.url();
    world.database.execute("ALTER TABLE url_use RENAME TO away").await;
    host.get(&read).await.assert_refused(503, "unavailable");
    host.put(&write, "more").await.assert_refused(503, "unavailable");
    assert_eq!(world.files("acme").len(), 1, "nothing was stored");
    world.database.execute("ALTER TABLE away RENAME TO url_use").await;
    host.get(&read).await.assert_content("image");
    assert_eq!(host.put(&write, "more").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_url_is_taken_back_by_the_caller_who_got_it() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.store(DOCTOR, ANNA, "image").await;
    let url = host.mint(DOCTOR, &binary, "").await.url();
    let other = host.mint(DOCTOR, &binary, "").await.url();
    let path = format!("/acme/urls/{}", url_id(&url));
    for caller in [ANNA, STRANGER, "nobody"] {
        host.call(caller, Method::DELETE, &path).await.assert_refused(404, "not-found");
    }
    host.get(&url).await.assert_content("image");
    for _ in 0..2 {
        let revoked = host.call(DOCTOR, Method::DELETE, &path).await;
        assert_eq!(revoked.status, StatusCode::NO_CONTENT);
        host.get(&url).await.assert_refused(403, "forbidden");
    }
    host.get(&other).await.assert_content("image");
}

#[tokio::test]
async fn a_link_for_one_download_works_once() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.store(DOCTOR, ANNA, "image").await;
    let url = host.mint(DOCTOR, &binary, "?once=true").await.url();
    assert_eq!(host.send(host.request(Method::HEAD, &url), "").await.status, StatusCode::OK);
    let unused = "SELECT count(*) FROM url WHERE used IS NULL AND access = 'Read'";
    until(async || world.database.count(unused).await == 1).await;
    let beyond = host.request(Method::GET, &url).header(RANGE, "bytes=100-");
    host.send(beyond, "").await.assert_refused(416, "range-not-satisfiable");
    until(async || world.database.count(unused).await == 1).await;
    host.get(&url).await.assert_content("image");
    host.get(&url).await.assert_refused(410, "used");
    let again = host.mint(DOCTOR, &binary, "?once=true").await.url();
    host.get(&again).await.assert_content("image");
}

#[tokio::test]
async fn each_tenant_has_a_place_and_urls_of_its_own() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.store(DOCTOR, ANNA, "image").await;
    assert_eq!((world.files("acme").len(), world.files("globex").len()), (1, 0));
    let url = host.mint(DOCTOR, &binary, "").await.url();
    let moved = url.replace("/acme/", "/globex/");
    host.get(&moved).await.assert_refused(403, "invalid-signature");
    let moved = binary.replace("/acme/", "/globex/");
    host.call(STRANGER, Method::GET, &moved).await.assert_refused(404, "not-found");
    host.call(DOCTOR, Method::GET, &moved).await.assert_refused(401, "login-required");
    let revoked = format!("/globex/urls/{}", url_id(&url));
    host.call(STRANGER, Method::DELETE, &revoked).await.assert_refused(404, "not-found");
    host.get(&url).await.assert_content("image");
}

#[tokio::test]
async fn a_deleted_binary_is_gone_at_once_and_its_bytes_soon() {
    for world in [World::new().await, World::with_bucket().await] {
        let Some(world) = world else { return };
        let host = world.start().await;
        let binary = host.store(DOCTOR, ANNA, "image").await;
        let kept = host.store(DOCTOR, ANNA, "kept").await;
        let read = host.mint(DOCTOR, &binary, "").await.url();
        let write = host.mint(DOCTOR, &binary, "?upload=true").await.url();
        let deleted = host.call(DOCTOR, Method::DELETE, &binary).await;
        assert_eq!(deleted.status, StatusCode::NO_CONTENT);
        host.get(&read).await.assert_refused(410, "deleted");
        host.put(&write, "late").await.assert_refused(410, "deleted");
        host.mint(DOCTOR, &binary, "").await.assert_refused(410, "deleted");
        until(async || world.files("acme").len() == 1).await;
        host.call(DOCTOR, Method::GET, &kept).await.assert_content("kept");
    }
}

#[tokio::test]
async fn the_history_has_each_version() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.store(DOCTOR, ANNA, "first").await;
    let write = host.mint(DOCTOR, &binary, "?upload=true").await.url();
    host.put(&write, "second").await;
    let history = host.call(DOCTOR, Method::GET, &format!("{binary}/_history")).await.json();
    assert_eq!((&history["resourceType"], &history["type"]), (&json!("Bundle"), &json!("history")));
    let entries = history["entry"].as_array().unwrap();
    let paths: Vec<_> = entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
    let id = binary.rsplit('/').next().unwrap();
    assert_eq!(paths, [format!("Binary/{id}/_history/2"), format!("Binary/{id}/_history/1")]);
    let written = entries[0]["response"]["lastModified"].as_str().unwrap();
    assert!(written.ends_with('Z') && written.len() == 20, "{written} is no instant");
}

#[tokio::test]
async fn a_batch_is_answered_entry_by_entry() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let anna = host.store(DOCTOR, ANNA, "of anna").await;
    let ben = host.store(DOCTOR, BEN, "of ben").await;
    let entry = |binary: &str, rest: &str| {
        let binary = binary.strip_prefix("/acme/fhir/").unwrap();
        json!({ "request": { "method": "GET", "url": format!("{binary}/{rest}") } })
    };
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            entry(&anna, "$presigned-url"),
            entry(&anna, "$presigned-url?upload=true"),
            entry(&ben, "$presigned-url"),
            entry(&anna, "$presigned-url?once=true"),
            entry(&anna, "$other"),
        ],
    });
    let answer = host.post(ANNA, "/acme/fhir", &bundle).await.json();
    assert_eq!(answer["type"], "batch-response");
    let url = |n: usize| {
        let resource = &answer["entry"][n]["resource"];
        assert_eq!(resource["resourceType"], "Parameters", "{answer}");
        resource["parameter"][0]["valueUri"].as_str().unwrap()
    };
    host.get(url(0)).await.assert_content("of anna");
    assert_eq!(host.put(url(1), "more").await.status, StatusCode::OK);
    host.get(url(3)).await.assert_content("of anna");
    host.get(url(3)).await.assert_refused(410, "used");
    for n in [2, 4] {
        assert_eq!(answer["entry"][n]["response"]["status"], "404 Not Found");
    }
    let outcome = &answer["entry"][2]["response"]["outcome"];
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let urls = "SELECT count(*) FROM url WHERE caller = 'anna'";
    assert_eq!(world.database.count(urls).await, 3, "each is in the audit trail");
}

#[tokio::test]
async fn a_route_of_the_hosts_own_serves_ranges_and_conditions_as_a_url_does() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.store(DOCTOR, ANNA, "an image").await;
    let request =
        |method| host.request(method, &binary).header(AUTHORIZATION, format!("Bearer {DOCTOR}"));
    let part = host.send(request(Method::GET).header(RANGE, "bytes=3-7"), "").await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"image"[..]));
    assert_eq!(part.headers["content-range"], "bytes 3-7/8");
    assert_eq!(part.headers["x-content-type-options"], "nosniff");
    let etag = part.headers["etag"].clone();
    let same = host.send(request(Method::GET).header("if-none-match", etag), "").await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    let beyond = host.send(request(Method::GET).header(RANGE, "bytes=100-"), "").await;
    beyond.assert_refused(416, "range-not-satisfiable");
    let head = host.send(request(Method::HEAD), "").await;
    assert_eq!((&head.headers["content-length"], head.body.len()), (&"8".parse().unwrap(), 0));
}

#[tokio::test]
async fn content_is_created_in_one_request_too() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let post = || {
        let request = host.request(Method::POST, "/acme/fhir/Binary");
        let request = request.header(AUTHORIZATION, format!("Bearer {ANNA}"));
        request.header(CONTENT_TYPE, "image/png").header("x-security-context", "Patient/anna")
    };
    let created = host.send(post(), "image").await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let binary = format!("/acme/fhir/Binary/{}", created.json()["id"].as_str().unwrap());
    host.call(ANNA, Method::GET, &binary).await.assert_content("image");
    host.send(post(), "").await.assert_refused(400, "empty-body");
    let wrong = format!("sha-256=:{}=:", "A".repeat(43));
    let damaged = host.send(post().header("content-digest", wrong), "image").await;
    damaged.assert_refused(400, "digest-mismatch");
    let visible = "SELECT count(*) FROM \"binary\" WHERE deleted IS NULL";
    assert_eq!(world.database.count(visible).await, 1, "what was refused leaves no Binary");
    assert_eq!(world.files("acme").len(), 1);
}
