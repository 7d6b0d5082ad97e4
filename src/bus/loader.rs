//! Reading what is to be delivered. Owns passing over what cannot be read any more; blocks on the disk.

use std::sync::Arc;

use panotti_sdk::{Event, Filter};

use crate::event_log::{Error, EventLog};

/// Wanted events, and how far the log was looked at for them.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) events: Vec<Arc<Event>>,
    /// Everything up to here was looked at.
    pub(super) scanned: u64,
    /// Events that were passed over: damaged, or removed by retention.
    pub(super) missed: u64,
}

/// At most `limit` wanted events after `after`.
pub(super) fn page(log: &EventLog, after: u64, limit: usize, filter: &Filter) -> Result<Page, Error> {
    // Before the reading: what comes while it goes on may be behind where it has been.
    let last = *log.tail().borrow();
    let removed = removed(log, after)?;
    match log.read_new(after, limit, filter) {
        Ok(events) => {
            let found = events.last().map_or(after, |event| event.seq);
            let scanned = if events.len() < limit { found.max(last) } else { found };
            Ok(Page { events, scanned, missed: removed })
        }
        // One by one up to the damaged event, then over it: the others are still delivered.
        Err(Error::Corrupt { .. }) if limit > 1 => page(log, after, 1, filter),
        Err(error @ Error::Corrupt { seq, .. }) => {
            tracing::error!(error = crate::error_chain::chain(&error), "A damaged event is passed over.");
            Ok(Page { scanned: seq, missed: removed + 1, ..Page::default() })
        }
        Err(error) => Err(error),
    }
}

/// How many events after `after` retention has removed: `seq` has no gaps of its own.
pub(super) fn removed(log: &EventLog, after: u64) -> Result<u64, Error> {
    Ok(log.first_seq()?.saturating_sub(after + 1))
}

/// The event at `seq`, unless it is gone or damaged.
pub(super) fn event(log: &EventLog, seq: u64) -> Result<Option<Arc<Event>>, Error> {
    match log.read(seq - 1, 1, &Filter::default()) {
        Ok(events) => Ok(events.into_iter().find(|event| event.seq == seq).map(Arc::new)),
        Err(Error::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
