//! Words before and after cleaning, by the real model: single sentences in babble and pink noise, and clean
//! ones, which must not become worse.

use std::{collections::BTreeMap, fs, ops::ControlFlow, path::Path, sync::atomic::AtomicBool, time::Instant};

use panotti::{
    config,
    speech::{TrackInput, Transcriber, load, transcribe_files, word_error_rate},
};
use panotti_noise_reduction::{Config, Task, clean};

use crate::{fixture, root};

/// What was measured of one condition.
#[derive(Default)]
struct Sum {
    files: u32,
    words: f64,
    /// Before and after.
    errors: [f64; 2],
    gain_db: f64,
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
        let input = folder.join(fields[0]);
        let began = Instant::now();
        let task = Task {
            microphone: vec![input.clone()],
            keep_channels: false,
            system: Vec::new(),
            output: output.clone(),
        };
        let cleaned = clean(&task, &Config::default(), &AtomicBool::new(false)).unwrap();
        let sum = sums.entry(fields[3].to_owned()).or_default();
        sum.seconds += began.elapsed().as_secs_f64();
        sum.minutes += cleaned.frames as f64 / f64::from(cleaned.rate_hz) / 60.0;
        sum.gain_db += f64::from(cleaned.gain_db.unwrap_or_default());
        sum.files += 1;
        let words = fields[4].split_whitespace().count() as f64;
        sum.words += words;
        for (side, path) in [&input, &output].into_iter().enumerate() {
            sum.errors[side] += words * word_error_rate(fields[4], &said(path, transcriber.as_mut()));
        }
    }
    println!(
        "| condition | files | pauses quieter | word errors before | after | s per minute of audio |\n\
         |---|---|---|---|---|---|"
    );
    for (condition, it) in &sums {
        let percent = it.errors.map(|errors| 100.0 * errors / it.words);
        println!(
            "| {condition} | {} | {:.1} dB | {:.1} % | {:.1} % | {:.2} |",
            it.files,
            it.gain_db / f64::from(it.files),
            percent[0],
            percent[1],
            it.seconds / it.minutes
        );
    }
}

fn said(path: &Path, transcriber: &mut dyn Transcriber) -> String {
    let track = TrackInput { files: vec![path.to_owned()], ..TrackInput::default() };
    let go_on = &mut |_| ControlFlow::Continue(());
    transcribe_files(&[track], &config::Vad::default(), transcriber, go_on).unwrap().text()
}
