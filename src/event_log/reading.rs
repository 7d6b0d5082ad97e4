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
    store::{Budget, Range, Store},
};

/// How much is looked at for one page.
const PAGE: Budget = Budget { events: 50_000, bytes: 32 << 20 };

/// Which part of the log somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'f> {
    /// Only events that all of these want.
    pub filters: &'f [Filter],
    /// Which end comes first.
    pub order: Order,
    /// [`Page::next`] of the page before; `None` begins at the end that comes first. Any `seq` will do.
    pub cursor: Option<u64>,
    /// Most events, at least 1.
    pub limit: usize,
}

/// Which end of the log comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ascending `seq`.
    OldestFirst,
    /// Descending `seq`.
    NewestFirst,
}

/// A part of the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The events. There may be fewer than the limit, even none, and more on the next page: when no index
    /// helps, only so many events are looked at for one page.
    pub events: Vec<Event>,
    /// Where the next page goes on; `None` when nothing follows.
    pub next: Option<u64>,
}

impl EventLog {
    /// One page of the log. What it costs depends neither on how long the log is nor on where the page lies.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Corrupt`].
    pub fn page(&self, request: &PageRequest<'_>) -> Result<Page, Error> {
        self.page_within(request, PAGE)
    }

    pub(super) fn page_within(&self, request: &PageRequest<'_>, budget: Budget) -> Result<Page, Error> {
        let backward = request.order == Order::NewestFirst;
        let range = if backward { before(request.cursor) } else { after(request.cursor) };
        let limit = request.limit.max(1);
        // One more than asked for tells whether there are more.
        let most = limit.saturating_add(1);
        let found = self.reading(|store, txn| store.events(txn, range, most, request.filters, budget))?;
        let mut page = Page { events: found.events, next: found.stopped };
        if page.events.len() > limit {
            // What lies between has been looked at already.
            page.next = page.events.pop().map(|it| if backward { it.seq + 1 } else { it.seq - 1 });
        }
        Ok(page)
    }

    /// Events after `seq`, oldest first, at most `limit`: fewer only when there are no more. Looks at
    /// as many as that takes; for filters of anybody there is [`Self::page`].
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Corrupt`].
    pub fn read(&self, seq: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, Error> {
        self.events(after(Some(seq)), limit, filter)
    }

    /// Events before `seq`, newest first, at most `limit`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_back(&self, seq: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, Error> {
        self.events(before(Some(seq)), limit, filter)
    }

    fn events(&self, range: Range, limit: usize, filter: &Filter) -> Result<Vec<Event>, Error> {
        let filters = std::slice::from_ref(filter);
        let found = self.reading(|store, txn| store.events(txn, range, limit, filters, Budget::NONE))?;
        Ok(found.events)
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

    /// `seq` of the oldest event that is kept; that of the next event when there is none.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn first_seq(&self) -> Result<u64, Error> {
        self.reading(|store, txn| store.first_seq(txn).map_err(|source| store.read_error(source)))
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

    /// Keys that begin with `prefix` and lie above `after`, least first, at most `limit`. Rows are not read.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn keys(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        self.reading(|store, txn| {
            store.keys(txn, table, prefix, after, limit).map_err(|source| store.read_error(source))
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

/// What follows `seq`, or everything, oldest first.
fn after(seq: Option<u64>) -> Range {
    Range { first: seq.unwrap_or(0).saturating_add(1), last: u64::MAX, backward: false }
}

/// What precedes `seq`, or everything, newest first.
fn before(seq: Option<u64>) -> Range {
    Range { first: 1, last: seq.unwrap_or(u64::MAX).saturating_sub(1), backward: true }
}
