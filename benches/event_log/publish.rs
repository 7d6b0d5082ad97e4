//! Publishing with 1 to 512 in flight: how long each waits, and durable events/s, beside bare LMDB, SQLite
//! and the disk alone in groups as large as what was in flight. They take turns; absolute figures are the
//! disk's, the ratios are ours.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use panotti::event_log::{Batch, EventLog};

use super::{caption, median, ms, peers, row, thousands};

const IN_FLIGHT: [usize; 4] = [1, 8, 64, 512];
/// All take turns this often, so that a busy machine is busy for all of them.
const ROUNDS: usize = 7;
/// How long each is measured in a round.
pub(super) const TIME: Duration = Duration::from_millis(500);

/// What one of them did in a round.
pub(super) struct Measured {
    /// Durable events/s.
    pub(super) rate: f64,
    /// How long each publisher, or each commit, took.
    pub(super) waits: Vec<Duration>,
}

/// The table's columns.
const ALL: [fn(&Path, usize) -> Measured; 4] = [ours, peers::bare_lmdb, peers::sqlite, peers::raw_disk];

pub(super) fn run(dir: &Path) {
    for in_flight in IN_FLIGHT {
        let mut rates: [Vec<f64>; 4] = Default::default();
        let mut waits: [Vec<Duration>; 4] = Default::default();
        for round in 0..ROUNDS {
            // Each comes first sometimes.
            for turn in 0..ALL.len() {
                let which = (round + turn) % ALL.len();
                let place = dir.join("publish");
                let measured = ALL[which](&place, in_flight);
                fs::remove_dir_all(place).unwrap();
                rates[which].push(measured.rate);
                waits[which].extend(measured.waits);
            }
        }
        let events = rates.each_ref().map(|of| thousands(median(of.clone())));
        row(&format!("durable events/s, {in_flight} in flight, median of {ROUNDS}"), &events);
        let ratio = |peer: &Vec<f64>| {
            format!("{:.2}", median(rates[0].iter().zip(peer).map(|(we, they)| we / they).collect()))
        };
        let [_, lmdb, sqlite, raw] = rates.each_ref().map(ratio);
        row("— Panotti's share of it, median of the rounds", &[String::new(), lmdb, sqlite, raw]);
        let latency = waits.map(|mut of| {
            format!("{:.2} / {:.2} / {:.2}", ms(&mut of, 0.5), ms(&mut of, 0.99), ms(&mut of, 0.999))
        });
        row("— publisher's wait, of the others a commit: p50 / p99 / p99.9, ms", &latency);
    }
}

/// The log with publishers that each have one event in flight.
fn ours(dir: &Path, in_flight: usize) -> Measured {
    let log = EventLog::open(dir).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let start = Instant::now();
    let publishers: Vec<_> = (0..in_flight)
        .map(|_| {
            let log = log.clone();
            runtime.spawn(async move {
                let mut waits = Vec::new();
                while start.elapsed() < TIME {
                    let from = Instant::now();
                    let batch = Batch { events: vec![caption(waits.len() as u64)], ..Batch::default() };
                    log.append(batch).await.unwrap();
                    waits.push(from.elapsed());
                }
                waits
            })
        })
        .collect();
    let waits: Vec<Duration> = publishers.into_iter().flat_map(|it| runtime.block_on(it).unwrap()).collect();
    let rate = waits.len() as f64 / start.elapsed().as_secs_f64();
    let stats = log.stats().unwrap();
    eprintln!("{in_flight} in flight: {:.1} events in a commit", stats.events as f64 / stats.commits as f64);
    Measured { rate, waits }
}
