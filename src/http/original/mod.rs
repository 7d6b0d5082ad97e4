//! The original's three routes, answered in its own forms. Owns those forms and which errors they take;
//! leaves the rules for client recordings to `recordings`.

mod body;
mod time;

use std::sync::Arc;

use axum::{
    Json,
    extract::{self, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::{
    Shared, State,
    auth::{self, Denied},
    docs,
    error::Problem,
};
use crate::{
    recordings::{ClientEnded, ClientStarted, Error},
    security::Role,
};
use body::{Document, Mistakes};

/// A client has begun to record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "the documentation of what `body` reads")]
pub(super) struct RecordingStart {
    /// `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`
    #[schema(example = "20250117225532_4AFEA8B6")]
    recording_id: String,
    /// `recording.started` or `Recording Started`.
    #[schema(example = "recording.started")]
    event: Option<String>,
    /// ISO 8601, `YYYYMMDDHHMMSS` or seconds since 1970; UTC when no zone is given.
    timestamp: Option<String>,
    /// The same; wins over `timestamp`.
    #[serde(rename = "recording_timestamp")]
    recording_timestamp: Option<String>,
    /// The far end's track: a WAV file below the recordings directory of the box.
    #[serde(rename = "system_audio_path")]
    system_audio_path: Option<String>,
    /// The room's track.
    #[serde(rename = "microphone_audio_path")]
    microphone_audio_path: Option<String>,
    /// Whatever the client knows of the meeting: `eventTitle`, `eventAttendees`, `systemLabel`, …
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// A client's recording is complete.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "the documentation of what `body` reads")]
pub(super) struct RecordingEnd {
    /// `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`
    #[schema(example = "20250117225532_4AFEA8B6")]
    recording_id: String,
    /// `recording.ended` or `Recording Ended`.
    #[schema(example = "recording.ended")]
    event: Option<String>,
    /// ISO 8601, `YYYYMMDDHHMMSS` or seconds since 1970; UTC when no zone is given.
    timestamp: Option<String>,
    /// The same; wins over `timestamp`.
    recording_timestamp: Option<String>,
    /// The far end's track: a WAV file below the recordings directory of the box.
    system_audio_path: Option<String>,
    /// The room's track.
    microphone_audio_path: Option<String>,
    /// Whatever the client knows of the meeting.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// The start was taken down.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StartedAnswer {
    /// Always `success`.
    #[schema(example = "success")]
    status: &'static str,
    /// The client's id.
    recording_id: String,
}

/// The end was taken down.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndedAnswer {
    /// Always `success`.
    #[schema(example = "success")]
    status: &'static str,
    /// `<id>_ended_<timestamp>`.
    event_id: String,
}

/// The box answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthAnswer {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// A failure in the original's form.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OriginalError {
    /// A text, or a list of `{type, loc, msg, input}`, one a mistake.
    detail: Value,
    /// With a list: the body as it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

/// A failure on its way to the client.
#[derive(Debug)]
pub(super) enum Refusal {
    /// `detail` is a text.
    Told(StatusCode, String),
    /// `detail` is a list.
    Unprocessable(Mistakes),
    /// As everywhere else, with `detail` alone.
    Failed(Problem),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, detail, body) = match self {
            Self::Told(status, detail) => (status, detail.into(), None),
            Self::Unprocessable(Mistakes { list, body }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, list.into(), Some(body))
            }
            Self::Failed(problem) => {
                let (status, retry_after) = (problem.status(), problem.retry_after());
                let told = OriginalError { detail: problem.into_detail().into(), body: None };
                return (status, retry_after, Json(told)).into_response();
            }
        };
        (status, Json(OriginalError { detail, body })).into_response()
    }
}

impl From<Mistakes> for Refusal {
    fn from(mistakes: Mistakes) -> Self {
        Self::Unprocessable(mistakes)
    }
}

