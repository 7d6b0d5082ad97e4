//! What measures share: the meeting and its sentences, the machine, rows of a table.
#![allow(dead_code, reason = "not every benchmark needs all of it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// Threads for Whisper everywhere, ours and the peer's.
pub(crate) const THREADS: &str = "1";

/// A sentence of a meeting: from and to, s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sentence {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

pub(crate) fn row(what: &str, measured: &str) {
    println!("| {what} | {measured} |");
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn model() -> PathBuf {
    fixture("panotti-demo.en-q5_1.bin")
}

pub(crate) fn sentences() -> Vec<Sentence> {
    let text = fs::read_to_string(fixture("speech/meeting-0.segments.tsv")).unwrap();
    let parse = |line: &str| {
        let mut it = line.split('\t').map(str::parse);
        Some(Sentence { from: it.next()?.ok()?, to: it.next()?.ok()? })
    };
    text.lines().filter_map(parse).collect()
}

/// Date, processor, cores.
pub(crate) fn machine() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = about.lines().find_map(|it| it.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let cpu = name.map_or("unknown processor", |it| it.1);
    format!("Measured {date} on {cpu}, {cores} cores (load before: {load}); the demo model.")
}

/// The value in the middle.
pub(crate) fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that nine of ten do not exceed.
pub(crate) fn p90(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get((of.len() * 9).div_ceil(10).saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Seconds that a command takes, the middle of three.
pub(crate) fn seconds(command: &mut Command) -> f64 {
    let run = |_| {
        let began = Instant::now();
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{command:?}");
        began.elapsed().as_secs_f64()
    };
    median((0..3).map(run).collect())
}
