//! `/plugins`: managing plugins, and the routes they bring. Owns their HTTP form; the rules are in
//! `plugins`.

use axum::{
    Json, extract,
    extract::Request as HttpRequest,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use panotti_sdk::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    State,
    error::{Problem, ProblemDocument},
    input::{self, read_body},
};
use crate::{
    plugins::{PluginDetail, PluginStatus, Reconfigured},
    security::{Principal, Role},
};

/// Largest body that a plugin gets, bytes: what the SDK promises.
const MOST_BODY: usize = 1 << 20;

/// All plugins of this box.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginList {
    /// The plugins, by name.
    items: Vec<PluginStatus>,
    /// Always `null`: all plugins are in `items`.
    #[schema(value_type = Option<String>)]
    next_cursor: (),
    /// Plugins of the project that this build leaves out.
    not_compiled_in: Vec<Absent>,
}

/// A plugin that this build leaves out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Absent {
    /// Its name.
    name: &'static str,
    /// The cargo feature that compiles it in.
    feature: &'static str,
}

/// A new configuration.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConfig {
    /// All settings; what is left out takes its default.
    #[schema(value_type = Object)]
    config: Map<String, Value>,
}

/// Lists all plugins and how they are.
#[utoipa::path(get, path = "/plugins", operation_id = "list_plugins", tag = "plugins", responses(
    (status = 200, description = "The plugins.", body = PluginList),
))]
pub(super) async fn list(extract::State(shared): State) -> Json<PluginList> {
    let items = shared.app.plugins.list();
    let absent = crate::plugins::KNOWN.iter().filter(|known| items.iter().all(|it| it.name != known.name));
    let absent = absent.map(|it| Absent { name: it.name, feature: it.feature }).collect();
    Json(PluginList { items, next_cursor: (), not_compiled_in: absent })
}

/// One plugin in full: schema and configuration, permissions, routes, history.
#[utoipa::path(get, path = "/plugins/{id}", operation_id = "get_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin's name")), responses(
    (status = 200, description = "The plugin.", body = PluginDetail),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    extract::State(shared): State,
    input::Place(id): input::Place<String>,
) -> Result<Json<PluginDetail>, Problem> {
    Ok(Json(shared.app.plugins.get(&id)?))
}

/// How one plugin is.
#[utoipa::path(get, path = "/plugins/{id}/status", operation_id = "get_plugin_status", tag = "plugins",
    params(("id" = String, Path, description = "The plugin's name")), responses(
    (status = 200, description = "How it is.", body = PluginStatus),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn status(
    extract::State(shared): State,
    input::Place(id): input::Place<String>,
) -> Result<Json<PluginStatus>, Problem> {
    Ok(Json(shared.app.plugins.get(&id)?.status))
}

/// Enables a plugin for good and starts it; one that was given up is tried again.
#[utoipa::path(post, path = "/plugins/{id}/enable", operation_id = "enable_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin's name")), responses(
    (status = 200, description = "How it is now.", body = PluginStatus),
    (status = 404, description = "There is none, or not in this build.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "Its settings cannot be used.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn enable(
    extract::State(shared): State,
    input::Place(id): input::Place<String>,
) -> Result<Json<PluginStatus>, Problem> {
    Ok(Json(shared.app.plugins.enable(&id).await?))
}

/// Disables a plugin for good: it gets no events and keeps its place in the log.
#[utoipa::path(post, path = "/plugins/{id}/disable", operation_id = "disable_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin's name")), responses(
    (status = 200, description = "How it is now.", body = PluginStatus),
    (status = 404, description = "There is none, or not in this build.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn disable(
    extract::State(shared): State,
    input::Place(id): input::Place<String>,
) -> Result<Json<PluginStatus>, Problem> {
    Ok(Json(shared.app.plugins.disable(&id).await?))
}

/// Validates a configuration, keeps it, and lets the plugin run with it. No event is lost.
#[utoipa::path(put, path = "/plugins/{id}/config", operation_id = "configure_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin's name")), request_body = NewConfig, responses(
    (status = 200, description = "What changed.", body = Reconfigured),
    (status = 404, description = "There is none, or not in this build.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "The configuration cannot be used; the detail lists everything that is wrong.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn configure(
    extract::State(shared): State,
    input::Place(id): input::Place<String>,
    input::Json(new): input::Json<NewConfig>,
) -> Result<Json<Reconfigured>, Problem> {
    Ok(Json(shared.app.plugins.configure(&id, Value::Object(new.config)).await?))
}

/// Hands a request to a plugin's route. Which role it needs is the route's to say.
pub(super) async fn call(
    extract::State(shared): State,
    input::Place((name, path)): input::Place<(String, String)>,
    request: HttpRequest,
) -> Result<Response, Problem> {
    let plugins = &shared.app.plugins;
    // A plugin gets its path decoded. A word in which a slash or a step up was hidden is no word.
    let written = request.uri().path().split('/').count();
    let words = || path.split('/');
    let hidden = written != words().count() + 3 || words().any(|it| matches!(it, "." | ".."));
    let path = format!("/{path}");
    let route = plugins.route(&name, request.method().as_str(), &path)?.filter(|_| !hidden);
    let Some(route) = route else {
        return Err(Problem::not_found(format!(
            "the plugin `{name}` has no route {} {path}: `panotti plugins show {name}` lists those it has",
            request.method()
        )));
    };
    let needs = match route.role {
        "viewer" => Role::Viewer,
        "operator" => Role::Operator,
        // What is not understood is kept from most.
        _ => Role::Admin,
    };
    let has = request.extensions().get::<Principal>().map_or(Role::Viewer, |it| it.role);
    if has < needs {
        return Err(super::auth::Denied::Role { has, needs }.into());
    }
    let (parts, body) = request.into_parts();
    let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|error| Problem::unprocessable(error.body_text()))?;
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let body = read_body(body).await?;
    if body.len() > MOST_BODY {
        let detail = format!("the body is larger than {MOST_BODY} bytes: send less");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path,
        query: query.0,
        content_type: content_type.map(str::to_owned),
        body: body.to_vec(),
    };
    let answer = plugins.call(&name, request).await?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_str(&answer.content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    Ok((status, [(header::CONTENT_TYPE, content_type)], answer.body).into_response())
}
