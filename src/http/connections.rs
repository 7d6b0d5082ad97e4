//! Connections: taking them, and ending those that ask for nothing. Owns how many there may be, how long
//! one may be idle or send its headers, and the end of all; leaves requests to the routes.

use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

/// Most connections at a time; others wait until one ends.
const MAX_CONNECTIONS: usize = 512;

/// How long the headers of a request may take, and a connection may wait for its next request. Longer than
/// most clients' pauses (nginx waits as long): one that asks in the moment we hang up sees a failure.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(75);

/// Pause after a failure to take a connection, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Serves connections, each a task of `tasks`, until `closing`; each then ends after the request it is at.
/// One that has not sent the headers of its next request within `header_timeout` is ended.
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    header_timeout: Duration,
    tasks: &TaskTracker,
    closing: &CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = closing.cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let (router, closing) = (router.clone(), closing.clone());
                tasks.spawn(async move {
                    connection(stream, Peer(address.ip()), router, header_timeout, closing).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "Cannot take a connection.");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    header_timeout: Duration,
    closing: CancellationToken,
) {
    // Captions are small and must not wait to be collected. Failing, they wait.
    stream.set_nodelay(true).ok();
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let answer = router.clone().call(request);
        async { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection ended early.");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_connection_that_asks_for_nothing_is_ended() {
        for begun in ["", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
            tokio::select! {
                () = run(listener, Router::new(), Duration::from_millis(200), &tasks, &closing) => unreachable!("nothing closes it"),
                answer = async {
                    client.write_all(begun.as_bytes()).await.unwrap();
                    let mut answer = String::new();
                    client.read_to_string(&mut answer).await.map(|_| answer)
                } => {
                    let answer = answer.unwrap();
                    assert_eq!(answer.contains("404"), begun.ends_with("\r\n\r\n"), "{begun:?}: {answer}");
                }
            }
        }
    }
}
