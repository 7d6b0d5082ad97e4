//! Beginning where a subscription was left. Owns what becomes of what changed meanwhile: events that are
//! gone, a filter that wants others, replays that ended. Blocks on the disk.

use std::sync::Arc;

use panotti_sdk::Event;

use super::{
    Error, Start, Subscription,
    ledger::Ledger,
    loader,
    replay::{self, ReplayState},
};
use crate::event_log::{EventLog, Table};

/// What `subscription` left behind, and its open events, oldest first.
pub(super) fn recall(
    log: &EventLog,
    subscription: &Subscription,
) -> Result<(Ledger, Vec<Arc<Event>>), Error> {
    let name = &subscription.name;
    let Some(row) = log.get(Table::Subscriptions, name)? else {
        let scanned = match subscription.start {
            Start::Now => *log.tail().borrow(),
            Start::Beginning => loader::removed(log, 0)?,
        };
        return Ok((Ledger::after(scanned), Vec::new()));
    };
    let (mut ledger, _) = Ledger::decode(name, &row)?;
    let before = ledger.missed;
    let mut open = Vec::new();
    for seq in ledger.open.keys().copied().collect::<Vec<_>>() {
        match loader::event(log, seq)? {
            Some(event) if subscription.filter.wants(&event) => open.push(event),
            // It is not wanted any more.
            Some(_) => ledger.settle(seq),
            None => {
                ledger.settle(seq);
                ledger.missed += 1;
            }
        }
    }
    let removed = loader::removed(log, ledger.scanned)?;
    ledger.scanned += removed;
    ledger.missed += removed;
    if ledger.missed > before {
        let missed = ledger.missed - before;
        tracing::warn!(subscription = name, missed, "Events were gone before they were handled.");
    }
    for id in ledger.replayed.keys().copied().collect::<Vec<_>>() {
        if replay::find(log, id)?.is_none_or(|replay| replay.state != ReplayState::Running) {
            ledger.replayed.remove(&id);
        }
    }
    Ok((ledger, open))
}
