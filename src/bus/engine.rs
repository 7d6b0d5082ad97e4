//! One running subscription: a task that owns everything of it and is talked to by channels. Owns reading
//! ahead, starting deliveries and what follows from their ends; the order is `scheduler`'s, what is
//! stored is `commit`'s.
//!
//! ```text
//!  log ─page─▶ scheduler ─pick─▶ running ─┬─ok──────────▶ finished ─batch─▶ log ─ack─▶ chain goes on
//!                  ▲                      ├─given up─────▶ finished
//!                  └──delay (backoff)─────┴─failed
//! ```
//! A chain stays busy until what came of its head is on disk.

use std::{
    collections::HashMap,
    future::{Future, pending},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use panotti_sdk::Event;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{Id, JoinError, JoinHandle, JoinSet},
    time::error::Elapsed,
};
use uuid::Uuid;

use super::{
    Answer, Handler, Shared, Subscription,
    commit::{Commit, Finished},
    failure::Failure,
    item::{Again, Command, Item, Report},
    ledger::{Ledger, Tried},
    loader::{self, Page},
    scheduler::Scheduler,
    status::Live,
};
use crate::event_log;

/// Wanted events that are in memory, unless more may run at once.
const WINDOW: usize = 256;
/// So few events are read without a thread for it.
const FEW: u64 = 16;
/// Waits after the log said no: the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) subscription: Subscription,
    /// The filter as JSON.
    pub(super) filter: String,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) stop: oneshot::Receiver<Duration>,
    pub(super) ledger: Ledger,
    pub(super) scheduler: Scheduler<Item>,
    pub(super) commit: Commit,
    pub(super) live: Live,
    /// Where others read `live`.
    pub(super) shown: Arc<Mutex<Live>>,
    tail: watch::Receiver<u64>,
    running: JoinSet<Result<Answer, Elapsed>>,
    chains: HashMap<Id, Uuid>,
    load: Option<JoinHandle<Result<Page, event_log::Error>>>,
    /// Replays that somebody stopped, until they end.
    stopped: Vec<Uuid>,
    /// The log said no: nothing is begun before this, and how long the next such wait is.
    paused: Option<Instant>,
    pause: Duration,
    /// When the running deliveries are cancelled, once it stops.
    deadline: Option<Instant>,
}

impl Engine {
    #[expect(clippy::too_many_arguments, reason = "what a subscription is made of, once")]
    pub(super) fn new(
        shared: Arc<Shared>,
        subscription: Subscription,
        filter: String,
        handler: Arc<dyn Handler>,
        commands: mpsc::Receiver<Command>,
        stop: oneshot::Receiver<Duration>,
        shown: Arc<Mutex<Live>>,
        (ledger, open): (Ledger, Vec<Arc<Event>>),
    ) -> Self {
        let live = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut engine = Self {
            commit: Commit::new(ledger.scanned),
            tail: shared.log.tail(),
            shared,
            subscription,
            filter,
            handler,
            commands,
            stop,
            ledger,
            scheduler: Scheduler::new(),
            live,
            shown,
            running: JoinSet::new(),
            chains: HashMap::new(),
            load: None,
            stopped: Vec::new(),
            paused: None,
            pause: PAUSES.0,
            deadline: None,
        };
        for event in open {
            let tried = engine.ledger.open.get(&event.seq).copied().unwrap_or_default();
            let chain = event.context.correlation_id;
            engine.scheduler.push(chain, event.priority, Item { event, failed: tried.failed, replay: None });
            if tried.failed > 0 {
                // A clock that was set back makes nobody wait longer than the policy does.
                let wait = tried.due_ms.saturating_sub(Timestamp::now().as_millisecond());
                let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
                let due = Instant::now() + wait.min(engine.subscription.retry.longest());
                engine.scheduler.delay(chain, due);
            }
        }
        engine
    }

