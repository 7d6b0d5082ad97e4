//! Delivering events to those who subscribed. Owns order, priority, retries, timeouts, dead letters and
//! replay; leaves durability to `event_log` and what is done with an event to the handler.
//!
//! # What is promised
//! - An event that a subscription wants is delivered to it at least once, also across crashes.
//! - What a handler answers with ([`Effects`]) is committed together with the note that the event is done:
//!   it is in the log exactly once however often the handler ran. What a handler does outside the log can
//!   be made to have one effect with [`Delivery::key`], which is the same for every attempt.
//! - Events of one correlation id are delivered in the order of their `seq`, one at a time, the next when
//!   what came of the one before is on disk. Across correlation ids at most `max_concurrent_tasks` run at
//!   once; the most urgent goes first, and nobody starves (`scheduler` has the rule).
//! - A delivery that fails is tried again after a growing wait, in its place; others go on. One that keeps
//!   failing is parked as a dead letter and announced (`subscription.dead_lettered`), and the next one of
//!   its correlation id goes on.
//! - Events that retention removes before they are handled are counted, never silently passed over.
//!
//! At most 256 wanted events of a subscription are in memory: order by urgency and the passing of one that
//! waits for its next attempt go as far as that.
//!
//! One task per running subscription owns all of its state, one per running replay; they meet through
//! channels. Several processes do not share a bus.

mod commit;
mod dead_letter;
mod engine;
mod error;
mod failure;
mod item;
mod ledger;
mod loader;
mod recall;
mod replay;
mod scheduler;
mod status;
mod subscription;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use panotti_sdk::{Delivery, Event, HandlerError, NewEvent};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use self::{
    dead_letter::Letters, engine::Engine, item::Command, ledger::Ledger, replay::Replays, status::Live,
};
pub use self::{
    dead_letter::{DeadLetter, DeadLetterFilter},
    error::Error,
    replay::{Replay, ReplayRequest, ReplayState},
    status::{DeliveryStatus, EventState, SubscriptionStatus},
    subscription::{RetryPolicy, Start, Subscription},
};
use crate::event_log::{Batch, EventLog, Put, Table};

/// Commands that may wait for one subscription.
const COMMANDS: usize = 16;
/// Rows that one batch removes.
const REMOVALS: usize = 500;

/// What handling an event brings about inside the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// Events to publish.
    pub events: Vec<NewEvent>,
    /// Rows to change.
    pub puts: Vec<Put>,
}

impl Effects {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.puts.is_empty()
    }
}

/// What a handler answers.
pub type Answer = Result<Effects, HandlerError>;

/// Does what a subscription is for. A panic counts as a failure that may be tried again.
pub trait Handler: Send + Sync + 'static {
    /// Handles one delivery. Dropping the future must leave nothing that a repetition cannot repair.
    fn handle(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;

    /// What is committed together with parking an event, which the handler could not handle; `error` is the
    /// last one with its causes. Effects that the log refuses are left out.
    fn given_up(&self, _event: &Event, _error: &str) -> Effects {
        Effects::default()
    }
}

/// The bus. Cheap to clone; all clones are one bus.
#[derive(Debug, Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

/// What the bus, its subscriptions and its replays have in common.
#[derive(Debug)]
struct Shared {
    log: EventLog,
    runtime: Handle,
    /// The subscriptions that run or ran in this process.
    slots: watch::Sender<BTreeMap<String, Slot>>,
    letters: Letters,
    replays: Replays,
    /// Held by what must not see a subscription start meanwhile.
    starting: tokio::sync::Mutex<()>,
}

/// A subscription as the others see it.
#[derive(Debug)]
struct Slot {
    live: Arc<Mutex<Live>>,
    /// `None` when it does not run.
    commands: Option<mpsc::Sender<Command>>,
}

impl Shared {
    /// Where a running subscription takes commands.
    fn commands(&self, name: &str) -> Option<mpsc::Sender<Command>> {
        self.slots.borrow().get(name)?.commands.clone()
    }

    /// Notes that a subscription runs no longer.
    fn left(&self, name: &str) {
        self.slots.send_modify(|slots| {
            if let Some(slot) = slots.get_mut(name) {
                slot.commands = None;
            }
        });
    }
}

