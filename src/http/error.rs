//! Answers that tell of a failure. Owns the problem document (RFC 9457) and how errors of other modules
//! become one: what the client is told, and apart from it what is logged.

use std::{error::Error, io};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{input, openai};
use crate::{bus, error_chain::chain, event_log, plugins, recordings, security};

/// A failure in the form of RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemDocument {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What happened and what to do.
    #[schema(example = "there is no recording `20250117225532_4AFEA8B6`")]
    detail: String,
}

/// A failure on its way to the client.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    /// For the log only.
    cause: Option<Box<dyn Error + Send + Sync>>,
    retry_after_s: Option<u16>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), cause: None, retry_after_s: None }
    }

    pub(super) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Our own failure: the client learns nothing about it but that it is in the log.
    pub(super) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            detail: "something went wrong inside the box; its log says what".into(),
            cause: Some(cause.into()),
            retry_after_s: None,
        }
    }

    /// Not now: the client may try again after `seconds`.
    pub(super) fn try_again(mut self, seconds: u16) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Keeps what must be logged but not told.
    pub(super) fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// `Retry-After`, where there is one.
    pub(super) fn retry_after(&self) -> Option<[(HeaderName, HeaderValue); 1]> {
        self.retry_after_s.map(|seconds| [(header::RETRY_AFTER, seconds.into())])
    }

    /// Logs the cause, which is then done with, and gives what the client is told.
    pub(super) fn into_detail(self) -> String {
        if let Some(cause) = self.cause {
            tracing::error!(
                error = chain(cause.as_ref()),
                status = self.status.as_u16(),
                "A request failed."
            );
        }
        self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let retry_after = self.retry_after();
        let document = ProblemDocument {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.into_detail(),
        };
        let mut response = (status, axum::Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        (retry_after, response).into_response()
    }
}

impl From<recordings::Error> for Problem {
    fn from(error: recordings::Error) -> Self {
        use recordings::Error;
        let unavailable = |detail| Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).try_again(2);
        match error {
            Error::Unknown { .. } => Self::not_found(error.to_string()),
            Error::Invalid(detail) => Self::unprocessable(detail),
            Error::Conflict(detail) => Self::new(StatusCode::CONFLICT, detail),
            Error::Unavailable(detail) => unavailable(detail),
            Error::Stopping => unavailable(error.to_string()),
            Error::Log(error) => error.into(),
            Error::File { ref source, .. } if is_full(source) => {
                let detail = "the disk is full: delete recordings or make room on it";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, detail).caused_by(error)
            }
            error => Self::internal(error),
        }
    }
}

/// Whether there is no room on the disk.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<event_log::Error> for Problem {
    fn from(error: event_log::Error) -> Self {
        use event_log::Error;
        match error {
            Error::Invalid(_) | Error::Schema(_) => Self::unprocessable(error.to_string()),
            Error::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            Error::Backpressure | Error::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).try_again(5)
            }
            Error::Full { .. } => {
                let detail = "the disk is full: delete recordings or make room on it";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, detail).caused_by(error)
            }
            error => Self::internal(error),
        }
    }
}

impl From<bus::Error> for Problem {
    fn from(error: bus::Error) -> Self {
        use bus::Error;
        match error {
            Error::Log(error) => error.into(),
            Error::Name(_) | Error::Replay(_) => Self::unprocessable(error.to_string()),
            Error::Running(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            Error::UnknownSubscription(_) | Error::UnknownDeadLetter { .. } | Error::UnknownReplay(_) => {
                Self::not_found(error.to_string())
            }
            error => Self::internal(error),
        }
    }
}

impl From<plugins::Error> for Problem {
    fn from(error: plugins::Error) -> Self {
        use plugins::Error;
        match error {
            Error::Unknown { .. } | Error::NotCompiledIn { .. } => Self::not_found(error.to_string()),
            Error::Settings { ref problems, .. } => {
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                Self::unprocessable(format!("{error}: {}", problems.join("; ")))
            }
            Error::Write { ref source, .. } if is_full(source) => {
                let detail = "there is no room on the disk for the settings: delete recordings";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, detail).caused_by(error)
            }
            Error::NotRunning { .. } | Error::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            Error::Log(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

impl From<security::Error> for Problem {
    fn from(error: security::Error) -> Self {
        Self::internal(error)
    }
}

/// No route has this path.
pub(super) async fn not_found(request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if openai::is_below(&path) {
        // Hung up on in the middle of a file, a client would not learn what there is instead.
        input::drain(request).await;
    }
    openai::told(&path, Problem::not_found("Not Found"))
}

/// The path exists, the method does not; axum adds `Allow`.
pub(super) async fn method_not_allowed(uri: Uri) -> Response {
    openai::told(uri.path(), Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
}
