//! The durable log in LMDB. Owns appending (group commit), reading, the live tail and the small tables
//! that change together with an event; leaves what events mean to those who publish them.

use std::path::Path;

use panotti_sdk::{Event, NewEvent};
use tokio::sync::watch;
use uuid::Uuid;

/// Tables that change in the same transaction as the events that tell of the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Recordings by id.
    Recordings,
    /// API keys by id.
    Keys,
}

/// A change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub table: Table,
    /// Which row: 1 to 256 bytes.
    pub key: String,
    /// The new value; `None` removes the row.
    pub value: Option<Vec<u8>>,
}

/// What is committed together: all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Events, in order.
    pub events: Vec<NewEvent>,
    /// Rows.
    pub puts: Vec<Put>,
    /// When set and already known for the first event's source, nothing is stored and the first event's
    /// stored form is returned.
    pub idempotency_key: Option<String>,
}

/// Which events a reader wants. Empty wants all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Topic pattern: `*` is one word, `**` the rest; `None` is all.
    pub name: Option<String>,
    /// Only this meeting's.
    pub correlation_id: Option<Uuid>,
}

/// The log. Cheap to clone; all clones are one log.
#[derive(Debug, Clone)]
pub struct EventLog {}

/// What went wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

impl EventLog {
    /// Opens or creates the log in `dir` and starts its writer thread ("log").
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let _ = dir;
        unimplemented!()
    }

    /// Commits a batch. When it returns, the batch is on disk.
    pub async fn append(&self, batch: Batch) -> Result<Vec<Event>, Error> {
        let _ = batch;
        unimplemented!()
    }

    /// [`Self::append`] for ordinary threads.
    pub fn append_blocking(&self, batch: Batch) -> Result<Vec<Event>, Error> {
        let _ = batch;
        unimplemented!()
    }

    /// Events with `seq > after`, oldest first, at most `limit`.
    pub fn read(&self, after: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, Error> {
        let _ = (after, limit, filter);
        unimplemented!()
    }

    /// Events with `seq < before`, newest first, at most `limit`.
    pub fn read_back(&self, before: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, Error> {
        let _ = (before, limit, filter);
        unimplemented!()
    }

    /// The newest durable `seq`, and a signal whenever it grows.
    pub fn tail(&self) -> watch::Receiver<u64> {
        unimplemented!()
    }

    /// One row.
    pub fn get(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let _ = (table, key);
        unimplemented!()
    }

    /// Rows with a key below `before` (all when `None`), greatest key first, at most `limit`.
    pub fn rows_back(
        &self,
        table: Table,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let _ = (table, before, limit);
        unimplemented!()
    }
}