impl Bus {
    /// A bus on `log` whose deliveries run on `runtime`. Replays that a crash cut short go on.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn start(log: EventLog, runtime: Handle) -> Result<Self, Error> {
        let letters = Letters::load(&log)?;
        let (slots, starting) = (watch::Sender::default(), tokio::sync::Mutex::default());
        let replays = Replays::default();
        let shared = Arc::new(Shared { log, runtime, slots, letters, replays, starting });
        replay::resume(&shared)?;
        Ok(Self { shared })
    }

    /// Begins to handle a subscription's events where it was left, or as [`Start`] says. When this
    /// returns, that is on disk. Events that were open and that its filter no longer wants are let go.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Running`], [`Error::UnknownFilter`], [`Error::Log`], [`Error::Damaged`].
    pub async fn subscribe(
        &self,
        mut subscription: Subscription,
        handler: impl Handler,
    ) -> Result<Running, Error> {
        let shared = &self.shared;
        if let Some(name) = &subscription.named_filter {
            let row = shared.log.get(Table::Filters, name)?;
            let row = row.ok_or_else(|| Error::UnknownFilter(name.clone()))?;
            let filter = serde_json::from_slice(&row);
            let damaged = |error: serde_json::Error| Error::damaged("filter", name, error.to_string());
            subscription.filter.also = Some(Box::new(filter.map_err(damaged)?));
        }
        let name = subscription.name.clone();
        if !Subscription::is_name(&name) {
            return Err(Error::Name(name));
        }
        let _starting = shared.starting.lock().await;
        if shared.commands(&name).is_some() {
            return Err(Error::Running(name));
        }
        let damaged = |source| Error::damaged("subscription", &name, source);
        let filter =
            serde_json::to_string(&subscription.filter).map_err(|error| damaged(error.to_string()))?;
        let (log, wanted) = (shared.log.clone(), subscription.clone());
        let recalled = shared.runtime.spawn_blocking(move || recall::recall(&log, &wanted));
        let (ledger, open) = recalled.await.map_err(|error| damaged(error.to_string()))??;
        let row = ledger.encode(&filter).map_err(|error| damaged(error.to_string()))?;
        let put = Put { table: Table::Subscriptions, key: name.clone(), value: Some(row) };
        shared.log.append(Batch { puts: vec![put], ..Batch::default() }).await?;

        let ((commands, queue), (stop, stopped)) = (mpsc::channel(COMMANDS), oneshot::channel());
        let mut live = Arc::default();
        shared.slots.send_modify(|slots| {
            let slot = slots.entry(name).or_insert_with(|| Slot { live: Arc::default(), commands: None });
            slot.commands = Some(commands);
            live = Arc::clone(&slot.live);
            // Before the first turn of the engine somebody may look.
            live.lock().unwrap_or_else(PoisonError::into_inner).cursor = ledger.cursor();
        });
        let recalled = (ledger, open);
        let handler = Arc::new(handler);
        let shared = Arc::clone(shared);
        let runtime = shared.runtime.clone();
        let engine = Engine::new(shared, subscription, filter, handler, queue, stopped, live, recalled);
        Ok(Running { stop: Some(stop), task: runtime.spawn(engine.run()) })
    }

    /// Keeps a place in the log for a subscription that has none yet: whenever it begins, it begins with
    /// what happens after this returns. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Log`], [`Error::Damaged`].
    pub fn hold_place(&self, subscription: &Subscription) -> Result<(), Error> {
        let (log, name) = (&self.shared.log, &subscription.name);
        if !Subscription::is_name(name) {
            return Err(Error::Name(name.clone()));
        }
        if log.get(Table::Subscriptions, name)?.is_some() {
            return Ok(());
        }
        let damaged = |error: String| Error::damaged("subscription", name, error);
        let filter = serde_json::to_string(&subscription.filter).map_err(|it| damaged(it.to_string()))?;
        let ledger = Ledger::after(*log.tail().borrow());
        let row = ledger.encode(&filter).map_err(|it| damaged(it.to_string()))?;
        let put = Put { table: Table::Subscriptions, key: name.clone(), value: Some(row) };
        log.append_blocking(Batch { puts: vec![put], ..Batch::default() })?;
        Ok(())
    }

    /// Forgets a subscription that is not running: retention waits for it no longer, and its dead letters
    /// go with it.
    ///
    /// # Errors
    /// [`Error::UnknownSubscription`], [`Error::Running`], [`Error::Log`].
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        let shared = &self.shared;
        let _no_start = shared.starting.lock().await;
        if shared.commands(name).is_some() {
            return Err(Error::Running(name.to_owned()));
        }
        if shared.log.get(Table::Subscriptions, name)?.is_none() {
            return Err(Error::UnknownSubscription(name.to_owned()));
        }
        // In parts, so that publishers do not wait for many; the subscription itself is last.
        for letters in shared.letters.of(name).chunks(REMOVALS) {
            let puts = letters.iter().map(|seq| dead_letter::removal(*seq, name)).collect();
            shared.log.append(Batch { puts, ..Batch::default() }).await?;
            letters.iter().for_each(|seq| shared.letters.remove(name, *seq));
        }
        let put = Put { table: Table::Subscriptions, key: name.to_owned(), value: None };
        shared.log.append(Batch { puts: vec![put], ..Batch::default() }).await?;
        shared.slots.send_modify(|slots| drop(slots.remove(name)));
        Ok(())
    }
}

/// A subscription whose events are being handled. Dropped, it stops without grace and without waiting.
#[derive(Debug)]
pub struct Running {
    stop: Option<oneshot::Sender<Duration>>,
    task: JoinHandle<()>,
}

impl Running {
    /// Takes no new events, gives the running deliveries `grace` to end and cancels the rest, which are
    /// delivered again when the subscription runs again.
    pub async fn stop(mut self, grace: Duration) {
        if let Some(stop) = self.stop.take() {
            // It may have ended with the runtime.
            stop.send(grace).ok();
        }
        if let Err(error) = self.task.await
            && error.is_panic()
        {
            tracing::error!(%error, "A subscription panicked.");
        }
    }
}
