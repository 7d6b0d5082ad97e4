//! Whether a long log is slower than a short one: logs of 10 thousand to 10 million events, measured in turns.

use std::{
    env, fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use panotti::event_log::{Batch, EventLog, Order, PageRequest};
use panotti_sdk::{EventName, Filter, NewEvent};
use serde_json::json;
use uuid::Uuid;

use super::{caption, ms, row, thousands};

const SIZES: [u64; 3] = [10_000, 1_000_000, 10_000_000];
/// Events of a meeting; the log is filled meeting by meeting.
const MEETING: u64 = 500;
/// One in so many is no caption.
const MARK: u64 = 100;
/// All logs take turns this often.
const ROUNDS: u64 = 10;
/// Events published and pages of each kind read in a turn.
const EACH: u64 = 100;
const LIMIT: usize = 50;

/// What is measured, in the order of [`Filled::turn`].
const WHAT: [&str; 6] = [
    "publish, 1 in flight",
    "page of the 50 newest",
    "page of 50 anywhere, by cursor",
    "page of 50 by correlation id",
    "page of 50 by topic `meeting.*`, anywhere",
    "page of 50 of one minute in the middle",
];

struct Filled {
    log: EventLog,
    events: u64,
    meetings: Vec<Uuid>,
    took: Duration,
    waits: [Vec<Duration>; WHAT.len()],
}

impl Filled {
    fn new(dir: &Path, events: u64) -> Self {
        let (log, start) = (EventLog::open(dir).unwrap(), Instant::now());
        let marked: EventName = "meeting.marked".parse().unwrap();
        let fill = |first: u64| {
            let meeting = Uuid::now_v7();
            let event = |n| match n % MARK {
                0 => NewEvent::new(marked.clone(), json!({ "mark": n })),
                _ => caption(n),
            };
            let events = (first..events.min(first + MEETING)).map(|n| event(n).correlated(meeting)).collect();
            log.append_blocking(Batch { events, ..Batch::default() }).unwrap();
            meeting
        };
        let meetings = (0..events).step_by(MEETING as usize).map(fill).collect();
        Self { log, events, meetings, took: start.elapsed(), waits: Default::default() }
    }

    fn turn(&mut self, round: u64) {
        let middle =
            self.log.read(self.events / 2, 1, &Filter::default()).unwrap().remove(0).context.timestamp;
        let minute = middle.as_second() / 60 * 60;
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let minute = Filter { from: at(minute), to: at(minute + 60), ..Filter::default() };
        let topic = Filter { topics: vec!["meeting.*".parse().unwrap()], ..Filter::default() };
        for n in round * EACH..(round + 1) * EACH {
            // Scattered over the log, so that no page of the file is read twice in a row.
            let place = (n + 1) * 7_368_787 % (self.events - self.events / 10) + self.events / 10;
            let meeting = self.meetings[place as usize / MEETING as usize % self.meetings.len()];
            let meeting = Filter { correlation_id: Some(meeting), ..Filter::default() };
            let from = Instant::now();
            self.log.append_blocking(Batch { events: vec![caption(n)], ..Batch::default() }).unwrap();
            self.waits[0].push(from.elapsed());
            let pages: [(&[Filter], Order, Option<u64>); WHAT.len() - 1] = [
                (&[], Order::NewestFirst, None),
                (&[], Order::NewestFirst, Some(place)),
                (&[meeting], Order::NewestFirst, None),
                (std::slice::from_ref(&topic), Order::NewestFirst, Some(place)),
                (std::slice::from_ref(&minute), Order::OldestFirst, None),
            ];
            for ((filters, order, cursor), waits) in pages.into_iter().zip(&mut self.waits[1..]) {
                let from = Instant::now();
                let page = self.log.page(&PageRequest { filters, order, cursor, limit: LIMIT }).unwrap();
                waits.push(from.elapsed());
                // The least log has fewer marks than that below some places.
                assert!(page.events.len() == LIMIT || self.events < MARK * LIMIT as u64 * 10);
            }
        }
    }
}

pub(super) fn run(dir: &Path) {
    let most = match (env::var("EVENTS"), env::var_os("FULL")) {
        (Ok(events), _) => events.parse().unwrap(),
        (Err(_), Some(_)) => SIZES[2],
        (Err(_), None) => SIZES[1],
    };
    let sizes = SIZES.into_iter().filter(|size| *size < most).chain([most]);
    let mut logs: Vec<Filled> =
        sizes.map(|events| Filled::new(&dir.join(format!("log-{events}")), events)).collect();
    for round in 0..ROUNDS {
        logs.iter_mut().for_each(|log| log.turn(round));
    }
    let join = |cell: &dyn Fn(&mut Filled) -> String, logs: &mut [Filled]| {
        logs.iter_mut().map(cell).collect::<Vec<_>>().join(" · ")
    };
    let sizes = join(&|log| thousands(log.events as f64), &mut logs);
    for (n, what) in WHAT.into_iter().enumerate() {
        let cell = |log: &mut Filled| {
            format!("{:.2} / {:.2}", ms(&mut log.waits[n], 0.5), ms(&mut log.waits[n], 0.99))
        };
        row(&format!("{what}, in a log of {sizes} events: p50 / p99, ms"), &[join(&cell, &mut logs)]);
    }
    let disk = |log: &mut Filled| {
        let data = dir.join(format!("log-{}", log.events)).join("data.mdb");
        let bytes = fs::metadata(data).unwrap().blocks() * 512;
        format!("{} ({})", thousands(bytes as f64 / f64::from(1 << 20)), bytes / log.log.last_seq().unwrap())
    };
    row(&format!("disk, MiB (bytes an event), {sizes} events"), &[join(&disk, &mut logs)]);
    let filled = |log: &mut Filled| thousands(log.events as f64 / log.took.as_secs_f64());
    row(&format!("filling, one publisher with batches of {MEETING}: events/s"), &[join(&filled, &mut logs)]);
}
