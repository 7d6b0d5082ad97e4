//! The thread "log", the only writer in this process. Owns group commit: whatever queued up during the
//! last commit, and what comes while that is being written, goes into one transaction, and is acknowledged
//! when that is on disk.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use heed::RwTxn;
use panotti_sdk::Event;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Error, Pruned,
    batch::Prepared,
    prune::Step,
    recent::Recent,
    stats::Counters,
    store::{PRUNE_STEP, Runs, Store},
};

/// Batches that may wait; also the most that one transaction takes.
pub(super) const QUEUE: usize = 1000;
/// While more is expected, a group waits for it this part of the time that the last one took.
const PATIENCE: u32 = 8;

/// What the writer is asked to do, and who waits for it.
pub(super) enum Job {
    Append { batch: Prepared, reply: oneshot::Sender<Result<Vec<Arc<Event>>, Error>> },
    Prune { step: Step, reply: oneshot::Sender<Result<Pruned, Error>> },
}

/// What became of a job inside a transaction.
enum Outcome {
    /// Stored with this `seq` for its first event.
    Stored(u64),
    /// Known before: the first event's stored form.
    Known(Arc<Event>),
    /// Some events went.
    Pruned(Pruned),
}

impl Job {
    /// Most bytes of the file that it takes: values by the page, and for each event and row the pages of
    /// five trees from leaf to root, each split in two; removing splits none.
    fn growth(&self) -> u64 {
        const TREES: usize = 5 * 4 * 2 * 4096;
        match self {
            Self::Append { batch, .. } => {
                let events = batch.encoded.iter().map(|it| 2 * it.envelope.len() + TREES);
                let puts = batch.puts.iter().map(|put| 2 * put.value.as_ref().map_or(0, Vec::len) + TREES);
                events.chain(puts).sum::<usize>() as u64
            }
            Self::Prune { .. } => (PRUNE_STEP * TREES / 2) as u64,
        }
    }

    /// A publisher that no longer waits has its batch stored all the same.
    fn answer(self, outcome: Result<Outcome, Error>) {
        match (self, outcome) {
            (Self::Append { batch, reply }, Ok(Outcome::Stored(_))) => drop(reply.send(Ok(batch.events))),
            (Self::Append { reply, .. }, Ok(Outcome::Known(event))) => drop(reply.send(Ok(vec![event]))),
            (Self::Prune { reply, .. }, Ok(Outcome::Pruned(pruned))) => drop(reply.send(Ok(pruned))),
            (Self::Append { reply, .. }, Err(error)) => drop(reply.send(Err(error))),
            (Self::Prune { reply, .. }, Err(error)) => drop(reply.send(Err(error))),
            // No job has another's outcome.
            (Self::Append { .. }, Ok(Outcome::Pruned(_))) | (Self::Prune { .. }, Ok(_)) => {}
        }
    }
}

/// What the thread works with.
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) tail: watch::Sender<u64>,
    pub(super) recent: Arc<Recent>,
    pub(super) counters: Arc<Counters>,
}

/// What the last group says about the next.
struct Pace {
    /// Jobs that were done or waited when it was done: as many may come again.
    expected: usize,
    /// How long it took.
    took: Duration,
}

