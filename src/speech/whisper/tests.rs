//! The demo model, really run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};

use super::{quality::*, words::*, *};
use crate::{
    audio::WavReader,
    config,
    speech::{Effort, How, Transcriber, Utterance, Word},
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn transcriber() -> WhisperTranscriber {
    let config = config::Transcription { threads: Some(1), ..config::Transcription::default() };
    WhisperTranscriber::load(&fixture("panotti-demo.en-q5_1.bin"), &config).unwrap()
}

fn samples(name: &str) -> Vec<f32> {
    let mut file = WavReader::open(fixture("speech").join(name)).unwrap();
    let mut bytes = Vec::new();
    file.read(usize::MAX, &mut bytes).unwrap();
    let mut out = Vec::new();
    file.info().format.sample.decode(&bytes, &mut out);
    out
}

#[test]
fn known_sentences_come_out_exactly_in_both_efforts() {
    let manifest = std::fs::read_to_string(fixture("speech/manifest.tsv")).unwrap();
    let mut it = transcriber();
    let mut n = 0;
    for line in manifest.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if !fixture("speech").join(fields[0]).exists() {
            continue;
        }
        let utterance = Utterance { start_sample: 32_000, samples: samples(fields[0]) };
        for effort in [Effort::Live, Effort::Final] {
            let segments = it.transcribe(&utterance, &How::of(effort)).unwrap();
            let text: Vec<&str> = segments.iter().map(|it| it.text.as_str()).collect();
            assert_eq!(text.join(" "), fields[4], "{} {effort:?}", fields[0]);
            let end = 2000 + utterance.samples.len() as u64 / 16;
            let mut from = 2000;
            for word in segments.iter().flat_map(|it| &it.words) {
                assert!(
                    word.start_ms >= from && word.end_ms >= word.start_ms && word.end_ms <= end,
                    "{word:?}"
                );
                assert!((0.0..=1.0).contains(&word.confidence));
                from = word.end_ms;
            }
            assert!(segments.iter().all(|it| it.confidence > 0.3));
        }
        n += 1;
    }
    assert!(n >= 4);
}

#[test]
fn nothing_is_said_in_silence_and_noise() {
    let mut it = transcriber();
    // A linear congruential generator (Numerical Recipes), for noise that is the same every time.
    let mut seed = 1_u32;
    let mut noise = |level: f32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((seed >> 8) as f32 / (1 << 23) as f32 - 1.0) * level
    };
    let cases: [Vec<f32>; 5] = [
        Vec::new(),
        vec![0.0; 16_000],
        vec![f32::NAN; 16_000],
        (0..800).map(|_| noise(0.01)).collect(),
        samples("silence0.wav")[..32_000].to_vec(),
    ];
    for (i, samples) in cases.into_iter().enumerate() {
        for effort in [Effort::Live, Effort::Final] {
            let heard = it
                .transcribe(&Utterance { start_sample: 0, samples: samples.clone() }, &How::of(effort))
                .unwrap();
            assert!(heard.is_empty(), "case {i}: {heard:?}");
        }
    }
}

#[test]
fn tokens_become_words() {
    let token =
        |text: &[u8], start_ms, end_ms| Token { bytes: text.into(), start_ms, end_ms, probability: 0.5 };
    let tokens = [
        token(b" caf", -20, 100),
        token(b"\xc3", 100, 110),
        token(b"\xa9", 110, 300),
        token(b",", 300, 310),
        token(b" -", 310, 320),
        token(b" so", 200, 9000),
    ];
    let found: Vec<(String, u64, u64)> =
        words(&tokens, 1000, 500).into_iter().map(|it| (it.text, it.start_ms, it.end_ms)).collect();
    assert_eq!(found, [("café, -".into(), 1000, 1320), ("so".into(), 1320, 1500)]);
}

fn spoken(text: &str) -> Vec<Word> {
    let word = |(i, it): (usize, &str)| Word {
        start_ms: i as u64 * 500,
        end_ms: i as u64 * 500 + 400,
        text: it.into(),
        confidence: 1.0,
    };
    text.split(' ').enumerate().map(word).collect()
}

#[test]
fn long_talk_is_parted_at_the_ends_of_sentences() {
    let found = segments(spoken("Yes. We go at 6.20 today. No."), 2000);
    let texts: Vec<&str> = found.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["Yes. We go at 6.20 today.", "No."]);
    assert_eq!((found[0].start_ms, found[0].end_ms, found[1].start_ms), (0, 2900, 3000));
}

#[test]
fn circles_are_seen() {
    for (text, want) in [
        ("no no no no", true),
        ("a thank you thank you thank you thank you", true),
        ("no no no we go", false),
        ("the one and the two and the six and the ten", false),
    ] {
        assert_eq!(repeats(&spoken(text)), want, "{text}");
    }
}
