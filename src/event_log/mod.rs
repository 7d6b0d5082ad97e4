//! The durable log in LMDB. Owns appending (group commit), reading, the live tail and the small tables
//! that change together with an event; leaves what events mean to those who publish them.

pub mod backup;
mod batch;
pub(crate) mod envelope;
mod error;
mod prune;
mod reading;
mod recent;
mod stats;
mod store;
#[cfg(test)]
mod tests;
mod wait;
mod writer;

use std::{
    path::Path,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use panotti_sdk::{Event, schema::Registry};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::{
    batch::{Batch, PAYLOAD_LIMIT, Put, Table, VALUE_LIMIT},
    envelope::Error as EnvelopeError,
    error::Error,
    prune::{Prune, Pruned},
    reading::{Order, Page, PageRequest},
    stats::LogStats,
};
use self::{
    batch::{Prepared, prepare},
    recent::Recent,
    stats::Counters,
    store::Store,
    writer::{Job, Writer},
};
use crate::config::{self, Durability};

/// The most that a log can ever use, bytes.
pub const CAPACITY: u64 = store::MAP_SIZE as u64;

/// What can be set about a log.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What an acknowledged event has survived.
    pub durability: Durability,
    /// Largest payload of an event as JSON, bytes; metadata has the same limit.
    pub payload_limit: usize,
    /// What events carry.
    pub schemas: Registry,
}

impl Default for Settings {
    fn default() -> Self {
        Self { durability: Durability::default(), payload_limit: PAYLOAD_LIMIT, schemas: Registry::core() }
    }
}

impl From<&config::Events> for Settings {
    fn from(events: &config::Events) -> Self {
        Self {
            durability: events.durability,
            payload_limit: events.payload_limit_kib as usize * 1024,
            ..Self::default()
        }
    }
}

/// The log. Cheap to clone; all clones are one log. When the last is dropped, what was queued is written
/// first.
#[derive(Debug, Clone)]
pub struct EventLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: Settings,
    tail: watch::Receiver<u64>,
    recent: Arc<Recent>,
    counters: Arc<Counters>,
    /// `None` only while the log closes.
    jobs: Option<mpsc::Sender<Job>>,
    /// `None` only while the log closes.
    writer: Option<JoinHandle<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.jobs = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("The event log's writer panicked.");
        }
    }
}

/// Longest that [`EventLog::append`] waits for a place in the queue.
const PUT_TIMEOUT: Duration = Duration::from_secs(5);

impl EventLog {
    /// [`Self::open_with`] the defaults, and the events of the core and the original's plugins.
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Self::open_with(dir, Settings::default(), Registry::core())
    }

    /// Opens or creates the log in `dir`, which is created when missing, and starts its writer thread
    /// ("log"). Other processes may have the same log open, this one only once.
    ///
    /// # Errors
    /// [`Error::Directory`], [`Error::Open`], [`Error::Truncated`], [`Error::Newer`], [`Error::Full`]: each says
    /// what to do.
    pub fn open_with(dir: &Path, settings: Settings) -> Result<Self, Error> {
        let store = store::open(dir, settings.durability)?;
        let last = last_seq(&store)?;
        let (jobs, queue) = mpsc::channel(writer::QUEUE);
        let (sender, tail) = watch::channel(last);
        let (recent, counters) = (Arc::<Recent>::default(), Arc::<Counters>::default());
        let writer = Writer {
            store: store.clone(),
            jobs: queue,
            tail: sender,
            recent: recent.clone(),
            counters: counters.clone(),
        };
        let writer = Some(writer.start().map_err(Error::Thread)?);
        let jobs = Some(jobs);
        Ok(Self { inner: Arc::new(Inner { store, settings, tail, recent, counters, jobs, writer }) })
    }

    /// Commits a batch. When it returns, the batch is on disk. A caller that stops waiting does not take
    /// the batch back.
    ///
    /// # Errors
    /// [`Error::Backpressure`] when the queue stays full for 5 s, [`Error::Full`] when disk or map are
    /// full, [`Error::TooLarge`] and [`Error::Invalid`] for what can never be stored, [`Error::OutOfUse`]
    /// and [`Error::Closed`] when the log takes nothing more. Nothing of the batch is stored then.
    pub async fn append(&self, batch: Batch) -> Result<Vec<Arc<Event>>, Error> {
        let batch = prepare(batch, &self.inner.settings)?;
        let place = tokio::time::timeout(PUT_TIMEOUT, self.jobs()?.reserve()).await;
        let answer = submit(place.ok(), batch)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// [`Self::append`] for ordinary threads; needs no runtime.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_blocking(&self, batch: Batch) -> Result<Vec<Arc<Event>>, Error> {
        let batch = prepare(batch, &self.inner.settings)?;
        let place = wait::block_on(self.jobs()?.reserve(), Some(Instant::now() + PUT_TIMEOUT));
        let answer = submit(place, batch)?;
        wait::block_on(answer, None).and_then(Result::ok).unwrap_or(Err(Error::Closed))
    }

    /// Ends when the log takes nothing more: its file can no longer be written ([`Error::OutOfUse`]), and the
    /// process has to start again.
    pub async fn closed(&self) {
        if let Ok(jobs) = self.jobs() {
            jobs.closed().await;
        }
    }

    /// What events carry.
    pub fn schemas(&self) -> &Registry {
        &self.inner.settings.schemas
    }

    fn jobs(&self) -> Result<&mpsc::Sender<Job>, Error> {
        self.inner.jobs.as_ref().ok_or(Error::Closed)
    }
}

fn last_seq(store: &Store) -> Result<u64, Error> {
    let next = store.read_txn().and_then(|txn| store.next_seq(&txn));
    Ok(next.map_err(|source| store.read_error(source))?.saturating_sub(1))
}

/// Puts `batch` into its place; the answer comes when it is on disk.
fn submit(
    place: Option<Result<mpsc::Permit<'_, Job>, mpsc::error::SendError<()>>>,
    batch: Prepared,
) -> Result<oneshot::Receiver<Result<Vec<Arc<Event>>, Error>>, Error> {
    let place = place.ok_or(Error::Backpressure)?.map_err(|_| Error::Closed)?;
    let (reply, answer) = oneshot::channel();
    place.send(Job::Append { batch, reply });
    Ok(answer)
}
