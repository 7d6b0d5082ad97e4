//! `/events/replay`: delivering again what was delivered before. Owns the HTTP form; choosing, pacing and
//! progress are the bus's.

use std::time::Duration;

use axum::{extract, http::StatusCode};
use jiff::Timestamp;
use panotti_sdk::{
    Filter, Priority,
    filter::{Condition, Topic},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::{
        Shared, State,
        error::{Problem, ProblemDocument},
        input::{Json, Place},
        recordings::blocking,
    },
    check, filters,
};
use crate::bus::{self, DeadLetterFilter, Replay, ReplayRequest, ReplayState};

/// Sorts behind every name of a subscription.
const LAST: &str = "~";

/// What to deliver again. All that is given must hold, and something must be: `"topics": ["**"]` is
/// everything.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct ReplayOrder {
    /// Events accepted at this time or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Events accepted before this time.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Events of this name; `*` stands for one word, `**` for the rest.
    #[schema(value_type = Option<String>, example = "recording.ended")]
    name: Option<Topic>,
    /// Events of one of these names.
    #[schema(value_type = Vec<String>)]
    topics: Vec<Topic>,
    /// Events of this meeting.
    correlation_id: Option<Uuid>,
    /// Events at least this urgent: `low`, `normal`, `high` or `critical`.
    #[schema(value_type = Option<String>)]
    priority: Option<Priority>,
    /// Events published by this plugin or part.
    source: Option<String>,
    /// Events for which this condition holds.
    #[schema(value_type = Option<String>)]
    #[serde(rename = "where")]
    condition: Option<Condition>,
    /// Events that also pass this named filter.
    filter: Option<String>,
    /// Only dead letters; each goes to its own subscription.
    dead_letters: bool,
    /// Deliver only to this subscription (a plugin's name).
    plugin: Option<String>,
    /// Events of one batch, 1 to 1000.
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    batch_size: Option<usize>,
    /// Pause between batches in ms, 0 to 60,000.
    #[schema(minimum = 0, maximum = 60000, default = 1000)]
    interval_ms: Option<u64>,
}

/// A replay and its progress.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ReplayDocument {
    /// UUIDv7.
    id: Uuid,
    /// `running`, `completed` or `stopped`.
    #[schema(value_type = String, example = "running")]
    state: ReplayState,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Events up to this `seq` are done with.
    cursor: u64,
    /// The last `seq` that can belong to it.
    until: u64,
    /// Deliveries that went well.
    delivered: u64,
    /// Deliveries that ended as dead letters.
    failed: u64,
    /// Which events.
    #[schema(value_type = Object)]
    filter: Filter,
    /// Whether only dead letters are meant.
    dead_letters: bool,
    /// The one subscription that it is for.
    plugin: Option<String>,
    /// Events of one batch.
    batch_size: usize,
    /// Pause between batches, ms.
    interval_ms: u128,
}

/// A replay was begun.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ReplayStarted {
    /// Always `replay_started`.
    #[schema(example = "replay_started")]
    status: &'static str,
    #[serde(flatten)]
    replay: ReplayDocument,
}

/// Replays were stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ReplayStopped {
    /// Always `replay_stopped`.
    #[schema(example = "replay_stopped")]
    status: &'static str,
    /// Those that were running.
    items: Vec<ReplayDocument>,
}

/// Replays, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ReplayList {
    /// Those that run and the last 100.
    items: Vec<ReplayDocument>,
    /// Always `null`: they are few.
    #[schema(value_type = Option<String>)]
    next_cursor: (),
}

impl From<Replay> for ReplayDocument {
    fn from(replay: Replay) -> Self {
        let ReplayRequest { filter, dead_letters, subscription, batch_size, interval } = replay.request;
        Self {
            id: replay.id,
            state: replay.state,
            started_at: replay.started_at,
            ended_at: replay.ended_at,
            cursor: replay.cursor,
            until: replay.until,
            delivered: replay.delivered,
            failed: replay.failed,
            filter,
            dead_letters,
            plugin: subscription,
            batch_size,
            interval_ms: interval.as_millis(),
        }
    }
}

