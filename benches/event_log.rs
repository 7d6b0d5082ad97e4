//! What an event costs: latency of publishing and durable events/s with 1 to 512 batches in flight, beside
//! bare LMDB with the same entries and beside write + fdatasync of the same envelopes, in as large groups and
//! on the same disk, in turns. `cargo bench --bench event_log`; `PANOTTI_BENCH_DIR` says on which disk.
//!
//! Absolute figures are the disk's; the ratios are ours.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark for people")]

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use heed::{EnvOpenOptions, PutFlags, types::Bytes};
use panotti::event_log::{Batch, EventLog};
use panotti_sdk::{
    NewEvent, names,
    payloads::{CaptionPublished, Segment},
};
use uuid::Uuid;

const IN_FLIGHT: [usize; 4] = [1, 8, 64, 512];
/// Log, LMDB and disk take turns this often, so that a busy machine is busy for all of them.
const ROUNDS: usize = 5;
/// How long each is measured in a round.
const TIME: Duration = Duration::from_millis(600);
/// Bytes of an envelope beside payload and name: version, ids, time, source, metadata, lengths.
const ENVELOPE: usize = 72;

fn caption(n: u64) -> NewEvent {
    let text = "Then we agree that the second milestone moves to the end of March.";
    let segment = Segment {
        start_ms: n * 20,
        end_ms: n * 20 + 3200,
        speaker: None,
        text: text.into(),
        words: Vec::new(),
        confidence: 0.5,
    };
    let caption = CaptionPublished { recording_id: "20250117225532_4AFEA8B6".into(), segment };
    NewEvent::of(names::CAPTION_PUBLISHED, &caption).from_source("core")
}

/// Bytes of a stored caption.
fn envelope_bytes() -> usize {
    let event = caption(1000);
    serde_json::to_vec(event.payload()).unwrap().len() + event.name().as_str().len() + ENVELOPE
}

/// Events/s, and how long each publisher waited.
fn ours(dir: &Path, in_flight: usize) -> (f64, Vec<Duration>) {
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
    (waits.len() as f64 / start.elapsed().as_secs_f64(), waits)
}

/// Events/s of LMDB alone: the same four entries for each event, `group` events in a transaction.
fn bare_lmdb(dir: &Path, group: usize) -> f64 {
    std::fs::create_dir(dir).unwrap();
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(4 << 30).max_dbs(4);
    #[expect(unsafe_code, reason = "heed asks the caller to keep the memory map sound")]
    // SAFETY: the directory was made a line above and nobody else knows it.
    let env = unsafe { options.open(dir) }.unwrap();
    let mut txn = env.write_txn().unwrap();
    let [events, ids, names, meetings] = ["events", "ids", "names", "meetings"]
        .map(|name| env.create_database::<Bytes, Bytes>(&mut txn, Some(name)).unwrap());
    txn.commit().unwrap();
    let envelope = vec![7; envelope_bytes()];
    rate(group, |first| {
        let mut txn = env.write_txn().unwrap();
        for n in first..first + group as u64 {
            let seq = n.to_be_bytes();
            events.put_with_flags(&mut txn, PutFlags::APPEND, &seq, &envelope).unwrap();
            ids.put(&mut txn, Uuid::now_v7().as_bytes(), &seq).unwrap();
            names.put(&mut txn, &[b"caption.published\0", seq.as_slice()].concat(), &[]).unwrap();
            meetings.put(&mut txn, &[Uuid::now_v7().as_bytes(), seq.as_slice()].concat(), &[]).unwrap();
        }
        txn.commit().unwrap();
    })
}

/// Events/s of the disk alone: the bytes of `group` events, then fdatasync.
fn raw_disk(dir: &Path, group: usize) -> f64 {
    let mut file = File::create(dir).unwrap();
    let bytes = vec![7; envelope_bytes() * group];
    rate(group, |_| {
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    })
}

fn rate(group: usize, mut commit: impl FnMut(u64)) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        commit(done);
        done += group as u64;
    }
    done as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    let dir = match std::env::var_os("PANOTTI_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir).unwrap(),
        None => tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap(),
    };
    println!(
        "{:>9} {:>11} {:>9} {:>9} {:>11} {:>7} {:>11} {:>7}",
        "in flight", "events/s", "p50 ms", "p99 ms", "lmdb ev/s", "ratio", "raw ev/s", "ratio"
    );
    for in_flight in IN_FLIGHT {
        let (mut events, mut lmdb, mut raw, mut waits) = (0.0, 0.0, 0.0, Vec::new());
        for round in 0..ROUNDS {
            let place = |what| dir.path().join(format!("{what}-{in_flight}-{round}"));
            let (rate, more) = ours(&place("log"), in_flight);
            events += rate / ROUNDS as f64;
            waits.extend(more);
            lmdb += bare_lmdb(&place("lmdb"), in_flight) / ROUNDS as f64;
            raw += raw_disk(&place("raw"), in_flight) / ROUNDS as f64;
        }
        waits.sort_unstable();
        let ms = |share: f64| waits[(waits.len() as f64 * share) as usize].as_secs_f64() * 1e3;
        println!(
            "{in_flight:>9} {events:>11.0} {:>9.3} {:>9.3} {lmdb:>11.0} {:>7.2} {raw:>11.0} {:>7.2}",
            ms(0.5),
            ms(0.99),
            events / lmdb,
            events / raw
        );
    }
}
