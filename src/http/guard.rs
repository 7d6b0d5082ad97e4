//! Around every request. Owns the line in the log, headers that protect the page's user, and answering
//! when a handler panics; never looks at credentials.

use std::{panic::AssertUnwindSafe, time::Instant};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;

use super::{error::Problem, openai};

/// Set on every answer that does not set them itself.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// Logs one line a request (the path without its query, which may hold a media token), turns a panic
/// into a problem and sets the protecting headers.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        openai::told(&path, Problem::internal(format!("a handler panicked: {what}")))
    });
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    let status = response.status().as_u16();
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if method == Method::GET && status < 400 {
        // The page reads levels several times a second.
        tracing::debug!(%method, path, status, ms, "Answered a request.");
    } else {
        tracing::info!(%method, path, status, ms, "Answered a request.");
    }
    response
}
