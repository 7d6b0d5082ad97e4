//! `/recordings/{id}/notes`: what the meeting came to. Owns its HTTP form; who writes notes is a plugin.

use axum::{
    extract,
    http::{HeaderName, StatusCode, header},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    State,
    error::{Problem, ProblemDocument},
    input::{Query, RecordingId},
    recordings::blocking,
};
use crate::recordings::{Outcome, Recording, State as RecordingState};

/// Whose notes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct NotesQuery {
    /// The plugin that wrote them, `meeting_notes_local` or `meeting_notes_remote`; the newest when left
    /// out.
    by: Option<String>,
}

/// Notes of the meeting, as a plugin wrote them.
#[utoipa::path(get, path = "/recordings/{id}/notes", operation_id = "get_notes", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id"), NotesQuery), responses(
    (status = 200, description = "The notes.", content((String = "text/markdown"))),
    (status = 404, description = "There is no such recording, or it has no notes.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "It is not written down yet.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    extract::State(shared): State,
    RecordingId(id): RecordingId,
    Query(NotesQuery { by }): Query<NotesQuery>,
) -> Result<([(HeaderName, String); 2], String), Problem> {
    let file_name = format!("attachment; filename=\"{id}_meeting_notes.md\"");
    let recordings = shared.app.recordings.clone();
    let text = blocking(move || {
        let recording = recordings.get(&id)?;
        match recordings.notes(&id, by.as_deref())? {
            Some(text) => Ok(text),
            None => Err(none(&recording)),
        }
    })
    .await?;
    Ok((
        [
            (header::CONTENT_TYPE, "text/markdown; charset=utf-8".into()),
            (header::CONTENT_DISPOSITION, file_name),
        ],
        text,
    ))
}

/// Why there are none.
fn none(recording: &Recording) -> Problem {
    let id = &recording.id;
    if !matches!(recording.state, RecordingState::Done | RecordingState::Failed) {
        let detail = format!("recording `{id}` is not written down yet, and notes come after that");
        return Problem::new(StatusCode::CONFLICT, detail).try_again(5);
    }
    let failed = recording
        .stages
        .iter()
        .find(|(name, it)| name.starts_with("meeting_notes") && it.outcome == Outcome::Error);
    Problem::not_found(match failed {
        Some((name, it)) => {
            format!(
                "recording `{id}` has no notes: {name} failed: {}",
                it.problem.as_deref().unwrap_or("no reason")
            )
        }
        None => format!("recording `{id}` has no notes: a plugin writes them, such as meeting_notes_local"),
    })
}
