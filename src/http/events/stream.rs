//! `/events/stream`: events as they happen (server-sent events). Owns going on where a client was cut
//! off. Nothing is lost but to retention, of which the client is told: the log itself is read from the last
//! id on, the tail only says when to look.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract,
    http::{HeaderMap, HeaderName, StatusCode},
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use panotti_sdk::{
    Event, Filter, Priority,
    filter::{Condition, Topic},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    super::{
        Shared, State,
        error::{Problem, ProblemDocument},
        input::Query,
        recordings::blocking,
    },
    selection,
};
use crate::event_log::{EventLog, Order, PageRequest};

/// Events read from the log at once.
const BATCH: usize = 256;

/// Whoever is no further behind than this reads what is still in memory, events.
const NEAR: u64 = 4096;

/// A comment is sent after this much silence, so that both ends know the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Which events. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct StreamQuery {
    /// Begin after this `seq`; 0 is the beginning. `Last-Event-ID` wins. With neither, only what happens
    /// from now on is sent.
    after: Option<u64>,
    /// Only events that pass this named filter.
    filter: Option<String>,
    /// Only events of this name; `*` stands for one word, `**` for the rest.
    #[param(value_type = Option<String>, example = "caption.*")]
    name: Option<Topic>,
    /// Only events of this meeting.
    correlation_id: Option<Uuid>,
    /// Only events at least this urgent: `low`, `normal`, `high` or `critical`.
    #[param(value_type = Option<String>)]
    priority: Option<Priority>,
    /// Only events published by this plugin or part.
    source: Option<String>,
    /// Only events for which this condition holds.
    #[param(value_type = Option<String>, example = "payload.channel == 1")]
    #[serde(rename = "where")]
    condition: Option<Condition>,
}

/// Sends events as they happen: `id` is the event's `seq`, `event` its name, `data` the event as JSON.
///
/// A client that was cut off sends the last `id` it saw as `Last-Event-ID` and misses nothing. Where
/// retention has removed events that it has not seen, `gap` comes in their place, with `{"from", "to"}` (the
/// first and the last `seq` that may be missing) as its `data`.
#[utoipa::path(get, path = "/events/stream", operation_id = "stream_events", tag = "events",
    params(StreamQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The last `id` seen")), responses(
    (status = 200, description = "Events, without end.", body = String, content_type = "text/event-stream"),
    (status = 422, description = "The query or `Last-Event-ID` is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "Too many streams are open.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(in super::super) async fn stream(
    extract::State(shared): State,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], Sse<impl Stream<Item = Result<sse::Event, Infallible>>>), Problem>
{
    let last_seen = match headers.get("last-event-id") {
        None => query.after,
        Some(value) => Some(
            value
                .to_str()
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(|| Problem::unprocessable("`Last-Event-ID` must be the `id` of an event"))?,
        ),
    };
    let own = Filter {
        topics: query.name.into_iter().collect(),
        correlation_id: query.correlation_id,
        from: None,
        to: None,
        priority: query.priority,
        source: query.source,
        condition: query.condition,
        also: None,
    };
    let filters = selection(&shared, query.filter.as_deref(), own)?;
    let permit = shared.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many event streams are open: close one")
            .try_again(5)
    })?;
    let tail = shared.app.log.tail();
    let newest = *tail.borrow();
    let follower = Follower {
        // An id from beyond the end belongs to another log: begin with what comes.
        after: last_seen.map_or(newest, |it| it.min(newest)),
        queue: VecDeque::new(),
        filters: filters.into(),
        tail,
        shared,
        _permit: permit,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    // Proxies that collect answers would hold captions back.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))))
}

/// What is sent.
enum Item {
    Event(Arc<Event>),
    /// Events from one `seq` to another may be missing.
    Gap(u64, u64),
}

/// One client's place in the log.
struct Follower {
    after: u64,
    queue: VecDeque<Item>,
    filters: Arc<[Filter]>,
    tail: watch::Receiver<u64>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// What comes next, when there is something; `None` when the box stops or the log fails.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if self.shared.closing.is_cancelled() {
                return None;
            }
            if let Some(item) = self.queue.pop_front() {
                return item.into_sse();
            }
            let newest = *self.tail.borrow_and_update();
            if self.after < newest {
                self.read(newest).await?;
                continue;
            }
            tokio::select! {
                changed = self.tail.changed() => changed.ok()?,
                () = self.shared.closing.cancelled() => return None,
            }
        }
    }

    /// Takes the next events from the log, of which `newest` is known to be there.
    async fn read(&mut self, newest: u64) -> Option<()> {
        let (log, after, filters) = (self.shared.app.log.clone(), self.after, self.filters.clone());
        match blocking(move || read(&log, after, newest, &filters)).await {
            Ok((items, done)) => {
                (self.queue, self.after) = (items, done);
                Some(())
            }
            Err(problem) => {
                problem.into_detail();
                None
            }
        }
    }
}

/// The next items behind `after`, and up to where that is everything.
fn read(
    log: &EventLog,
    after: u64,
    newest: u64,
    filters: &[Filter],
) -> Result<(VecDeque<Item>, u64), Problem> {
    let (events, done) = if newest - after > NEAR {
        old(log, after, newest, filters)?
    } else {
        new(log, after, newest, filters)?
    };
    let mut items: VecDeque<_> = events.into_iter().map(Item::Event).collect();
    // Asked for afterwards: what was removed while we read is told of too.
    let kept = log.first_seq()?;
    if after > 0 && kept > after + 1 {
        items.push_front(Item::Gap(after + 1, kept - 1));
    }
    Ok((items, done))
}

type Read = Result<(Vec<Arc<Event>>, u64), Problem>;

/// From memory, mostly.
fn new(log: &EventLog, after: u64, newest: u64, filters: &[Filter]) -> Read {
    let everything = Filter::default();
    let (first, rest) = filters.split_first().unwrap_or((&everything, &[]));
    let mut events = log.read_new(after, BATCH, first)?;
    let last = events.last().map_or(0, |event| event.seq);
    // A short batch means that nothing else up to `newest` matches.
    let done = if events.len() < BATCH { last.max(newest) } else { last };
    events.retain(|event| rest.iter().all(|filter| filter.wants(event)));
    Ok((events, done))
}

/// From the file, no more at once than a page looks at.
fn old(log: &EventLog, after: u64, newest: u64, filters: &[Filter]) -> Read {
    let request = PageRequest { filters, order: Order::OldestFirst, cursor: Some(after), limit: BATCH };
    let page = log.page(&request)?;
    let last = page.events.last().map_or(0, |event| event.seq);
    let done = page.next.unwrap_or(newest.max(last));
    Ok((page.events.into_iter().map(Arc::new).collect(), done))
}

impl Item {
    fn into_sse(self) -> Option<sse::Event> {
        match self {
            Self::Gap(from, to) => {
                let data = json!({ "from": from, "to": to }).to_string();
                Some(sse::Event::default().id(to.to_string()).event("gap").data(data))
            }
            Self::Event(event) => match serde_json::to_string(&*event) {
                Ok(json) => {
                    let sent = sse::Event::default().id(event.seq.to_string());
                    Some(sent.event(event.name.as_str()).data(json))
                }
                Err(error) => {
                    tracing::error!(%error, seq = event.seq, "An event could not be written as JSON.");
                    None
                }
            },
        }
    }
}
