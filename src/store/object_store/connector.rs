//! [`Connector`]: the requests of a store's client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use http::header::RETRY_AFTER;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpService,
};
use object_store::{ClientOptions, Error as StoreError};
use reqwest::redirect::Policy;
use tokio::time::{Instant, sleep};

use super::error::Closed;

/// The longest pause for which a request waits.
const SHORT: Duration = Duration::from_secs(3);

/// The longest pause for which a store is left alone.
const LONGEST: Duration = Duration::from_secs(60);

/// The time for a connection to come about.
const CONNECT: Duration = Duration::from_secs(3);

/// Makes the requests of the clouds' clients: give it to their builders as `with_http_connector`.
///
/// - A request has no limit in all: content takes as long as its bytes flow. The limits that count
///   are those of the [`Bucket`](super::Bucket).
/// - A connection comes about within three seconds.
/// - A store that asks to be left alone (`Retry-After`) is left alone for so long, at most for a
///   minute. A request waits for up to three seconds. If the pause is longer, it fails at once, and
///   the client of the layer gets the time to wait.
/// - A redirection is not followed: it could lead to a host that our tokens are not for.
///
/// Of the builder's `ClientOptions` it heeds only the one that allows plain HTTP. Anything else,
/// such as certificates or a proxy, is set in [`with`](Self::with).
///
/// ```no_run
/// # #[cfg(feature = "object-store-aws")] {
/// use object_store::aws::AmazonS3Builder;
/// use tower_presign::store::{Bucket, Connector};
///
/// let builder = AmazonS3Builder::from_env()
///     .with_http_connector(Connector::new())
///     .with_retry(Bucket::retry_config());
/// # }
/// ```
#[derive(Clone)]
pub struct Connector {
    configure: Arc<dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync>,
}

impl Connector {
    /// Requests by `reqwest`, as described above.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|client| client)
    }

    /// As [`new`](Self::new), with the further settings that `configure` makes. `reqwest` is
    /// version 0.13, as that of `object_store`.
    pub fn with(
        configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        Self {
            configure: Arc::new(configure),
        }
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient, StoreError> {
        let allows_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        let builder = reqwest::Client::builder()
            .user_agent(concat!("tower-presign/", env!("CARGO_PKG_VERSION")))
            // As the client does by itself: one connection each is faster than one for all.
            .http1_only()
            .connect_timeout(CONNECT)
            .redirect(Policy::none())
            .https_only(allows_http.as_deref() != Some("true"));
        let client = (self.configure)(builder)
            .build()
            .map_err(|source| StoreError::Generic {
                store: "HTTP",
                source: Box::new(source),
            })?;
        Ok(HttpClient::new(Considerate {
            client: HttpClient::new(client),
            closed_until: Mutex::new(None),
        }))
    }
}

/// Leaves a store alone that asks for it.
#[derive(Debug)]
struct Considerate {
    client: HttpClient,
    closed_until: Mutex<Option<Instant>>,
}

impl Considerate {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let pause = self.pause();
        if pause > SHORT {
            // An error of this kind is not tried again.
            return Err(HttpError::new(HttpErrorKind::Unknown, Closed(pause)));
        }
        // A timer takes a millisecond even if there is nothing to wait for.
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let response = self.client.execute(request).await?;
        if matches!(
            response.status(),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        ) && let Some(pause) = retry_after(&response)
        {
            let until = Instant::now() + pause.min(LONGEST);
            *self.lock() = Some(until);
        }
        Ok(response)
    }

    /// The time for which the store is still to be left alone.
    fn pause(&self) -> Duration {
        let until = *self.lock();
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpService for Considerate {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.send(request))
    }
}

/// RFC 9110 §10.2.3: seconds, or a date.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    date.duration_since(SystemTime::now()).ok()
}
