//! `/events/stream`: events as they happen (server-sent events). Owns going on where a client was cut
//! off. Nothing is lost: the log is read from the last id on, the tail only says when to look.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract,
    http::{HeaderMap, HeaderName, StatusCode},
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use panotti_sdk::{Event, Filter};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    Shared, State,
    error::{Problem, ProblemDocument},
    events::filter,
    input::Query,
    recordings::blocking,
};

/// Events read from the log at once.
const BATCH: usize = 256;

/// A comment is sent after this much silence, so that both ends know the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    /// Begin after this `seq`; 0 is the beginning. `Last-Event-ID` wins. With neither, only what happens
    /// from now on is sent.
    after: Option<u64>,
    /// Only events of this name; `*` stands for one word, `**` for the rest.
    #[param(example = "caption.*")]
    name: Option<String>,
    /// Only events of this meeting.
    correlation_id: Option<Uuid>,
}

/// Sends events as they happen: `id` is the event's `seq`, `event` its name, `data` the event as JSON.
///
/// A client that was cut off sends the last `id` it saw as `Last-Event-ID` and misses nothing.
#[utoipa::path(get, path = "/events/stream", operation_id = "stream_events", tag = "events",
    params(StreamQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The last `id` seen")), responses(
    (status = 200, description = "Events, without end.", body = String, content_type = "text/event-stream"),
    (status = 422, description = "The query or `Last-Event-ID` is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "Too many streams are open.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn stream(
    extract::State(shared): State,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], Sse<impl Stream<Item = Result<sse::Event, Infallible>>>), Problem>
{
    let filter = filter(query.name, query.correlation_id)?;
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
        filter,
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

/// One client's place in the log.
struct Follower {
    after: u64,
    queue: VecDeque<Arc<Event>>,
    filter: Filter,
    tail: watch::Receiver<u64>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// The next event, when there is one; `None` when the box stops or the log fails.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if self.shared.closing.is_cancelled() {
                return None;
            }
            if let Some(event) = self.queue.pop_front() {
                return sse_event(&event);
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
        let (log, after, filter) = (self.shared.app.log.clone(), self.after, self.filter.clone());
        match blocking(move || log.read_new(after, BATCH, &filter)).await {
            Ok(events) => {
                let last = events.last().map_or(0, |event| event.seq);
                // A short batch means that nothing else up to `newest` matches.
                self.after = if events.len() < BATCH { last.max(newest) } else { last };
                self.queue = events.into();
                Some(())
            }
            Err(problem) => {
                problem.into_detail();
                None
            }
        }
    }
}

fn sse_event(event: &Event) -> Option<sse::Event> {
    match serde_json::to_string(event) {
        Ok(json) => {
            Some(sse::Event::default().id(event.seq.to_string()).event(event.name.as_str()).data(json))
        }
        Err(error) => {
            tracing::error!(%error, seq = event.seq, "An event could not be written as JSON.");
            None
        }
    }
}
