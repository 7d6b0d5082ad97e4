//! How well the demo model's words come out, and what they cost: word error rate and share of real time for
//! captions (live) and for the final pass, without and with what a meeting tells of its words; one thread.
//! `cargo bench --bench transcribe`.
//!
//! Reads the meeting in `tests/fixtures/speech`; with `../shared/audio/speech` beside the project also its
//! meetings and its single sentences, clean and in noise. The defaults of `config::Vad` and the constants
//! of `speech::whisper` were chosen by this table.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark for people")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use panotti::{
    audio::WavReader,
    config,
    speech::{Effort, Hints, How, Listener, load, meeting_prompt, word_error_rate},
};

/// A file and what is said in it.
type Spoken = (PathBuf, String);

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = root.join("tests/fixtures/panotti-demo.en-q5_1.bin").to_str().unwrap().to_string();
    let config =
        config::Transcription { model: Some(model), threads: Some(1), ..config::Transcription::default() };
    let mut transcriber = load(&config, Path::new("models")).unwrap();
    println!("| speech | pass | words | word errors | share of real time |\n|---|---|---|---|---|");
    for (name, files) in sets(root) {
        let prompt = meeting_prompt(Some("Weekly planning"), &["Anna Berg".into(), "Sam Lee".into()]);
        let told = Hints { prompt, ..Hints::default() };
        for (pass, effort, hints) in [
            ("partial", Effort::Partial, Hints::default()),
            ("live", Effort::Live, Hints::default()),
            ("live, prompted", Effort::Live, told.clone()),
            ("final", Effort::Final, Hints::default()),
            ("final, prompted", Effort::Final, told),
        ] {
            let how = How { hints: hints.into(), ..How::of(effort) };
            let (mut words, mut errors, mut heard_s, mut seconds) = (0.0, 0.0, 0.0, 0.0);
            for (path, reference) in &files {
                let samples = read(path);
                let began = Instant::now();
                let mut said = Vec::new();
                let (mut listener, mut utterances) =
                    (Listener::new(&config::Vad::default()).unwrap(), Vec::new());
                listener.push(&samples, &mut utterances);
                listener.flush(&mut utterances);
                for utterance in &utterances {
                    let segments = transcriber.transcribe(utterance, &how).unwrap();
                    said.extend(segments.into_iter().map(|it| it.text));
                }
                seconds += began.elapsed().as_secs_f64();
                heard_s += samples.len() as f64 / 16_000.0;
                let count = reference.split_whitespace().count() as f64;
                words += count;
                errors += count * word_error_rate(reference, &said.join(" "));
            }
            let (rate, factor) = (100.0 * errors / words, seconds / heard_s);
            println!("| {name} | {pass} | {words} | {rate:.1} % | {factor:.3} |");
        }
    }
}

fn sets(root: &Path) -> BTreeMap<&'static str, Vec<Spoken>> {
    let mut sets: BTreeMap<&str, Vec<Spoken>> = BTreeMap::new();
    let fixtures = root.join("tests/fixtures/speech");
    sets.insert("the fixture's meeting", meetings(&fixtures, "meeting-0"));
    let shared = root.join("../shared/audio/speech");
    let Ok(table) = fs::read_to_string(shared.join("sentences.tsv")) else { return sets };
    sets.insert("meetings", meetings(&shared, "meeting-"));
    for line in table.lines().skip(1) {
        // File, voice group, voice, condition, text.
        let fields: Vec<&str> = line.split('\t').collect();
        let set = if fields[3] == "clean" { "sentences, clean" } else { "sentences, in noise" };
        sets.entry(set).or_default().push((shared.join(fields[0]), fields[4].to_string()));
    }
    sets
}

fn meetings(dir: &Path, prefix: &str) -> Vec<Spoken> {
    let found = fs::read_dir(dir).unwrap().flatten().map(|it| it.path());
    let is_meeting = |it: &PathBuf| {
        it.file_name().is_some_and(|it| it.to_string_lossy().starts_with(prefix))
            && it.extension().is_some_and(|it| it == "wav")
    };
    found
        .filter(is_meeting)
        .map(|it| (it.clone(), fs::read_to_string(it.with_extension("txt")).unwrap()))
        .collect()
}

fn read(path: &Path) -> Vec<f32> {
    let mut file = WavReader::open(path).unwrap();
    let (mut bytes, mut samples) = (Vec::new(), Vec::new());
    file.read(usize::MAX, &mut bytes).unwrap();
    file.info().format.sample.decode(&bytes, &mut samples);
    samples
}
