//! `/events/dead-letters`: events that a subscription could not handle. Owns their HTTP form; they are the
//! bus's.

use axum::{Json, extract, http::StatusCode};
use jiff::Timestamp;
use panotti_sdk::{
    Filter, Priority,
    filter::{Condition, Topic},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    super::{
        State, cursor,
        error::{Problem, ProblemDocument},
        input::{Place, Query},
        recordings::{blocking, limit},
    },
    EventDocument, check,
};
use crate::bus::{DeadLetter, DeadLetterFilter};

/// Which dead letters, and which part of them. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct DeadLetterQuery {
    /// Most items of one answer, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
    /// Only those of this subscription.
    subscription: Option<String>,
    /// Only events of this name; `*` stands for one word, `**` for the rest.
    #[param(value_type = Option<String>, example = "recording.*")]
    name: Option<Topic>,
    /// Only events of this meeting.
    correlation_id: Option<Uuid>,
    /// Only events accepted at this time or later (RFC 3339).
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Only events accepted before this time.
    #[param(value_type = Option<String>)]
    to: Option<Timestamp>,
    /// Only events at least this urgent: `low`, `normal`, `high` or `critical`.
    #[param(value_type = Option<String>)]
    priority: Option<Priority>,
    /// Only events published by this plugin or part.
    source: Option<String>,
    /// Only events for which this condition holds.
    #[param(value_type = Option<String>)]
    #[serde(rename = "where")]
    condition: Option<Condition>,
}

/// An event that a subscription could not handle. It is kept until somebody drops it, however old.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct DeadLetterDocument {
    /// Whose it is.
    subscription: String,
    /// The event.
    event: EventDocument,
    /// How often it was tried, all replays together.
    attempts: u32,
    /// How often it was replayed.
    replays: u32,
    /// The last error and its causes, outermost first.
    errors: Vec<String>,
    /// When it was parked first.
    #[schema(value_type = String, format = DateTime)]
    parked_at: String,
    /// When it was tried last.
    #[schema(value_type = String, format = DateTime)]
    tried_at: String,
}

/// Some dead letters, in the order of their events.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct DeadLetterList {
    /// The dead letters.
    #[schema(value_type = Vec<DeadLetterDocument>)]
    items: Vec<DeadLetter>,
    /// Asks for the ones after these; `null` at the end.
    next_cursor: Option<String>,
}

/// The list's name in its cursors.
const LIST: &str = "dead-letters";

/// Lists dead letters, those of the oldest events first.
#[utoipa::path(get, path = "/events/dead-letters", operation_id = "list_dead_letters", tag = "events", params(DeadLetterQuery), responses(
    (status = 200, description = "Some dead letters.", body = DeadLetterList),
    (status = 422, description = "The query is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    extract::State(shared): State,
    Query(query): Query<DeadLetterQuery>,
) -> Result<Json<DeadLetterList>, Problem> {
    let limit = limit(query.limit)?;
    let after = query.cursor.map(|cursor| place(&cursor)).transpose()?;
    let filter = Filter {
        topics: query.name.into_iter().collect(),
        correlation_id: query.correlation_id,
        from: query.from,
        to: query.to,
        priority: query.priority,
        source: query.source,
        condition: query.condition,
        also: None,
    };
    let filter = DeadLetterFilter { subscription: query.subscription, filter };
    // One more than asked for tells whether there are more.
    let mut items = blocking(move || {
        check(&shared, &filter.filter)?;
        let after = after.as_ref().map(|(seq, subscription)| (*seq, subscription.as_str()));
        shared.app.bus.dead_letters(after, limit + 1, &filter).map_err(Problem::from)
    })
    .await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|letter| cursor::encode(LIST, &format!("{}/{}", letter.event.seq, letter.subscription)));
    Ok(Json(DeadLetterList { items, next_cursor }))
}

/// The dead letter that a cursor points at: its event's `seq`, and its subscription.
fn place(cursor: &str) -> Result<(u64, String), Problem> {
    let text = cursor::decode(LIST, cursor)?;
    text.split_once('/')
        .and_then(|(seq, subscription)| Some((seq.parse().ok()?, subscription.to_owned())))
        .ok_or_else(|| Problem::unprocessable("`cursor` is damaged: begin without"))
}

/// Forgets a dead letter for good. Its event stays in the log.
#[utoipa::path(delete, path = "/events/dead-letters/{subscription}/{seq}", operation_id = "drop_dead_letter", tag = "events",
    params(("subscription" = String, Path, description = "Whose it is"), ("seq" = u64, Path, description = "Its event's place in the log")), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The log is too busy.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn delete(
    extract::State(shared): State,
    Place((subscription, seq)): Place<(String, u64)>,
) -> Result<StatusCode, Problem> {
    shared.app.bus.drop_dead_letter(&subscription, seq).await?;
    Ok(StatusCode::NO_CONTENT)
}