    /// Runs until it is stopped.
    pub(super) async fn run(mut self) {
        let mut tail_is_open = true;
        loop {
            self.turn();
            if self.has_ended() {
                return;
            }
            let timer = self.timer();
            tokio::select! {
                // In this order, so that nothing is begun after a stop; each of them runs dry when the
                // window is full, so that none keeps another waiting.
                biased;
                grace = &mut self.stop, if self.deadline.is_none() => {
                    self.deadline = Some(Instant::now() + grace.unwrap_or_default());
                }
                answer = some(&mut self.commit.answer) => {
                    self.commit.answer = None;
                    self.committed(answer);
                }
                page = some(&mut self.load) => {
                    self.load = None;
                    match page {
                        Ok(page) => self.loaded(page),
                        Err(error) => tracing::error!(%error, "A reader of the event log panicked."),
                    }
                }
                // What waits when it stops is dropped, and done again by who asked, when it finds out.
                Some(command) = self.commands.recv(), if self.deadline.is_none() => self.obey(command),
                Some(ended) = self.running.join_next_with_id() => {
                    self.delivered(ended);
                    while let Some(ended) = self.running.try_join_next_with_id() {
                        self.delivered(ended);
                    }
                }
                changed = self.tail.changed(), if tail_is_open && self.deadline.is_none() => {
                    tail_is_open = changed.is_ok();
                }
                () = tokio::time::sleep_until(timer.unwrap_or_else(Instant::now).into()), if timer.is_some() => {}
            }
        }
    }

