//! From publishing to handling: how soon one subscription's handler is called when nothing else happens, how
//! many deliveries 1 to 50 subscriptions get through, and how fast stored events are delivered again.

use std::{
    fs,
    future::Future,
    num::NonZeroUsize,
    path::Path,
    pin::Pin,
    time::{Duration, Instant},
};

use panotti::{
    bus::{Answer, Bus, Effects, Handler, ReplayRequest, ReplayState, Running, Subscription},
    event_log::{Batch, EventLog},
};
use panotti_sdk::{Delivery, Filter, NewEvent, names};
use tokio::{runtime::Runtime, sync::mpsc};

use super::{caption, ms, row, thousands};

const SUBSCRIPTIONS: [usize; 3] = [1, 10, 50];
/// Deliveries while many are published.
const DELIVERIES: usize = 100_000;
/// Publishers then.
const PUBLISHERS: usize = 64;
/// Events that are published one by one.
const SINGLE: usize = 300;
/// Rest before each of them: what followed the one before is done by then.
const REST: Duration = Duration::from_millis(20);
/// Events of the replay.
const REPLAYED: usize = 50_000;

/// Tells when it was called.
struct Tells(mpsc::UnboundedSender<Instant>);

impl Handler for Tells {
    fn handle(&self, _: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        self.0.send(Instant::now()).unwrap();
        Box::pin(async { Ok(Effects::default()) })
    }
}

/// A bus with subscriptions to captions.
struct World {
    log: EventLog,
    bus: Bus,
    running: Vec<Running>,
    calls: mpsc::UnboundedReceiver<Instant>,
}

impl World {
    async fn new(log: EventLog, subscriptions: usize) -> Self {
        let bus = Bus::start(log.clone(), tokio::runtime::Handle::current()).unwrap();
        let (sender, calls) = mpsc::unbounded_channel();
        let mut running = Vec::new();
        for n in 0..subscriptions {
            let filter = Filter { topics: vec![names::CAPTION_PUBLISHED.into()], ..Filter::default() };
            let subscription = Subscription {
                max_concurrent_tasks: NonZeroUsize::new(4).unwrap(),
                ..Subscription::new(&format!("s{n}"), filter)
            };
            running.push(bus.subscribe(subscription, Tells(sender.clone())).await.unwrap());
        }
        Self { log, bus, running, calls }
    }

    /// Publishes an event by itself; from before publishing to each handler's call.
    async fn single(&mut self) -> Vec<Duration> {
        tokio::time::sleep(REST).await;
        let event = caption(1);
        let from = Instant::now();
        self.log.append(batch(event)).await.unwrap();
        let mut waits = Vec::new();
        for _ in &self.running {
            waits.push(self.calls.recv().await.unwrap() - from);
        }
        waits
    }

    /// Publishes as fast as [`PUBLISHERS`] can; published and delivered events/s.
    async fn flood(&mut self) -> (f64, f64) {
        let each = DELIVERIES / self.running.len() / PUBLISHERS;
        let start = Instant::now();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| {
                let log = self.log.clone();
                tokio::spawn(async move {
                    for n in 0..each {
                        log.append(batch(caption(n as u64))).await.unwrap();
                    }
                })
            })
            .collect();
        for publisher in publishers {
            publisher.await.unwrap();
        }
        let published = (each * PUBLISHERS) as f64 / start.elapsed().as_secs_f64();
        let deliveries = each * PUBLISHERS * self.running.len();
        for _ in 0..deliveries {
            self.calls.recv().await.unwrap();
        }
        (published, deliveries as f64 / start.elapsed().as_secs_f64())
    }

    async fn stop(self) {
        for running in self.running {
            running.stop(Duration::from_secs(10)).await;
        }
        self.bus.stop().await;
    }
}

fn batch(event: NewEvent) -> Batch {
    Batch { events: vec![event], ..Batch::default() }
}

pub(super) fn run(dir: &Path) {
    for subscriptions in SUBSCRIPTIONS {
        let place = dir.join("fan-out");
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let mut world = World::new(EventLog::open(&place).unwrap(), subscriptions).await;
            let mut waits = Vec::new();
            for _ in 0..SINGLE {
                waits.extend(world.single().await);
            }
            let (p50, p99) = (ms(&mut waits, 0.5), ms(&mut waits, 0.99));
            row(
                &format!("publish to handler called, idle, {subscriptions} subscriptions: p50 / p99, ms"),
                &[format!("{p50:.2} / {p99:.2}")],
            );
            let (published, delivered) = world.flood().await;
            row(
                &format!(
                    "fan-out to {subscriptions} subscriptions, {PUBLISHERS} publishers: \
                     delivered (published) events/s"
                ),
                &[format!("{} ({})", thousands(delivered), thousands(published))],
            );
            world.stop().await;
        });
        drop(runtime);
        fs::remove_dir_all(place).unwrap();
    }
}

pub(super) fn replay(dir: &Path) {
    let place = dir.join("replay");
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let log = EventLog::open(&place).unwrap();
        for first in (0..REPLAYED).step_by(500) {
            let events = (first..first + 500).map(|n| caption(n as u64)).collect();
            log.append(Batch { events, ..Batch::default() }).await.unwrap();
        }
        let mut world = World::new(log, 1).await;
        let start = Instant::now();
        let request =
            ReplayRequest { batch_size: 1000, interval: Duration::ZERO, ..ReplayRequest::default() };
        let begun = world.bus.replay(request).await.unwrap();
        for _ in 0..REPLAYED {
            world.calls.recv().await.unwrap();
        }
        let took = start.elapsed().as_secs_f64();
        row(
            &format!("replay of {REPLAYED} events in batches of 1000 without pause: events/s"),
            &[thousands(REPLAYED as f64 / took)],
        );
        while world.bus.get_replay(begun.id).unwrap().state == ReplayState::Running {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let done = world.bus.get_replay(begun.id).unwrap();
        assert_eq!((done.state, done.delivered, done.failed), (ReplayState::Completed, REPLAYED as u64, 0));
        world.stop().await;
    });
    drop(runtime);
    fs::remove_dir_all(place).unwrap();
}
