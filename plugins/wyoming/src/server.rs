//! Clients. Owns the port, who is let in, how long everything may take and how it ends; leaves what is said
//! to `session`.

use std::{
    io::Write,
    net::IpAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use panotti_sdk::{Context, Dictation};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    audio::Storage,
    network::Allowed,
    protocol::{Decoder, Item, LONGEST_JSON},
    refused::Refused,
    session::Session,
};

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;
/// Longest that a client may take to read an answer.
const READS_WITHIN: Duration = Duration::from_secs(10);
/// How long a client that was told no may go on sending before the connection is cut: when it is cut at
/// once, it may never see why.
const LINGERS: Duration = Duration::from_secs(2);
/// Pause when the system has no connection to give.
const PAUSE: Duration = Duration::from_millis(100);

/// What clients may take, from the settings.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) allowed: Allowed,
    pub(crate) connections: usize,
    /// Of one request's audio, s.
    pub(crate) longest_s: u32,
    /// Of all requests' audio.
    pub(crate) most_audio_bytes: u64,
    /// From one whole event to the next.
    pub(crate) idle: Duration,
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) limits: Limits,
    pub(crate) storage: Storage,
    pub(crate) context: Context,
    /// Whether the transcriber has begun its work: before, its model may still be read.
    ready: watch::Sender<bool>,
    clients: AtomicUsize,
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Server {
    pub(crate) fn new(limits: Limits, storage: Storage, context: Context) -> Self {
        let (ready, clients, answered, refused) = Default::default();
        Self { limits, storage, context, ready, clients, answered, refused }
    }

    /// Waits until the box knows whether it has a model. Home Assistant asks once: told that there is none
    /// while it is being read, it would have no speech to text until somebody reloads it.
    pub(crate) async fn ready(&self) {
        // The sender is this very server.
        self.ready.subscribe().wait_for(|it| *it).await.ok();
    }

    /// Clients that are connected.
    pub(crate) fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Requests that were written down.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn count_answer(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Clients that were told no.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Serves clients until the plugin is to stop; then all are cut off.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut stopping = self.context.stopping();
        let mut clients = JoinSet::new();
        let mut last_stranger = None;
        // Nothing to write down is done as soon as there is a model, or is known to be none.
        let mut looked = pin!(self.context.dictate(Dictation::default()));
        loop {
            self.clients.store(clients.len(), Ordering::Relaxed);
            tokio::select! {
                // In this order: who has left makes room for who comes.
                biased;
                () = &mut stopping => break,
                Some(ended) = clients.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "Serving a Wyoming client went wrong.");
                    }
                }
                _ = &mut looked, if !*self.ready.borrow() => drop(self.ready.send_replace(true)),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => match self.admit(peer.ip(), clients.len()) {
                        Ok(()) => drop(clients.spawn(self.clone().converse(stream))),
                        Err(refused) => {
                            // A scanner that comes again and again is noted once.
                            if last_stranger.replace(peer.ip()) != Some(peer.ip()) {
                                tracing::warn!(client = %peer.ip(), reason = %refused, "A Wyoming client was turned away.");
                            }
                            self.turn_away(stream, &refused);
                        }
                    },
                    Err(error) => {
                        tracing::warn!(%error, "A Wyoming client could not be let in.");
                        sleep(PAUSE).await;
                    }
                },
            }
        }
        // What they sent goes with them.
        clients.shutdown().await;
    }

    fn admit(&self, client: IpAddr, there: usize) -> Result<(), Refused> {
        let Limits { allowed, connections, .. } = &self.limits;
        match () {
            () if !allowed.admits(client) => Err(Refused::NotAllowed),
            () if there >= *connections => Err(Refused::Crowded { connections: *connections }),
            () => Ok(()),
        }
    }

    /// Says why and hangs up, without waiting for anything.
    fn turn_away(&self, stream: TcpStream, refused: &Refused) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        // The buffer of a new connection has room; a client that is gone misses nothing.
        if let Ok(mut stream) = stream.into_std() {
            stream.write_all(&refused.event()).ok();
        }
    }

    async fn converse(self: Arc<Self>, mut stream: TcpStream) {
        let (mut reader, mut writer) = stream.split();
        if let Err(refused) = self.clone().talk(&mut reader, &mut writer).await {
            tracing::debug!(reason = refused.in_words(), "A Wyoming client was told no.");
            self.refused.fetch_add(1, Ordering::Relaxed);
            if send(&mut writer, &refused.event()).await && writer.shutdown().await.is_ok() {
                let mut rest = vec![0; PIECE];
                let gone = async { while reader.read(&mut rest).await.is_ok_and(|it| it > 0) {} };
                // It has had its time.
                timeout(LINGERS, gone).await.ok();
            }
        }
    }

    /// Talks with a client until it leaves.
    async fn talk(
        self: Arc<Self>,
        reader: &mut ReadHalf<'_>,
        writer: &mut WriteHalf<'_>,
    ) -> Result<(), Refused> {
        let idle = self.limits.idle;
        let mut session = Session::new(self.clone());
        let (mut decoder, mut piece) = (Decoder::new(), vec![0; PIECE]);
        let mut patience = Instant::now() + idle;
        loop {
            let awaited = session.is_awaited();
            tokio::select! {
                answer = session.answer(), if awaited => {
                    if !send(writer, &answer?).await {
                        return Ok(());
                    }
                    patience = Instant::now() + idle;
                }
                () = sleep_until(patience), if !awaited => return Err(Refused::Idle { idle_s: idle.as_secs() }),
                // Also while an answer is due: who is gone wants none, and what it asked for is taken back.
                read = reader.read(&mut piece), if !awaited || decoder.kept() < LONGEST_JSON => match read {
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(read) => decoder.push(&piece[..read]),
                },
            }
            while !session.is_awaited() {
                let Some(item) = decoder.next()? else { break };
                // A part of an event is no sign of life: nobody holds a place by a byte now and then.
                if item == Item::Ends {
                    patience = Instant::now() + idle;
                }
                if let Some(answer) = session.take(item).await?
                    && !send(writer, &answer).await
                {
                    return Ok(());
                }
            }
        }
    }
}

/// Sends an event; whether the client took it in time.
async fn send(writer: &mut WriteHalf<'_>, event: &[u8]) -> bool {
    timeout(READS_WITHIN, writer.write_all(event)).await.is_ok_and(|it| it.is_ok())
}