impl ReplayOrder {
    fn request(self, shared: &Shared) -> Result<ReplayRequest, Problem> {
        let own = Filter {
            topics: self.name.into_iter().chain(self.topics).collect(),
            correlation_id: self.correlation_id,
            from: self.from,
            to: self.to,
            priority: self.priority,
            source: self.source,
            condition: self.condition,
            also: None,
        };
        if own == Filter::default() && self.filter.is_none() && !self.dead_letters {
            return Err(Problem::unprocessable(
                "say what to deliver again: from, to, name, topics, correlation_id, priority, source, where, \
                 filter or dead_letters; `\"topics\": [\"**\"]` is everything",
            ));
        }
        check(shared, &own)?;
        let filter = match &self.filter {
            None => own,
            Some(name) => both(filters::wanted(&shared.app.log, name)?, own)?,
        };
        let batch_size = self.batch_size.unwrap_or(100);
        if !(1..=1000).contains(&batch_size) {
            return Err(Problem::unprocessable("`batch_size` in the body must be 1 to 1000"));
        }
        let interval_ms = self.interval_ms.unwrap_or(1000);
        if interval_ms > 60_000 {
            return Err(Problem::unprocessable("`interval_ms` in the body must be 0 to 60000"));
        }
        Ok(ReplayRequest {
            filter,
            dead_letters: self.dead_letters,
            subscription: self.plugin,
            batch_size,
            interval: Duration::from_millis(interval_ms),
        })
    }
}

/// What passes both. Topics, meeting and source may be in one of them only.
fn both(named: Filter, own: Filter) -> Result<Filter, Problem> {
    fn one<T>(field: &str, named: Option<T>, own: Option<T>) -> Result<Option<T>, Problem> {
        if named.is_some() && own.is_some() {
            let detail = format!("`{field}` is in the named filter already: leave it out of the body");
            return Err(Problem::unprocessable(detail));
        }
        Ok(named.or(own))
    }
    let topics = |filter: Vec<Topic>| Some(filter).filter(|it| !it.is_empty());
    let both = Filter {
        topics: one("topics", topics(named.topics), topics(own.topics))?.unwrap_or_default(),
        correlation_id: one("correlation_id", named.correlation_id, own.correlation_id)?,
        from: named.from.max(own.from),
        to: [named.to, own.to].into_iter().flatten().min(),
        priority: named.priority.max(own.priority),
        source: one("source", named.source, own.source)?,
        condition: match (named.condition, own.condition) {
            (Some(named), Some(own)) => Some(condition(&format!("({named}) and ({own})"))?),
            (named, own) => named.or(own),
        },
        also: None,
    };
    Ok(both)
}

fn condition(text: &str) -> Result<Condition, Problem> {
    Condition::parse(text).map_err(|error| Problem::unprocessable(error.to_string()))
}

/// Delivers events again, oldest first, in batches.
///
/// Each delivery says that it is a replay. When nothing fits, it is completed with no delivery. It goes on
/// after a restart of the box.
#[utoipa::path(post, path = "/events/replay", operation_id = "start_replay", tag = "events", request_body = ReplayOrder, responses(
    (status = 202, description = "It has begun.", body = ReplayStarted),
    (status = 404, description = "There is no such subscription.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "The body is not acceptable, or says nothing.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The log is too busy.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 507, description = "The disk is full.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn start(
    extract::State(shared): State,
    Json(order): Json<ReplayOrder>,
) -> Result<(StatusCode, axum::Json<ReplayStarted>), Problem> {
    let request = {
        let shared = shared.clone();
        blocking(move || order.request(&shared)).await?
    };
    begin(shared.app.bus.replay(request).await?)
}

fn begin(replay: Replay) -> Result<(StatusCode, axum::Json<ReplayStarted>), Problem> {
    Ok((StatusCode::ACCEPTED, axum::Json(ReplayStarted { status: "replay_started", replay: replay.into() })))
}

