//! What clients send. Owns reading bodies (limited), JSON, query strings and ids, and refusals that name
//! the place of the mistake; leaves meaning to the resources.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, header, request::Parts},
};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;

use super::{Shared, error::Problem};

/// Largest body that is read, bytes: an event with payload and metadata as large as they can be configured.
pub(super) const MAX_BODY: usize = (2 * 1024 + 64) * 1024;

/// How much of a larger body is still taken in, so that the client gets to read the refusal, bytes.
const MAX_DRAINED: usize = 64 * 1024 * 1024;

/// How long a body may take.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a body to its end.
pub(super) async fn read_body(body: Body) -> Result<Bytes, Problem> {
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long: send it faster");
    tokio::time::timeout(BODY_TIMEOUT, read(body)).await.map_err(late)?
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut kept = Vec::new();
    let mut total = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "the body ended early").caused_by(error)
        })?;
        total += chunk.len();
        if total <= MAX_BODY {
            kept.extend_from_slice(&chunk);
        } else if total > MAX_DRAINED {
            break;
        }
    }
    if total > MAX_BODY {
        let detail = format!("the body is larger than {MAX_BODY} bytes: send less");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(kept.into())
}

/// Takes in a body that is not wanted, so that the client gets to read why. One that asked before it sends
/// has nothing on its way.
pub(super) async fn drain(request: Request) {
    if !request.headers().contains_key(header::EXPECT) {
        drain_rest(request.into_body().into_data_stream()).await;
    }
}

/// Takes in what is left of a body, as far as that is reasonable: who sends more, or takes longer, may miss
/// why it is refused.
pub(super) async fn drain_rest<E>(mut body: impl Stream<Item = Result<Bytes, E>> + Unpin) {
    let rest = async {
        let mut total = 0;
        while let Some(Ok(chunk)) = body.next().await {
            total += chunk.len();
            if total > MAX_DRAINED {
                break;
            }
        }
    };
    tokio::time::timeout(BODY_TIMEOUT, rest).await.ok();
}

/// A JSON body; an empty one counts as `{}`.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Shared>) -> Result<Self, Problem> {
        // Whatever the content type says: `curl -d` calls everything a form.
        let body = read_body(request.into_body()).await?;
        if body.is_empty() {
            return parse(b"{}").map(Self);
        }
        parse(&body).map(Self)
    }
}

/// Whether the content type says JSON, or says nothing.
pub(super) fn is_json(request: &Request) -> bool {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Serde would take a list for the fields of a structure in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::unprocessable("the body is not acceptable: send a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = error.path().to_string();
        let inner = error.into_inner();
        Problem::unprocessable(match place.as_str() {
            _ if !inner.is_data() => format!("the body is not JSON: {inner}"),
            "." => format!("the body is not acceptable: {}", placeless(&inner.to_string())),
            place => format!("`{place}` in the body is not acceptable: {}", placeless(&inner.to_string())),
        })
    })?;
    json.end().map_err(|error| Problem::unprocessable(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// What serde says without line and column, which nobody sees who did not write the JSON by hand; the
/// path says where it is.
fn placeless(text: &str) -> &str {
    text.rfind(" at line ").map_or(text, |at| &text[..at])
}

/// The query string.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => {
                let text = error.body_text();
                let what = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::unprocessable(format!("the query is not acceptable: {what}")))
            }
        }
    }
}

/// What a path names. Anything that cannot name something names nothing.
#[derive(Debug)]
pub(super) struct Place<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Shared>> for Place<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Shared>) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(place)) => Ok(Self(place)),
            Err(_) => Err(Problem::not_found("nothing has this path: look at /docs for those there are")),
        }
    }
}

/// The id in a path. Anything that cannot be an id names no recording, and reaches no file.
#[derive(Debug)]
pub(super) struct RecordingId(pub(super) String);

impl FromRequestParts<Arc<Shared>> for RecordingId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Shared>) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) if is_id(&id) => Ok(Self(id)),
            _ => Err(Problem::not_found("there is no such recording")),
        }
    }
}

/// Whether `text` matches `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
pub(super) fn is_id(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
