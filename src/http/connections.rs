//! Connections: taking them, and ending those that ask for nothing or take nothing. Owns how many there may
//! be, how long one may be idle, send its headers or leave an endless answer lying, and the end of all;
//! leaves requests to the routes.

use std::{
    convert::Infallible,
    io::{self, IoSlice},
    net::IpAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

/// Most connections at a time; others wait until one ends.
const MAX_CONNECTIONS: usize = 512;

/// How long a client may take for its part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For the headers of a request; also how long a connection may wait for its next request.
    header: Duration,
    /// For taking anything at all of an answer that does not end.
    stuck: Duration,
}

/// Headers: longer than most clients' pauses (nginx waits as long), since one that asks in the moment we
/// hang up sees a failure. Stuck: as long as nginx's `send_timeout`.
pub(super) const TIMEOUTS: Timeouts =
    Timeouts { header: Duration::from_secs(75), stuck: Duration::from_secs(60) };

/// Most of an answer without end that the kernel holds for a client beyond what is on its way, bytes. Left
/// to itself it holds megabytes for each, and a client that reads nothing would be found out after an hour.
const UNSENT: u32 = 16 * 1024;

/// Pause after a failure to take a connection, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Whether a client must take what it is sent: set by a route whose answer does not end.
#[derive(Debug, Clone, Default)]
pub(super) struct MustTake(pub(super) Arc<AtomicBool>);

/// Ends the connection of `request` when its client takes nothing for a while. A player of audio may, so
/// that this is for answers that do not end.
pub(super) fn hang_up_when_stuck(request: &Request<Body>) {
    if let Some(must_take) = request.extensions().get::<MustTake>() {
        must_take.0.store(true, Ordering::Relaxed);
    }
}

/// Serves connections, each a task of `tasks`, until `closing`; each then ends after the request it is at.
/// One that keeps us waiting longer than `timeouts` say is ended.
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    timeouts: Timeouts,
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
                    connection(stream, Peer(address.ip()), router, timeouts, closing).await;
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
    timeouts: Timeouts,
    closing: CancellationToken,
) {
    // Captions are small and must not wait to be collected. Failing, they wait.
    stream.set_nodelay(true).ok();
    let must_take = MustTake::default();
    let line = Line { stream, must_take: must_take.clone(), stuck: timeouts.stuck, since: None, told: false };
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(must_take.clone());
        let answer = router.clone().call(request);
        async { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(timeouts.header)
            .serve_connection(TokioIo::new(line), service)
            .with_upgrades()
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

/// A connection that knows how long its client has taken nothing.
struct Line {
    stream: TcpStream,
    must_take: MustTake,
    stuck: Duration,
    /// Runs while something waits to be taken.
    since: Option<Pin<Box<Sleep>>>,
    /// Whether the kernel knows that it should hold little.
    told: bool,
}

impl Line {
    /// What became of writing; an error when that has waited too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if !self.must_take.0.load(Ordering::Relaxed) {
            return written;
        }
        if !self.told {
            self.told = true;
            #[cfg(target_os = "linux")]
            if let Err(error) = SockRef::from(&self.stream).set_tcp_notsent_lowat(UNSENT) {
                tracing::debug!(%error, "The kernel may hold more for a slow client than it should.");
            }
        }
        if written.is_ready() {
            self.since = None;
            return written;
        }
        let stuck = self.stuck;
        let since = self.since.get_or_insert_with(|| Box::pin(tokio::time::sleep(stuck)));
        since.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let it = self.get_mut();
        let written = Pin::new(&mut it.stream).poll_write(cx, bytes);
        it.in_time(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let it = self.get_mut();
        let written = Pin::new(&mut it.stream).poll_write_vectored(cx, bytes);
        it.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, extract::Request, routing::get};
    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SHORT: Timeouts =
        Timeouts { header: Duration::from_millis(200), stuck: Duration::from_millis(200) };

    #[tokio::test]
    async fn a_connection_that_asks_for_nothing_is_ended() {
        for begun in ["", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
            tokio::select! {
                () = run(listener, Router::new(), SHORT, &tasks, &closing) => unreachable!("nothing closes it"),
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

    #[tokio::test]
    async fn a_client_that_takes_nothing_of_an_endless_answer_is_cut_off() {
        let endless = async |request: Request| {
            hang_up_when_stuck(&request);
            Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'.'; 4096]))))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let router = Router::new().route("/", get(endless));
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        tokio::select! {
            () = run(listener, router, SHORT, &tasks, &closing) => unreachable!("nothing closes it"),
            () = async {
                // Until it is served; then until it is not.
                while tasks.is_empty() {
                    tokio::task::yield_now().await;
                }
                tasks.close();
                tasks.wait().await;
            } => {}
        }
        // What was on its way still comes, and then the end.
        let mut taken = Vec::new();
        let end = client.read_to_end(&mut taken).await;
        assert!(end.is_err() || !taken.ends_with(b"0\r\n\r\n"), "cut off, not ended");
    }
}