/// A client has begun to record.
#[utoipa::path(post, path = "/api/recording-started", operation_id = "client_recording_started", tag = "original", request_body = RecordingStart, responses(
    (status = 200, description = "Taken down.", body = StartedAnswer),
    (status = 400, description = "There was a start with this id.", body = OriginalError),
    (status = 403, description = "The key is missing, not valid, or may not record.", body = OriginalError),
    (status = 413, description = "The body is too large.", body = OriginalError),
    (status = 422, description = "The body is not acceptable.", body = OriginalError),
))]
pub(super) async fn started(
    extract::State(shared): State,
    request: Request,
) -> Result<Json<StartedAnswer>, Refusal> {
    let mut document = Document::read(request).await?;
    let recording_id = document.id();
    document.event();
    let timestamp = document.timestamp("timestamp");
    let recorded = document.timestamp("recording_timestamp");
    let started = ClientStarted {
        recording_id: recording_id.clone(),
        timestamp: recorded.or(timestamp).map(|(_, at)| at),
        system_audio_path: document.text("system_audio_path"),
        microphone_audio_path: document.text("microphone_audio_path"),
        metadata: document.object("metadata"),
    };
    let body = document.finish()?;
    match shared.app.recordings.client_started(started).await {
        Ok(_) => Ok(Json(StartedAnswer { status: "success", recording_id })),
        Err(Error::Conflict(_)) => {
            Err(Refusal::Told(StatusCode::BAD_REQUEST, "Recording already started with this ID".into()))
        }
        Err(error) => Err(refused(error, body)),
    }
}

/// A client's recording is complete; it is transcribed.
///
/// A repeat changes nothing and answers the same.
#[utoipa::path(post, path = "/api/recording-ended", operation_id = "client_recording_ended", tag = "original", request_body = RecordingEnd, responses(
    (status = 200, description = "Taken down.", body = EndedAnswer),
    (status = 403, description = "The key is missing, not valid, or may not record.", body = OriginalError),
    (status = 404, description = "There was no start with this id, and no audio is named.", body = OriginalError),
    (status = 409, description = "The box itself makes this recording.", body = OriginalError),
    (status = 413, description = "The body is too large.", body = OriginalError),
    (status = 422, description = "The body is not acceptable.", body = OriginalError),
))]
pub(super) async fn ended(
    extract::State(shared): State,
    request: Request,
) -> Result<Json<EndedAnswer>, Refusal> {
    let mut document = Document::read(request).await?;
    let recording_id = document.id();
    document.event();
    let timestamp = document.timestamp("timestamp");
    let (timestamp_text, timestamp) = document.timestamp("recordingTimestamp").or(timestamp).unzip();
    let ended = ClientEnded {
        recording_id,
        timestamp_text,
        timestamp,
        system_audio_path: document.text("systemAudioPath"),
        microphone_audio_path: document.text("microphoneAudioPath"),
        metadata: document.object("metadata"),
    };
    let body = document.finish()?;
    match shared.app.recordings.client_ended(ended).await {
        Ok(event_id) => Ok(Json(EndedAnswer { status: "success", event_id })),
        Err(Error::Unknown { .. }) => {
            Err(Refusal::Told(StatusCode::NOT_FOUND, "Recording session not found".into()))
        }
        Err(error) => Err(refused(error, body)),
    }
}

fn refused(error: Error, body: Value) -> Refusal {
    match error {
        Error::Invalid(message) => {
            let list = vec![json!({
                "type": "value_error", "loc": ["body"], "msg": format!("Value error, {message}"), "input": body,
            })];
            Refusal::Unprocessable(Mistakes { list, body })
        }
        error => Refusal::Failed(error.into()),
    }
}

/// Whether the box answers (the original's; `/health/ready` says more).
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "original", responses(
    (status = 200, description = "It does.", body = HealthAnswer),
    (status = 403, description = "The key is missing or not valid.", body = OriginalError),
))]
pub(super) async fn health() -> Json<HealthAnswer> {
    Json(HealthAnswer { status: "ok" })
}

/// Lets only keys use `routes`, with the original's refusals, before anything of a body is looked at.
/// Recording needs an operator, asking for health a viewer.
pub(super) fn allow(
    mut routes: OpenApiRouter<Arc<Shared>>,
    shared: &Arc<Shared>,
) -> OpenApiRouter<Arc<Shared>> {
    docs::require_key(routes.get_openapi_mut());
    routes.route_layer(middleware::from_fn_with_state(shared.clone(), check))
}

async fn check(extract::State(shared): State, request: Request, next: Next) -> Result<Response, Refusal> {
    let role = if request.uri().path() == "/health" { Role::Viewer } else { Role::Operator };
    let told = |text: &str| Refusal::Told(StatusCode::FORBIDDEN, text.into());
    match auth::authorize(&shared, &request, role) {
        Ok(_) => Ok(next.run(request).await),
        Err(Denied::Missing | Denied::NoKeys) => Err(told("Not authenticated")),
        Err(Denied::Wrong) => Err(told("Could not validate API key")),
        Err(denied) => Err(Refusal::Failed(denied.into())),
    }
}
