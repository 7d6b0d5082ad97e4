//! `/recordings/{id}/transcript`: what was said, in every written form. Owns content types and file
//! names; the forms themselves are in `speech`.

use axum::{
    extract,
    http::{HeaderName, StatusCode, header},
};
use serde::Deserialize;
use utoipa::{
    IntoParams,
    openapi::{Object, ObjectBuilder, Type},
};

use super::{
    State,
    error::{Problem, ProblemDocument},
    input::{Query, RecordingId},
    recordings::blocking,
};
use crate::{
    recordings::State as RecordingState,
    speech::{Header, TranscriptFormat},
};

/// What a page made of a transcript may do: show itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

/// Which form.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TranscriptQuery {
    /// `json` (as whisper's `verbose_json`; also when left out), `txt`, `md`, `srt`, `vtt` or `html` (a page to print).
    #[param(schema_with = formats)]
    format: Option<TranscriptFormat>,
}

fn formats() -> Object {
    let names = TranscriptFormat::ALL.map(TranscriptFormat::name);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// What was said. While the recording runs: the captions so far.
#[utoipa::path(get, path = "/recordings/{id}/transcript", operation_id = "get_transcript", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id"), TranscriptQuery), responses(
    (status = 200, description = "The transcript.", content(
        (Object = "application/json"), (String = "text/plain"), (String = "text/markdown"),
        (String = "application/x-subrip"), (String = "text/vtt"), (String = "text/html"),
    )),
    (status = 404, description = "There is no such recording, or it has no transcript.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "It is not written down yet.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "There is no such format.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    extract::State(shared): State,
    RecordingId(id): RecordingId,
    Query(query): Query<TranscriptQuery>,
) -> Result<([(HeaderName, String); 3], String), Problem> {
    let format = query.format.unwrap_or(TranscriptFormat::Json);
    // A page is for looking at, everything else for keeping.
    let how = if format == TranscriptFormat::Html { "inline" } else { "attachment" };
    let file_name = format!("{how}; filename=\"{id}.{}\"", format.name());
    let recordings = shared.app.recordings.clone();
    let text = blocking(move || {
        let recording = recordings.get(&id)?;
        let Some(transcript) = recordings.transcript(&id)? else {
            return Err(match recording.state {
                RecordingState::Done | RecordingState::Failed => Problem::not_found(format!(
                    "recording `{id}` has no transcript{}",
                    recording.error.map(|error| format!(": {error}")).unwrap_or_default()
                )),
                _ => Problem::new(StatusCode::CONFLICT, format!("recording `{id}` is not written down yet"))
                    .try_again(5),
            });
        };
        let header = Header {
            title: recording.title,
            metadata: recording.metadata,
            attendees: recording.attendees,
            started_at: Some(recording.started_at),
        };
        Ok(transcript.render(format, &header))
    })
    .await?;
    let headers = [
        (header::CONTENT_TYPE, format.media_type().into()),
        (header::CONTENT_DISPOSITION, file_name),
        (header::CONTENT_SECURITY_POLICY, POLICY.into()),
    ];
    Ok((headers, text))
}
