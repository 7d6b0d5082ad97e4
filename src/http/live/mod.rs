//! `GET /live`: the box, this very moment: as one answer, or followed as server-sent events or over
//! WebSocket. Owns which of these a client gets, and how many may follow; what there is to tell comes from
//! `status`, `live` and the event log.
//!
//! ```text
//!  event log ─┐                       ┌─▶ viewer ─▶ server-sent events
//!  live ──────┼─▶ board (one task, ───┼─▶ viewer ─▶ WebSocket
//!  status ────┘  writes a message once)└─▶ …  (who is behind reads the log itself)
//! ```

mod board;
mod message;
mod now;
mod socket;
mod viewer;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{self, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::IntoParams;

use super::{
    State, connections,
    error::{Problem, ProblemDocument},
    events::{
        follow::last_seen,
        stream::{HEARTBEAT, UNBUFFERED},
    },
    input::Query,
};
pub(super) use board::Board;
use message::LiveMessage;
use now::Now;
pub(super) use now::{ChannelLevel, levels};
use viewer::Viewer;

/// Most followers at the same time.
const MAX_VIEWERS: usize = 256;

/// A comment of server-sent events: both ends see that the connection lives.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// What a follower wants.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LiveQuery {
    /// For followers: first send again what lasts and came after this `seq`. `Last-Event-ID` wins. With
    /// neither, they begin with what is shown now.
    after: Option<u64>,
    /// `false` leaves levels out.
    #[serde(default = "yes")]
    #[param(default = true)]
    levels: bool,
}

fn yes() -> bool {
    true
}

/// Places for followers.
#[derive(Debug)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_VIEWERS)))
    }
}

impl Places {
    /// How many follow.
    pub(super) fn taken(&self) -> usize {
        MAX_VIEWERS - self.0.available_permits()
    }

    fn take(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.0.clone().try_acquire_owned().map_err(|_| {
            let detail = format!("{MAX_VIEWERS} already follow /live: close one of them");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).try_again(5)
        })
    }
}

/// The box, this very moment: state, levels, captions that still change.
///
/// Asked for `text/event-stream`, or with `Upgrade: websocket`, it goes on: first what is shown now, then
/// whatever changes. Both send the same messages: `event`, `id` and `data` of server-sent events are
/// `type`, `seq` and `data` of a WebSocket's JSON text. `state` comes at once and when it changes, `level`
/// at most five times a second; `caption.partial` replaces the partial caption of its `lane`, until
/// `caption.gone` takes it away. Everything that lasts comes as the event of the log that it is:
/// `caption.*`, `recording.*`, `*.completed` and `*.error` of plugins, `plugin.state_changed`,
/// `desktop_notification.*`. Only these have a `seq`: who was cut off sends the last one and misses none
/// (but for `gap`, see `GET /events/stream`), forgets what was only of the moment, and is sent what is shown
/// by then. Who is slow gets less of what is of the moment, and everything that lasts; who takes nothing
/// for a minute is cut off.
///
/// Browsers cannot send a key as a header of a WebSocket: offer the protocols `panotti.live` and
/// `panotti.key.KEY`; the first is chosen, the second never answered or logged. What a WebSocket's client
/// sends is not looked at, and may have 4 KiB.
#[utoipa::path(get, path = "/live", operation_id = "get_live", tag = "system",
    params(LiveQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The last `id` seen")), responses(
    (status = 200, description = "This very moment, or messages without end.", content((Now = "application/json"), (LiveMessage = "text/event-stream"))),
    (status = 101, description = "Messages without end, over WebSocket."),
    (status = 422, description = "The query or `Last-Event-ID` is not acceptable.", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "Too many follow already.", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn live(
    extract::State(shared): State,
    Query(query): Query<LiveQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let (upgrade, events) = (is_websocket(headers), names(headers, header::ACCEPT, "text/event-stream"));
    if !upgrade && !events {
        return Ok(Json(Now::of(&shared, query.levels).await?).into_response());
    }
    let last_seen = last_seen(headers, query.after)?;
    connections::hang_up_when_stuck(&request);
    let (mut parts, _) = request.into_parts();
    let offer = if upgrade { Some(socket::accept(&mut parts).await?) } else { None };
    let viewer = Viewer::new(&shared, last_seen, query.levels, shared.viewers.take()?);
    Ok(match offer {
        Some(offer) => socket::answer(offer, viewer, shared.tasks.token()),
        None => events_of(viewer),
    })
}

fn events_of(viewer: Viewer) -> Response {
    let blocks = stream::unfold(viewer, async |mut viewer| {
        let block = match tokio::time::timeout(HEARTBEAT, viewer.next()).await {
            Ok(message) => message?.sse.clone(),
            Err(_) => COMMENT,
        };
        Some((Ok::<_, Infallible>(block), viewer))
    });
    let kind = (header::CONTENT_TYPE, "text/event-stream");
    ([kind, UNBUFFERED], Body::from_stream(blocks)).into_response()
}

/// Whether a request wants to become a WebSocket.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    names(headers, header::UPGRADE, "websocket")
}

/// Whether one of the values of a header is `wanted`, whatever its parameters.
fn names(headers: &HeaderMap, header: header::HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(header).into_iter().filter_map(|it| it.to_str().ok());
    let mut values = values.flat_map(|it| it.split(',')).map(|it| it.split(';').next().unwrap_or(it).trim());
    values.any(|it| it.eq_ignore_ascii_case(wanted))
}
