//! Whether the box is well, for supervisors: no key, no details beyond the reasons.

use axum::{Json, extract, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    plugins::State,
    status::{CaptureState, ModelState},
};

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Live {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the box does its work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// Why it is not.
    reasons: Vec<String>,
    /// Plugins that cannot run; the rest does its work all the same. `GET /plugins` says why, to those who
    /// have a key.
    failed_plugins: Vec<String>,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/health/live", operation_id = "health_live", tag = "system", responses(
    (status = 200, description = "The process answers.", body = Live),
))]
pub(super) async fn live() -> Json<Live> {
    Json(Live { status: "ok" })
}

/// Whether the box does its work: the microphone is open and the model usable.
///
/// An audio file that was played to its end is as it should be: what was recorded can be fetched.
#[utoipa::path(get, path = "/health/ready", operation_id = "health_ready", tag = "system", responses(
    (status = 200, description = "It does.", body = Ready),
    (status = 503, description = "It does not; `reasons` says why.", body = Ready),
))]
pub(super) async fn ready(extract::State(shared): super::State) -> (StatusCode, Json<Ready>) {
    let facts = shared.app.status.facts();
    let mut reasons = Vec::new();
    match facts.capture {
        CaptureState::Running { .. } | CaptureState::Ended => {}
        CaptureState::Starting => reasons.push("the microphone is not open yet".to_owned()),
        CaptureState::Lost { reason } => reasons.push(format!("the microphone is lost: {reason}")),
    }
    if let ModelState::Failed { reason } = facts.model {
        reasons.push(format!("the model cannot be used: {reason}"));
    }
    let plugins = shared.app.plugins.list().into_iter().filter(|it| it.state == State::Failed);
    let failed_plugins = plugins.map(|it| it.name).collect();
    let (code, status) = match reasons.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    (code, Json(Ready { status, reasons, failed_plugins }))
}
