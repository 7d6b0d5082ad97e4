//! How wrong the diarizer is, and how fast, on recordings of which it is known who speaks when:
//! `cargo bench -p panotti-diarizer --bench der`. Recordings that are not there are left out and said.
//! `PANOTTI_VOICES=FOLDER` adds meetings made of sentences of known speakers (`SPEAKER-ANYTHING.wav`,
//! 16 kHz); `DETAIL=1` prints turns.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it speaks to the terminal"
)]

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use panotti_diarizer::{
    RATE_HZ, SpectralDiarizer,
    der::{Errors, Scoring, score},
};
use panotti_sdk::diarizer::{Diarizer, Turn};

/// A recording and who speaks in it.
struct Meeting {
    name: String,
    samples: Vec<f32>,
    turns: Vec<Turn>,
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = root.join("../shared/audio");
    let mut meetings = Vec::new();
    for name in ["conversation-30s", "meeting-trn01", "meeting-trn02", "meeting-trn03"] {
        meetings.extend(recording(&shared.join("real"), name, ".rttm", rttm));
    }
    meetings.extend(recording(&root.join("tests/fixtures/speech"), "meeting-0", ".segments.tsv", segments));
    for number in [1, 2, 3, 5] {
        meetings.extend(recording(
            &shared.join("speech"),
            &format!("meeting-{number}"),
            ".segments.tsv",
            segments,
        ));
    }
    let single = shared.join("real/jfk.wav");
    if let Some(samples) = read(&single) {
        let end_ms = (samples.len() * 1000 / RATE_HZ) as u64;
        let turns = vec![Turn { start_ms: 0, end_ms, speaker: 0 }];
        meetings.push(Meeting { name: "jfk".into(), samples, turns });
    } else {
        println!("{} is not there", single.display());
    }
    println!("Speech as the reference has it: only confusion of speakers can be wrong. Error rates in %.");
    header();
    let mut time = (Duration::ZERO, Duration::ZERO, 0.0);
    for meeting in &meetings {
        line(meeting, &stretches(&meeting.turns), &mut time);
    }
    println!("Speech as found by loudness: missed and false speech is wrong, too.");
    header();
    for meeting in &meetings {
        line(meeting, &loud(&meeting.samples), &mut time);
    }
    if let Some(meeting) = meetings.iter().find(|it| it.name == "meeting-0") {
        println!("A long meeting, the fixture over and over.");
        for hours in [1, 10] {
            long(meeting, hours);
        }
    }
    if let Ok(folder) = env::var("PANOTTI_VOICES") {
        println!("Meetings made of sentences of known speakers; mean over as many.");
        header();
        voices(Path::new(&folder), &mut time);
    }
    println!(
        "heard {:.0} s of speech: {:.0} x real time; settled at {:.0} x",
        time.2,
        time.2 / time.0.as_secs_f64(),
        time.2 / time.1.as_secs_f64()
    );
}

fn header() {
    println!(
        "{:18} {:>8} {:>6} {:>6} | {:>14} {:>14} {:>14} {:>14}",
        "", "speakers", "found", "online", "collar 0.25 s", "no overlap", "no collar", "no overlap"
    );
    println!("{:40} | {}", "", "settled onl one ".repeat(4).trim_end());
}

/// The turns as they come and as they are in the end, with the time each took.
fn diarize(samples: &[f32], stretches: &[(u64, u64)]) -> ([Vec<Turn>; 2], [Duration; 2]) {
    let mut diarizer = SpectralDiarizer::new();
    let start = Instant::now();
    let mut online = Vec::new();
    for &(from_ms, to_ms) in stretches {
        let at = |ms: u64| (ms as usize * RATE_HZ / 1000).min(samples.len());
        online.extend(diarizer.hear(from_ms, &samples[at(from_ms)..at(to_ms)]));
    }
    let heard = start.elapsed();
    let settled = diarizer.settle();
    ([settled, online], [heard, start.elapsed() - heard])
}

/// How long the answers take as the meeting grows.
fn long(meeting: &Meeting, hours: usize) {
    let length = meeting.samples.len();
    let spoken = stretches(&meeting.turns);
    let mut diarizer = SpectralDiarizer::new();
    let (mut slowest, mut speech_ms) = (Duration::ZERO, 0);
    let start = Instant::now();
    for round in 0..hours * 3600 * RATE_HZ / length {
        for &(from_ms, to_ms) in &spoken {
            let at = |ms: u64| ms as usize * RATE_HZ / 1000;
            let asked = Instant::now();
            diarizer.hear(
                from_ms + (round * length * 1000 / RATE_HZ) as u64,
                &meeting.samples[at(from_ms)..at(to_ms)],
            );
            slowest = slowest.max(asked.elapsed());
            speech_ms += to_ms - from_ms;
        }
    }
    let heard = start.elapsed();
    let settled = Instant::now();
    let turns = diarizer.settle().len();
    println!(
        "{hours} h: {:.2} s of processor for a minute of speech, {slowest:.0?} at most for a stretch, \
         settled ({turns} turns) in {:.0?}",
        heard.as_secs_f64() / speech_ms as f64 * 60_000.0,
        settled.elapsed()
    );
}

