//! What can be seen of subscriptions and of an event's deliveries. Owns the answers; the truth is in the
//! rows, and of what runs in the engines.

use std::{collections::BTreeMap, sync::PoisonError};

use jiff::Timestamp;
use panotti_sdk::Event;
use serde::Serialize;
use uuid::Uuid;

use super::{Bus, Error, Shared, ledger::Standing};
use crate::event_log::Table;

/// How one subscription does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionStatus {
    /// Its name.
    pub name: String,
    /// Whether somebody handles its events now.
    pub running: bool,
    /// Every event up to this `seq` is done with.
    pub cursor: u64,
    /// Events of the log behind the newest, wanted or not.
    pub lag: u64,
    /// Deliveries that are running.
    pub running_tasks: usize,
    /// Wanted events that were read and wait.
    pub waiting: usize,
    /// When the event at the head of the queue was accepted, if one waits.
    pub oldest_waiting: Option<Timestamp>,
    /// Deliveries that went well since the process started.
    pub handled: u64,
    /// Attempts that failed since the process started.
    pub failed_attempts: u64,
    /// Dead letters that are parked now.
    pub dead_letters: u64,
    /// Events that retention removed before they were handled; where it removed some that were not even
    /// looked at, all of them count, wanted or not.
    pub missed: u64,
}

/// What a running subscription tells of itself. The counts outlive its stopping.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    pub(super) cursor: u64,
    pub(super) missed: u64,
    pub(super) running_tasks: usize,
    pub(super) waiting: usize,
    pub(super) oldest_waiting: Option<Timestamp>,
    pub(super) handled: u64,
    pub(super) failed_attempts: u64,
}

/// How an event stands with those who want it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryStatus {
    /// The subscriptions, running or not, that want it and are not done with it.
    pub pending: Vec<String>,
    /// The subscriptions that gave it up.
    pub failed: Vec<String>,
}

/// An event's status in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// Somebody is not done with it.
    Pending,
    /// Everybody is done with it, and somebody gave it up.
    Failed,
    /// Everybody who wants it has handled it, be it nobody.
    Processed,
}

impl DeliveryStatus {
    /// In one word.
    pub fn state(&self) -> EventState {
        match (self.pending.is_empty(), self.failed.is_empty()) {
            (false, _) => EventState::Pending,
            (true, false) => EventState::Failed,
            (true, true) => EventState::Processed,
        }
    }
}

impl Shared {
    /// What is stored of all subscriptions, by name.
    fn standings(&self) -> Result<Vec<Standing>, Error> {
        let rows = self.log.rows(Table::Subscriptions, None, usize::MAX)?;
        rows.into_iter().map(|(name, row)| Standing::decode(name, &row)).collect()
    }

    /// What is stored of one.
    pub(super) fn standing(&self, name: &str) -> Result<Option<Standing>, Error> {
        let row = self.log.get(Table::Subscriptions, name)?;
        row.map(|row| Standing::decode(name.to_owned(), &row)).transpose()
    }
}

impl Bus {
    /// How every subscription does, running or not, by name.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn subscriptions(&self) -> Result<Vec<SubscriptionStatus>, Error> {
        let shared = &self.shared;
        let standings = shared.standings()?;
        let slots: BTreeMap<_, _> = {
            let slots = shared.slots.borrow();
            let live = |slot: &super::Slot| slot.live.lock().unwrap_or_else(PoisonError::into_inner).clone();
            slots.iter().map(|(name, slot)| (name.clone(), (slot.commands.is_some(), live(slot)))).collect()
        };
        let last = *shared.log.tail().borrow();
        let status = |standing: Standing| {
            let (running, live) = slots.get(&standing.name).cloned().unwrap_or_default();
            // What is on disk may be ahead by a batch: what followed from it, such as the count of dead
            // letters, is known together with the running subscription's own cursor.
            let cursor = if running { live.cursor } else { standing.cursor };
            SubscriptionStatus {
                running,
                cursor,
                lag: last.saturating_sub(cursor),
                running_tasks: if running { live.running_tasks } else { 0 },
                waiting: if running { live.waiting } else { 0 },
                oldest_waiting: live.oldest_waiting.filter(|_| running),
                handled: live.handled,
                failed_attempts: live.failed_attempts,
                dead_letters: shared.letters.count(&standing.name),
                missed: standing.missed.max(live.missed),
                name: standing.name,
            }
        };
        Ok(standings.into_iter().map(status).collect())
    }

    /// The least stored cursor of all subscriptions, running or not: retention keeps what lies behind it.
    /// `None` without subscriptions. It is never ahead of what a crash would leave, and may be 10,000
    /// unwanted events behind what [`Self::subscriptions`] shows.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn low_watermark(&self) -> Result<Option<u64>, Error> {
        Ok(self.shared.standings()?.iter().map(|standing| standing.cursor).min())
    }

    /// The least `seq` that somebody may not be done with; `None` without subscriptions.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn pending_from(&self) -> Result<Option<u64>, Error> {
        Ok(self.low_watermark()?.map(|cursor| cursor + 1))
    }

    /// How each of `events` stands, in the same order.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn status_of(&self, events: &[Event]) -> Result<Vec<DeliveryStatus>, Error> {
        let standings = self.shared.standings()?;
        let status = |event: &Event| DeliveryStatus {
            pending: standings.iter().filter(|it| it.awaits(event)).map(|it| it.name.clone()).collect(),
            failed: self.shared.letters.holders(event.seq),
        };
        Ok(events.iter().map(status).collect())
    }

    /// The subscriptions by which event `id` is not yet done with, and those that parked it.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn deliveries_of(&self, id: Uuid) -> Result<(Vec<String>, Vec<String>), Error> {
        let event = self.shared.log.get_event(id)?;
        let status = self.status_of(event.as_slice())?.pop().unwrap_or_default();
        Ok((status.pending, status.failed))
    }
}
