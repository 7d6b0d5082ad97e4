//! `/recordings`: starting, listing, changing and ending recordings. Owns their HTTP form; the rules are
//! in `recordings`.

use axum::{
    extract,
    http::{HeaderName, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    State, cursor,
    error::{Problem, ProblemDocument},
    input::{Json, Query, RecordingId},
};
use crate::recordings::{Error, NewRecording, Patch, Recording};

type Answer = Result<axum::Json<Recording>, Problem>;

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Most items of one answer, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<usize>,
    /// `next_cursor` of the answer before.
    pub(super) cursor: Option<String>,
}

/// Some recordings, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordingList {
    /// The recordings.
    items: Vec<Recording>,
    /// Asks for the ones after these; `null` at the end.
    next_cursor: Option<String>,
}

/// Checks a `limit`.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(50),
        Some(limit @ 1..=200) => Ok(limit),
        Some(_) => Err(Problem::unprocessable("`limit` must be 1 to 200")),
    }
}

/// Runs blocking work off the threads that serve requests.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Into<Problem> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?.map_err(Into::into)
}

/// Starts a recording on the box's microphone.
#[utoipa::path(post, path = "/recordings", operation_id = "start_recording", tag = "recordings", request_body = NewRecording, responses(
    (status = 201, description = "It records.", body = Recording, headers(("Location" = String, description = "Path of the recording"))),
    (status = 409, description = "One runs already.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "The body is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The microphone or the disk does not let us.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn start(
    extract::State(shared): State,
    Json(new): Json<NewRecording>,
) -> Result<(StatusCode, [(HeaderName, String); 1], axum::Json<Recording>), Problem> {
    let recording = shared.app.recordings.start(new).await?;
    let location = format!("/recordings/{}", recording.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(recording)))
}

/// Lists recordings, newest first.
#[utoipa::path(get, path = "/recordings", operation_id = "list_recordings", tag = "recordings", params(Page), responses(
    (status = 200, description = "Some recordings.", body = RecordingList),
    (status = 422, description = "`limit` or `cursor` is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    extract::State(shared): State,
    Query(page): Query<Page>,
) -> Result<axum::Json<RecordingList>, Problem> {
    let limit = limit(page.limit)?;
    let before = page.cursor.map(|cursor| cursor::decode("recordings", &cursor)).transpose()?;
    let recordings = shared.app.recordings.clone();
    // One more than asked for tells whether there are more.
    let listed = blocking(move || match recordings.list(before.as_deref(), limit + 1) {
        Err(Error::Unknown { .. }) => {
            Err(Problem::unprocessable("the recording `cursor` points at is gone: begin without"))
        }
        listed => listed.map_err(Problem::from),
    });
    let mut items = listed.await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor =
        items.last().filter(|_| more).map(|recording| cursor::encode("recordings", &recording.id));
    Ok(axum::Json(RecordingList { items, next_cursor }))
}

/// One recording.
#[utoipa::path(get, path = "/recordings/{id}", operation_id = "get_recording", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id")), responses(
    (status = 200, description = "The recording.", body = Recording),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn get(extract::State(shared): State, RecordingId(id): RecordingId) -> Answer {
    Ok(axum::Json(shared.app.recordings.get(&id)?))
}

/// Changes title, attendees, metadata or the names of speakers.
#[utoipa::path(patch, path = "/recordings/{id}", operation_id = "update_recording", tag = "recordings", request_body = Patch,
    params(("id" = String, Path, description = "The recording's id")), responses(
    (status = 200, description = "The recording as it is now.", body = Recording),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "The body is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn update(
    extract::State(shared): State,
    RecordingId(id): RecordingId,
    Json(patch): Json<Patch>,
) -> Answer {
    Ok(axum::Json(shared.app.recordings.update(&id, patch).await?))
}

/// Removes a recording, its audio and its transcript for good.
#[utoipa::path(delete, path = "/recordings/{id}", operation_id = "delete_recording", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id")), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "It still runs.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    extract::State(shared): State,
    RecordingId(id): RecordingId,
) -> Result<StatusCode, Problem> {
    shared.app.recordings.delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a recording; the transcript follows.
#[utoipa::path(post, path = "/recordings/{id}/stop", operation_id = "stop_recording", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id")), responses(
    (status = 200, description = "It stopped.", body = Recording),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "It does not run.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn stop(extract::State(shared): State, RecordingId(id): RecordingId) -> Answer {
    Ok(axum::Json(shared.app.recordings.stop(&id).await?))
}

/// Keeps nothing until the recording is resumed.
#[utoipa::path(post, path = "/recordings/{id}/pause", operation_id = "pause_recording", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id")), responses(
    (status = 200, description = "It pauses.", body = Recording),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "It does not record.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn pause(extract::State(shared): State, RecordingId(id): RecordingId) -> Answer {
    Ok(axum::Json(shared.app.recordings.pause(&id).await?))
}

/// Goes on with a paused recording.
#[utoipa::path(post, path = "/recordings/{id}/resume", operation_id = "resume_recording", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id")), responses(
    (status = 200, description = "It records.", body = Recording),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "It does not pause.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn resume(extract::State(shared): State, RecordingId(id): RecordingId) -> Answer {
    Ok(axum::Json(shared.app.recordings.resume(&id).await?))
}

/// Writes a finished recording down again, for instance with another model.
#[utoipa::path(post, path = "/recordings/{id}/transcribe", operation_id = "transcribe_recording", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id")), responses(
    (status = 202, description = "It is being transcribed.", body = Recording),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "It is not finished.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn transcribe(
    extract::State(shared): State,
    RecordingId(id): RecordingId,
) -> Result<(StatusCode, axum::Json<Recording>), Problem> {
    let recording = shared.app.recordings.transcribe_again(&id).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(recording)))
}