fn line(meeting: &Meeting, stretches: &[(u64, u64)], time: &mut (Duration, Duration, f64)) {
    let (results, took) = diarize(&meeting.samples, stretches);
    time.0 += took[0];
    time.1 += took[1];
    time.2 += stretches.iter().map(|it| (it.1 - it.0) as f64 / 1000.0).sum::<f64>();
    if env::var("DETAIL").is_ok() {
        results.iter().for_each(|it| println!("{it:?}"));
    }
    print_line(&meeting.name, &[rates(meeting, stretches, &results)]);
}

struct Rates {
    speakers: [usize; 3],
    /// By scoring, then settled, online, one speaker.
    rates: [[f64; 3]; 4],
}

fn rates(meeting: &Meeting, stretches: &[(u64, u64)], [settled, online]: &[Vec<Turn>; 2]) -> Rates {
    let one: Vec<Turn> =
        stretches.iter().map(|it| Turn { start_ms: it.0, end_ms: it.1, speaker: 0 }).collect();
    let count = |turns: &[Turn]| {
        let mut all: Vec<usize> = turns.iter().map(|it| it.speaker).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    let rates = [(250, true), (250, false), (0, true), (0, false)].map(|(collar_ms, overlap)| {
        [settled, online, &one].map(|turns| {
            let errors: Errors = score(&meeting.turns, turns, Scoring { collar_ms, overlap });
            100.0 * errors.rate()
        })
    });
    Rates { speakers: [count(&meeting.turns), count(settled), count(online)], rates }
}

fn print_line(name: &str, all: &[Rates]) {
    let mean = |get: &dyn Fn(&Rates) -> f64| all.iter().map(get).sum::<f64>() / all.len() as f64;
    let [real, found, online] = [0, 1, 2].map(|i| mean(&|it| it.speakers[i] as f64));
    print!("{name:18} {real:8.1} {found:6.1} {online:6.1} |");
    for scoring in 0..4 {
        let [settled, online, one] = [0, 1, 2].map(|i| mean(&|it| it.rates[scoring][i]));
        print!("  {settled:4.0} {online:4.0} {one:4.0}");
    }
    println!();
}

fn recording(
    folder: &Path,
    name: &str,
    ending: &str,
    parse: fn(&str) -> Vec<(f64, f64, String)>,
) -> Option<Meeting> {
    let (sound, reference) = (folder.join(format!("{name}.wav")), folder.join(format!("{name}{ending}")));
    let (Some(samples), Ok(text)) = (read(&sound), fs::read_to_string(&reference)) else {
        println!("{} is not there", sound.display());
        return None;
    };
    let spoken = parse(&text);
    let mut names: Vec<&String> = spoken.iter().map(|it| &it.2).collect();
    names.sort();
    names.dedup();
    let ms = |s: f64| (s * 1000.0).round() as u64;
    let turns = spoken
        .iter()
        .map(|(from, to, who)| Turn {
            start_ms: ms(*from),
            end_ms: ms(*to),
            speaker: names.iter().position(|it| *it == who).unwrap(),
        })
        .collect();
    Some(Meeting { name: name.into(), samples, turns })
}

/// Samples of a WAV file of 16 kHz mono.
fn read(path: &Path) -> Option<Vec<f32>> {
    let mut reader = hound::WavReader::open(path).ok()?;
    let spec = reader.spec();
    assert_eq!((spec.sample_rate as usize, spec.channels), (RATE_HZ, 1), "{}", path.display());
    Some(match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(|it| it.expect("a sample")).collect(),
        hound::SampleFormat::Int => {
            reader.samples::<i16>().map(|it| f32::from(it.expect("a sample")) / 32768.0).collect()
        }
    })
}

/// `SPEAKER file channel start duration <NA> <NA> name …` in seconds.
fn rttm(text: &str) -> Vec<(f64, f64, String)> {
    let turn = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let start: f64 = fields[3].parse().unwrap();
        (start, start + fields[4].parse::<f64>().unwrap(), fields[7].to_owned())
    };
    text.lines().filter(|it| it.starts_with("SPEAKER")).map(turn).collect()
}

