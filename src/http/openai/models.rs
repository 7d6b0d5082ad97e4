//! `GET /v1/models`: which models a client may name. Owns their list: the one in use, by its own name and
//! by the name that every client of OpenAI's API knows.

use std::time::UNIX_EPOCH;

use axum::{Json, extract, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::{Shared, State, input::Place},
    error::{OpenAiError, Refusal},
};
use crate::speech::model::resolve;

/// The name of OpenAI's own Whisper; here, of whichever model is in use.
pub(super) const WHISPER_1: &str = "whisper-1";

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Model {
    /// Its name.
    #[schema(example = "whisper-1")]
    id: String,
    /// Always `model`.
    object: &'static str,
    /// When its file was last changed, s since 1970; 0 where that is not known.
    created: u64,
    /// Always `panotti`.
    owned_by: &'static str,
}

/// The models in use.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ModelList {
    /// Always `list`.
    object: &'static str,
    /// Both names of the model in use; empty while there is none.
    data: Vec<Model>,
}

/// Lists the model in use, by its own name and as `whisper-1`.
#[utoipa::path(get, path = "/v1/models", operation_id = "openai_list_models", tag = "openai", responses(
    (status = 200, description = "The models.", body = ModelList),
    (status = 401, description = "The key is missing or not valid.", body = OpenAiError),
    (status = 429, description = "Too many wrong keys came from this address; `Retry-After` says how long to wait.", body = OpenAiError),
))]
pub(in super::super) async fn list(extract::State(shared): State) -> Json<ModelList> {
    Json(ModelList { object: "list", data: models(&shared).await })
}

/// One model.
#[utoipa::path(get, path = "/v1/models/{model}", operation_id = "openai_get_model", tag = "openai",
    params(("model" = String, Path, description = "Its name")), responses(
    (status = 200, description = "The model.", body = Model),
    (status = 401, description = "The key is missing or not valid.", body = OpenAiError),
    (status = 404, description = "It is not in use.", body = OpenAiError),
    (status = 429, description = "Too many wrong keys came from this address; `Retry-After` says how long to wait.", body = OpenAiError),
))]
pub(in super::super) async fn get(
    extract::State(shared): State,
    Place(name): Place<String>,
) -> Result<Json<Model>, Refusal> {
    let models = models(&shared).await;
    let there: Vec<&str> = models.iter().map(|it| &*it.id).collect();
    let refusal = unknown(&name, &there);
    models.into_iter().find(|it| it.id == name).map(Json).ok_or(refusal)
}

/// A model that is not in use, where `there` are.
pub(super) fn unknown(name: &str, there: &[&str]) -> Refusal {
    let instead = match there {
        [] => "this box has no model in use".to_owned(),
        there => format!("this box has {}", there.join(" and ")),
    };
    let message = format!("there is no model `{name}`: {instead}");
    Refusal::new(StatusCode::NOT_FOUND, message).about("model").coded("model_not_found")
}

async fn models(shared: &Shared) -> Vec<Model> {
    let Some(model) = shared.app.desk.model() else { return Vec::new() };
    let created = created(shared, &model.name).await;
    let named = |id: String| Model { id, object: "model", created, owned_by: "panotti" };
    vec![named(WHISPER_1.to_owned()), named(model.name)]
}

/// When the file of the model in use was last changed: the one of its name, or the one configured where
/// that is its name.
async fn created(shared: &Shared, name: &str) -> u64 {
    let config = &shared.app.config;
    let configured = config.transcription.model.as_deref();
    for it in configured.into_iter().chain([name]) {
        let path = resolve(it, &config.storage.models_dir());
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if stem.strip_prefix("ggml-").unwrap_or(&stem) != name {
            continue;
        }
        let changed = tokio::fs::metadata(&path).await.and_then(|it| it.modified());
        if let Ok(Ok(since)) = changed.map(|it| it.duration_since(UNIX_EPOCH)) {
            return since.as_secs();
        }
    }
    0
}
