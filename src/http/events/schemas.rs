//! `/events/schemas`: what events carry. Owns the HTTP form; the registry is in the SDK.

use axum::{Json, extract};
use panotti_sdk::schema::Schema;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::{
    State,
    error::{Problem, ProblemDocument},
    input::Place,
};

/// What one event carries.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct EventSchema {
    /// The event's name.
    #[schema(example = "recording.ended")]
    name: String,
    /// Who alone publishes it: `core` or a plugin.
    #[schema(example = "core")]
    owner: &'static str,
    /// What it means.
    description: &'static str,
    /// Its payload, as JSON Schema (2020-12).
    #[schema(value_type = Object)]
    schema: Value,
}

/// All schemas, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct EventSchemaList {
    /// The schemas.
    items: Vec<EventSchema>,
    /// Always `null`: they are few.
    #[schema(value_type = Option<String>)]
    next_cursor: (),
}

impl From<&Schema> for EventSchema {
    fn from(schema: &Schema) -> Self {
        Self {
            name: schema.name.to_string(),
            owner: schema.owner,
            description: schema.description,
            schema: schema.json_schema(),
        }
    }
}

/// What the box's own events and those of its plugins carry, by name.
///
/// Events with other names are their publishers' own and carry any JSON object.
#[utoipa::path(get, path = "/events/schemas", operation_id = "list_event_schemas", tag = "events", responses(
    (status = 200, description = "All schemas.", body = EventSchemaList),
))]
pub(in super::super) async fn list(extract::State(shared): State) -> Json<EventSchemaList> {
    Json(EventSchemaList {
        items: shared.app.log.schemas().schemas().map(Into::into).collect(),
        next_cursor: (),
    })
}

/// What one event carries.
#[utoipa::path(get, path = "/events/schemas/{name}", operation_id = "get_event_schema", tag = "events",
    params(("name" = String, Path, description = "The event's name", example = "recording.ended")), responses(
    (status = 200, description = "Its schema.", body = EventSchema),
    (status = 404, description = "No event with a schema has this name.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn get(
    extract::State(shared): State,
    Place(name): Place<String>,
) -> Result<Json<EventSchema>, Problem> {
    let schema = shared.app.log.schemas().schemas().find(|schema| schema.name.as_str() == name);
    schema.map(|schema| Json(schema.into())).ok_or_else(|| {
        Problem::not_found(format!(
            "no event with a schema is called `{name}`: `GET /events/schemas` lists all"
        ))
    })
}