impl Writer {
    /// Starts the thread. It ends when every sender is gone and the queue is empty, or when the file can no
    /// longer be written.
    pub(super) fn start(self) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name("log".into()).spawn(move || self.run())
    }

    fn run(mut self) {
        let mut group = Vec::with_capacity(QUEUE);
        let mut pace = Pace { expected: 1, took: Duration::ZERO };
        while self.jobs.blocking_recv_many(&mut group, QUEUE) > 0 {
            let usable = match self.write(&mut group, Some(&mut pace)) {
                Ok(()) => true,
                Err(error) if group.len() == 1 => fail(&mut group, error),
                // Nothing of the group is stored. Each gets a transaction of its own, so that one batch
                // that does not fit takes no other with it.
                Err(error) => {
                    tracing::debug!(%error, jobs = group.len(), "A group failed, it is tried one by one.");
                    let mut usable = true;
                    for job in std::mem::take(&mut group) {
                        let mut single = vec![job];
                        usable &= match self.write(&mut single, None) {
                            Ok(()) => true,
                            Err(error) => fail(&mut single, error),
                        };
                    }
                    usable
                }
            };
            if !usable {
                return;
            }
        }
    }

    /// Commits `group`, to which more is added while there is a `pace`, tells of it and empties it.
    fn write(&mut self, group: &mut Vec<Job>, mut pace: Option<&mut Pace>) -> Result<(), Error> {
        let failed = |source| Error::write(self.store.path(), source);
        let began = Instant::now();
        let mut txn = self.store.write_txn().map_err(failed)?;
        let next = self.store.next_seq(&txn).map_err(failed)?;
        let mut seq = next;
        let mut outcomes = Vec::with_capacity(group.len());
        loop {
            for job in &group[outcomes.len()..] {
                outcomes.push(put(&self.store, &mut txn, &mut seq, job)?);
            }
            if !pace.as_ref().is_some_and(|pace| more(&mut self.jobs, group, pace)) {
                break;
            }
        }
        // A group of repetitions alone changes nothing, and LMDB then writes nothing.
        if seq != next {
            self.store.set_next_seq(&mut txn, seq).map_err(failed)?;
            self.store.times.put(&mut txn, &times(group, &outcomes)).map_err(failed)?;
        }
        self.store.commit(txn, group.iter().map(Job::growth).sum()).map_err(failed)?;
        let took = began.elapsed();
        if let Some(pace) = &mut pace {
            **pace = Pace { expected: group.len() + self.jobs.len(), took };
        }
        self.counters.committed(seq - next, took);
        self.settle(group, outcomes, seq - 1);
        Ok(())
    }

    /// Tells everybody of what is on disk now: first those who follow the log, then who waits.
    fn settle(&self, group: &mut Vec<Job>, outcomes: Vec<Outcome>, last: u64) {
        let mut recent = self.recent.lock();
        for (job, outcome) in group.iter_mut().zip(&outcomes) {
            match (job, outcome) {
                (Job::Append { batch, .. }, Outcome::Stored(first)) => {
                    for (seq, (event, encoded)) in (*first..).zip(batch.events.iter_mut().zip(&batch.encoded))
                    {
                        Arc::make_mut(event).seq = seq;
                        recent.push(event.clone(), encoded.footprint);
                    }
                }
                (_, Outcome::Pruned(pruned)) => recent.forget_before(pruned.first_seq),
                _ => {}
            }
        }
        drop(recent);
        self.tail.send_if_modified(|tail| std::mem::replace(tail, last) != last);
        for (job, outcome) in group.drain(..).zip(outcomes) {
            job.answer(Ok(outcome));
        }
    }
}

/// When the events of `group` were accepted.
fn times(group: &[Job], outcomes: &[Outcome]) -> Runs {
    let stored = group.iter().zip(outcomes).filter_map(|(job, outcome)| match (job, outcome) {
        (Job::Append { batch, .. }, Outcome::Stored(first)) => Some((*first..).zip(&batch.events)),
        _ => None,
    });
    stored.flatten().map(|(seq, event)| (event.context.timestamp, seq)).collect()
}

/// Adds to `group` what has come, and waits a little for what is likely to come. Whether there was any.
fn more(jobs: &mut mpsc::Receiver<Job>, group: &mut Vec<Job>, pace: &Pace) -> bool {
    let before = group.len();
    let began = Instant::now();
    loop {
        while group.len() < QUEUE
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        if group.len() > before {
            return true;
        }
        if group.len() >= pace.expected.min(QUEUE) || began.elapsed() >= pace.took / PATIENCE {
            return false;
        }
        thread::yield_now();
    }
}

/// When the events of `group` were accepted.
fn times(group: &[Job], outcomes: &[Outcome]) -> Runs {
    let stored = group.iter().zip(outcomes).filter_map(|it| match it {
        (Job::Append { batch, .. }, Outcome::Stored(first)) => Some((*first..).zip(&batch.events)),
        _ => None,
    });
    stored.flatten().map(|(seq, event)| (event.context.timestamp, seq)).collect()
}

/// Answers the one job of a group that failed. Whether the file can still be used.
fn fail(group: &mut Vec<Job>, error: Error) -> bool {
    let usable = !matches!(error, Error::OutOfUse { .. });
    if let Some(job) = group.pop() {
        job.answer(Err(error));
    }
    usable
}

fn put(store: &Store, txn: &mut RwTxn<'_>, seq: &mut u64, job: &Job) -> Result<Outcome, Error> {
    let failed = |source| Error::write(store.path(), source);
    let batch = match job {
        Job::Append { batch, .. } => batch,
        Job::Prune { step, .. } => return store.prune(txn, *step).map(Outcome::Pruned).map_err(failed),
    };
    if let Some(key) = &batch.idempotency {
        let known = store.idempotent(txn, key, batch.now_ms).map_err(failed)?;
        // An event that retention has removed since cannot be returned: then it is as if never seen.
        if let Some(event) = known.map(|seq| store.event(txn, seq)).transpose()?.flatten() {
            return Ok(Outcome::Known(Arc::new(event)));
        }
        store.remember(txn, key, *seq, batch.now_ms).map_err(failed)?;
    }
    let first = *seq;
    for (event, encoded) in batch.events.iter().zip(&batch.encoded) {
        store.put_event(txn, *seq, event, &encoded.envelope).map_err(failed)?;
        *seq += 1;
    }
    for put in &batch.puts {
        store.put_row(txn, put.table, &put.key, put.value.as_deref()).map_err(failed)?;
    }
    Ok(Outcome::Stored(first))
}
