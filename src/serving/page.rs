//! A refusal as a page, for a person who has opened a link in a browser.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY};
use http::{HeaderMap, HeaderValue, Response};

use super::headers::{CROSS_ORIGIN_EMBEDDER_POLICY, CROSS_ORIGIN_RESOURCE_POLICY, X_ROBOTS_TAG};
use crate::content_kind::ContentKind;
use crate::content_type::{accepted, essence};
use crate::fhir::Refusal;
use crate::refusal::RefusalCode;

/// The colours are the browser's own, light or dark.
const STYLE: &str = "\
    :root{color-scheme:light dark}\
    body{margin:0;font:100%/1.5 system-ui,sans-serif}\
    main{max-width:34rem;margin:15vh auto;padding:0 1.5rem}\
    h1{font-size:1.6rem;line-height:1.25}\
    small{font-size:.875rem}";

/// True if the client prefers HTML to JSON (RFC 9110 §12.5.1). Browsers name HTML, and programs do
/// not.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let mut html = 0.0_f32;
    // JSON by its name, by the names of its kind, and by anything.
    let mut json = [None; 3];
    for range in accepted(headers) {
        let quality = range.get_parameter("q").and_then(|q| q.parse().ok());
        let quality = quality.unwrap_or(1.0);
        match &*essence(&range) {
            "text/html" | "application/xhtml+xml" => html = html.max(quality),
            "application/fhir+json" | "application/json" => json[0] = Some(quality),
            "application/*" => json[1] = Some(quality),
            "*/*" => json[2] = Some(quality),
            _ => {}
        }
    }
    let json = json.into_iter().flatten().next().unwrap_or(0.0);
    html > json
}

/// The same status and headers, and nothing that the outcome would not say.
pub(crate) fn of(refusal: Refusal) -> Response<Bytes> {
    let code = refusal.code;
    let (text, advice) = (code.text(), advice(code));
    let name = code.as_str();
    let html = format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{text}</title>\n\
         <style>{STYLE}</style>\n\
         </head>\n\
         <body>\n\
         <main>\n\
         <h1>{text}</h1>\n\
         <p>{advice}</p>\n\
         <p><small>Code: {name}</small></p>\n\
         </main>\n\
         </body>\n\
         </html>\n"
    );
    let mut response: Response<Bytes> = refusal.into_response();
    *response.body_mut() = html.into();
    let length = HeaderValue::from(response.body().len());
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length);
    // The page has no script, and nothing from elsewhere.
    let policy = ContentKind::Other.content_security_policy();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (VARY, "Accept"),
        (REFERRER_POLICY, "no-referrer"),
        (X_ROBOTS_TAG, "none"),
        // Lets a frame show the page in place of the content.
        (CROSS_ORIGIN_EMBEDDER_POLICY, "require-corp"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The next step of a person.
fn advice(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::MissingSignature | RefusalCode::InvalidSignature => {
            "Open the link exactly as you received it: mail programs sometimes cut links off. If \
             that does not help, ask for a new one."
        }
        RefusalCode::Expired | RefusalCode::LifetimeTooLong | RefusalCode::Used => {
            "Ask for a new one where you received it."
        }
        RefusalCode::NotReady | RefusalCode::TooManyRequests | RefusalCode::Unavailable => {
            "Try again in a little while."
        }
        RefusalCode::MethodNotAllowed => "It is for a program, and cannot be opened.",
        _ => "If you did not expect this, ask where you received the link.",
    }
}