    /// Begins whatever can be begun.
    fn turn(&mut self) {
        let now = Instant::now();
        self.paused = self.paused.filter(|until| *until > now);
        self.scheduler.wake(now);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.running.abort_all();
        }
        if self.paused.is_none() {
            if self.deadline.is_none() {
                self.begin_load();
                self.begin_deliveries();
            }
            self.begin_commit();
        }
        self.live.cursor = self.ledger.cursor();
        self.live.missed = self.ledger.missed;
        self.live.running_tasks = self.running.len();
        self.live.waiting =
            self.scheduler.len().saturating_sub(self.running.len() + self.commit.deliveries());
        self.live.oldest_waiting = self.scheduler.oldest().map(|item| item.event.context.timestamp);
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.live);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.deadline.is_some()
    }

    fn has_ended(&self) -> bool {
        // A log that says no at the end is not waited for beyond the grace: what is not stored is
        // delivered again.
        let hopeless = self.paused.is_some() && self.deadline.is_some_and(|at| at <= Instant::now());
        self.deadline.is_some()
            && self.running.is_empty()
            && self.load.is_none()
            && self.commit.answer.is_none()
            && (hopeless || !self.has_to_commit())
    }

    /// When there is something to do though nothing happens.
    fn timer(&self) -> Option<Instant> {
        let deadline = self.deadline.filter(|_| !self.running.is_empty() || self.paused.is_some());
        let due = self.scheduler.next_due().filter(|_| self.deadline.is_none());
        [deadline.filter(|at| *at > Instant::now()), due, self.paused].into_iter().flatten().min()
    }

    fn begin_load(&mut self) {
        let window = WINDOW.max(self.subscription.max_concurrent_tasks.get());
        loop {
            let tail = *self.tail.borrow_and_update();
            let after = self.ledger.scanned;
            let free = window.saturating_sub(self.ledger.open.len());
            if self.load.is_some() || self.paused.is_some() || after >= tail || free < window / 4 {
                return;
            }
            let filter = self.subscription.filter.clone();
            if tail - after <= FEW {
                self.loaded(loader::page(&self.shared.log, after, free, &filter));
                continue;
            }
            let log = self.shared.log.clone();
            let read = move || loader::page(&log, after, free, &filter);
            self.load = Some(tokio::task::spawn_blocking(read));
        }
    }

    fn loaded(&mut self, page: Result<Page, event_log::Error>) {
        match page {
            Ok(page) => {
                for event in page.events {
                    self.ledger.open.insert(event.seq, Tried::default());
                    let (chain, priority) = (event.context.correlation_id, event.priority);
                    self.scheduler.push(chain, priority, Item { event, failed: 0, replay: None });
                }
                self.ledger.scanned = page.scanned;
                self.ledger.missed += page.missed;
                if page.missed > 0 {
                    self.commit.is_due = true;
                    let (name, missed) = (&self.subscription.name, page.missed);
                    tracing::warn!(subscription = name, missed, "Events were gone before they were handled.");
                }
            }
            Err(error) => self.wait_for_log(&error),
        }
    }

    /// The log said no for now.
    pub(super) fn wait_for_log(&mut self, error: &event_log::Error) {
        let error = crate::error_chain::chain(error);
        tracing::warn!(subscription = self.subscription.name, error, "The event log is waited for.");
        self.paused = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSES.1);
    }

    /// It says yes again.
    pub(super) fn log_is_well(&mut self) {
        self.pause = PAUSES.0;
    }

    fn begin_deliveries(&mut self) {
        while self.running.len() < self.subscription.max_concurrent_tasks.get() {
            let Some((chain, item)) = self.scheduler.pick() else { return };
            let delivery = item.delivery();
            let (handler, timeout) = (Arc::clone(&self.handler), self.subscription.timeout);
            let task = async move { tokio::time::timeout(timeout, handler.handle(delivery)).await };
            let id = self.running.spawn(task).id();
            self.chains.insert(id, chain);
        }
    }

    fn delivered(&mut self, ended: Result<(Id, Result<Answer, Elapsed>), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(chain) = self.chains.remove(&id) else { return };
        let failure = match ended {
            Ok((_, Ok(Ok(effects)))) => {
                self.commit.finished.push_back(Finished::Done { chain, effects });
                return;
            }
            Ok((_, Ok(Err(error)))) => Failure::of(&error),
            Ok((_, Err(_))) => Failure::timeout(self.subscription.timeout),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Failure::panic(panic.as_ref()),
                // Cancelled: it stays open.
                Err(_) => return,
            },
        };
        self.failed(chain, failure);
    }

    /// The head of `chain` failed: it is tried again, or given up.
    pub(super) fn failed(&mut self, chain: Uuid, failure: Failure) {
        let Some(item) = self.scheduler.head(chain) else { return };
        item.failed += 1;
        self.live.failed_attempts += 1;
        let (seq, failed, retry) = (item.event.seq, item.failed, &self.subscription.retry);
        let (name, error) = (&self.subscription.name, failure.text());
        tracing::warn!(subscription = name, seq, attempt = failed, error, "An event was not handled.");
        let given_up = failure.permanent || failed > retry.retries;
        match item.replay.as_ref().map(|again| again.id) {
            Some(id) if !given_up && self.stopped.contains(&id) => {
                drop(self.scheduler.finish(chain));
                return;
            }
            _ if given_up => {
                let last_words = self.handler.given_up(&item.event, &failure.text());
                let errors = failure.errors;
                self.commit.finished.push_back(Finished::GivenUp { chain, errors, last_words });
                return;
            }
            _ => {}
        }
        let wait = retry.delay(failed, getrandom::u64().unwrap_or(0));
        if item.replay.is_none() {
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let due_ms = Timestamp::now().as_millisecond().saturating_add(wait_ms);
            self.ledger.open.insert(seq, Tried { failed, due_ms });
            self.commit.is_due = true;
        }
        self.scheduler.delay(chain, Instant::now() + wait);
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Replay { id, after, events, report } => {
                let done = self.ledger.replayed.entry(id).or_default();
                done.retain(|seq, _| *seq > after);
                for event in events {
                    if let Some(well) = done.get(&event.seq) {
                        report.send(Report { seq: event.seq, well: *well }).ok();
                        continue;
                    }
                    let again = Some(Again { id, report: report.clone() });
                    let (chain, priority) = (event.context.correlation_id, event.priority);
                    self.scheduler.push(chain, priority, Item { event, failed: 0, replay: again });
                }
            }
            Command::StopReplay(id) => {
                self.stopped.push(id);
                self.scheduler.retain(|item| item.replay.as_ref().is_none_or(|again| again.id != id));
            }
            Command::EndReplay(id) => {
                self.stopped.retain(|stopped| *stopped != id);
                self.commit.is_due |= self.ledger.replayed.remove(&id).is_some();
            }
            Command::DropDeadLetter { seq, reply } => {
                self.commit.finished.push_back(Finished::Dropped { seq, reply });
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.left(&self.subscription.name);
    }
}

/// What `future` yields, if there is one.
async fn some<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}