/// Delivers one dead letter again, once: when it fails again, it stays one.
#[utoipa::path(post, path = "/events/dead-letters/{subscription}/{seq}/replay", operation_id = "replay_dead_letter", tag = "events",
    params(("subscription" = String, Path, description = "Whose it is"), ("seq" = u64, Path, description = "Its event's place in the log")), responses(
    (status = 202, description = "It has begun.", body = ReplayStarted),
    (status = 404, description = "There is no such dead letter.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The log is too busy.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 507, description = "The disk is full.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn one(
    extract::State(shared): State,
    Place((subscription, seq)): Place<(String, u64)>,
) -> Result<(StatusCode, axum::Json<ReplayStarted>), Problem> {
    let bus = shared.app.bus.clone();
    let filter = DeadLetterFilter { subscription: Some(subscription.clone()), filter: Filter::default() };
    // The first one from there on is the one meant, or there is none.
    let found = blocking(move || bus.dead_letters(Some((seq.saturating_sub(1), LAST)), 1, &filter)).await?;
    if found.first().is_none_or(|letter| letter.event.seq != seq) {
        return Err(bus::Error::UnknownDeadLetter { subscription, seq }.into());
    }
    let filter = Filter { condition: Some(condition(&format!("seq == {seq}"))?), ..Filter::default() };
    let request = ReplayRequest {
        filter,
        dead_letters: true,
        subscription: Some(subscription),
        ..ReplayRequest::default()
    };
    begin(shared.app.bus.replay(request).await?)
}

/// All replays that are remembered, newest first.
#[utoipa::path(get, path = "/events/replay", operation_id = "list_replays", tag = "events", responses(
    (status = 200, description = "Those that run and the last 100.", body = ReplayList),
))]
pub(in super::super) async fn list(extract::State(shared): State) -> Result<axum::Json<ReplayList>, Problem> {
    let replays = blocking(move || shared.app.bus.replays()).await?;
    Ok(axum::Json(ReplayList { items: replays.into_iter().map(Into::into).collect(), next_cursor: () }))
}

/// One replay and its progress.
#[utoipa::path(get, path = "/events/replay/{id}", operation_id = "get_replay", tag = "events",
    params(("id" = Uuid, Path, description = "The replay's id")), responses(
    (status = 200, description = "Its progress.", body = ReplayDocument),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn get(
    extract::State(shared): State,
    Place(id): Place<Uuid>,
) -> Result<axum::Json<ReplayDocument>, Problem> {
    let replay = blocking(move || shared.app.bus.get_replay(id)).await?;
    Ok(axum::Json(replay.into()))
}

/// Stops a replay; the deliveries that are running end as they would.
#[utoipa::path(post, path = "/events/replay/{id}/stop", operation_id = "stop_replay", tag = "events",
    params(("id" = Uuid, Path, description = "The replay's id")), responses(
    (status = 200, description = "It is stopped, or had ended before.", body = ReplayDocument),
    (status = 404, description = "There is none.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "The log is too busy.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn stop(
    extract::State(shared): State,
    Place(id): Place<Uuid>,
) -> Result<axum::Json<ReplayDocument>, Problem> {
    Ok(axum::Json(shared.app.bus.stop_replay(id).await?.into()))
}

/// Stops every replay that runs.
#[utoipa::path(post, path = "/events/stop-replay", operation_id = "stop_replays", tag = "events", responses(
    (status = 200, description = "None runs.", body = ReplayStopped),
    (status = 503, description = "The log is too busy.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn stop_all(
    extract::State(shared): State,
) -> Result<axum::Json<ReplayStopped>, Problem> {
    let bus = shared.app.bus.clone();
    let replays = blocking(move || bus.replays()).await?;
    let mut items = Vec::new();
    for replay in replays.into_iter().filter(|it| it.state == ReplayState::Running) {
        items.push(shared.app.bus.stop_replay(replay.id).await?.into());
    }
    Ok(axum::Json(ReplayStopped { status: "replay_stopped", items }))
}
