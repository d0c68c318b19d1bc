//! The contract, kept on every engine.

use super::engines::{Engine, S3Server};
use super::*;
use crate::table::Table;
use tokio::sync::OnceCell;
use tower_presign::store::{BucketStore, Composed, ObjectStoreRepository, contract};

type Made = (ObjectStoreRepository, BinaryId);

async fn with_binary(repository: ObjectStoreRepository) -> Made {
    let id = BinaryId::random();
    let content_type = ContentType::new("text/plain; charset=utf-8").unwrap();
    repository.create(id, content_type).await.unwrap();
    (repository, id)
}

async fn delete(repository: &ObjectStoreRepository, id: BinaryId) {
    repository.delete(id).await.unwrap();
}

mod memory {
    use super::*;

    contract::repository_tests! {
        #[tokio::test]
        make = async || with_binary(Engine::memory().await.unwrap().repository).await,
        delete = delete
    }
}

mod memory_store {
    use super::*;

    contract::content_store_tests! {
        #[tokio::test]
        make = async || BucketStore::new(Engine::memory().await.unwrap().bucket)
    }
}

mod s3 {
    use super::*;

    contract::repository_tests! {
        #[tokio::test]
        make = on_a_server(), delete = delete
    }

    fn on_a_server() -> impl AsyncFn() -> Made {
        let server = OnceCell::new();
        async move || {
            let server = server.get_or_init(S3Server::start).await;
            with_binary(ObjectStoreRepository::new(server.bucket())).await
        }
    }
}

mod s3_store {
    use super::*;

    contract::content_store_tests! {
        #[tokio::test]
        make = on_a_server()
    }

    fn on_a_server() -> impl AsyncFn() -> BucketStore {
        let server = OnceCell::new();
        async move || BucketStore::new(server.get_or_init(S3Server::start).await.bucket())
    }
}

mod memory_resumable {
    use super::*;

    contract::resumable_tests! {
        #[tokio::test]
        make = async || with_binary(Engine::memory().await.unwrap().repository).await
    }
}

/// Of one table and one store, which another process would find.
mod memory_store_resumable {
    use super::*;

    contract::resumable_tests! {
        #[tokio::test]
        make = async || composed(BucketStore::new(Engine::memory().await.unwrap().bucket)),
        reopen = async |repository: Composed<Table, BucketStore>| {
            let (table, store) = (repository.catalog().clone(), repository.store().clone());
            Composed::new(table, store)
        }
    }
}

mod s3_resumable {
    use super::*;

    contract::resumable_tests! {
        #[tokio::test]
        make = on_a_server()
    }

    fn on_a_server() -> impl AsyncFn() -> Made {
        let server = OnceCell::new();
        async move || {
            let server = server.get_or_init(S3Server::start).await;
            with_binary(ObjectStoreRepository::new(server.bucket())).await
        }
    }
}

mod s3_store_resumable {
    use super::*;

    contract::resumable_tests! {
        #[tokio::test]
        make = on_a_server()
    }

    fn on_a_server() -> impl AsyncFn() -> (Composed<Table, BucketStore>, BinaryId) {
        let server = OnceCell::new();
        async move || {
            composed(BucketStore::new(
                server.get_or_init(S3Server::start).await.bucket(),
            ))
        }
    }
}

fn composed(store: BucketStore) -> (Composed<Table, BucketStore>, BinaryId) {
    let (table, id) = (Table::default(), BinaryId::random());
    table.create(id, ContentType::new("text/plain; charset=utf-8").unwrap());
    (Composed::new(table, store), id)
}

/// There, they need not run.
pub async fn the_contract_is_kept(engine: Engine) {
    if !engine.is_write_once {
        eprintln!("skipped: of racing uploads, this store lets each win");
        return;
    }
    contract::check(|| async { with_binary(engine.repository.clone()).await }).await;
}

mod elsewhere {
    on_engines_elsewhere! { the_contract_is_kept }
}
