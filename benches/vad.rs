//! Which detector finds the speech: frame errors of the built-in detector and of Silero against references
//! (RTTM, and segments of synthesised meetings), and what each costs. `cargo bench --bench vad`.
//!
//! Miss and false alarm are shares of all 10 ms frames; pads are off, so that only the detector and the
//! segmenter's rules are measured. Reads `../shared/audio`; says so where that is absent.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark for people")]

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use panotti::{audio::WavReader, config, speech::Listener};

/// Speech from and to, s.
type Regions = Vec<(f64, f64)>;

fn main() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let real = sets(&shared.join("audio/real"), "rttm", |line| {
        let it: Vec<&str> = line.split_whitespace().collect();
        let (start, length): (f64, f64) = (it.get(3)?.parse().ok()?, it.get(4)?.parse().ok()?);
        Some((start, start + length))
    });
    let synthetic = sets(&shared.join("audio/speech"), "segments.tsv", |line| {
        let it: Vec<&str> = line.split('\t').collect();
        Some((it.first()?.parse().ok()?, it.get(1)?.parse().ok()?))
    });
    if real.is_empty() {
        println!("There are no references in {}.", shared.display());
        return;
    }
    let silero = shared.join("models/silero-v6.2.0-ggml.bin");
    let detectors = [("built-in", None), ("silero", Some(silero))];
    println!("{:<9} {:>5}  {:<24} {:>6} {:>6} {:>6}", "detector", "thr", "set", "miss", "false", "error");
    for (name, model) in detectors {
        if model.as_ref().is_some_and(|it| !cfg!(feature = "whisper") || !it.exists()) {
            println!("{name}: not here");
            continue;
        }
        for threshold in [0.3, 0.4, 0.5, 0.6, 0.7] {
            let config = config::Vad {
                silero_model: model.clone(),
                threshold,
                speech_pad_ms: 0,
                ..config::Vad::default()
            };
            for (set, files) in [("real", &real), ("synthetic", &synthetic)] {
                let mut sum = Score::default();
                for (path, reference) in files {
                    let it = score(path, reference, &config);
                    if set == "real" && (threshold - 0.5).abs() < 0.01 {
                        it.print(name, threshold, &path.file_stem().unwrap_or_default().to_string_lossy());
                    }
                    sum.add(&it);
                }
                sum.print(name, threshold, set);
            }
        }
    }
}

/// The WAV files in `dir` that have a reference beside them.
fn sets(dir: &Path, ending: &str, parse: impl Fn(&str) -> Option<(f64, f64)>) -> Vec<(PathBuf, Regions)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let reference = path.with_extension(ending);
        if path.extension().is_some_and(|it| it == "wav")
            && let Ok(text) = std::fs::read_to_string(&reference)
        {
            found.push((path, text.lines().filter_map(&parse).collect()));
        }
    }
    found.sort_by(|a: &(PathBuf, Regions), b| a.0.cmp(&b.0));
    found
}

#[derive(Default)]
struct Score {
    frames: usize,
    missed: usize,
    alarms: usize,
    seconds: f64,
}

impl Score {
    fn add(&mut self, it: &Self) {
        self.frames += it.frames;
        self.missed += it.missed;
        self.alarms += it.alarms;
        self.seconds += it.seconds;
    }

    fn print(&self, name: &str, threshold: f32, set: &str) {
        let share = |n: usize| 100.0 * n as f64 / self.frames.max(1) as f64;
        let cost = 100.0 * self.seconds / (self.frames as f64 / 100.0).max(0.01);
        let (miss, alarm, error) = (share(self.missed), share(self.alarms), share(self.missed + self.alarms));
        println!(
            "{name:<9} {threshold:>5.2}  {set:<24} {miss:>5.1}% {alarm:>5.1}% {error:>5.1}%  {cost:.2} % of real time"
        );
    }
}

fn score(path: &Path, reference: &Regions, config: &config::Vad) -> Score {
    let mut file = WavReader::open(path).unwrap();
    let format = file.info().format;
    assert_eq!((format.rate_hz, format.channels), (16_000, 1), "{}", path.display());
    let (mut bytes, mut samples, mut heard) = (Vec::new(), Vec::new(), Vec::new());
    file.read(usize::MAX, &mut bytes).unwrap();
    format.sample.decode(&bytes, &mut samples);
    let mut listener = Listener::new(config).unwrap();
    let started = Instant::now();
    listener.push(&samples, &mut heard);
    listener.flush(&mut heard);
    let seconds = started.elapsed().as_secs_f64();
    let frames = samples.len() / 160;
    let mut it = Score { frames, seconds, ..Score::default() };
    for i in 0..frames {
        let at = (i as f64 + 0.5) / 100.0;
        let is = reference.iter().any(|(from, to)| (*from..*to).contains(&at));
        let sample = (at * 16_000.0) as u64;
        let said = heard
            .iter()
            .any(|it| (it.start_sample..it.start_sample + it.samples.len() as u64).contains(&sample));
        it.missed += usize::from(is && !said);
        it.alarms += usize::from(said && !is);
    }
    it
}
