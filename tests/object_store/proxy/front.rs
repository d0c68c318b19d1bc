//! A front of a server that counts what it is asked, and gives wrong answers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use futures_util::{FutureExt as _, stream};
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, RANGE,
    RETRY_AFTER,
};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::{Barrier, Mutex};

/// The ways of a server in trouble with requests.
#[derive(Clone, Copy, Default)]
pub enum Trouble {
    #[default]
    None,
    /// Answers with this status.
    Status(StatusCode),
    /// Puts the next object that must not be there, and then answers that this has failed.
    LoseAnswer,
    /// Puts the parts of the next large object together, and then answers that this has failed.
    LoseCompletion,
    /// Says that it has put an object on a condition, whatever has become of it.
    ClaimsSuccess,
    /// Answers with this status, and this code of S3.
    Code(u16, &'static str),
    /// Answers so to the next put of an object that must not be there.
    NextConditional(u16, &'static str),
    /// Answers so to each put of an object that must not be there.
    Conditional(u16, &'static str),
    /// Answers to three parts of an upload at once, when it has them.
    WithThreeParts,
    /// Sends the first half of what was asked for, as if it were all.
    Half,
    /// Changes the first byte.
    Flip,
    /// A login page, as of a proxy.
    LoginPage,
    /// Asks to be left alone for so many seconds.
    RetryAfter(&'static str),
    /// Sends clients on to this port.
    Redirect(u16),
    /// Has a clock that is so many minutes ahead, and judges signatures by it.
    Clock(i64),
    /// Refuses this operation.
    Forbid(&'static str),
    /// Refuses this access key.
    Revoked(&'static str),
    /// Breaks off in the middle of each answer that is longer than this.
    Cut(usize),
}

/// Stands between the server and its clients, and understands their requests.
pub struct Front {
    trouble: std::sync::Mutex<Trouble>,
    requests: std::sync::Mutex<Vec<String>>,
    longest_list: AtomicU64,
    three: Barrier,
    conditional: Mutex<()>,
}

/// The operation of S3 that a request is.
fn operation(request: &Request) -> &'static str {
    let query = request.uri().query().unwrap_or_default();
    match request.method().as_str() {
        "GET" if query.contains("list-type=2") => "LIST",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "PUT" if query.contains("partNumber=") => "PART",
        "PUT" => "PUT",
        "POST" if query.contains("uploadId=") => "COMPLETE",
        "POST" if query.contains("uploads") => "CREATE",
        "DELETE" if query.contains("uploadId=") => "ABORT",
        "POST" | "DELETE" => "DELETE",
        _ => "OTHER",
    }
}

impl Front {
    pub fn before(server: Router) -> (Arc<Self>, Router) {
        let front = Arc::new(Self {
            trouble: std::sync::Mutex::default(),
            requests: std::sync::Mutex::default(),
            longest_list: AtomicU64::default(),
            three: Barrier::new(3),
            conditional: Mutex::default(),
        });
        let router = server.layer(from_fn_with_state(Arc::clone(&front), pass));
        (front, router)
    }

    pub fn trouble(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    /// The requests since the last call, in order.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    /// The length of the longest answer to a LIST, in bytes.
    pub fn longest_list(&self) -> u64 {
        self.longest_list.load(Ordering::Relaxed)
    }
}

async fn pass(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let operation = operation(&request);
    front.requests.lock().unwrap().push(operation.to_owned());
    let response = answer(&front, request, next).await;
    if operation == "LIST" {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let length = body.len() as u64;
        front.longest_list.fetch_max(length, Ordering::Relaxed);
        return Response::from_parts(parts, body.into());
    }
    response
}

async fn answer(front: &Front, request: Request, next: Next) -> Response {
    let is_conditional = request.headers().contains_key(IF_NONE_MATCH);
    let is_replacing = request.method() == Method::PUT && request.headers().contains_key(IF_MATCH);
    let is_completion = request.method() == Method::POST
        && request
            .uri()
            .query()
            .is_some_and(|query| query.contains("uploadId="));
    let is_part = operation(&request) == "PART";
    // S3 looks whether there is an object and puts one in a single step; this server takes two.
    let _guard = if is_conditional || is_replacing {
        Some(front.conditional.lock().await)
    } else {
        None
    };
    let trouble = *front.trouble.lock().unwrap();
    match trouble {
        Trouble::Status(status) => status.into_response(),
        Trouble::LoseAnswer if !is_conditional => next.run(request).await,
        Trouble::LoseCompletion if !is_completion => next.run(request).await,
        Trouble::LoseAnswer | Trouble::LoseCompletion => {
            *front.trouble.lock().unwrap() = Trouble::None;
            drop(next.run(request).await);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Trouble::Code(status, code) => error(status, code),
        Trouble::NextConditional(status, code) if is_conditional => {
            *front.trouble.lock().unwrap() = Trouble::None;
            error(status, code)
        }
        Trouble::Conditional(status, code) if is_conditional => error(status, code),
        Trouble::WithThreeParts if is_part => {
            front.three.wait().await;
            next.run(request).await
        }
        Trouble::RetryAfter(seconds) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)]).into_response()
        }
        Trouble::Redirect(port) => {
            let elsewhere = format!("http://127.0.0.1:{port}/");
            (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, elsewhere)]).into_response()
        }
        Trouble::Clock(minutes) => match judge(&request, minutes * 60) {
            Ok(()) => next.run(request).await,
            Err(code) => error(403, code),
        },
        Trouble::Revoked(key) if is_signed_by(&request, key) => error(403, "InvalidAccessKeyId"),
        Trouble::Forbid(forbidden) if operation(&request) == forbidden => {
            error(403, "AccessDenied")
        }
        Trouble::None
        | Trouble::Revoked(_)
        | Trouble::Forbid(_)
        | Trouble::NextConditional(..)
        | Trouble::Conditional(..)
        | Trouble::WithThreeParts => {
            let range = request.headers().get(RANGE);
            if range.is_some_and(|range| range.as_bytes().starts_with(b"bytes=-")) {
                return from_the_end(next.run(request)).await;
            }
            next.run(request).await
        }
        Trouble::Half | Trouble::Flip | Trouble::LoginPage | Trouble::Cut(_)
            if request.method() != Method::GET =>
        {
            next.run(request).await
        }
        Trouble::Half | Trouble::Flip | Trouble::LoginPage | Trouble::Cut(_) => {
            spoil(trouble, next.run(request).await).await
        }
        Trouble::ClaimsSuccess => {
            let mut response = next.run(request).await;
            if is_conditional || is_replacing {
                *response.status_mut() = StatusCode::OK;
                response
                    .headers_mut()
                    .insert(ETAG, HeaderValue::from_static("\"any\""));
            }
            response
        }
    }
}

/// This server panics or fails where it has fewer bytes than are asked for.
async fn from_the_end(answering: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(answering).catch_unwind().await {
        Ok(response) if !response.status().is_server_error() => response,
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

fn error(status: u16, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(CONTENT_TYPE, "application/xml")], body).into_response()
}

async fn spoil(trouble: Trouble, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let mut body = body.collect().await.unwrap().to_bytes().to_vec();
    match trouble {
        Trouble::Half => body.truncate(body.len() / 2),
        Trouble::Flip => body[0] ^= 1,
        Trouble::LoginPage => return ([(CONTENT_TYPE, "text/html")], "Log in").into_response(),
        Trouble::Cut(length) if body.len() > length => {
            body.truncate(length);
            let cut = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            let chunks = stream::iter([Ok(body), cut]);
            return Response::from_parts(parts, Body::from_stream(chunks));
        }
        _ => {}
    }
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    Response::from_parts(parts, body.into())
}

fn is_signed_by(request: &Request, access_key: &str) -> bool {
    let credential = format!("Credential={access_key}/");
    let header = request.headers().get(AUTHORIZATION);
    header.is_some_and(|header| header.to_str().unwrap().contains(&credential))
}

/// The rules of S3: a request may be signed fifteen minutes off, and a URL lives as long as it says.
fn judge(request: &Request, ahead: i64) -> Result<(), &'static str> {
    let query = request.uri().query().unwrap_or_default();
    let parameter = |name: &str| {
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        parameters.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    let header = || {
        let header = request.headers().get("x-amz-date")?;
        Some(header.to_str().unwrap().to_owned())
    };
    let Some(signed) = parameter("X-Amz-Date").or_else(header) else {
        return Err("AccessDenied");
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_secs()).unwrap() + ahead;
    let signed = seconds(&signed);
    match parameter("X-Amz-Expires") {
        Some(_) if signed > now + 15 * 60 => Err("RequestTimeTooSkewed"),
        Some(lifetime) if signed + lifetime.parse::<i64>().unwrap() < now => Err("AccessDenied"),
        None if signed.abs_diff(now) > 15 * 60 => Err("RequestTimeTooSkewed"),
        _ => Ok(()),
    }
}

/// Of `20261129T224336Z`, since 1970.
fn seconds(date: &str) -> i64 {
    let part = |range| &date[range];
    let date = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4),
        part(4..6),
        part(6..8),
        part(9..11),
        part(11..13),
        part(13..15)
    );
    let date = humantime::parse_rfc3339(&date).unwrap();
    let since_1970 = date.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since_1970.as_secs()).unwrap()
}
