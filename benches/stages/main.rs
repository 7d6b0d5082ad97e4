//! What becomes of a meeting after it has ended, measured: how long each stage takes for a minute of audio, and
//! what cleaning the audio does to noise and to words. One Markdown table each on standard output.
//! `cargo bench --bench stages`, or `-- chain` and `-- noise` for one of them.
//!
//! `noise` needs the recordings in noise in `../shared/audio/speech`; without them it is left out.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark for people"
)]

mod chain;
mod noise;

use std::path::{Path, PathBuf};

fn main() {
    // cargo passes options of its own; a word picks parts.
    let words: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wanted = |part: &str| words.is_empty() || words.iter().any(|it| it == part);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {}\n", load.split(' ').next().unwrap_or_default());
    if wanted("chain") {
        chain::run();
    }
    if wanted("noise") {
        noise::run();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}
