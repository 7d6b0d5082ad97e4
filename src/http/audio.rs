//! `/recordings/{id}/audio`: a track as one WAV file, in ranges, also while it is still recorded. Owns
//! the HTTP of it; leaves joining the segments to `audio`.

use std::{io, ops::Range, path::PathBuf};

use axum::{
    body::{Body, Bytes},
    extract,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    State,
    error::{Problem, ProblemDocument},
    input::{Query, RecordingId},
    range::{self, Asked},
    recordings::blocking,
};
use crate::{
    audio::{JoinedWav, PlaybackError},
    recordings::{Recording, State as RecordingState},
};

/// Most bytes read and handed on at once.
const CHUNK: u64 = 128 * 1024;

/// Which audio.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AudioQuery {
    /// Which track, from 0.
    #[param(default = 0)]
    track: Option<usize>,
    /// Only this file of the track, from 0: where a microphone came back in another format, the files
    /// cannot be joined.
    segment: Option<usize>,
    /// Instead of a key: what `POST /recordings/{id}/audio-link` gave out.
    #[serde(rename = "token")]
    #[param(rename = "token")]
    _token: Option<String>,
}

/// A track as WAV, whole or one range of it.
///
/// While the recording runs, the length is what is there at the time of the request.
#[utoipa::path(get, path = "/recordings/{id}/audio", operation_id = "get_audio", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id"), AudioQuery,
        ("Range" = Option<String>, Header, description = "One range of bytes"),
        ("If-Range" = Option<String>, Header, description = "Answer the range only if the `ETag` is still this"),
        ("If-None-Match" = Option<String>, Header, description = "Answer 304 if the `ETag` is still this")),
    responses(
    (status = 200, description = "The whole track.", body = Vec<u8>, content_type = "audio/wav"),
    (status = 206, description = "The range.", body = Vec<u8>, content_type = "audio/wav"),
    (status = 304, description = "It has not changed."),
    (status = 404, description = "There is no such recording or track, or no audio yet.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "Its files have different formats: ask for one `segment` at a time.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 416, description = "There is nothing in that range.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    extract::State(shared): State,
    RecordingId(id): RecordingId,
    Query(query): Query<AudioQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let recording = shared.app.recordings.get(&id)?;
    let track = query.track.unwrap_or(0);
    let files = shared
        .app
        .recordings
        .audio_files(&recording)?
        .into_iter()
        .nth(track)
        .filter(|files| !files.is_empty())
        .ok_or_else(|| Problem::not_found(format!("recording `{id}` has no audio in track {track}")))?;
    let files = match query.segment {
        None => files,
        Some(segment) => vec![files.get(segment).cloned().ok_or_else(|| {
            Problem::not_found(format!("track {track} of recording `{id}` has no segment {segment}"))
        })?],
    };
    let wav = open(files).await?;
    let len = wav.len();
    let tag = etag(&recording, track, len);

    let text = |name: HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
    if let (Some(tag), Some(known)) = (&tag, text(header::IF_NONE_MATCH))
        && known.split(',').any(|it| it.trim() == tag || it.trim() == "*")
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag.clone())]).into_response());
    }
    let same = text(header::IF_RANGE).is_none_or(|asked| tag.as_deref() == Some(asked));
    let asked = text(header::RANGE).filter(|_| same).map_or(Asked::Whole, |it| range::parse(it, len));

    let mut response = match asked {
        Asked::Unsatisfiable => {
            let detail = format!("the audio has {len} bytes");
            let mut response = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, detail).into_response();
            set(&mut response, header::CONTENT_RANGE, format!("bytes */{len}"));
            return Ok(response);
        }
        Asked::Whole => part(wav, 0..len),
        Asked::Part(range) => {
            let content_range = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            let mut response = part(wav, range);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut response, header::CONTENT_RANGE, content_range);
            response
        }
    };
    set(&mut response, header::ACCEPT_RANGES, "bytes".into());
    set(&mut response, header::CONTENT_TYPE, "audio/wav".into());
    set(&mut response, header::CONTENT_DISPOSITION, format!("inline; filename=\"{id}.wav\""));
    if let Some(tag) = tag {
        set(&mut response, header::ETAG, tag);
        // Kept by the browser that asked, asked about each time: a deleted recording is gone at once.
        set(&mut response, header::CACHE_CONTROL, "private, no-cache".into());
    }
    Ok(response)
}

async fn open(files: Vec<PathBuf>) -> Result<JoinedWav, Problem> {
    blocking(move || {
        JoinedWav::open(&files).map_err(|error| match error {
            PlaybackError::Format { .. } => {
                let last = files.len() - 1;
                let advice =
                    format!("the microphone came back in another format: ask for ?segment=0 to {last} alone");
                Problem::new(StatusCode::CONFLICT, advice)
            }
            error => Problem::not_found("the audio of this recording cannot be read").caused_by(error),
        })
    })
    .await
}

/// Names the bytes once they no longer change.
fn etag(recording: &Recording, track: usize, len: u64) -> Option<String> {
    let finished = matches!(
        recording.state,
        RecordingState::Transcribing | RecordingState::Done | RecordingState::Failed
    );
    finished.then(|| format!("\"{}-{track}-{len}\"", recording.id))
}

fn set(response: &mut Response, name: HeaderName, value: String) {
    if let Ok(value) = value.try_into() {
        response.headers_mut().insert(name, value);
    }
}

fn part(wav: JoinedWav, range: Range<u64>) -> Response {
    let length = range.end - range.start;
    let mut response = Body::from_stream(chunks(wav, range)).into_response();
    set(&mut response, header::CONTENT_LENGTH, length.to_string());
    response
}

/// The bytes of `range`, a chunk at a time, read where blocking is allowed.
fn chunks(wav: JoinedWav, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((wav, range), |(wav, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let want = usize::try_from((range.end - range.start).min(CHUNK)).unwrap_or(0);
            let mut chunk = vec![0; want];
            let got = wav.read_at(range.start, &mut chunk)?;
            if got == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            chunk.truncate(got);
            let rest = range.start + got as u64..range.end;
            Ok((Bytes::from(chunk), (wav, rest)))
        });
        match read.await {
            Ok(result) => result.map(Some),
            Err(error) => Err(io::Error::other(error)),
        }
    })
}
