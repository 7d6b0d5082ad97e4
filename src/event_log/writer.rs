//! The thread "log", the only writer in this process. Owns group commit: whatever queued up during the
//! last commit goes into one transaction, and is acknowledged when that is on disk.

use std::thread::{self, JoinHandle};

use heed::RwTxn;
use panotti_sdk::Event;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Error, Put,
    store::{IdempotencyKey, Runs, Store},
};

/// Batches that may wait; also the most that one transaction takes.
pub(super) const QUEUE: usize = 1000;

/// A batch that was looked at and encoded by its publisher; only the `seq` are missing.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) events: Vec<(Event, Vec<u8>)>,
    pub(super) puts: Vec<Put>,
    pub(super) idempotency: Option<IdempotencyKey>,
    /// When it was published, ms since 1970.
    pub(super) now_ms: u64,
}

impl Prepared {
    /// Most bytes of the file that storing this takes: values by the page, and for each event and row the
    /// pages of five trees from leaf to root, each split in two.
    fn growth(&self) -> u64 {
        const TREES: usize = 5 * 4 * 2 * 4096;
        let events = self.events.iter().map(|(_, envelope)| 2 * envelope.len() + TREES);
        let puts = self.puts.iter().map(|put| 2 * put.value.as_ref().map_or(0, Vec::len) + TREES);
        events.chain(puts).sum::<usize>() as u64
    }
}

/// A batch and who waits for it.
pub(super) struct Job {
    pub(super) batch: Prepared,
    pub(super) reply: oneshot::Sender<Result<Vec<Event>, Error>>,
}

/// What became of one batch inside a transaction.
enum Outcome {
    /// Stored with this `seq` for its first event.
    Stored(u64),
    /// Known before: the first event's stored form.
    Known(Box<Event>),
}

/// Starts the thread. It ends when every sender is gone and the queue is empty.
pub(super) fn start(
    store: Store,
    jobs: mpsc::Receiver<Job>,
    tail: watch::Sender<u64>,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("log".into()).spawn(move || run(&store, jobs, &tail))
}

fn run(store: &Store, mut jobs: mpsc::Receiver<Job>, tail: &watch::Sender<u64>) {
    let mut group = Vec::with_capacity(QUEUE);
    while jobs.blocking_recv_many(&mut group, QUEUE) > 0 {
        match commit(store, &group, tail) {
            Ok(outcomes) => {
                for (job, outcome) in group.drain(..).zip(outcomes) {
                    acknowledge(job, Ok(outcome));
                }
            }
            // Nothing of the group is stored. Each gets a transaction of its own, so that one batch that
            // does not fit takes no other with it.
            Err(error) if group.len() > 1 => {
                tracing::debug!(%error, batches = group.len(), "A group failed, its batches are tried singly.");
                for job in group.drain(..) {
                    let outcome = commit(store, std::slice::from_ref(&job), tail);
                    acknowledge(job, outcome.map(|mut outcomes| outcomes.swap_remove(0)));
                }
            }
            Err(error) => {
                if let Some(job) = group.pop() {
                    acknowledge(job, Err(error));
                }
            }
        }
    }
}

/// One transaction for all of `group`: when this returns `Ok`, it is on disk.
fn commit(store: &Store, group: &[Job], tail: &watch::Sender<u64>) -> Result<Vec<Outcome>, Error> {
    let failed = |source| Error::write(store.path(), source);
    let mut txn = store.write_txn().map_err(failed)?;
    let next = store.next_seq(&txn).map_err(failed)?;
    let mut seq = next;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group {
        outcomes.push(put(store, &mut txn, &mut seq, &job.batch)?);
    }
    // A group of repetitions alone changes nothing, and LMDB then writes nothing.
    if seq != next {
        store.set_next_seq(&mut txn, seq).map_err(failed)?;
        store.times.put(&mut txn, &times(group, &outcomes)).map_err(failed)?;
    }
    store.commit(txn, group.iter().map(|job| job.batch.growth()).sum()).map_err(failed)?;
    tail.send_if_modified(|last| std::mem::replace(last, seq - 1) != seq - 1);
    Ok(outcomes)
}

/// When the events of `group` were accepted.
fn times(group: &[Job], outcomes: &[Outcome]) -> Runs {
    let stored = group.iter().zip(outcomes).filter_map(|(job, outcome)| match outcome {
        Outcome::Stored(first) => Some((*first..).zip(&job.batch.events)),
        Outcome::Known(_) => None,
    });
    stored.flatten().map(|(seq, (event, _))| (event.context.timestamp, seq)).collect()
}

fn put(store: &Store, txn: &mut RwTxn<'_>, seq: &mut u64, batch: &Prepared) -> Result<Outcome, Error> {
    let failed = |source| Error::write(store.path(), source);
    if let Some(key) = &batch.idempotency {
        let known = store.idempotent(txn, key, batch.now_ms).map_err(failed)?;
        // An event that retention has removed since cannot be returned: then it is as if never seen.
        if let Some(event) = known.map(|seq| store.event(txn, seq)).transpose()?.flatten() {
            return Ok(Outcome::Known(Box::new(event)));
        }
        store.remember(txn, key, *seq, batch.now_ms).map_err(failed)?;
    }
    let first = *seq;
    for (event, envelope) in &batch.events {
        store.put_event(txn, *seq, event, envelope).map_err(failed)?;
        *seq += 1;
    }
    for put in &batch.puts {
        store.put_row(txn, put.table, &put.key, put.value.as_deref()).map_err(failed)?;
    }
    Ok(Outcome::Stored(first))
}

fn acknowledge(job: Job, outcome: Result<Outcome, Error>) {
    let events = outcome.map(|outcome| match outcome {
        Outcome::Known(event) => vec![*event],
        Outcome::Stored(first) => {
            (first..).zip(job.batch.events).map(|(seq, (event, _))| Event { seq, ..event }).collect()
        }
    });
    // A publisher that no longer waits has its batch stored all the same.
    drop(job.reply.send(events));
}
