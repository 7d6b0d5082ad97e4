//! What a running subscription stores. Owns forming batches of results and row, and what follows from the
//! log's answer.
//!
//! At most one batch is under way; what ends meanwhile goes into the next. The row in a batch says that a
//! delivery is settled only if its effects are in the same batch or were on disk before. When the log
//! refuses a batch, each of its deliveries is tried alone, so that the guilty one takes no other with it.

use std::{collections::VecDeque, fmt, future::Future, mem, pin::Pin, sync::Arc};

use jiff::Timestamp;
use panotti_sdk::{Event, NewEvent, Priority, names, payloads::DeadLettered};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Effects,
    dead_letter::{self, DeadLetter},
    engine::Engine,
    failure::Failure,
    item::{Item, Report},
    ledger::Ledger,
};
use crate::event_log::{self, Batch, Put, Table};

/// So far may the stored cursor lag behind over events that are not wanted: no write for each of them.
const LAZY: u64 = 10_000;

/// What is to be stored.
#[derive(Debug)]
pub(super) enum Finished {
    /// The head of a chain was handled.
    Done { chain: Uuid, effects: Effects },
    /// The head of a chain is parked.
    GivenUp { chain: Uuid, errors: Vec<String>, last_words: Effects },
    /// Somebody dropped a dead letter.
    Dropped { seq: u64, reply: oneshot::Sender<()> },
}

type Answer = Pin<Box<dyn Future<Output = Result<Vec<Arc<Event>>, event_log::Error>> + Send>>;

/// What is stored, and what is next.
pub(super) struct Commit {
    pub(super) finished: VecDeque<Finished>,
    /// Whether the row is to be written though nothing was finished.
    pub(super) is_due: bool,
    /// The log's answer to the batch that is under way …
    pub(super) answer: Option<Answer>,
    /// … what is in it …
    under_way: Vec<Finished>,
    /// … and how far its row has looked.
    scanned: u64,
    /// How far the stored row has looked.
    stored: u64,
    /// So many of the next go alone.
    alone: usize,
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit").field("finished", &self.finished).finish_non_exhaustive()
    }
}

impl Commit {
    /// With a row in the log that has looked as far as `stored`.
    pub(super) fn new(stored: u64) -> Self {
        Self {
            finished: VecDeque::new(),
            is_due: false,
            answer: None,
            under_way: Vec::new(),
            scanned: stored,
            stored,
            alone: 0,
        }
    }

    /// Deliveries that ended and are not stored.
    pub(super) fn deliveries(&self) -> usize {
        self.finished.len() + self.under_way.len()
    }

    /// Puts what was under way back to the front.
    fn restore(&mut self) {
        self.is_due = true;
        for entry in self.under_way.drain(..).rev() {
            self.finished.push_front(entry);
        }
    }
}

impl Engine {
    /// Whether there is something to store.
    pub(super) fn has_to_commit(&self) -> bool {
        let commit = &self.commit;
        let behind = self.ledger.scanned - commit.stored;
        let lazily = if self.is_stopping() { 1 } else { LAZY };
        commit.is_due || !commit.finished.is_empty() || (behind >= lazily && self.ledger.open.is_empty())
    }

    /// Hands the next batch to the log, if there is one and none is under way.
    pub(super) fn begin_commit(&mut self) {
        if self.commit.answer.is_some() || !self.has_to_commit() {
            return;
        }
        let count = if self.commit.alone > 0 { 1 } else { self.commit.finished.len() };
        let entries: Vec<_> = self.commit.finished.drain(..count).collect();
        let mut ledger = self.ledger.clone();
        let mut batch = Batch::default();
        for entry in &entries {
            self.add(entry, &mut batch, &mut ledger);
        }
        match ledger.encode(&self.filter) {
            Ok(row) => batch.puts.push(Put {
                table: Table::Subscriptions,
                key: self.subscription.name.clone(),
                value: Some(row),
            }),
            // Without its row nothing may be stored.
            Err(error) => {
                self.commit.under_way = entries;
                self.commit.restore();
                self.wait_for_log(&event_log::Error::Invalid(error.to_string()));
                return;
            }
        }
        self.commit.is_due = false;
        self.commit.under_way = entries;
        self.commit.scanned = ledger.scanned;
        let log = self.shared.log.clone();
        self.commit.answer = Some(Box::pin(async move { log.append(batch).await }));
    }

    /// Puts `entry` into `batch`, and into `ledger` what is true when the batch is stored.
    fn add(&mut self, entry: &Finished, batch: &mut Batch, ledger: &mut Ledger) {
        let name = self.subscription.name.clone();
        match entry {
            Finished::Done { chain, effects } => {
                let Some(item) = self.scheduler.head(*chain) else { return };
                batch.events.extend(effects.events.iter().cloned());
                batch.puts.extend(effects.puts.iter().cloned());
                if self.shared.letters.contains(&name, item.event.seq) {
                    batch.puts.push(dead_letter::removal(item.event.seq, &name));
                }
                settle(ledger, item, true);
            }
            Finished::GivenUp { chain, errors, last_words } => {
                batch.events.extend(last_words.events.iter().cloned());
                batch.puts.extend(last_words.puts.iter().cloned());
                let Some(item) = self.scheduler.head(*chain) else { return };
                let known = dead_letter::find(&self.shared.log, item.event.seq, &name);
                let known = known.unwrap_or_else(|error| {
                    tracing::error!(error = crate::error_chain::chain(&error), "A dead letter is replaced.");
                    None
                });
                if known.is_none() {
                    batch.events.extend(announcement(&name, &item.event, errors));
                }
                match parked(name, item, errors, known).put() {
                    Ok(put) => batch.puts.push(put),
                    Err(error) => tracing::error!(%error, "A dead letter has no form."),
                }
                settle(ledger, item, false);
            }
            Finished::Dropped { seq, .. } => batch.puts.push(dead_letter::removal(*seq, &name)),
        }
    }

