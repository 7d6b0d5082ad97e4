//! `/events`: what happened, page by page. Owns the HTTP form of the list and of the filter.

use axum::{Json, extract};
use panotti_sdk::{Event, Filter, filter::Topic};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    State, cursor,
    error::{Problem, ProblemDocument},
    input::Query,
    recordings::{blocking, limit},
};

/// Which events, and which part of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    /// Most items of one answer, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
    /// Only events of this name; `*` stands for one word, `**` for the rest.
    #[param(example = "recording.*")]
    name: Option<String>,
    /// Only events of this meeting.
    correlation_id: Option<Uuid>,
    /// Newest first (`desc`) or oldest first (`asc`).
    #[param(inline)]
    #[serde(default)]
    order: Order,
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}

/// Some events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventList {
    /// The events.
    #[schema(value_type = Vec<EventDocument>)]
    items: Vec<Event>,
    /// Asks for the ones after these; `null` at the end.
    next_cursor: Option<String>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventDocument {
    /// Place in the log, from 1.
    seq: u64,
    /// UUIDv7.
    id: Uuid,
    /// `domain.happening`.
    #[schema(example = "recording.ended")]
    name: String,
    /// What happened; its form follows from the name.
    #[schema(value_type = Object)]
    payload: Value,
    /// Where it belongs.
    context: EventContextDocument,
    /// `low`, `normal`, `high` or `critical`.
    #[schema(example = "normal")]
    priority: String,
}

/// Where an event belongs and where it came from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventContextDocument {
    /// The same for everything that follows from one meeting.
    correlation_id: Uuid,
    /// The event that led to this one.
    causation_id: Option<Uuid>,
    /// When it was accepted, UTC.
    #[schema(value_type = String, format = DateTime)]
    timestamp: String,
    /// Who published it.
    source_plugin: Option<String>,
    /// Anything else.
    #[schema(value_type = Object)]
    metadata: Value,
}

/// The filter that `name` and `correlation_id` ask for.
pub(super) fn filter(name: Option<String>, correlation_id: Option<Uuid>) -> Result<Filter, Problem> {
    let topic = name
        .map(|name| Topic::parse(&name))
        .transpose()
        .map_err(|e| Problem::unprocessable(e.to_string()))?;
    Ok(Filter { topics: topic.into_iter().collect(), correlation_id, ..Filter::default() })
}

/// Lists events, newest first unless asked otherwise.
#[utoipa::path(get, path = "/events", operation_id = "list_events", tag = "events", params(EventQuery), responses(
    (status = 200, description = "Some events.", body = EventList),
    (status = 422, description = "The query is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    extract::State(shared): State,
    Query(query): Query<EventQuery>,
) -> Result<Json<EventList>, Problem> {
    let limit = limit(query.limit)?;
    let filter = filter(query.name, query.correlation_id)?;
    let kind = match query.order {
        Order::Asc => "events-asc",
        Order::Desc => "events-desc",
    };
    let from: Option<u64> = match query.cursor {
        None => None,
        Some(cursor) => Some(
            cursor::decode(kind, &cursor)?
                .parse()
                .map_err(|_| Problem::unprocessable("`cursor` is damaged: begin without"))?,
        ),
    };
    let log = shared.app.log.clone();
    // One more than asked for tells whether there are more.
    let mut items = blocking(move || match query.order {
        Order::Asc => log.read(from.unwrap_or(0), limit + 1, &filter),
        Order::Desc => log.read_back(from.unwrap_or(u64::MAX), limit + 1, &filter),
    })
    .await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|event| cursor::encode(kind, &event.seq.to_string()));
    Ok(Json(EventList { items, next_cursor }))
}
