//! Retention against a real log: what goes, what stays, and what is told.

use std::{future::Future, pin::Pin};

use jiff::{SignedDuration, Timestamp};
use panotti_sdk::{Delivery, Event, EventName, Filter, NewEvent};
use serde_json::json;

use super::*;
use crate::{
    bus::{Answer, Effects, Handler, Running, Subscription},
    config::Events,
    event_log::Batch,
};

const MIB: u64 = 1 << 20;

struct Nods;

impl Handler for Nods {
    fn handle(&self, _: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(async { Ok(Effects::default()) })
    }
}

struct Room {
    log: EventLog,
    bus: Bus,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = EventLog::open(dir.path()).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let bus = Bus::start(log.clone(), runtime.handle().clone()).unwrap();
        Self { log, bus, runtime, _dir: dir }
    }

    fn retention(&self, events: &Events) -> Retention {
        Retention::new(events, self.log.clone(), self.bus.clone())
    }

    /// Publishes until the log uses `bytes`.
    fn fill(&self, bytes: u64) {
        while self.log.stats().unwrap().bytes_used < bytes {
            let text = json!({ "text": "x".repeat(10_000) });
            let new = NewEvent::new("a.b".parse::<EventName>().unwrap(), text);
            self.log.append_blocking(Batch { events: vec![new; 50], ..Batch::default() }).unwrap();
        }
    }

    fn subscribe(&self, name: &str, topic: &str) -> Running {
        let subscription = Subscription::new(name, Filter::topic(topic.parse().unwrap()));
        self.runtime.block_on(self.bus.subscribe(subscription, Nods)).unwrap()
    }

    /// A subscription that has seen what there is, and runs no longer.
    fn leave(&self, name: &str) {
        let running = self.subscribe(name, "a.*");
        self.runtime.block_on(running.stop(Duration::ZERO));
    }

    fn first_seq(&self) -> u64 {
        self.log.stats().unwrap().first_seq
    }

    fn told(&self, name: &str) -> Vec<Event> {
        self.log.read(0, 99, &Filter::topic(name.parse().unwrap())).unwrap()
    }
}

fn clock(is_synchronised: bool, days: i64) -> Clock {
    Clock { now: Timestamp::now() + SignedDuration::from_hours(24 * days), is_synchronised }
}

fn small() -> Events {
    Events { retention_mib: 2, hard_limit_mib: 4, ..Events::default() }
}

const GO_ON: &dyn Fn() -> bool = &|| false;

#[test]
fn the_log_shrinks_to_its_limit_and_says_so_once() {
    let room = Room::new();
    let mut retention = room.retention(&small());
    room.fill(3 * MIB);
    retention.run(clock(false, 0), GO_ON).unwrap();
    let stats = room.log.stats().unwrap();
    // A step ends soon after enough went.
    assert!((MIB..=2 * MIB / 100 * 96).contains(&stats.bytes_used), "{stats:?}");
    assert!(stats.first_seq > 1);
    let told = room.told("retention.pruned");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].payload, json!({ "events": stats.first_seq - 1, "first_seq": stats.first_seq }));
    // Below the limit nothing goes, and within the hour nothing is told.
    retention.run(clock(false, 0), GO_ON).unwrap();
    assert_eq!(room.log.stats().unwrap().first_seq, stats.first_seq);
    room.fill(3 * MIB);
    retention.run(clock(false, 0), GO_ON).unwrap();
    assert!(room.log.stats().unwrap().first_seq > stats.first_seq);
    assert!(room.told("retention.pruned").len() <= 1);
}

#[test]
fn age_counts_only_while_the_clock_is_right() {
    let room = Room::new();
    let mut retention = room.retention(&Events::default());
    room.fill(MIB);
    let last = room.log.last_seq().unwrap();
    // 2099, says a clock that nobody has set; and so does one that went back.
    for wrong in [clock(false, 73 * 365), clock(false, -56 * 365), clock(true, -56 * 365), clock(true, 29)] {
        retention.run(wrong, GO_ON).unwrap();
        assert_eq!(room.log.stats().unwrap().first_seq, 1, "{wrong:?}");
    }
    retention.run(clock(true, 31), &|| true).unwrap();
    assert_eq!(room.log.stats().unwrap().first_seq, 1, "it was told to stop");
    retention.run(clock(true, 31), GO_ON).unwrap();
    assert_eq!(room.log.stats().unwrap().first_seq, last + 1);
    assert_eq!(room.told("retention.pruned")[0].payload["events"], last);
}

#[test]
fn what_a_subscription_has_not_seen_stays_up_to_the_hard_limit() {
    let room = Room::new();
    let mut retention = room.retention(&small());
    room.fill(MIB);
    room.leave("slow");
    let seen = room.log.last_seq().unwrap();
    room.fill(7 * MIB / 2);
    // Neither size nor age.
    for clock in [clock(false, 0), clock(true, 31)] {
        retention.run(clock, GO_ON).unwrap();
        assert_eq!(room.first_seq(), seen + 1, "all that it has seen went, and no more");
    }
    assert_eq!(room.bus.low_watermark().unwrap(), Some(seen));
    assert!(room.told("retention.forced").is_empty());

    room.fill(5 * MIB);
    room.leave("quick");
    retention.run(clock(false, 0), GO_ON).unwrap();
    let stats = room.log.stats().unwrap();
    assert!((3 * MIB..=4 * MIB / 100 * 96).contains(&stats.bytes_used), "{stats:?}");
    let last = stats.first_seq - 1;
    assert!(last > seen);
    let told = room.told("retention.forced");
    assert_eq!(told.len(), 1);
    let expected = json!({
        "first_seq": seen + 1, "last_seq": last, "events": last - seen, "subscriptions": ["slow"],
    });
    assert_eq!(told[0].payload, expected);
    room.leave("slow");
    let missed = room.bus.subscriptions().unwrap().into_iter().map(|it| (it.name, it.missed));
    assert!(missed.eq([("quick".into(), 0), ("slow".into(), last - seen)]));
}

#[test]
fn nobody_is_said_to_have_missed_what_it_has_seen() {
    let room = Room::new();
    let mut retention = room.retention(&small());
    let _running = room.subscribe("other", "b.*");
    room.fill(5 * MIB);
    let last = room.log.last_seq().unwrap();
    while room.bus.subscriptions().unwrap()[0].cursor < last {
        thread::sleep(Duration::from_millis(1));
    }
    // What is not wanted is not written down one by one.
    assert_eq!(room.bus.low_watermark().unwrap(), Some(0));
    retention.run(clock(false, 0), GO_ON).unwrap();
    assert!(room.first_seq() > 1);
    assert_eq!((room.told("retention.forced").len(), room.told("retention.pruned").len()), (0, 1));
}

#[test]
fn a_failure_is_told_once_for_each_cause() {
    let closed = || Err(Error::Log(event_log::Error::Closed));
    let busy = || Err(Error::Log(event_log::Error::Backpressure));
    let mut trouble = Trouble::default();
    let told = [Ok(()), closed(), closed(), busy(), closed(), Ok(()), Ok(())].map(|it| trouble.note("x", it));
    assert_eq!(told, [false, true, false, true, true, true, false]);
}