    /// The log answered.
    pub(super) fn committed(&mut self, answer: Result<Vec<Arc<Event>>, event_log::Error>) {
        match answer {
            Ok(_) => {
                self.log_is_well();
                self.commit.stored = self.commit.scanned;
                for entry in mem::take(&mut self.commit.under_way) {
                    self.commit.alone = self.commit.alone.saturating_sub(1);
                    self.settled(entry);
                }
            }
            Err(error) if may_pass(&error) => {
                self.commit.restore();
                self.wait_for_log(&error);
            }
            Err(error) => self.refused(&error),
        }
    }

    /// The batch can never be stored.
    fn refused(&mut self, error: &event_log::Error) {
        let count = self.commit.under_way.len();
        match self.commit.under_way.pop() {
            Some(Finished::Done { chain, .. }) if count == 1 => {
                self.commit.is_due = true;
                self.commit.alone = self.commit.alone.saturating_sub(1);
                self.failed(chain, Failure::refused(error));
            }
            Some(Finished::GivenUp { chain, errors, last_words }) if count == 1 && !last_words.is_empty() => {
                tracing::error!(error = crate::error_chain::chain(error), "The last words are left out.");
                let last_words = Effects::default();
                self.commit.under_way.push(Finished::GivenUp { chain, errors, last_words });
                self.commit.restore();
            }
            Some(entry) if count > 1 => {
                self.commit.under_way.push(entry);
                self.commit.restore();
                self.commit.alone = count;
            }
            // The bus's own writing: it is repeated, and the log says why.
            entry => {
                self.commit.under_way.extend(entry);
                self.commit.restore();
                self.wait_for_log(error);
            }
        }
    }

    /// `entry` is on disk.
    fn settled(&mut self, entry: Finished) {
        let name = &self.subscription.name;
        let (chain, well) = match entry {
            Finished::Done { chain, .. } => (chain, true),
            Finished::GivenUp { chain, .. } => (chain, false),
            Finished::Dropped { seq, reply } => {
                self.shared.letters.remove(name, seq);
                // Who asked may have gone.
                reply.send(()).ok();
                return;
            }
        };
        let Some(item) = self.scheduler.finish(chain) else { return };
        let seq = item.event.seq;
        if well {
            self.live.handled += 1;
            self.shared.letters.remove(name, seq);
        } else {
            self.shared.letters.insert(name, seq, Timestamp::now());
        }
        settle(&mut self.ledger, &item, well);
        if let Some(again) = item.replay {
            again.report.send(Report { seq, well }).ok();
        }
    }
}

fn settle(ledger: &mut Ledger, item: &Item, well: bool) {
    match &item.replay {
        None => ledger.settle(item.event.seq),
        Some(again) => ledger.settle_replayed(again.id, item.event.seq, well),
    }
}

/// Whether the same batch may be taken later.
fn may_pass(error: &event_log::Error) -> bool {
    use event_log::Error as E;
    matches!(
        error,
        E::Backpressure | E::Full { .. } | E::Write { .. } | E::OutOfUse { .. } | E::Read { .. } | E::Closed
    )
}

/// The dead letter that `item` becomes; `known` is the one that it was.
fn parked(subscription: String, item: &Item, errors: &[String], known: Option<DeadLetter>) -> DeadLetter {
    let now = Timestamp::now();
    let (attempts, replays, parked_at) =
        known.map_or((0, 0, now), |known| (known.attempts, known.replays, known.parked_at));
    DeadLetter {
        subscription,
        event: Event::clone(&item.event),
        attempts: attempts.saturating_add(item.failed),
        replays: replays + u32::from(item.replay.is_some()),
        errors: errors.to_owned(),
        parked_at,
        tried_at: now,
    }
}

/// What is published of it. A dead letter about a dead letter is not, so that it ends there.
fn announcement(subscription: &str, event: &Event, errors: &[String]) -> Option<NewEvent> {
    let payload = DeadLettered {
        subscription: subscription.to_owned(),
        event_id: event.id,
        event_name: event.name.to_string(),
        seq: event.seq,
        error: errors.join(": "),
    };
    (event.name.as_str() != names::SUBSCRIPTION_DEAD_LETTERED.as_str()).then(|| {
        NewEvent::of(names::SUBSCRIPTION_DEAD_LETTERED, &payload)
            .caused_by(event)
            .from_source("core")
            .with_priority(Priority::High)
    })
}
