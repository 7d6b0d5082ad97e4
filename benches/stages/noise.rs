//! Words before and after cleaning, by the real model: single sentences in babble and pink noise, and clean
//! ones, which must not become worse.

use std::{collections::BTreeMap, fs, ops::ControlFlow, path::Path, sync::atomic::AtomicBool, time::Instant};

use panotti::{
    config,
    speech::{Hints, Segment, TrackInput, Transcriber, load, transcribe_tracks, word_error_rate},
};
use panotti_noise_reduction::{Config, Task, clean};

use crate::{fixture, root};

/// Shares of the sound without noise in the mix (`noise_reduce_factor`).
const FACTORS: [f64; 4] = [0.0, 0.25, 0.5, 1.0];

/// What was measured of one condition.
#[derive(Default)]
struct Sum {
    files: u32,
    words: f64,
    /// Before.
    errors: f64,
    /// Of each factor: word errors and gain.
    cleaned: [(f64, f64); FACTORS.len()],
    seconds: f64,
    minutes: f64,
}

pub(crate) fn run() {
    let folder = root().join("../shared/audio/speech");
    let Ok(table) = fs::read_to_string(folder.join("sentences.tsv")) else {
        println!("There are no recordings in noise beside the project: left out.");
        return;
    };
    let model = fixture("panotti-demo.en-q5_1.bin").to_str().map(str::to_owned);
    let config = config::Transcription { model, threads: Some(1), ..config::Transcription::default() };
    let mut transcriber = load(&config, Path::new("models")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("clean.wav");
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for line in table.lines().skip(1) {
        // File, voice group, voice, condition, text.
        let fields: Vec<&str> = line.split('\t').collect();
        let (input, text) = (folder.join(fields[0]), fields[4]);
        let words = text.split_whitespace().count() as f64;
        for sum in ["all", fields[3]] {
            let sum = sums.entry(sum.to_owned()).or_default();
            sum.files += 1;
            sum.words += words;
        }
        let before = words * word_error_rate(text, &said(&input, transcriber.as_mut()));
        let task = Task {
            microphone: vec![input],
            keep_channels: false,
            system: Vec::new(),
            output: output.clone(),
        };
        let after = FACTORS.map(|noise_reduce_factor| {
            let began = Instant::now();
            let settings = Config { noise_reduce_factor, ..Config::default() };
            let cleaned = clean(&task, &settings, &AtomicBool::new(false)).unwrap();
            let (seconds, minutes) =
                (began.elapsed().as_secs_f64(), cleaned.frames as f64 / f64::from(cleaned.rate_hz) / 60.0);
            let errors = words * word_error_rate(text, &said(&output, transcriber.as_mut()));
            (errors, f64::from(cleaned.gain_db.unwrap_or_default()), seconds, minutes)
        });
        for sum in ["all", fields[3]] {
            let sum = sums.entry(sum.to_owned()).or_default();
            sum.errors += before;
            for (kept, (errors, gain, seconds, minutes)) in sum.cleaned.iter_mut().zip(after) {
                *kept = (kept.0 + errors, kept.1 + gain);
                sum.seconds += seconds;
                sum.minutes += minutes;
            }
        }
    }
    let factors = FACTORS.map(|it| format!("factor {it}: word errors, pauses quieter by"));
    println!("| condition (files) | word errors before | {} | s per minute |", factors.join(" | "));
    println!("|---|---|{}---|", "---|".repeat(FACTORS.len()));
    for (condition, it) in &sums {
        let percent = |errors: f64| 100.0 * errors / it.words;
        let cleaned = it
            .cleaned
            .map(|(errors, gain)| format!("{:.1} %, {:.1} dB", percent(errors), gain / f64::from(it.files)));
        println!(
            "| {condition} ({}) | {:.1} % | {} | {:.2} |",
            it.files,
            percent(it.errors),
            cleaned.join(" | "),
            it.seconds / it.minutes
        );
    }
}

fn said(path: &Path, transcriber: &mut dyn Transcriber) -> String {
    let track = TrackInput { files: vec![path.to_owned()], ..TrackInput::default() };
    let go_on = &mut |_, _: &[Segment]| ControlFlow::Continue(());
    transcribe_tracks(&[track], &Hints::default(), &config::Vad::default(), transcriber, go_on)
        .unwrap()
        .transcript
        .text()
}
