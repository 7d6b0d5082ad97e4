//! What a plugin costs: dispatch beside bare subscriptions of the bus, starting 50 of them, and the memory of
//! one that is idle. One Markdown table on standard output. Owns the choice of parts and the table.
//!
//! `cargo bench --no-default-features --features memory-accounting --bench plugins` spares whisper.cpp, which
//! it does not use; a word picks parts: `-- dispatch|start|memory`. `PANOTTI_BENCH_DIR` says on
//! which disk.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark for people"
)]

mod dispatch;
mod idle;
mod many;

use std::{
    env, fs,
    future::Future,
    path::Path,
    time::{Duration, Instant},
};

use panotti::{
    bus::Bus,
    event_log::EventLog,
    plugins::{PluginStatus, Plugins, Site, State},
    speech,
};
use panotti_sdk::Descriptor;
use tokio::runtime::{Handle, Runtime};

fn main() {
    // cargo passes options of its own.
    let words: Vec<String> = env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wanted = |part: &str| words.is_empty() || words.iter().any(|it| it == part);
    let dir = match env::var_os("PANOTTI_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir).unwrap(),
        None => tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap(),
    };
    if env::var_os(idle::CHILD).is_some() {
        return idle::child(dir.path());
    }
    println!("{}", machine(&words));
    println!("\n| what | plugins | bare bus |\n|---|---|---|");
    if wanted("dispatch") {
        dispatch::run(dir.path());
    }
    if wanted("start") {
        idle::start(dir.path());
    }
    if wanted("memory") {
        idle::memory();
    }
}

/// The line above the table.
fn machine(words: &[String]) -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = about.lines().find_map(|it| it.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("unknown processor", |it| it.1);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let parts = if words.is_empty() { String::new() } else { format!(" -- {}", words.join(" ")) };
    let features = panotti::features::built_with().join(",");
    format!(
        "Measured {date} on {cpu}, {cores} cores (load before: {load}) by `cargo bench --no-default-features \
         --features {features} --bench plugins{parts}`."
    )
}

/// One row of the table; what has no peer has no second cell.
fn row(what: &str, plugins: &str, bare: &str) {
    println!("| {what} | {plugins} | {bare} |");
}

/// A host of plugins on a log and a bus of its own.
struct World {
    log: EventLog,
    bus: Bus,
    plugins: Plugins,
    /// From before the settings were read until all of them ran.
    started_in: Duration,
}

impl World {
    async fn new(dir: &Path, descriptors: &'static [Descriptor]) -> Self {
        let log = EventLog::open(&dir.join("events")).unwrap();
        let bus = Bus::start(log.clone(), Handle::current()).unwrap();
        let site = Site {
            settings_dir: dir.join("plugins.d"),
            env: Vec::new(),
            data_dir: dir.to_owned(),
            recordings_dir: dir.join("recordings"),
            credentials_dir: None,
        };
        let began = Instant::now();
        let plugins =
            Plugins::start(descriptors, site, speech::desk().0, &log, &bus, &Handle::current()).unwrap();
        plugins.settled().await;
        let started_in = began.elapsed();
        let not_running: Vec<_> =
            plugins.list().into_iter().filter(|it| it.state != State::Running).collect();
        assert!(not_running.is_empty(), "{not_running:?}");
        Self { log, bus, plugins, started_in }
    }

    fn list(&self) -> Vec<PluginStatus> {
        self.plugins.list()
    }

    /// How long the plugins took to stop.
    async fn stop(self) -> Duration {
        let began = Instant::now();
        self.plugins.stop(Duration::from_secs(30)).await;
        let took = began.elapsed();
        self.bus.stop().await;
        took
    }
}

/// Runs `work` on a runtime like the service's.
fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    Runtime::block_on(&runtime.unwrap(), work)
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
