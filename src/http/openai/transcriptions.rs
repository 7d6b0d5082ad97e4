//! `POST /v1/audio/transcriptions`: a file that a client sends, written down. Owns how many there may be at
//! a time, and the request as a whole: its place, its file and its work end together, however it ends.

use std::sync::Arc;

use axum::{
    extract::{self, Request},
    http::StatusCode,
    response::Response,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use utoipa::ToSchema;

use super::{
    super::{Shared, State, error::Problem, input::drain},
    answer::{self, Transcription, VerboseTranscription},
    asked::Asked,
    error::{OpenAiError, Refusal},
    form, stream,
    upload::Upload,
};
use crate::{
    speech::{DeskError, Hints, Segment, TrackInput, Transcript},
    status::ModelState,
};

/// When to ask again where too many ask, s.
const TRY_AGAIN_S: u16 = 5;

/// A file with sound, and how it is to be written down. Fields that are not listed are ignored.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the documentation of what `asked` reads")]
pub(in super::super) struct TranscriptionRequest {
    /// The sound: what it is says its content, not its name. Not larger than `server.upload_limit_mib`.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `whisper-1`, or the name of the model in use.
    #[schema(example = "whisper-1")]
    model: String,
    /// The language that is spoken, ISO 639-1; as configured when left out.
    #[schema(example = "en")]
    language: Option<String>,
    /// Text that tells Whisper what the talk is about: names and words that are likely to be said.
    prompt: Option<String>,
    /// More such words.
    #[schema(rename = "keywords[]")]
    keywords: Option<Vec<String>>,
    /// `json`, `text`, `srt`, `verbose_json` or `vtt`; `json` when left out.
    #[schema(example = "json")]
    response_format: Option<String>,
    /// 0 to 1. Changes nothing: the box samples at 0, and higher only where that fails.
    #[schema(minimum = 0, maximum = 1)]
    temperature: Option<f64>,
    /// `word`, `segment` or both, with `verbose_json`.
    #[schema(rename = "timestamp_granularities[]")]
    timestamp_granularities: Option<Vec<String>>,
    /// Sends the text as it is written down, as server-sent events; with `json` and `text`.
    stream: Option<bool>,
    /// `auto`, which is what the box does in any case.
    chunking_strategy: Option<String>,
}

/// Writes down what is said in a file, as OpenAI's API of this name does.
///
/// With `stream`, events `transcript.text.delta` come as segments are written down (joined, their `delta`s
/// are the text), then one `transcript.text.done` with the whole `text`, and the stream ends; what fails on
/// the way comes as `{"type": "error", "error": {…}}`. Hanging up takes the work back.
#[utoipa::path(post, path = "/v1/audio/transcriptions", operation_id = "create_transcription", tag = "openai",
    request_body(content = TranscriptionRequest, content_type = "multipart/form-data"), responses(
    (status = 200, description = "What is said, in the form that was asked for.", content(
        (Transcription = "application/json"), (VerboseTranscription = "application/json"),
        (String = "text/plain"), (String = "application/x-subrip"), (String = "text/vtt"), (String = "text/event-stream"))),
    (status = 400, description = "A field is missing or does not fit, or the file has no sound that can be read.", body = OpenAiError),
    (status = 401, description = "The key is missing or not valid.", body = OpenAiError),
    (status = 403, description = "The key needs the role `operator`.", body = OpenAiError),
    (status = 404, description = "The model is not in use.", body = OpenAiError),
    (status = 408, description = "The file does not come.", body = OpenAiError),
    (status = 413, description = "The file is larger than `server.upload_limit_mib`.", body = OpenAiError),
    (status = 429, description = "Too many files wait, or too many wrong keys came; `Retry-After` says how long to wait.", body = OpenAiError),
    (status = 503, description = "No model can be used, or the box stops.", body = OpenAiError),
    (status = 507, description = "There is no room for the file.", body = OpenAiError),
))]
pub(in super::super) async fn create(
    extract::State(shared): State,
    request: Request,
) -> Result<Response, Refusal> {
    let Ok(place) = shared.transcriptions.clone().try_acquire_owned() else {
        drain(request).await;
        let detail = "as many files as the box takes at a time wait to be written down: try again later";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).try_again(TRY_AGAIN_S);
        return Err(problem.into());
    };
    let form = form::read(&shared.app.config, request).await?;
    let model = shared.app.desk.model();
    let loading = matches!(shared.app.status.facts().model, ModelState::Loading { .. });
    let Asked { file, format, stream, hints } = Asked::new(form, model.as_ref(), loading)?;
    let held = Held { file, _place: place };
    if stream {
        let (tell, said) = mpsc::unbounded_channel();
        let work = Box::pin(write_down(shared, held, hints, Some(tell)));
        return stream::answer(work, said, stream::FIRST_WORDS).await;
    }
    let transcript = write_down(shared, held, hints, None).await?;
    Ok(answer::whole(&transcript, format))
}

/// What a request holds until it ends.
struct Held {
    file: Upload,
    _place: OwnedSemaphorePermit,
}

async fn write_down(
    shared: Arc<Shared>,
    held: Held,
    hints: Hints,
    said: Option<mpsc::UnboundedSender<Segment>>,
) -> Result<Transcript, Refusal> {
    let track = TrackInput { files: vec![held.file.path().to_owned()], ..TrackInput::default() };
    tokio::select! {
        written = shared.app.desk.transcribe(None, vec![track], hints, said) => Ok(written?),
        () = shared.closing.cancelled() => Err(DeskError::Closed.into()),
    }
}
