//! What the event log and the bus cost: publishing beside the disk, bare LMDB and SQLite; delivery, fan-out
//! and replay; and whether a long log is slower than a short one. One Markdown table on standard output.
//! Owns the choice of parts, the disk, and the table.
//!
//! `cargo bench --bench event_log`, a word picks parts: `-- publish|fan-out|replay|growth`.
//! `PANOTTI_BENCH_DIR` says on which disk. The longest log of `growth` has `EVENTS` events: 1 million, with
//! `FULL=1` 10 million, which need 6 GiB.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark for people"
)]

mod fan_out;
mod growth;
mod peers;
mod publish;

use std::{env, fs, path::Path, time::Duration};

use panotti_sdk::{
    NewEvent, names,
    payloads::{CaptionPublished, Segment},
};

fn main() {
    // cargo passes options of its own.
    let words: Vec<String> = env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wanted = |part: &str| words.is_empty() || words.iter().any(|it| it == part);
    let dir = match env::var_os("PANOTTI_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir).unwrap(),
        None => tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap(),
    };
    println!("{}", machine(dir.path(), &words));
    println!("\n| what | Panotti | bare LMDB | SQLite | write + fdatasync |\n|---|---|---|---|---|");
    if wanted("publish") {
        publish::run(dir.path());
    }
    if wanted("fan-out") {
        fan_out::run(dir.path());
    }
    if wanted("replay") {
        fan_out::replay(dir.path());
    }
    if wanted("growth") {
        growth::run(dir.path());
    }
}

/// The line above the table.
fn machine(dir: &Path, words: &[String]) -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = about.lines().find_map(|it| it.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("unknown processor", |it| it.1);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let set =
        ["FULL", "EVENTS"].map(|name| env::var(name).map_or(String::new(), |it| format!("{name}={it} ")));
    let parts = if words.is_empty() { String::new() } else { format!(" -- {}", words.join(" ")) };
    format!(
        "Measured {date} on {cpu}, {cores} cores, {} (load before: {load}) by `{}cargo bench --bench event_log{parts}`.",
        file_system(dir),
        set.concat()
    )
}

/// The type of the file system that holds `dir`.
fn file_system(dir: &Path) -> String {
    let (dir, mounts) =
        (dir.canonicalize().unwrap(), fs::read_to_string("/proc/self/mounts").unwrap_or_default());
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let holding = mounts.filter(|(at, _)| dir.starts_with(at)).max_by_key(|(at, _)| at.len());
    holding.map_or_else(|| "unknown file system".into(), |(_, kind)| kind.to_owned())
}

/// One row of the table; those who were not measured have no cells.
fn row(what: &str, cells: &[String]) {
    let cells: String = (0..4).map(|n| format!(" {} |", cells.get(n).map_or("", String::as_str))).collect();
    println!("| {what} |{cells}");
}

/// The value that `share` of them do not exceed, ms.
fn ms(of: &mut [Duration], share: f64) -> f64 {
    of.sort_unstable();
    let place = ((of.len() as f64 * share) as usize).min(of.len().saturating_sub(1));
    of.get(place).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
}

/// The value in the middle.
fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `1234567` as `1,234,567`.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8(groups.join(&b',')).unwrap()
}

/// What a meeting publishes most.
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
