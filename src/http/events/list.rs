//! `GET /events`: what happened, page by page, and single events. Owns their HTTP form; which events
//! there are is the log's, and who is done with them the bus's.

use axum::{Json, extract};
use jiff::Timestamp;
use panotti_sdk::{
    Event, Filter, Priority,
    filter::{Condition, Topic},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    super::{
        Shared, State, cursor,
        error::{Problem, ProblemDocument},
        input::{Place, Query},
        recordings::{blocking, limit},
    },
    EventDocument, selection,
};
use crate::{
    bus::{DeadLetterFilter, DeliveryStatus, EventState},
    event_log::{self, PageRequest},
};

/// Pages of the log that one answer looks through for events of a status, and their length.
const ROUNDS: usize = 16;
const ROUND: usize = 256;

/// Which events, and which part of them. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct EventQuery {
    /// Most items of one answer, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
    /// Newest first (`desc`) or oldest first (`asc`).
    #[param(inline)]
    #[serde(default)]
    order: Order,
    /// Only events that pass this named filter.
    filter: Option<String>,
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
    /// Only events of this status.
    #[param(inline)]
    status: Option<Status>,
    /// Only events for which this condition holds.
    #[param(value_type = Option<String>, example = "payload.duration_ms > 60000")]
    #[serde(rename = "where")]
    condition: Option<Condition>,
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

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// A subscription that wants it is not done with it.
    Pending,
    /// Every subscription that wants it has handled it; there may be none.
    Processed,
    /// Nobody has to handle it any more, and a subscription could not.
    Failed,
}

/// Some events.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct EventList {
    /// The events.
    #[schema(value_type = Vec<EventDocument>)]
    items: Vec<Event>,
    /// Asks for the ones after these; `null` at the end. There may be one after few items or none: then
    /// what was looked through so far has no more that fit.
    next_cursor: Option<String>,
}

/// An event and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct EventDetails {
    #[serde(flatten)]
    #[schema(value_type = EventDocument)]
    event: Event,
    /// What became of it.
    delivery: Delivery,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Delivery {
    /// `pending`, `processed` or `failed`.
    #[schema(value_type = String, example = "processed")]
    status: EventState,
    /// Subscriptions that want it and are not done with it.
    pending: Vec<String>,
    /// Subscriptions that could not handle it.
    failed: Vec<String>,
}

impl From<DeliveryStatus> for Delivery {
    fn from(status: DeliveryStatus) -> Self {
        Self { status: status.state(), pending: status.pending, failed: status.failed }
    }
}

impl Status {
    fn is(self, state: EventState) -> bool {
        match self {
            Self::Pending => state == EventState::Pending,
            Self::Processed => state == EventState::Processed,
            Self::Failed => state == EventState::Failed,
        }
    }

    /// No event before this `seq` has the status; `None` when no event at all has it.
    fn first(self, shared: &Shared) -> Result<Option<u64>, Problem> {
        let bus = &shared.app.bus;
        Ok(match self {
            Self::Pending => bus.pending_from()?,
            Self::Failed => {
                let oldest = bus.dead_letters(None, 1, &DeadLetterFilter::default())?;
                oldest.first().map(|letter| letter.event.seq)
            }
            Self::Processed => Some(0),
        })
    }
}

/// Lists events, newest first unless asked otherwise.
#[utoipa::path(get, path = "/events", operation_id = "list_events", tag = "events", params(EventQuery), responses(
    (status = 200, description = "Some events.", body = EventList),
    (status = 422, description = "The query is not acceptable; `detail` says at which byte a topic or condition goes wrong.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    extract::State(shared): State,
    Query(query): Query<EventQuery>,
) -> Result<Json<EventList>, Problem> {
    let limit = limit(query.limit)?;
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
    let own = Filter {
        topics: query.name.into_iter().collect(),
        correlation_id: query.correlation_id,
        from: query.from,
        to: query.to,
        priority: query.priority,
        source: query.source,
        condition: query.condition,
        also: None,
    };
    let (items, next) = blocking(move || {
        let filters = selection(&shared, query.filter.as_deref(), own)?;
        match query.status {
            None => page(&shared, query.order, from, limit, &filters),
            Some(status) => with_status(&shared, query.order, from, limit, &filters, status),
        }
    })
    .await?;
    let next_cursor = next.map(|seq| cursor::encode(kind, &seq.to_string()));
    Ok(Json(EventList { items, next_cursor }))
}

type Page = (Vec<Event>, Option<u64>);

/// The next events that pass, and where to go on.
fn page(
    shared: &Shared,
    order: Order,
    from: Option<u64>,
    limit: usize,
    filters: &[Filter],
) -> Result<Page, Problem> {
    let order = match order {
        Order::Asc => event_log::Order::OldestFirst,
        Order::Desc => event_log::Order::NewestFirst,
    };
    let page = shared.app.log.page(&PageRequest { filters, order, cursor: from, limit })?;
    Ok((page.events, page.next))
}

/// As [`page`], of those that have `status`: which no index tells, so that pages are looked through.
fn with_status(
    shared: &Shared,
    order: Order,
    from: Option<u64>,
    limit: usize,
    filters: &[Filter],
    status: Status,
) -> Result<Page, Problem> {
    let Some(first) = status.first(shared)? else { return Ok((Vec::new(), None)) };
    let (mut found, mut at) = (Vec::new(), from);
    if order == Order::Asc {
        at = Some(at.unwrap_or(0).max(first.saturating_sub(1)));
    }
    for _ in 0..ROUNDS {
        let (events, next) = page(shared, order, at, ROUND, filters)?;
        let states = shared.app.bus.status_of(&events)?;
        let past = order == Order::Desc && events.last().is_some_and(|event| event.seq < first);
        let these = events.into_iter().zip(states).filter(|(_, state)| status.is(state.state()));
        found.extend(these.map(|(event, _)| event));
        at = next.filter(|_| !past);
        if found.len() > limit {
            found.truncate(limit);
            at = found.last().map(|event: &Event| event.seq);
        }
        if found.len() == limit || at.is_none() {
            break;
        }
    }
    Ok((found, at))
}

/// One event, and what became of it.
#[utoipa::path(get, path = "/events/{id}", operation_id = "get_event", tag = "events",
    params(("id" = Uuid, Path, description = "The event's id")), responses(
    (status = 200, description = "The event.", body = EventDetails),
    (status = 404, description = "There is none, or retention has removed it.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn get(
    extract::State(shared): State,
    Place(id): Place<String>,
) -> Result<Json<EventDetails>, Problem> {
    let unknown = || Problem::not_found(format!("there is no event `{id}`"));
    let parsed: Uuid = id.parse().map_err(|_| unknown())?;
    let found = blocking(move || {
        let Some(event) = shared.app.log.get_event(parsed)? else { return Ok(None) };
        let status = shared.app.bus.status_of(std::slice::from_ref(&event))?.pop().unwrap_or_default();
        Ok::<_, Problem>(Some(EventDetails { event, delivery: status.into() }))
    });
    found.await?.map(Json).ok_or_else(unknown)
}
