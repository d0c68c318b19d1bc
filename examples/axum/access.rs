//! The callers, and their right to a presigned URL.

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sha2::{Digest as _, Sha256};
use tower_presign::{Access, Denial, MintRequest, Terms};

use crate::fhir::Outcome;

/// A caller whose token is known. As an argument of a handler: a caller must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Writer,
    Reader,
}

/// The tokens, as hashes: the time that a comparison takes then says nothing about the tokens.
#[derive(Clone)]
pub(crate) struct Tokens {
    writer: [u8; 32],
    reader: [u8; 32],
}

impl Tokens {
    pub(crate) fn new(writer: &str, reader: &str) -> Self {
        Self {
            writer: hash(writer),
            reader: hash(reader),
        }
    }

    fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let credentials = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = credentials.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return None;
        }
        let hash = hash(token.trim());
        if hash == self.writer {
            Some(Caller::Writer)
        } else if hash == self.reader {
            Some(Caller::Reader)
        } else {
            None
        }
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Adds the [`Caller`] to the request's extensions, if the request has a known token.
pub(crate) async fn identify(
    State(tokens): State<Tokens>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(caller) = tokens.caller(request.headers()) {
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

/// The policy of the presign layer. A caller who asks with `once=true` gets a URL for one download.
pub(crate) async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
    match (request.extensions().get(), request.access()) {
        (None, _) => Err(Denial::login_required()),
        (Some(Caller::Reader), Access::Write) => {
            Err(Denial::forbidden().because("This token may only read."))
        }
        (Some(Caller::Reader | Caller::Writer), _) => {
            let query = request.parts().uri.query().unwrap_or_default();
            let is_once = query.split('&').any(|parameter| parameter == "once=true");
            Ok(if is_once {
                Terms::new().single_use()
            } else {
                Terms::new()
            })
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Outcome;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Outcome> {
        let caller = parts.extensions.get().copied();
        caller.ok_or_else(Outcome::login_required)
    }
}
