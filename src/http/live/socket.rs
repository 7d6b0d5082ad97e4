//! `/live` over WebSocket (RFC 6455). Owns pings, closing and what a client may send; leaves what is sent
//! to `viewer`.

use std::time::Duration;

use axum::{
    extract::{
        FromRequestParts, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code},
    },
    http::request::Parts,
    response::Response,
};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{super::error::Problem, viewer::Viewer};

/// What clients call what is spoken here; one that offers its key as a protocol offers this too, since an
/// answer has to name one of those offered.
const PROTOCOL: &str = "panotti.live";

/// A client has nothing to say but pongs and its leave: at most this many bytes.
const MOST_BYTES: usize = 4096;

/// How often a client is asked whether it is there.
const PING: Duration = Duration::from_secs(20);

/// A client that says nothing for so long, not even a pong, is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the parting may take.
const PARTING: Duration = Duration::from_secs(1);

/// Takes up the offer of a WebSocket.
pub(super) async fn accept(parts: &mut Parts) -> Result<WebSocketUpgrade, Problem> {
    let offer = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|rejected| {
        Problem::new(rejected.status(), format!("no WebSocket: {}", rejected.body_text()))
    })?;
    // The library's own buffers are for messages of megabytes.
    Ok(offer
        .protocols([PROTOCOL])
        .max_message_size(MOST_BYTES)
        .max_frame_size(MOST_BYTES)
        .read_buffer_size(MOST_BYTES)
        .write_buffer_size(0))
}

/// Answers the offer; the client is sent what `viewer` sees. The service waits for `token` when it ends.
pub(super) fn answer(offer: WebSocketUpgrade, viewer: Viewer, token: TaskTrackerToken) -> Response {
    offer.on_upgrade(async move |socket| {
        serve(socket, viewer).await;
        drop(token);
    })
}

async fn serve(mut socket: WebSocket, mut viewer: Viewer) {
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let (code, reason) = loop {
        let sent = tokio::select! {
            message = viewer.next() => match message {
                Some(message) => socket.send(Message::Text(message.text.clone())).await,
                None => break (close_code::AWAY, "the box stops; come again"),
            },
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_))) | None => {
                    // What was queued to say goodbye goes out while we wait for the end.
                    tokio::time::timeout(PARTING, socket.recv()).await.ok();
                    return;
                }
                // It has nothing to say that we would answer.
                Some(Ok(_)) => {
                    heard = Instant::now();
                    continue;
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "A WebSocket ended early.");
                    // Too long, or nothing that we understand; of a connection that is gone nothing is left.
                    break (close_code::POLICY, "nothing has to be sent here");
                }
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    tracing::debug!("A WebSocket was ended because nothing came back.");
                    return;
                }
                socket.send(Message::Ping(axum::body::Bytes::new())).await
            }
        };
        if sent.is_err() {
            return;
        }
    };
    // The seat is free before the parting.
    drop(viewer);
    let goodbye = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let parting = async {
        if socket.send(goodbye).await.is_ok() {
            // What still comes is not looked at; at the end the client has answered.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    tokio::time::timeout(PARTING, parting).await.ok();
}
