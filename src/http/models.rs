//! `/models`: which models there are, fetching, checking, choosing and removing them. Owns their HTTP form; the
//! work is done in `models`.

use axum::{Json, extract, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    State,
    error::{Problem, ProblemDocument, is_full},
    input,
    recordings::blocking,
};
use crate::{
    error_chain::chain,
    models::Error,
    speech::{
        DeskError,
        model::{Choice, FetchError, ModelList, StoreError, Verified},
    },
};

/// Where a model is to be fetched from.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NewFetch {
    /// Its address; when not given, its name is looked up in the catalogue.
    #[schema(example = "https://mirror.example/models/ggml-base.en-q5_1.bin")]
    url: Option<String>,
    /// SHA-256 that its file must have, 64 hex digits.
    sha256: Option<String>,
}

/// What became of the wish for a model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FetchAnswer {
    /// Its name.
    name: String,
    /// Whether it is being fetched now; otherwise it is here already and whole.
    fetching: bool,
}

/// Which model is to be used.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChoice {
    /// Its name; `null`: the configured one again.
    #[serde(deserialize_with = "present")]
    #[schema(required, example = "base.en-q5_1")]
    name: Option<String>,
}

/// Left out is not `null`.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(from)
}

/// Whether a model is whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verdict {
    /// Whether it is.
    ok: bool,
    /// What was found, when it is.
    found: Option<Verified>,
    /// What is wrong with it and what to do, when it is not.
    problem: Option<String>,
}

/// How a model is removed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Removal {
    /// Also when it is in use.
    force: bool,
}

/// Lists the catalogue and the models of this box, with the one in use and the fetch that runs.
#[utoipa::path(get, path = "/models", operation_id = "list_models", tag = "models", responses(
    (status = 200, description = "The models.", body = ModelList),
))]
pub(super) async fn list(extract::State(shared): State) -> Result<Json<ModelList>, Problem> {
    let models = shared.app.models.clone();
    blocking(move || Ok::<_, Problem>(Json(models.list()))).await
}

/// Fetches a model in the background. `GET /models` shows how far it is; `model.fetched` or `model.fetch_failed`
/// tells of its end.
#[utoipa::path(post, path = "/models/{name}/fetch", operation_id = "fetch_model", tag = "models",
    params(("name" = String, Path, description = "The model's name")), request_body = NewFetch, responses(
    (status = 200, description = "It is here already and whole.", body = FetchAnswer),
    (status = 202, description = "It is being fetched.", body = FetchAnswer),
    (status = 409, description = "Another one is being fetched.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "Another one is being checked.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "There is no such model or address.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn fetch(
    extract::State(shared): State,
    input::Place(name): input::Place<String>,
    input::Json(new): input::Json<NewFetch>,
) -> Result<(StatusCode, Json<FetchAnswer>), Problem> {
    let hex = |it: &str| it.len() == 64 && it.bytes().all(|b| b.is_ascii_hexdigit());
    if new.sha256.as_deref().is_some_and(|it| !hex(it)) {
        return Err(Problem::unprocessable("`sha256` is no SHA-256 sum: write 64 hex digits"));
    }
    let models = shared.app.models.clone();
    let sha256 = new.sha256.map(|it| it.to_ascii_lowercase());
    blocking(move || {
        let fetching = models.fetch(&name, new.url.as_deref(), sha256)?;
        let status = if fetching { StatusCode::ACCEPTED } else { StatusCode::OK };
        Ok::<_, Error>((status, Json(FetchAnswer { name, fetching })))
    })
    .await
}

/// Reads a model from end to end and compares it with its checksums.
#[utoipa::path(post, path = "/models/{name}/verify", operation_id = "verify_model", tag = "models",
    params(("name" = String, Path, description = "The model's name")), responses(
    (status = 200, description = "Whether it is whole.", body = Verdict),
    (status = 404, description = "It is not here.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "Another one is being checked.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn verify(
    extract::State(shared): State,
    input::Place(name): input::Place<String>,
) -> Result<Json<Verdict>, Problem> {
    let models = shared.app.models.clone();
    blocking(move || match models.verify(&name) {
        Ok(found) => Ok(Json(Verdict { ok: true, found: Some(found), problem: None })),
        Err(Error::Store(error @ (StoreError::Model(_) | StoreError::Differs { .. }))) => {
            Ok(Json(Verdict { ok: false, found: None, problem: Some(chain(&error)) }))
        }
        Err(error) => Err(error),
    })
    .await
}

/// Uses another model from now on, also after restarts. A recording that runs goes on, and what is said from now
/// on is written down with it. When it cannot be loaded, the one in use stays.
#[utoipa::path(put, path = "/models/in-use", operation_id = "choose_model", tag = "models",
    request_body = NewChoice, responses(
    (status = 200, description = "It is in use.", body = Choice),
    (status = 404, description = "It is not here.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "Something else decides.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "It cannot be used; the one before stays in use.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn choose(
    extract::State(shared): State,
    input::Json(new): input::Json<NewChoice>,
) -> Result<Json<Choice>, Problem> {
    let models = shared.app.models.clone();
    // To its end, also when the client goes: what is loaded and what is kept are the same.
    let chosen = tokio::spawn(async move { models.choose(new.name).await }).await;
    Ok(Json(chosen.map_err(Problem::internal)??))
}

/// Removes a model, and stops its fetch when one runs.
#[utoipa::path(delete, path = "/models/{name}", operation_id = "remove_model", tag = "models",
    params(("name" = String, Path, description = "The model's name"),
        ("force" = Option<bool>, Query, description = "Also when it is in use")), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "It is not here.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "It is in use.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn remove(
    extract::State(shared): State,
    input::Place(name): input::Place<String>,
    input::Query(removal): input::Query<Removal>,
) -> Result<StatusCode, Problem> {
    let models = shared.app.models.clone();
    blocking(move || models.remove(&name, removal.force)).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(StoreError::Missing { .. }) => Self::not_found(error.to_string()),
            Error::Store(StoreError::Io { ref source, .. })
            | Error::NotKept(StoreError::Io { ref source, .. })
                if is_full(source) =>
            {
                let detail = format!("{}: the disk is full, delete recordings", chain(&error));
                Self::new(StatusCode::INSUFFICIENT_STORAGE, detail)
            }
            Error::Store(StoreError::Name { .. } | StoreError::Model(_) | StoreError::Differs { .. })
            | Error::Fetch(FetchError::Wanted(_))
            | Error::Unusable(_)
            | Error::Switch(DeskError::Model(_)) => Self::unprocessable(chain(&error)),
            Error::Checking => Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()).try_again(5),
            Error::Conflict(detail) => Self::new(StatusCode::CONFLICT, detail),
            Error::Switch(DeskError::Closed) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).try_again(5)
            }
            error => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_often_is_told_when_to_come_again() {
        let problem = Problem::from(Error::Checking);
        assert_eq!((problem.status().as_u16(), problem.retry_after().is_some()), (429, true));
    }
}
