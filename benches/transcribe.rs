//! How well and how fast meetings are written down by the demo model: word error rate and real-time factor
//! with one and two threads. `cargo bench --bench transcribe`.
//!
//! Reads the meetings in `tests/fixtures/speech`, and those in `../shared/audio/speech` where there are any.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark for people")]

use std::{ops::ControlFlow, path::Path, time::Instant};

use panotti::{
    config,
    speech::{TrackInput, load, transcribe_files, word_error_rate},
};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = root.join("tests/fixtures/panotti-demo.en-q5_1.bin").to_str().unwrap().to_string();
    let mut files = Vec::new();
    for dir in ["tests/fixtures/speech", "../shared/audio/speech"] {
        for entry in std::fs::read_dir(root.join(dir)).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_new = !files.iter().any(|it: &std::path::PathBuf| it.file_name() == path.file_name());
            if path.extension().is_some_and(|it| it == "wav") && path.with_extension("txt").exists() && is_new
            {
                files.push(path);
            }
        }
    }
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    println!("{:<16} {:>7} {:>8} {:>16}", "meeting", "threads", "WER", "real-time factor");
    for threads in [1, 2] {
        let (model, threads_set) = (Some(model.clone()), Some(threads));
        let config =
            config::Transcription { model, threads: threads_set, ..config::Transcription::default() };
        let mut transcriber = load(&config, Path::new("models")).unwrap();
        for path in &files {
            let track = TrackInput { files: vec![path.clone()], ..TrackInput::default() };
            let started = Instant::now();
            let it = transcribe_files(&[track], &config::Vad::default(), transcriber.as_mut(), &mut |_| {
                ControlFlow::Continue(())
            })
            .unwrap();
            let factor = started.elapsed().as_secs_f64() * 1000.0 / it.duration_ms as f64;
            let reference = std::fs::read_to_string(path.with_extension("txt")).unwrap();
            let errors = 100.0 * word_error_rate(&reference, &it.text());
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            println!("{name:<16} {threads:>7} {errors:>6.1} % {factor:>16.3}");
        }
    }
}
