//! One reader's place in the log. Owns going on where a client was cut off: nothing is lost but to
//! retention, of which it is told. The log itself is read from the last place on; its tail only says when
//! to look.

use std::{collections::VecDeque, sync::Arc};

use axum::http::HeaderMap;
use panotti_sdk::{Event, Filter};
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::super::{error::Problem, recordings::blocking};
use crate::event_log::{self, EventLog, Order, PageRequest};

/// Events read from the log at once.
const BATCH: usize = 256;

/// Whoever is no further behind than this reads what is still in memory, events.
const NEAR: u64 = 4096;

/// What comes next.
#[derive(Debug)]
pub(in super::super) enum Item {
    /// An event.
    Event(Arc<Event>),
    /// Events may be missing here.
    Gap(Gap),
}

/// Events that retention removed before the client saw them.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(in super::super) struct Gap {
    /// `seq` of the first that may be missing.
    from: u64,
    /// `seq` of the last.
    to: u64,
}

impl Item {
    /// The place behind it, from which a client goes on.
    pub(in super::super) fn seq(&self) -> u64 {
        match self {
            Self::Event(event) => event.seq,
            Self::Gap(gap) => gap.to,
        }
    }

    /// What clients know it by: the event's name, or `gap`.
    pub(in super::super) fn name(&self) -> &str {
        match self {
            Self::Event(event) => event.name.as_str(),
            Self::Gap(_) => "gap",
        }
    }

    /// What clients get, on one line.
    pub(in super::super) fn json(&self) -> Result<String, Problem> {
        match self {
            Self::Event(event) => serde_json::to_string(&**event),
            Self::Gap(gap) => serde_json::to_string(gap),
        }
        .map_err(Problem::internal)
    }
}

/// The `seq` that a client has seen: `Last-Event-ID`, or else what its query says.
pub(in super::super) fn last_seen(headers: &HeaderMap, after: Option<u64>) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(after) };
    let seq = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    seq.map(Some).ok_or_else(|| Problem::unprocessable("`Last-Event-ID` must be the `id` of an event"))
}

/// One reader's place in the log.
#[derive(Debug)]
pub(in super::super) struct Follower {
    log: EventLog,
    filters: Arc<[Filter]>,
    after: u64,
    queue: VecDeque<Item>,
    tail: watch::Receiver<u64>,
}

impl Follower {
    /// Goes on after `last_seen`, or begins with what happens from now on.
    pub(in super::super) fn new(log: &EventLog, filters: Arc<[Filter]>, last_seen: Option<u64>) -> Self {
        let tail = log.tail();
        let newest = *tail.borrow();
        // A place beyond the end belongs to another log: begin with what comes.
        let after = last_seen.map_or(newest, |it| it.min(newest));
        Self { log: log.clone(), filters, after, queue: VecDeque::new(), tail }
    }

    /// The newest `seq` of the log.
    pub(in super::super) fn newest(&self) -> u64 {
        *self.tail.borrow()
    }

    /// What comes next, when there is something. May be dropped while it waits.
    ///
    /// # Errors
    /// The log cannot be read, or is closed.
    pub(in super::super) async fn next(&mut self) -> Result<Item, Problem> {
        loop {
            let newest = *self.tail.borrow_and_update();
            if let Some(item) = self.next_until(newest).await? {
                return Ok(item);
            }
            self.tail.changed().await.map_err(|_| Problem::from(event_log::Error::Closed))?;
        }
    }

    /// What comes next of what lies before `newest` or there, which has to be in the log. May be dropped
    /// while it waits.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(in super::super) async fn next_until(&mut self, newest: u64) -> Result<Option<Item>, Problem> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                return Ok(Some(item));
            }
            if self.after >= newest {
                return Ok(None);
            }
            let (log, after, filters) = (self.log.clone(), self.after, self.filters.clone());
            (self.queue, self.after) = blocking(move || read(&log, after, newest, &filters)).await?;
        }
    }

    /// Whether an event lies behind this place; then the place is now behind it. For who learns of events
    /// by another way, and has taken everything from here.
    pub(in super::super) fn advance(&mut self, seq: u64) -> bool {
        let is_new = seq > self.after;
        self.after = self.after.max(seq);
        is_new
    }
}

/// The next items behind `after`, and up to where that is everything.
fn read(
    log: &EventLog,
    after: u64,
    newest: u64,
    filters: &[Filter],
) -> Result<(VecDeque<Item>, u64), Problem> {
    let (events, done) = if newest - after > NEAR {
        old(log, after, newest, filters)?
    } else {
        new(log, after, newest, filters)?
    };
    let mut items: VecDeque<_> = events.into_iter().map(Item::Event).collect();
    // Asked for afterwards: what was removed while we read is told of too.
    let kept = log.first_seq()?;
    if after > 0 && kept > after + 1 {
        items.push_front(Item::Gap(Gap { from: after + 1, to: kept - 1 }));
    }
    Ok((items, done))
}

type Read = Result<(Vec<Arc<Event>>, u64), Problem>;

/// From memory, mostly.
fn new(log: &EventLog, after: u64, newest: u64, filters: &[Filter]) -> Read {
    let everything = Filter::default();
    let (first, rest) = filters.split_first().unwrap_or((&everything, &[]));
    let mut events = log.read_new(after, BATCH, first)?;
    let last = events.last().map_or(0, |event| event.seq);
    // A short batch means that nothing else up to `newest` matches.
    let done = if events.len() < BATCH { last.max(newest) } else { last };
    events.retain(|event| rest.iter().all(|filter| filter.wants(event)));
    Ok((events, done))
}

/// From the file, no more at once than a page looks at.
fn old(log: &EventLog, after: u64, newest: u64, filters: &[Filter]) -> Read {
    let request = PageRequest { filters, order: Order::OldestFirst, cursor: Some(after), limit: BATCH };
    let page = log.page(&request)?;
    let last = page.events.last().map_or(0, |event| event.seq);
    let done = page.next.unwrap_or(newest.max(last));
    Ok((page.events.into_iter().map(Arc::new).collect(), done))
}
