//! salvo. A `hoop` of a router runs where one of its routes matches, and one of the service always.

use std::io;

use http::Response;
use http_body_util::BodyExt as _;
use salvo_core::conn::tcp::TcpAcceptor;
use salvo_core::http::{ReqBody, ResBody};
use salvo_core::{Router, Server, Service, handler};
use salvo_extra::tower_compat::TowerLayerCompat as _;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_presign::{PresignLayer, ResponseBody};

pub async fn serve(listener: TcpListener, layer: PresignLayer) -> io::Result<()> {
    let layer = ServiceBuilder::new()
        .map_response(|response: Response<ResponseBody<ResBody>>| response.map(body))
        .layer(layer);
    let routes = Router::with_path("fhir/R4/Patient/{id}").get(patient);
    let service = Service::new(routes).hoop(layer.compat::<ReqBody>());
    Server::new(TcpAcceptor::try_from(listener)?)
        .try_serve(service)
        .await
}

#[handler]
async fn patient() -> &'static str {
    "a patient"
}

/// salvo's bodies are `Sync`, and fail with an error of one type.
fn body(body: ResponseBody<ResBody>) -> ResBody {
    ResBody::stream(body.into_data_stream())
}
