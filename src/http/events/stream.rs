//! `/events/stream`: events as they happen (server-sent events). Owns their HTTP form; nothing being lost
//! is the matter of `follow`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{self, Request},
    http::{HeaderName, StatusCode},
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use panotti_sdk::{
    Filter, Priority,
    filter::{Condition, Topic},
};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    super::{
        Shared, State, connections,
        error::{Problem, ProblemDocument},
        input::Query,
    },
    follow::{Follower, last_seen},
    selection,
};

/// A comment is sent after this much silence, so that both ends know the connection lives.
pub(in super::super) const HEARTBEAT: Duration = Duration::from_secs(10);

/// Proxies that collect answers would hold captions back.
pub(in super::super) const UNBUFFERED: (HeaderName, &str) =
    (HeaderName::from_static("x-accel-buffering"), "no");

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
    request: Request,
) -> Result<([(HeaderName, &'static str); 1], Sse<impl Stream<Item = Result<sse::Event, Infallible>>>), Problem>
{
    let last_seen = last_seen(request.headers(), query.after)?;
    connections::hang_up_when_stuck(&request);
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
    let follower = Follower::new(&shared.app.log, filters.into(), last_seen);
    let reader = Reader { follower, shared, _permit: permit };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Ok(([UNBUFFERED], Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))))
}

/// One client.
struct Reader {
    follower: Follower,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// What comes next, when there is something; `None` when the box stops or the log fails.
    async fn next(&mut self) -> Option<sse::Event> {
        let next = tokio::select! {
            biased;
            () = self.shared.closing.cancelled() => return None,
            next = self.follower.next() => next,
        };
        let sent = next.and_then(|item| {
            let sent = sse::Event::default().id(item.seq().to_string()).event(item.name());
            Ok(sent.data(item.json()?))
        });
        sent.map_err(Problem::into_detail).ok()
    }
}
