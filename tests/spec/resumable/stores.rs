//! An upload in parts, in each of the repositories that keep them.

use std::path::Path;

use tower_presign::ContentType;
use tower_presign::store::{Composed, FsStore};

use super::*;
use crate::stores::table::{Failure, Table};

async fn in_folder(folder: &Path) -> (PresignLayer, String) {
    resumable(open_folder(folder).await).await
}

#[tokio::test]
async fn in_a_folder_it_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (layer, write) = in_folder(folder.path()).await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    assert_eq!(append_tus(&layer, &url, 0, &CONTENT[..9]).await.status, 204);
    drop(layer);

    let (layer, _) = in_folder(folder.path()).await;
    assert_eq!(offset(&layer, &url).await, "9");
    assert_eq!(append_tus(&layer, &url, 9, &CONTENT[9..]).await.status, 204);
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
    drop(layer);

    let (layer, _) = in_folder(folder.path()).await;
    assert_eq!(offset(&layer, &url).await, "17");
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn a_part_without_room_costs_no_room_for_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let repository = open_folder(folder.path()).await.staging_budget(5000);
    let (layer, write) = resumable(repository).await;
    let one = begin_tus(&layer, &write, 4000).await;
    assert_eq!(append_tus(&layer, &one, 0, vec![0; 2000]).await.status, 204);
    let other = begin_tus(&layer, &write, 4000).await;
    for _ in 0..2 {
        let part = append_tus(&layer, &one, 2000, vec![0; 900]).await;
        part.assert_refused(503, "unavailable");
    }
    let removed = send(&layer, http::Method::DELETE, &other, &[TUS], "").await;
    assert_eq!(removed.status, 204);
    let part = append_tus(&layer, &one, 2000, vec![0; 900]).await;
    assert_eq!(part.status, 204, "{part:?}");
}

#[tokio::test]
async fn in_a_composed_repository_its_bytes_become_content() {
    let folder = tempfile::tempdir().unwrap();
    let store = FsStore::open(folder.path()).await.unwrap();
    let table = Table::default();
    table.create(id("scan"), ContentType::new("image/png").unwrap());
    let (layer, write) = resumable(Composed::new(table, store)).await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    append_tus(&layer, &url, 0, &CONTENT[..9]).await;
    assert_eq!(append_tus(&layer, &url, 9, &CONTENT[9..]).await.status, 204);
    assert_eq!(offset(&layer, &url).await, "17");
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn a_database_that_fails_at_the_end_costs_no_byte() {
    for failure in [Failure::Before, Failure::After] {
        let folder = tempfile::tempdir().unwrap();
        let store = FsStore::open(folder.path()).await.unwrap();
        let table = Table::default();
        table.create(id("scan"), ContentType::new("image/png").unwrap());
        let (layer, write) = resumable(Composed::new(table.clone(), store)).await;
        let url = begin_draft(&layer, &write).await;
        table.fail(failure);
        let last = append_draft(&layer, &url, 0, LAST, CONTENT).await;
        assert!(last.status.is_server_error(), "{last:?}");
        let again = append_draft(&layer, &url, CONTENT.len(), LAST, "").await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
    }
}
