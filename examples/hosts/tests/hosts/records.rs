//! The records are a catalog: they keep every promise of one.

use tower_presign::BinaryId;
use tower_presign::store::contract;
use tower_presign_hosts::Host;

use crate::support::World;
use crate::support::postgres::Postgres;

contract::catalog_tests! {
    #[tokio::test]
    #[cfg_attr(not(postgresql), ignore = "Debian's postgresql is not installed")]
    make = make,
    delete = async |host: &Host, id| host.delete(id).await.unwrap()
}

async fn make() -> (Host, BinaryId) {
    let world = World::on(Postgres::shared().unwrap()).await;
    let id = BinaryId::random();
    sqlx::query("INSERT INTO \"binary\" VALUES ('acme', $1, 'anna', 'text/plain; charset=utf-8')")
        .bind(id.to_string())
        .execute(&world.database.pool)
        .await
        .unwrap();
    (world.records("acme"), id)
}
