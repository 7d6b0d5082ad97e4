//! How long a backup, looking it over and restoring it take, beside copying the same file and syncing it,
//! in the same run on the same disk. `cargo bench --bench backup`; `PANOTTI_BENCH_MIB` says how large a log
//! (1024), `PANOTTI_BENCH_DIR` on which disk; five times as much has to be free there.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark for people")]

use std::{fs::File, ops::ControlFlow, path::Path, time::Instant};

use panotti::event_log::{
    Batch, EventLog,
    backup::{Backups, Source},
};
use panotti_sdk::{EventName, NewEvent};
use serde_json::json;

/// Bytes of a payload.
const PAYLOAD: usize = 600;

fn fill(dir: &Path, mib: u64) {
    let log = EventLog::open(dir).unwrap();
    let name: EventName = "bench.noted".parse().unwrap();
    let text = "Then we agree that the second milestone moves to the end of March. ".repeat(PAYLOAD / 67);
    let mut n = 0;
    // The file is longer than that, with a hole.
    while log.stats().unwrap().bytes_used < mib << 20 {
        let event = |_| {
            n += 1;
            NewEvent::new(name.clone(), json!({ "text": text, "number": n })).from_source("core")
        };
        log.append_blocking(Batch { events: (0..4000).map(event).collect(), ..Batch::default() }).unwrap();
    }
    println!("{} events", log.last_seq().unwrap());
}

fn main() {
    let mib = std::env::var("PANOTTI_BENCH_MIB").map_or(1024, |it| it.parse().unwrap());
    let dir = match std::env::var_os("PANOTTI_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir).unwrap(),
        None => tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap(),
    };
    let events = dir.path().join("events");
    fill(&events, mib);
    let backups = Backups::new(dir.path().join("backups"));
    let source = Source::open(&events).unwrap();
    let began = Instant::now();
    let made = backups.create(&source, 0, &mut |_| ControlFlow::Continue(())).unwrap();
    let create = began.elapsed();
    drop(source);
    let copied = made.manifest.as_ref().unwrap().bytes as f64 / f64::from(1 << 20);
    let tell =
        |what: &str, seconds: f64| println!("{what:<24}{seconds:>8.2} s {:>8.0} MiB/s", copied / seconds);

    println!("{copied:.0} MiB in the backup");
    tell("create", create.as_secs_f64());
    let began = Instant::now();
    assert!(made.verify(&mut |_| {}).unwrap().faults.is_empty());
    tell("verify", began.elapsed().as_secs_f64());
    for (what, verify) in [("restore --no-verify", false), ("restore", true)] {
        let began = Instant::now();
        let restored = made.restore(&events, verify, &mut |_| {}).unwrap();
        tell(what, began.elapsed().as_secs_f64());
        std::fs::remove_dir_all(restored.replaced.unwrap()).unwrap();
    }
    let began = Instant::now();
    std::fs::copy(made.path.join("data.mdb"), dir.path().join("copy")).unwrap();
    File::open(dir.path().join("copy")).unwrap().sync_all().unwrap();
    tell("plain copy and sync", began.elapsed().as_secs_f64());
}
