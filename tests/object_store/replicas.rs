//! Two servers that have a bucket, a base URL and keys in common, and know nothing of each other.

use super::engines::S3Server;
use super::replica::Replica;
use super::*;

const OLD: &str = "old:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NEW: &str = "new:ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

#[tokio::test]
async fn each_serves_the_urls_of_the_other() {
    let store = S3Server::start().await;
    let (one, other) = tokio::join!(Replica::start(&store, OLD), Replica::start(&store, OLD));
    for (length, (here, there)) in [(1000, (&one, &other)), (LARGE, (&other, &one))] {
        let id = here.create().await;
        let url = here.mint(&id, "?upload=true").await;
        assert_eq!(there.put(&url, bytes(length, 1)).await, StatusCode::OK);
        let (status, content) = here.get(&there.mint(&id, "").await).await;
        assert_eq!(status, StatusCode::OK);
        assert!(content == bytes(length, 1));
    }
}

#[tokio::test]
async fn one_write_url_used_at_both_at_once_has_one_winner() {
    let store = S3Server::start().await;
    let (one, other) = tokio::join!(Replica::start(&store, OLD), Replica::start(&store, OLD));
    for length in [1000, 100_000, LARGE, 1000, LARGE] {
        let id = one.create().await;
        let url = one.mint(&id, "?upload=true").await;
        let (first, second) = tokio::join!(
            one.put(&url, bytes(length, 1)),
            other.put(&url, bytes(length, 2))
        );
        let seed = match (first.as_u16(), second.as_u16()) {
            (200, 412) => 1,
            (412, 200) => 2,
            answers => panic!("not exactly one winner: {answers:?}"),
        };
        for server in [&one, &other] {
            let (_, content) = server.get(&server.mint(&id, "").await).await;
            assert!(content == bytes(length, seed));
        }
    }
}

#[tokio::test]
async fn keys_are_rotated_without_a_refused_request() {
    let store = S3Server::start().await;
    let mut servers = [
        Replica::start(&store, OLD).await,
        Replica::start(&store, OLD).await,
    ];
    let id = servers[0].create().await;
    let url = servers[0].mint(&id, "?upload=true").await;
    assert_eq!(servers[1].put(&url, "content").await, StatusCode::OK);
    let mut first = None;

    // First all must know the new key, then all sign with it, then the old one goes.
    for keys in [
        format!("{OLD},{NEW}"),
        format!("{NEW},{OLD}"),
        NEW.to_owned(),
    ] {
        for i in 0..2 {
            servers[i] = Replica::start(&store, &keys).await;
            for (here, there) in [(0, 1), (1, 0)] {
                let url = servers[here].mint(&id, "").await;
                let (status, content) = servers[there].get(&url).await;
                assert_eq!(
                    (status, &*content),
                    (StatusCode::OK, &b"content"[..]),
                    "{url}"
                );
                first.get_or_insert(url);
            }
        }
    }
    let old = servers[0].get(&first.unwrap()).await;
    assert_eq!(old.0, StatusCode::FORBIDDEN, "the old key has gone");
}

/// The memory of eight uploads at once, whatever their length: `PRESIGN_UPLOAD_MIB` sets that.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_uploads() {
    const MIB: u64 = 1024 * 1024;
    let length = std::env::var("PRESIGN_UPLOAD_MIB").map_or(40, |mib| mib.parse().unwrap());
    let store = S3Server::start().await;
    let server = Replica::start(&store, OLD).await;
    let uploads = (0..8).map(|_| async {
        let url = server.mint(&server.create().await, "?upload=true").await;
        let mebibyte = bytes(1024 * 1024, 1);
        let chunks = stream::iter((0..length).map(move |_| Ok::<_, io::Error>(mebibyte.clone())));
        assert_eq!(
            server.put(&url, Body::from_stream(chunks)).await,
            StatusCode::OK
        );
    });
    join_all(uploads).await;
    let peak = server.peak_memory();
    println!(
        "8 uploads of {length} MiB at once: {} MiB at most",
        peak / MIB
    );
    // Of each upload a part of 5 MiB, and 16 on their way to the store.
    let bound = (8 + 16) * 5 + 80;
    assert!(peak < bound * MIB, "{} MiB", peak / MIB);
}
