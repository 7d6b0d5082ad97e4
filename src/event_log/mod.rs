//! The durable log in LMDB. Owns appending (group commit), reading, the live tail and the small tables
//! that change together with an event; leaves what events mean to those who publish them.

mod batch;
mod envelope;
mod error;
mod filter;
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

use heed::RoTxn;
use panotti_sdk::Event;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

pub use self::{
    batch::{Batch, PAYLOAD_LIMIT, Put, Table, VALUE_LIMIT},
    envelope::Error as EnvelopeError,
    error::Error,
    filter::{Filter, Pattern},
};
use self::{
    batch::{prepare, valid_key},
    filter::Parsed,
    store::{Range, Store},
    writer::{Job, Prepared},
};

/// The log. Cheap to clone; all clones are one log. When the last is dropped, what was queued is written
/// first.
#[derive(Debug, Clone)]
pub struct EventLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    tail: watch::Receiver<u64>,
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
    /// Opens or creates the log in `dir`, which is created when missing, and starts its writer thread
    /// ("log"). Other processes may have the same log open, this one only once.
    ///
    /// # Errors
    /// [`Error::Directory`], [`Error::Open`], [`Error::Truncated`], [`Error::Newer`], [`Error::Full`]: each says
    /// what to do.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let store = store::open(dir)?;
        let last = last_seq(&store)?;
        let (jobs, queue) = mpsc::channel(writer::QUEUE);
        let (sender, tail) = watch::channel(last);
        let writer = writer::start(store.clone(), queue, sender).map_err(Error::Thread)?;
        Ok(Self { inner: Arc::new(Inner { store, tail, jobs: Some(jobs), writer: Some(writer) }) })
    }

    /// Commits a batch. When it returns, the batch is on disk. A caller that stops waiting does not take
    /// the batch back.
    ///
    /// # Errors
    /// [`Error::Backpressure`] when the queue stays full for 5 s, [`Error::Full`] when disk or map are
    /// full, [`Error::TooLarge`] and [`Error::Invalid`] for what can never be stored. Nothing of the batch
    /// is stored then.
    pub async fn append(&self, batch: Batch) -> Result<Vec<Event>, Error> {
        let batch = prepare(batch)?;
        let place = tokio::time::timeout(PUT_TIMEOUT, self.jobs()?.reserve()).await;
        let answer = submit(place.ok(), batch)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// [`Self::append`] for ordinary threads; needs no runtime.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_blocking(&self, batch: Batch) -> Result<Vec<Event>, Error> {
        let batch = prepare(batch)?;
        let place = wait::block_on(self.jobs()?.reserve(), Some(Instant::now() + PUT_TIMEOUT));
        let answer = submit(place, batch)?;
        wait::block_on(answer, None).and_then(Result::ok).unwrap_or(Err(Error::Closed))
    }

    fn jobs(&self) -> Result<&mpsc::Sender<Job>, Error> {
        self.inner.jobs.as_ref().ok_or(Error::Closed)
    }

    /// Events with `seq > after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Pattern`] when the filter is none, [`Error::Read`] and [`Error::Corrupt`].
    pub fn read(&self, after: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, Error> {
        let range = Range { first: after.saturating_add(1), last: u64::MAX, backward: false };
        self.events(range, limit, filter)
    }

    /// Events with `seq < before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_back(&self, before: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, Error> {
        let range = Range { first: 1, last: before.saturating_sub(1), backward: true };
        self.events(range, limit, filter)
    }

    fn events(&self, range: Range, limit: usize, filter: &Filter) -> Result<Vec<Event>, Error> {
        let filter = Parsed::new(filter)?;
        self.reading(|store, txn| store.events(txn, range, limit, &filter))
    }

    /// The event called `id`.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Corrupt`].
    pub fn get_event(&self, id: Uuid) -> Result<Option<Event>, Error> {
        self.reading(|store, txn| store.event_by_id(txn, id))
    }

    /// The newest durable `seq`, 0 when there never was an event.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn last_seq(&self) -> Result<u64, Error> {
        last_seq(&self.inner.store)
    }

    /// The newest durable `seq`, and a signal whenever this process makes it grow.
    pub fn tail(&self) -> watch::Receiver<u64> {
        self.inner.tail.clone()
    }

    /// One row.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn get(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, Error> {
        if !valid_key(key) {
            return Ok(None);
        }
        self.reading(|store, txn| match store.row(txn, table, key) {
            Ok(value) => Ok(value.map(<[u8]>::to_vec)),
            Err(source) => Err(store.read_error(source)),
        })
    }

    /// Rows with a key below `before` (all when `None`), greatest key first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn rows_back(
        &self,
        table: Table,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.reading(|store, txn| {
            store.rows_back(txn, table, before, limit).map_err(|source| store.read_error(source))
        })
    }

    /// Runs `read` in a transaction that lasts no longer.
    fn reading<T>(&self, read: impl FnOnce(&Store, &RoTxn<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let store = &self.inner.store;
        let txn = store.read_txn().map_err(|source| store.read_error(source))?;
        read(store, &txn)
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
) -> Result<oneshot::Receiver<Result<Vec<Event>, Error>>, Error> {
    let place = place.ok_or(Error::Backpressure)?.map_err(|_| Error::Closed)?;
    let (reply, answer) = oneshot::channel();
    place.send(Job { batch, reply });
    Ok(answer)
}
