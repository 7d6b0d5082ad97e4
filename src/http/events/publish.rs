//! `POST /events`: a client publishes. Owns which names are a client's to publish, and what a repetition
//! is; the log owns what can be stored.

use axum::{
    Extension, extract,
    http::{HeaderMap, HeaderName, StatusCode, header},
};
use panotti_sdk::{Event, EventName, NewEvent, Priority};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{
    State,
    error::{Problem, ProblemDocument},
    input::Json,
    recordings::blocking,
};
use crate::{
    event_log::{Batch, EventLog},
    security::{Principal, Role},
};

/// Who publishes, in the context of what comes in here.
const SOURCE: &str = "api";
/// Says that nothing was stored because it had been before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replay");

/// An event to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct PublishedEvent {
    /// `domain.happening`: two or more words of `a-z`, `0-9` and `_` joined by dots. The domains of the box
    /// and its plugins are theirs.
    #[schema(value_type = String, example = "door.opened")]
    name: EventName,
    /// What happened; of the form that `GET /events/schemas/{name}` says, where there is one.
    #[serde(default)]
    #[schema(value_type = Object)]
    payload: Map<String, Value>,
    /// The meeting it belongs to; a new id when it is not given.
    correlation_id: Option<Uuid>,
    /// The event that led to it, from which it has its `correlation_id`.
    causation_id: Option<Uuid>,
    /// `low`, `normal`, `high` or `critical`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "normal")]
    priority: Priority,
    /// Anything else.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// What an event became.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Accepted {
    /// The event's id.
    id: Uuid,
    /// Its place in the log.
    seq: u64,
}

type Answer = (StatusCode, [(HeaderName, String); 2], axum::Json<Accepted>);

/// Publishes an event: when it is answered, the event is on disk.
///
/// With `Idempotency-Key`, a repetition within a day publishes nothing and is answered with the first
/// event. Keys of different clients have nothing to do with each other.
#[utoipa::path(post, path = "/events", operation_id = "publish_event", tag = "events", request_body = PublishedEvent,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same for every attempt at this event: 1 to 255 printable ASCII characters")), responses(
    (status = 200, description = "It had been published before; `Idempotent-Replay: true`.", body = Accepted, headers(("Location" = String, description = "Path of the event"), ("Idempotent-Replay" = bool, description = "`true`"))),
    (status = 201, description = "It is in the log.", body = Accepted, headers(("Location" = String, description = "Path of the event"), ("Idempotent-Replay" = bool, description = "`false`"))),
    (status = 403, description = "The key needs the role `operator`, or the name belongs to the box or a plugin.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 413, description = "The body, payload or metadata are too large.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "The event is not acceptable; `detail` says where.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The log is too busy; `Retry-After` says when to try again.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 507, description = "The disk is full.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn publish(
    extract::State(shared): State,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    Json(new): Json<PublishedEvent>,
) -> Result<Answer, Problem> {
    let key = idempotency_key(&headers)?;
    let log = &shared.app.log;
    check_owner(log, &principal, &new.name)?;
    let correlation_id = correlation(log, &new).await?;
    let mut event = NewEvent::new(new.name, Value::Object(new.payload))
        .from_source(SOURCE)
        .with_priority(new.priority)
        .because_of(new.causation_id);
    event.correlation_id = correlation_id;
    event.metadata = new.metadata;
    let asked = event.clone();
    let before = *log.tail().borrow();
    // The log keeps keys by source, which is the same for all clients. No key's id has a slash.
    let idempotency_key = key.map(|key| format!("{}/{key}", principal.key_id));
    let stored = log.append(Batch { events: vec![event], idempotency_key, ..Batch::default() }).await?;
    let stored = stored.into_iter().next().ok_or_else(|| Problem::internal("the log stored no event"))?;
    // What is new lies behind all that was there before.
    let repeated = stored.seq <= before;
    if repeated && !is_same(&stored, &asked) {
        let detail = format!(
            "this `Idempotency-Key` was used for another event, {}: choose a new key for a new event",
            stored.id
        );
        return Err(Problem::unprocessable(detail));
    }
    let headers = [(header::LOCATION, format!("/events/{}", stored.id)), (REPLAYED, repeated.to_string())];
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, headers, axum::Json(Accepted { id: stored.id, seq: stored.seq })))
}

/// The key that a request carries.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=255).contains(&key.len()) && !key.contains('\t'));
    key.map(Some).ok_or_else(|| {
        Problem::unprocessable("`Idempotency-Key` must be 1 to 255 printable ASCII characters")
    })
}

/// Refuses a name that is not `principal`'s to publish. The payload is looked over by the log.
fn check_owner(log: &EventLog, principal: &Principal, name: &EventName) -> Result<(), Problem> {
    let Some(owner) = log.schemas().owner_of(name.as_str()) else { return Ok(()) };
    if principal.role >= Role::Admin {
        if log.schemas().known_names().any(|it| it == name.as_str()) {
            return Ok(());
        }
        let help = log.schemas().topic_help(&name.clone().into()).unwrap_or_default();
        let detail = format!("`{owner}` has no event `{name}`: {help}");
        return Err(Problem::unprocessable(detail.trim_end_matches([':', ' ']).to_owned()));
    }
    let detail = format!(
        "`{name}` belongs to `{owner}`, which alone publishes it: use a domain of your own (an administrator's \
         key may publish it to repair something)"
    );
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

/// The meeting that an event belongs to: that of the event which led to it, if there is one.
async fn correlation(log: &EventLog, new: &PublishedEvent) -> Result<Option<Uuid>, Problem> {
    let Some(cause) = new.causation_id else { return Ok(new.correlation_id) };
    let log = log.clone();
    let found = blocking(move || log.get_event(cause)).await?;
    let cause = found.ok_or_else(|| {
        Problem::unprocessable(format!(
            "`causation_id` in the body is not acceptable: there is no event {cause}"
        ))
    })?;
    let inherited = cause.context.correlation_id;
    if new.correlation_id.is_some_and(|id| id != inherited) {
        let detail = format!(
            "`correlation_id` in the body is not acceptable: the event that led to it has {inherited}; leave it out"
        );
        return Err(Problem::unprocessable(detail));
    }
    Ok(Some(inherited))
}

/// Whether `stored` is what was asked for. A repetition may leave the correlation id to the box again.
fn is_same(stored: &Event, asked: &NewEvent) -> bool {
    let context = &stored.context;
    stored.name == *asked.name()
        && stored.payload == *asked.payload()
        && stored.priority == asked.priority
        && context.metadata == asked.metadata
        && context.causation_id == asked.causation_id
        && asked.correlation_id.is_none_or(|id| id == context.correlation_id)
}
