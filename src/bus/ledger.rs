//! What a subscription remembers across restarts: one row. Owns what is done and what is still open, and
//! the row's form; pure.
//!
//! Events are read in order and end in any order, so the row has a mark up to which everything was looked
//! at and the list of what is open below it. The mark lies no higher than it must: above the last event
//! that was touched the log itself says what is open, and the list stays short.

use std::collections::{BTreeMap, BTreeSet};

use panotti_sdk::{Event, Filter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Error;

/// The first byte of a row. A new form gets a new version.
const VERSION: u8 = 1;

/// How an open event fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tried {
    /// Attempts that failed.
    pub(super) failed: u32,
    /// When it is tried again, ms since 1970.
    pub(super) due_ms: i64,
}

/// What is done and what is not.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ledger {
    /// Every event up to this `seq` was looked at.
    pub(super) scanned: u64,
    /// The highest that was settled.
    settled: u64,
    /// Wanted events up to `scanned` that are not settled.
    pub(super) open: BTreeMap<u64, Tried>,
    /// By running replay: the `seq` of the present batch that are settled, and whether it went well.
    pub(super) replayed: BTreeMap<Uuid, BTreeMap<u64, bool>>,
    /// Events that retention removed first.
    pub(super) missed: u64,
}

/// The order of the fields is the format.
#[derive(Serialize, Deserialize)]
struct Row {
    filter: String,
    scanned: u64,
    open: Vec<(u64, u32, i64)>,
    replayed: Vec<([u8; 16], Vec<(u64, bool)>)>,
    missed: u64,
}

impl Ledger {
    /// One that begins after `scanned`.
    pub(super) fn after(scanned: u64) -> Self {
        Self { scanned, settled: scanned, ..Self::default() }
    }

    /// Every event up to this `seq` is done with.
    pub(super) fn cursor(&self) -> u64 {
        self.open.first_key_value().map_or(self.scanned, |(seq, _)| seq - 1)
    }

    /// Notes that `seq` is done with.
    pub(super) fn settle(&mut self, seq: u64) {
        self.open.remove(&seq);
        self.settled = self.settled.max(seq);
    }

    /// Notes how the replay of `seq` ended.
    pub(super) fn settle_replayed(&mut self, replay: Uuid, seq: u64, well: bool) {
        self.replayed.entry(replay).or_default().insert(seq, well);
    }

    /// The mark as it is stored, and what is open below it.
    fn mark(&self) -> u64 {
        let untouched = |(seq, tried): &(&u64, &Tried)| **seq > self.settled && tried.failed == 0;
        let tail = self.open.iter().rev().take_while(untouched).last();
        tail.map_or(self.scanned, |(seq, _)| seq - 1)
    }

    /// The row, with the subscription's filter as JSON.
    pub(super) fn encode(&self, filter: &str) -> Result<Vec<u8>, postcard::Error> {
        let scanned = self.mark();
        let row = Row {
            filter: filter.to_owned(),
            scanned,
            open: self.open.range(..=scanned).map(|(seq, it)| (*seq, it.failed, it.due_ms)).collect(),
            replayed: self
                .replayed
                .iter()
                .map(|(id, done)| (id.into_bytes(), done.iter().map(|(seq, well)| (*seq, *well)).collect()))
                .collect(),
            missed: self.missed,
        };
        postcard::to_extend(&row, vec![VERSION])
    }

    /// What [`Self::encode`] made, and the filter. `name` is for the error.
    pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<(Self, String), Error> {
        let row: Row = match bytes.split_first() {
            Some((&VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|source| Error::damaged("subscription", name, source))?
            }
            _ => return Err(Error::damaged("subscription", name, "its version is not known")),
        };
        let set = |(id, done): ([u8; 16], Vec<_>)| (Uuid::from_bytes(id), done.into_iter().collect());
        let ledger = Self {
            scanned: row.scanned,
            settled: row.scanned,
            open: row.open.into_iter().map(|(seq, failed, due_ms)| (seq, Tried { failed, due_ms })).collect(),
            replayed: row.replayed.into_iter().map(set).collect(),
            missed: row.missed,
        };
        Ok((ledger, row.filter))
    }
}

/// What a stored row says of any event.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) name: String,
    pub(super) cursor: u64,
    pub(super) missed: u64,
    scanned: u64,
    open: BTreeSet<u64>,
    filter: Filter,
}

impl Standing {
    pub(super) fn decode(name: String, bytes: &[u8]) -> Result<Self, Error> {
        let (ledger, filter) = Ledger::decode(&name, bytes)?;
        let filter =
            serde_json::from_str(&filter).map_err(|source| Error::damaged("subscription", &name, source))?;
        Ok(Self {
            cursor: ledger.cursor(),
            missed: ledger.missed,
            scanned: ledger.scanned,
            open: ledger.open.into_keys().collect(),
            name,
            filter,
        })
    }

    /// Whether the subscription wants `event`.
    pub(super) fn wants(&self, event: &Event) -> bool {
        self.filter.wants(event)
    }

    /// Whether `event` is wanted and not done with.
    pub(super) fn awaits(&self, event: &Event) -> bool {
        (event.seq > self.scanned || self.open.contains(&event.seq)) && self.wants(event)
    }
}
