//! Reading the log. Owns what readers may ask for; each call is a transaction of its own, so that no
//! reader holds old pages.

use heed::RoTxn;
use panotti_sdk::{Event, Filter};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Error, EventLog, Table,
    batch::valid_key,
    last_seq,
    store::{Range, Store},
};

impl EventLog {
    /// Events with `seq > after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Corrupt`].
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
        self.reading(|store, txn| store.events(txn, range, limit, filter))
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

    /// Rows with a key above `after` (all when `None`), least key first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn rows(
        &self,
        table: Table,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.reading(|store, txn| {
            store.rows_forward(txn, table, after, limit).map_err(|source| store.read_error(source))
        })
    }

    /// Runs `read` in a transaction that lasts no longer.
    pub(super) fn reading<T>(
        &self,
        read: impl FnOnce(&Store, &RoTxn<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let store = &self.inner.store;
        let txn = store.read_txn().map_err(|source| store.read_error(source))?;
        read(store, &txn)
    }
}
