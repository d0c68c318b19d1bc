//! Whatever comes in whatever order, an upload is what a model of a few lines says.

use std::path::Path;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::Digest as _;

use super::*;

const LENGTH: usize = 40;

/// A client's next step.
#[derive(Debug, Clone)]
enum Act {
    /// Sends bytes that begin `ahead` of where the upload is, of which some come before the
    /// connection breaks.
    Send {
        ahead: i8,
        length: usize,
        is_cut: bool,
        digest: Option<bool>,
    },
    Ask,
    /// The server is started again.
    Restart,
}

fn any_act() -> impl Strategy<Value = Act> {
    let ahead = prop_oneof![5 => Just(0_i8), 1 => -3_i8..4];
    let send = (ahead, 0..LENGTH, any::<bool>(), any::<Option<bool>>()).prop_map(
        |(ahead, length, is_cut, digest)| Act::Send {
            ahead,
            length,
            is_cut,
            digest,
        },
    );
    prop_oneof![6 => send, 1 => Just(Act::Ask), 1 => Just(Act::Restart)]
}

fn content() -> Bytes {
    body::content(LENGTH, 7)
}

/// A body in three chunks, that may break off after the second.
fn part(bytes: &Bytes, is_cut: bool) -> (Body, usize) {
    let (first, second) = (bytes.len() / 3, 2 * bytes.len() / 3);
    let mut chunks = vec![Ok(bytes.slice(..first)), Ok(bytes.slice(first..second))];
    chunks.push(if is_cut {
        Err(std::io::Error::other("reset"))
    } else {
        Ok(bytes.slice(second..))
    });
    let arrives = if is_cut { second } else { bytes.len() };
    (Body::from_stream(stream::iter(chunks)), arrives)
}

async fn open(folder: &Path) -> PresignLayer {
    layer(open_folder(folder).await.fsync(false)).resumable_uploads(true)
}

async fn run(acts: Vec<Act>) {
    let folder = tempfile::tempdir().unwrap();
    let mut layer = open(folder.path()).await;
    let write = mint_upload(&layer, "scan").await;
    let url = begin_tus(&layer, &write, LENGTH).await;
    let (content, mut kept) = (content(), 0_usize);
    for act in acts {
        match act {
            Act::Send {
                ahead,
                length,
                is_cut,
                digest,
            } => {
                let Some(offset) = kept.checked_add_signed(ahead.into()) else {
                    continue;
                };
                let start = offset.min(LENGTH);
                let bytes = content.slice(start..LENGTH.min(start + length));
                let (body, arrives) = part(&bytes, is_cut);
                let at = offset.to_string();
                let mut headers = vec![TUS, TUS_PART, ("upload-offset", &*at)];
                let checksum = digest.map(|is_right| {
                    let of = if is_right { &bytes[..] } else { b"others" };
                    format!("sha256 {}", base64(&sha2::Sha256::digest(of)))
                });
                headers.extend(checksum.as_deref().map(|sum| ("upload-checksum", sum)));
                let answer = send(&layer, Method::PATCH, &url, &headers, body).await;
                let expected = if ahead != 0 {
                    409
                } else if is_cut {
                    400
                } else if kept == LENGTH {
                    204
                } else if digest == Some(false) {
                    460
                } else {
                    204
                };
                assert_eq!(answer.status, expected, "{act:?} at {kept}: {answer:?}");
                if ahead == 0 && digest.is_none_or(|is_right| is_right && !is_cut) {
                    kept += arrives;
                }
            }
            Act::Ask => {}
            Act::Restart => {
                drop(layer);
                layer = open(folder.path()).await;
            }
        }
        assert_eq!(offset(&layer, &url).await, kept.to_string(), "{act:?}");
        let read = get(&layer, &read_url()).await;
        let is_whole = kept == LENGTH;
        assert_eq!(read.status, if is_whole { 200 } else { 404 }, "{act:?}");
        assert!(!is_whole || read.body == content, "{act:?}");
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn an_upload_in_parts_is_what_the_model_says(acts in vec(any_act(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(acts));
    }
}
