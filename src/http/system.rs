//! `/system` and `/session`: the box, and who is asking. Owns their form; the figures are in `status`.

use std::{path::Path, sync::atomic::Ordering};

use axum::{
    Json,
    extract::{self, Request},
    http::StatusCode,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Access, State,
    auth::{self, Denied},
    error::{Problem, ProblemDocument},
    live::{ChannelLevel, levels},
    recordings::blocking,
};
use crate::{
    features::built_with,
    security::Role,
    status::{CaptureState, ModelState, Status},
};

/// The box and how it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct System {
    /// Version of Panotti.
    version: &'static str,
    /// Cargo features it was built with.
    features: Vec<&'static str>,
    /// Seconds since the process started.
    uptime_s: u64,
    /// The configured source of audio.
    device: String,
    /// How the source is: `state` is `starting`, `running` (with `device` and `format`), `lost` (with
    /// `reason`) or `ended`.
    #[schema(value_type = Object)]
    capture: CaptureState,
    /// Whether the capture thread has real-time priority.
    realtime: bool,
    /// Level of each channel.
    levels: Vec<ChannelLevel>,
    /// Which system interface writes recordings, and why.
    recorder: String,
    /// The speech detector.
    vad: String,
    /// How the model is: `state` is `none`, `loading`, `ready` (with `name` and `accelerator`) or `failed`
    /// (with `reason`).
    #[schema(value_type = Object)]
    model: ModelState,
    /// What was lost or waits.
    counters: Counters,
    /// Pages and programs that follow `GET /live`.
    viewers: usize,
    /// The disk.
    storage: Storage,
}

/// What was lost or waits, since the process started.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counters {
    /// Frames captured in the present stream.
    captured_frames: u64,
    /// Overruns of the device's own buffer.
    overruns: u64,
    /// Frames missing in recordings because the recorder was behind.
    record_lost_frames: u64,
    /// Frames nobody listened to because the listener was behind.
    listen_lost_frames: u64,
    /// Utterances that wait for the transcriber.
    utterances_waiting: u64,
    /// Milliseconds of audio transcribed.
    transcribed_audio_ms: u64,
    /// Milliseconds the transcriber worked.
    transcriber_busy_ms: u64,
}

/// The disk, in bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Storage {
    /// Free where recordings lie; `null` when it cannot be told.
    free_bytes: Option<u64>,
    /// Taken by recordings.
    recordings_bytes: u64,
    /// Taken by the event log.
    events_bytes: u64,
    /// A recording stops when less than this is free.
    min_free_bytes: u64,
}

/// Who is asking.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// Whether requests need a key.
    key_required: bool,
    /// What the asker may do: `viewer`, `operator`, `admin`; `null` without a key.
    #[schema(value_type = Option<String>, example = "operator")]
    role: Option<Role>,
    /// The name of the key.
    name: Option<String>,
    /// What to do when `role` is `null`.
    hint: Option<String>,
}

/// The box: its version, devices, model, counters and disk.
#[utoipa::path(get, path = "/system", operation_id = "get_system", tag = "system", responses(
    (status = 200, description = "The box.", body = System),
))]
pub(super) async fn system(extract::State(shared): State) -> Result<Json<System>, Problem> {
    blocking(move || {
        let app = &shared.app;
        let (status, config) = (&app.status, &app.config);
        let facts = status.facts();
        let recordings_dir = config.storage.recordings_dir();
        Ok::<_, Problem>(Json(System {
            version: env!("CARGO_PKG_VERSION"),
            features: built_with(),
            uptime_s: app.started.elapsed().as_secs(),
            device: config.audio.device.clone(),
            realtime: status.realtime.load(Ordering::Relaxed),
            levels: levels(status, &facts.capture, &config.audio.labels),
            capture: facts.capture,
            recorder: facts.recorder,
            vad: facts.vad,
            model: facts.model,
            counters: counters(status),
            viewers: shared.viewers.taken(),
            storage: Storage {
                free_bytes: rustix::fs::statvfs(&recordings_dir).ok().map(|it| it.f_bavail * it.f_frsize),
                recordings_bytes: bytes_below(&recordings_dir),
                events_bytes: bytes_below(&config.storage.events_dir()),
                min_free_bytes: config.storage.min_free_mib * 1024 * 1024,
            },
        }))
    })
    .await
}

/// Whether a key is needed, and what the one that was sent may do.
#[utoipa::path(get, path = "/session", operation_id = "get_session", tag = "system", security((), ("api_key" = []), ("bearer" = [])), responses(
    (status = 200, description = "Who is asking.", body = Session),
    (status = 401, description = "The key is not valid.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "Too many wrong keys came from this address.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 403, description = "The request comes from another site.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn session(
    extract::State(shared): State,
    request: Request,
) -> Result<Json<Session>, Problem> {
    let key_required = shared.app.access == Access::Keys;
    match auth::authorize(&shared, &request, Role::Viewer) {
        Ok(principal) => Ok(Json(Session {
            key_required,
            role: Some(principal.role),
            name: Some(principal.name),
            hint: None,
        })),
        Err(denied @ (Denied::Missing | Denied::NoKeys)) => {
            let problem = Problem::from(denied);
            debug_assert_eq!(problem.status(), StatusCode::UNAUTHORIZED);
            Ok(Json(Session { key_required, role: None, name: None, hint: Some(problem.into_detail()) }))
        }
        Err(denied) => Err(denied.into()),
    }
}

fn counters(status: &Status) -> Counters {
    Counters {
        captured_frames: status.position().frame,
        overruns: status.overruns.load(Ordering::Relaxed),
        record_lost_frames: status.record_lost_frames.load(Ordering::Relaxed),
        listen_lost_frames: status.listen_lost_frames.load(Ordering::Relaxed),
        utterances_waiting: status.utterances_waiting.load(Ordering::Relaxed),
        transcribed_audio_ms: status.transcribed_audio_ms.load(Ordering::Relaxed),
        transcriber_busy_ms: status.transcriber_busy_ms.load(Ordering::Relaxed),
    }
}

/// Disk space taken by the files below `dir`; sparse files count what they take. What cannot be read
/// counts nothing.
fn bytes_below(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            // The unit of st_blocks is 512 bytes whatever the file system's block size, stat(2).
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}
