//! poem. Its adapter takes services, so the layer gets a service of its own, which stands where no
//! other route is.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty};
use poem::endpoint::TowerCompatExt as _;
use poem::listener::TcpAcceptor;
use poem::{Body, Route, Server, get, handler};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_presign::{PresignLayer, ResponseBody};

pub async fn serve(listener: TcpListener, layer: PresignLayer) -> io::Result<()> {
    let presigned = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(body))
        .layer(layer)
        .service(service_fn(async |_: Request<_>| {
            Ok::<_, Infallible>(not_found())
        }));
    let routes = Route::new()
        .at("/fhir/R4/Patient/:id", get(patient))
        .nest_no_strip("/", presigned.compat());
    let acceptor = TcpAcceptor::from_tokio(listener)?;
    Server::new_with_acceptor(acceptor).run(routes).await
}

#[handler]
fn patient() -> &'static str {
    "a patient"
}

fn not_found() -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// poem's bodies are `Sync`, and fail with an `io::Error`.
fn body(body: ResponseBody<Empty<Bytes>>) -> BoxBody<Bytes, io::Error> {
    Body::from_bytes_stream(body.map_err(io::Error::other).into_data_stream()).into()
}
