//! The bus against a real log in a temporary directory. Owns what the tests have in common.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod delivery;
mod failures;
mod ledger;
mod model;
mod replay;
mod restart;
mod scheduler;

use std::{future::Future, num::NonZeroUsize, path::PathBuf, pin::Pin, time::Duration};

use panotti_sdk::{Delivery, Event, EventName, Filter, NewEvent, Priority};
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::event_log::Error as LogError;

/// Longer than anything takes that does not hang.
const FOREVER: Duration = Duration::from_secs(60);

/// A function as a handler.
struct Acts<F>(F);

impl<F, Fut> Handler for Acts<F>
where
    F: Fn(Delivery) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    fn handle(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(self.0(delivery))
    }
}

fn acts<F, Fut>(act: F) -> Acts<F>
where
    F: Fn(Delivery) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    Acts(act)
}

/// Tells of each delivery and handles it well.
fn tells() -> (impl Handler, mpsc::UnboundedReceiver<Delivery>) {
    let (sender, seen) = mpsc::unbounded_channel();
    let handler = acts(move |delivery| {
        sender.send(delivery).ok();
        async { Ok(Effects::default()) }
    });
    (handler, seen)
}

/// A log and a bus on it.
struct World {
    dir: tempfile::TempDir,
    log: EventLog,
    bus: Bus,
}

/// Opens the log, as soon as nobody in this process has it open any more.
async fn open(dir: PathBuf) -> EventLog {
    let opened = async {
        loop {
            match EventLog::open(&dir) {
                Err(LogError::Open { source: heed::Error::EnvAlreadyOpened, .. }) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                other => return other.unwrap(),
            }
        }
    };
    tokio::time::timeout(FOREVER, opened).await.expect("somebody keeps the log open")
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path().join("log")).await;
        let bus = Bus::start(log.clone(), Handle::current()).unwrap();
        Self { dir, log, bus }
    }

    /// As after a restart of the process.
    async fn restart(self) -> Self {
        let Self { dir, log, bus } = self;
        bus.stop().await;
        drop((log, bus));
        let log = open(dir.path().join("log")).await;
        let bus = Bus::start(log.clone(), Handle::current()).unwrap();
        Self { dir, log, bus }
    }

    async fn publish(&self, new: NewEvent) -> Event {
        let batch = Batch { events: vec![new], ..Batch::default() };
        self.log.append(batch).await.unwrap().remove(0)
    }

    /// Until `holds`.
    async fn until(&self, what: &str, holds: impl Fn(&Bus) -> bool) {
        let held = async {
            while !holds(&self.bus) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let status = || format!("{what}: {:#?}", self.bus.subscriptions());
        tokio::time::timeout(FOREVER, held).await.unwrap_or_else(|_| panic!("{}", status()));
    }

    /// Until `name` is done with all that is in the log now.
    async fn settled(&self, name: &str) {
        let last = self.log.last_seq().unwrap();
        self.until("settled", |bus| status(bus, name).cursor >= last).await;
    }

    fn named(&self, name: &str) -> Vec<Event> {
        self.log.read(0, usize::MAX, &topic(name)).unwrap()
    }

    fn letters(&self) -> Vec<DeadLetter> {
        self.bus.dead_letters(None, usize::MAX, &DeadLetterFilter::default()).unwrap()
    }
}

fn status(bus: &Bus, name: &str) -> SubscriptionStatus {
    bus.subscriptions().unwrap().into_iter().find(|status| status.name == name).unwrap()
}

fn topic(text: &str) -> Filter {
    Filter::topic(text.parse().unwrap())
}

/// All events of tests, short waits.
fn subscription(name: &str, at_once: usize) -> Subscription {
    Subscription {
        max_concurrent_tasks: NonZeroUsize::new(at_once).unwrap(),
        timeout: FOREVER,
        retry: RetryPolicy { retries: 3, base: Duration::from_millis(1), max: Duration::from_millis(4) },
        ..Subscription::new(name, topic("test.**"))
    }
}

fn event(chain: u8, n: usize) -> NewEvent {
    let name: EventName = "test.happened".parse().unwrap();
    NewEvent::new(name, json!({ "n": n })).correlated(chain_id(chain))
}

fn chain_id(chain: u8) -> Uuid {
    Uuid::from_u128(u128::from(chain) + 1)
}

fn n(event: &Event) -> u64 {
    event.payload["n"].as_u64().unwrap()
}

/// An event that a handler publishes about the one it was given.
fn child(delivery: &Delivery) -> NewEvent {
    let name: EventName = "effect.done".parse().unwrap();
    let key = delivery.key();
    NewEvent::new(name, json!({ "of": delivery.event.seq, "key": key })).caused_by(&delivery.event)
}

fn effects(events: Vec<NewEvent>) -> Effects {
    Effects { events, ..Effects::default() }
}
