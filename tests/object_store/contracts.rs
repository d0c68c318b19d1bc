//! The contract, kept on every engine.

use super::engines::{Engine, S3Server};
use super::*;
use tokio::sync::OnceCell;
use tower_presign::store::{BucketStore, ObjectStoreRepository, contract};

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