/// Start s, end s, voice, text; between tabs.
fn segments(text: &str) -> Vec<(f64, f64, String)> {
    let turn = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        (fields[0].parse().unwrap(), fields[1].parse().unwrap(), fields[2].to_owned())
    };
    text.lines().map(turn).collect()
}

/// Where anybody speaks, with pauses of less than 0.3 s inside.
fn stretches(turns: &[Turn]) -> Vec<(u64, u64)> {
    let mut spoken: Vec<(u64, u64)> = turns.iter().map(|it| (it.start_ms, it.end_ms)).collect();
    spoken.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, to) in spoken {
        match joined.last_mut() {
            Some(last) if from < last.1 + 300 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// Where it is loud: 10 dB above the quietest tenth and within 35 dB of the loudest twentieth.
fn loud(samples: &[f32]) -> Vec<(u64, u64)> {
    let power: Vec<f32> = samples
        .chunks_exact(RATE_HZ / 100)
        .map(|it| 10.0 * (it.iter().map(|x| x * x).sum::<f32>() / it.len() as f32 + 1e-10).log10())
        .collect();
    let mut sorted = power.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let threshold = (sorted[sorted.len() / 10] + 10.0).max(sorted[sorted.len() * 95 / 100] - 35.0);
    let frames: Vec<Turn> = power
        .iter()
        .enumerate()
        .filter(|it| *it.1 > threshold)
        .map(|(i, _)| Turn { start_ms: i as u64 * 10, end_ms: i as u64 * 10 + 10, speaker: 0 })
        .collect();
    let mut found = stretches(&frames);
    found.retain(|it| it.1 - it.0 >= 300);
    found
}

/// Meetings of 1 to 5 speakers: sentences, cut to 2 to 8 s, a fifth of them without a pause before. Drawn
/// by a fixed sequence of numbers.
fn voices(folder: &Path, time: &mut (Duration, Duration, f64)) {
    let mut sentences: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if let (Some(("wav", _)), Some((who, _))) =
            (path.extension().map(|it| (it.to_str().unwrap(), ())), name.split_once('-'))
        {
            sentences.entry(who.into()).or_default().push(path);
        }
    }
    sentences.values_mut().for_each(|it| it.sort());
    let all: Vec<&Vec<PathBuf>> = sentences.values().collect();
    for (half, speakers) in all.chunks(all.len().div_ceil(2)).enumerate() {
        for count in 1..=speakers.len().min(5) {
            let mut results = Vec::new();
            for first in 0..speakers.len() {
                for step in if count == 1 { 1..2 } else { 1..3 } {
                    let who: Vec<_> =
                        (0..count).map(|i| speakers[(first + i * step) % speakers.len()]).collect();
                    let meeting = made(&who, (first * 7 + step * 31 + count * 101) as u64);
                    let spoken = stretches(&meeting.turns);
                    let (turns, took) = diarize(&meeting.samples, &spoken);
                    time.0 += took[0];
                    time.1 += took[1];
                    time.2 += meeting.samples.len() as f64 / RATE_HZ as f64;
                    results.push(rates(&meeting, &spoken, &turns));
                }
            }
            print_line(&format!("half {half}, {count} of {}", speakers.len()), &results);
            if env::var("DETAIL").is_ok() {
                println!(
                    "{:?}",
                    results.iter().map(|it| (it.speakers, it.rates[0][0] as i32)).collect::<Vec<_>>()
                );
            }
        }
    }
}

fn made(who: &[&Vec<PathBuf>], seed: u64) -> Meeting {
    let mut state = seed;
    // Knuth's linear congruential numbers, their upper bits.
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let (mut samples, mut turns) = (Vec::new(), Vec::new());
    let mut speaker = 0;
    for _ in 0..12 * (who.len() + 1) {
        if who.len() > 1 && draw(100) < 85 {
            speaker = (speaker + 1 + draw(who.len() - 1)) % who.len();
        }
        let sentence = read(&who[speaker][draw(who[speaker].len())]).expect("a sentence");
        let length = (2 * RATE_HZ + draw(6 * RATE_HZ)).min(sentence.len());
        let from = draw(sentence.len() - length);
        if draw(5) > 0 {
            samples.resize(samples.len() + RATE_HZ / 2, 0.0);
        }
        let ms = |samples: &[f32]| (samples.len() * 1000 / RATE_HZ) as u64;
        let start_ms = ms(&samples);
        samples.extend_from_slice(&sentence[from..from + length]);
        turns.push(Turn { start_ms, end_ms: ms(&samples), speaker });
    }
    Meeting { name: String::new(), samples, turns }
}
