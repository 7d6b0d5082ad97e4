//! The whole program, measured from outside: how soon it is ready, what it needs while nothing happens, how
//! soon captions come, how fast files are written down. One Markdown table on standard output.
//! `cargo bench --bench appliance`; takes about four minutes.
//!
//! With `WHISPER_CPP` set to a built tree of whisper.cpp, its command line and its server do the same work
//! on the same machine in the same run.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark for people"
)]

mod common;
mod peer;
mod service;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::{fixture, machine, median, model, p90, row, seconds, sentences};
use serde_json::Value;
use service::{Service, now_s, panotti};

/// How long the idle process is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// Silence before the meeting: the recording begins in it.
const LEAD_IN_S: f64 = 4.0;

fn main() {
    // cargo passes options of its own; a word picks parts: `-- captions`.
    let words: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wanted = |part: &str| words.is_empty() || words.iter().any(|it| it == part);
    let dir = tempfile::tempdir().unwrap();
    println!("{}\n\n| what | measured |\n|---|---|", machine());
    let quiet = format!("wav:{}", quiet_room(dir.path()).display());
    if wanted("ready") {
        binary();
        ready(&quiet);
    }
    if wanted("idle") {
        idle(&quiet);
    }
    if wanted("captions") {
        captions(dir.path());
    }
    if wanted("files") {
        files();
    }
    if wanted("peer") {
        peer::files(&fixture("speech/meeting-0.wav"), &model());
        peer::server(&fixture("speech/meeting-0.wav"), &sentences(), &model());
    }
}

fn binary() {
    let bytes = fs::metadata(service::program()).unwrap().len();
    row("the program, not stripped, with demo", &format!("{:.1} MiB", mib(bytes)));
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn ready(quiet: &str) {
    let times: Vec<f64> = (0..15).map(|_| Service::start(quiet, None).ready_ms).collect();
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    let text = format!("{:.0} ms (best {best:.0} ms of {})", median(times.clone()), times.len());
    row("process start to READY, median", &text);
}

/// A quiet room through a sound card: noise at -70 dBFS, 48 kHz stereo, 16 bit.
fn quiet_room(dir: &Path) -> PathBuf {
    let path = dir.join("quiet.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(&path, spec).unwrap();
    // Numerical Recipes' linear congruential generator; uniform noise of ±18 steps has an RMS of 10.4,
    // which is -70 dBFS.
    let mut seed = 1_u32;
    for _ in 0..48_000 * 2 * 120 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        file.write_sample(((seed >> 16) % 37) as i16 - 18).unwrap();
    }
    file.finalize().unwrap();
    path
}

fn idle(quiet: &str) {
    let service = Service::start(quiet, None);
    let share = service.cpu_share(WATCHED);
    row("quiet room, 48 kHz stereo, not recording", &format!("{share:.2} % of one core"));
    row("resident memory idle, without a model", &service.memory("VmRSS"));
    drop(service);

    let service = Service::start(quiet, Some(&model()));
    service.wait_for("model.loaded", 1);
    let id = service.record();
    let share = service.cpu_share(WATCHED);
    row("quiet room, 48 kHz stereo, recording", &format!("{share:.2} % of one core"));
    service.stop(&id);
    row("resident memory idle, demo model loaded", &service.memory("VmRSS"));
}

/// How long after the end of a sentence its caption has arrived at a client.
fn captions(dir: &Path) {
    let device = format!("wav:{}", with_lead_in(dir).display());
    let service = Service::start(&device, Some(&model()));
    service.wait_for("model.loaded", 1);
    let opened = service.wait_for("capture.opened", 1);
    // The first sample was "captured" when the source was opened.
    let zero_s = timestamp_s(&opened[0]);
    let arrivals = service.captions();
    service.record();
    let started = service.wait_for("recording.started", 1);
    let recording_s = timestamp_s(&started[0]) - zero_s;
    let sentences = sentences();
    let end_s = LEAD_IN_S + sentences.last().unwrap().to + 3.0;
    std::thread::sleep(Duration::from_secs_f64((zero_s + end_s - now_s()).max(0.0)));
    let peak = service.memory("VmHWM");

    let heard: Vec<(f64, f64)> = arrivals
        .try_iter()
        .map(|(at_s, event)| (at_s, event["payload"]["segment"]["end_ms"].as_f64().unwrap() / 1000.0))
        .collect();
    let mut latencies = Vec::new();
    for sentence in &sentences {
        let end = LEAD_IN_S + sentence.to;
        // A caption belongs to the sentence at whose end it ends; two sentences without a pause share one.
        let caption = heard.iter().rfind(|it| (recording_s + it.1 - end).abs() < 0.5);
        if let Some((at_s, _)) = caption {
            latencies.push((at_s - zero_s - end) * 1000.0);
        }
    }
    let silence = panotti::config::Vad::default().min_silence_duration_ms;
    let (n, all) = (latencies.len(), sentences.len());
    row(
        "end of speech to final caption, 1 thread, median",
        &format!("{:.0} ms, of which {silence} ms are the silence waited for", median(latencies.clone())),
    );
    row("end of speech to final caption, 90 %", &format!("{:.0} ms ({n} of {all} ends)", p90(latencies)));
    row("resident memory at most while transcribing", &peak);
}

fn timestamp_s(event: &Value) -> f64 {
    let text = event["context"]["timestamp"].as_str().unwrap();
    text.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as f64 / 1e9
}

/// The meeting with silence before and after it.
fn with_lead_in(dir: &Path) -> PathBuf {
    let path = dir.join("meeting.wav");
    let mut source = hound::WavReader::open(fixture("speech/meeting-0.wav")).unwrap();
    let mut file = hound::WavWriter::create(&path, source.spec()).unwrap();
    let rate = f64::from(source.spec().sample_rate);
    let silence = |file: &mut hound::WavWriter<_>, seconds: f64| {
        (0..(seconds * rate) as usize).for_each(|_| file.write_sample(0_i16).unwrap());
    };
    silence(&mut file, LEAD_IN_S);
    source.samples::<i16>().for_each(|it| file.write_sample(it.unwrap()).unwrap());
    silence(&mut file, 10.0);
    file.finalize().unwrap();
    path
}

fn files() {
    let path = fixture("speech/meeting-0.wav");
    let length_s = f64::from(hound::WavReader::open(&path).unwrap().duration()) / 16_000.0;
    for threads in ["1", "2"] {
        let mut command = panotti();
        command.arg("transcribe").arg(&path).args(["--threads", threads, "--model"]).arg(model());
        let factor = seconds(&mut command) / length_s;
        let what = format!("`panotti transcribe`, {threads} thread(s), model load included");
        row(&what, &format!("{factor:.3} of real time (×{:.0})", 1.0 / factor));
    }
}
