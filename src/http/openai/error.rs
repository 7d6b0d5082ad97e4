//! Refusals as OpenAI's clients know them. Owns that form and its words; what went wrong is a [`Problem`]
//! as everywhere else.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{auth::Denied, error::Problem};
use crate::{
    error_chain::chain,
    speech::{DeskError, Error},
};

/// A failure in OpenAI's form.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct OpenAiError {
    /// What failed.
    error: Failure,
}

/// What failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Failure {
    /// What happened and what to do.
    message: String,
    /// `invalid_request_error`, `requests` (too many), or `server_error`.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    kind: &'static str,
    /// The field that is meant.
    param: Option<&'static str>,
    /// A word for programs.
    #[schema(example = "model_not_found")]
    code: Option<&'static str>,
}

/// A failure on its way to the client.
#[derive(Debug)]
pub(in super::super) struct Refusal {
    problem: Problem,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Problem::new(status, message).into()
    }

    /// A field is missing, or has a value that does not fit.
    pub(super) fn field(param: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message).about(param)
    }

    pub(super) fn about(self, param: &'static str) -> Self {
        Self { param: Some(param), ..self }
    }

    pub(super) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// As it stands in an answer. The cause is logged.
    pub(super) fn into_document(self) -> OpenAiError {
        let status = self.problem.status();
        let (kind, usual) = match status {
            StatusCode::UNAUTHORIZED => ("invalid_request_error", Some("invalid_api_key")),
            StatusCode::TOO_MANY_REQUESTS => ("requests", Some("rate_limit_exceeded")),
            status if status.is_server_error() => ("server_error", None),
            _ => ("invalid_request_error", None),
        };
        let message = self.problem.into_detail();
        OpenAiError { error: Failure { message, kind, param: self.param, code: self.code.or(usual) } }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem, param: None, code: None }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Problem::from(denied).into()
    }
}

impl From<DeskError> for Refusal {
    fn from(error: DeskError) -> Self {
        let unavailable =
            |problem: &DeskError| Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem.to_string());
        match error {
            // The path is of no use to who sent the file.
            DeskError::Audio(Error::Audio { source, path }) => {
                let path = path.display().to_string();
                let why = chain(source.as_ref()).replace(&format!("`{path}`"), "it").replace(&path, "it");
                Self::field("file", format!("the file cannot be read as audio: {why}"))
            }
            DeskError::Closed => unavailable(&error).try_again(5).into(),
            DeskError::NoModel | DeskError::Model(_) => unavailable(&error).into(),
            error => Problem::internal(error).into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.problem.status(), self.problem.retry_after());
        let mut response = (status, retry_after, Json(self.into_document())).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Whether `path` is one that clients of this API ask for.
pub(in super::super) fn is_below(path: &str) -> bool {
    path.strip_prefix("/v1").is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

/// A failure that no route tells of, in the form that clients of `path` know.
pub(in super::super) fn told(path: &str, problem: Problem) -> Response {
    if !is_below(path) {
        return problem.into_response();
    }
    let there = "of OpenAI's API this box has POST /v1/audio/transcriptions, GET /v1/models and \
                 GET /v1/models/{model}";
    let message = match problem.status() {
        StatusCode::NOT_FOUND => format!("there is no {path}: {there}"),
        StatusCode::METHOD_NOT_ALLOWED => format!("{path} does not take this method: {there}"),
        _ => return Refusal::from(problem).into_response(),
    };
    Refusal::new(problem.status(), message).into_response()
}
