//! Events that a subscription could not handle. Owns how they are kept, counted, listed and dropped; when
//! an event becomes one is the engine's.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use panotti_sdk::Event;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{Bus, Error, item::Command};
use crate::event_log::{Batch, EventLog, Put, Table};

/// Rows that are read in one transaction.
const PAGE: usize = 100;
/// The first byte of a row; JSON follows. A new form gets a new version.
const VERSION: u8 = 1;

/// An event that a subscription could not handle, kept with the event itself, so that retention does not
/// take it away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Whose it is.
    pub subscription: String,
    /// The event.
    pub event: Event,
    /// How often it was tried, all replays together.
    pub attempts: u32,
    /// How often it was replayed.
    pub replays: u32,
    /// The last error and its causes, outermost first.
    pub errors: Vec<String>,
    /// When it was parked first.
    pub parked_at: Timestamp,
    /// When it was tried last.
    pub tried_at: Timestamp,
}

/// Which dead letters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeadLetterFilter {
    /// Only this subscription's.
    pub subscription: Option<String>,
    /// Only of events that pass this.
    pub filter: panotti_sdk::Filter,
}

impl DeadLetterFilter {
    fn wants(&self, letter: &DeadLetter) -> bool {
        self.subscription.as_ref().is_none_or(|name| *name == letter.subscription)
            && self.filter.wants(&letter.event)
    }
}

impl DeadLetter {
    /// The change that stores it.
    pub(super) fn put(&self) -> Result<Put, serde_json::Error> {
        let mut value = vec![VERSION];
        serde_json::to_writer(&mut value, self)?;
        Ok(Put { value: Some(value), ..removal(self.event.seq, &self.subscription) })
    }

    fn decode(key: &str, bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            Some((&VERSION, json)) => {
                serde_json::from_slice(json).map_err(|source| Error::damaged("dead letter", key, source))
            }
            _ => Err(Error::damaged("dead letter", key, "its version is not known")),
        }
    }
}

/// The row of one dead letter.
fn key(seq: u64, subscription: &str) -> String {
    format!("{seq:020}/{subscription}")
}

/// The change that removes one.
pub(super) fn removal(seq: u64, subscription: &str) -> Put {
    Put { table: Table::DeadLetters, key: key(seq, subscription), value: None }
}

/// The dead letter of `subscription` for the event at `seq`.
pub(super) fn find(log: &EventLog, seq: u64, subscription: &str) -> Result<Option<DeadLetter>, Error> {
    let key = key(seq, subscription);
    log.get(Table::DeadLetters, &key)?.map(|row| DeadLetter::decode(&key, &row)).transpose()
}

/// Dead letters after the row of `after`, at most `limit` of those that are wanted. The table is read in
/// pages.
pub(super) fn list(
    log: &EventLog,
    after: Option<(u64, &str)>,
    limit: usize,
    mut wants: impl FnMut(&DeadLetter) -> bool,
) -> Result<Vec<DeadLetter>, Error> {
    let mut after = after.map(|(seq, subscription)| key(seq, subscription));
    let mut found = Vec::new();
    while found.len() < limit {
        let rows = log.rows(Table::DeadLetters, after.as_deref(), PAGE)?;
        let Some((last, _)) = rows.last() else { break };
        after = Some(last.clone());
        for (key, row) in &rows {
            match DeadLetter::decode(key, row) {
                Ok(letter) if found.len() < limit && wants(&letter) => found.push(letter),
                Ok(_) => {}
                // One that is damaged hides no others.
                Err(error) => {
                    tracing::error!(error = crate::error_chain::chain(&error), "A dead letter is lost.");
                }
            }
        }
    }
    Ok(found)
}

/// By subscription and `seq`: when each was parked.
type Parked = BTreeMap<String, BTreeMap<u64, Timestamp>>;

/// Which dead letters there are, in memory.
#[derive(Debug, Default)]
pub(super) struct Letters {
    parked: Mutex<Parked>,
}

impl Letters {
    /// Finds those in the log.
    pub(super) fn load(log: &EventLog) -> Result<Self, Error> {
        let letters = Self::default();
        list(log, None, usize::MAX, |letter| {
            letters.insert(&letter.subscription, letter.event.seq, letter.parked_at);
            false
        })?;
        Ok(letters)
    }

    fn lock(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, subscription: &str, seq: u64, parked_at: Timestamp) {
        let mut parked = self.lock();
        parked.entry(subscription.to_owned()).or_default().entry(seq).or_insert(parked_at);
    }

    pub(super) fn remove(&self, subscription: &str, seq: u64) {
        if let Some(parked) = self.lock().get_mut(subscription) {
            parked.remove(&seq);
        }
    }

    pub(super) fn contains(&self, subscription: &str, seq: u64) -> bool {
        self.lock().get(subscription).is_some_and(|parked| parked.contains_key(&seq))
    }

    /// How many a subscription has.
    pub(super) fn count(&self, subscription: &str) -> u64 {
        self.lock().get(subscription).map_or(0, |parked| parked.len() as u64)
    }

    /// The `seq` of a subscription's.
    pub(super) fn of(&self, subscription: &str) -> Vec<u64> {
        self.lock().get(subscription).map_or_else(Vec::new, |parked| parked.keys().copied().collect())
    }

    /// The subscriptions that parked the event at `seq`.
    pub(super) fn holders(&self, seq: u64) -> Vec<String> {
        let parked = self.lock();
        let holders = parked.iter().filter(|(_, parked)| parked.contains_key(&seq));
        holders.map(|(subscription, _)| subscription.clone()).collect()
    }
}

impl Bus {
    /// Dead letters in the order of their events, after `after` (event's `seq` and subscription), at most
    /// `limit`.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn dead_letters(
        &self,
        after: Option<(u64, &str)>,
        limit: usize,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetter>, Error> {
        list(&self.shared.log, after, limit, |letter| filter.wants(letter))
    }

    /// Forgets a dead letter. The event itself stays in the log.
    ///
    /// # Errors
    /// [`Error::UnknownDeadLetter`] and [`Error::Log`].
    pub async fn drop_dead_letter(&self, subscription: &str, seq: u64) -> Result<(), Error> {
        let shared = &self.shared;
        let _no_start = shared.starting.lock().await;
        if !shared.letters.contains(subscription, seq) {
            return Err(Error::UnknownDeadLetter { subscription: subscription.to_owned(), seq });
        }
        // While a subscription runs it alone changes its dead letters, so that nothing overtakes a replay.
        if let Some(commands) = shared.commands(subscription) {
            let (reply, answer) = oneshot::channel();
            if commands.send(Command::DropDeadLetter { seq, reply }).await.is_ok() && answer.await.is_ok() {
                return Ok(());
            }
            // It stopped meanwhile.
        }
        let batch = Batch { puts: vec![removal(seq, subscription)], ..Batch::default() };
        shared.log.append(batch).await?;
        shared.letters.remove(subscription, seq);
        Ok(())
    }

    /// How many there are, and when the oldest was parked.
    pub fn dead_letter_count(&self) -> (u64, Option<Timestamp>) {
        let parked = self.shared.letters.lock();
        let count = parked.values().map(|parked| parked.len() as u64).sum();
        (count, parked.values().flat_map(BTreeMap::values).min().copied())
    }
}
