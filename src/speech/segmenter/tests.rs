//! Rules that hold for every stream.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::speech::{
    Listener,
    vad::{Gate, Vad},
};

const FRAME: usize = 256;

/// Its probability is the frame's first sample.
struct Marked;

impl Vad for Marked {
    fn frame_samples(&self) -> usize {
        FRAME
    }
    fn probability(&mut self, frame: &[f32]) -> f32 {
        frame.first().copied().unwrap_or(0.0)
    }
    fn reset(&mut self) {}
    fn name(&self) -> &'static str {
        "marked"
    }
}

fn config() -> config::Vad {
    config::Vad {
        threshold: 0.5,
        min_speech_duration_ms: 100,
        min_silence_duration_ms: 320,
        max_speech_duration_s: 2.0,
        speech_pad_ms: 96,
        ..config::Vad::default()
    }
}

/// Runs of (probability, frames) as sound.
fn sound(runs: &[(f32, usize)]) -> Vec<f32> {
    runs.iter().flat_map(|&(p, n)| std::iter::repeat_n(p, n * FRAME)).collect()
}

fn heard(config: &config::Vad, sound: &[f32], step: usize) -> Vec<Utterance> {
    let mut listener = Listener::with_vad(config, Gate::new(Box::new(Marked), -200.0));
    let mut out = Vec::new();
    for part in sound.chunks(step) {
        listener.push(part, &mut out);
    }
    listener.flush(&mut out);
    out
}

/// Start and end of each utterance in frames.
fn places(runs: &[(f32, usize)]) -> Vec<(usize, usize)> {
    heard(&config(), &sound(runs), 1000)
        .iter()
        .map(|it| (it.start_sample as usize / FRAME, (it.start_sample as usize + it.samples.len()) / FRAME))
        .collect()
}

/// Name, runs, and where the utterances are.
type Case = (&'static str, &'static [(f32, usize)], &'static [(usize, usize)]);

// A frame is 16 ms: speech of 6.25, silence of 20, a pad of 6 frames, 125 frames at most.
#[test]
fn utterances_begin_and_end_as_whisper_cpp_says() {
    let cases: [Case; 8] = [
        ("silence", &[(0.0, 200)], &[]),
        ("padded on both sides", &[(0.0, 50), (0.9, 20), (0.0, 50)], &[(44, 76)]),
        ("too short", &[(0.0, 50), (0.9, 6), (0.0, 50)], &[]),
        ("a short pause joins", &[(0.0, 50), (0.9, 20), (0.0, 19), (0.9, 20), (0.0, 30)], &[(44, 115)]),
        ("a long pause parts", &[(0.9, 20), (0.0, 20), (0.9, 20), (0.0, 30)], &[(0, 26), (34, 66)]),
        ("hysteresis goes on", &[(0.9, 10), (0.4, 60), (0.0, 30)], &[(0, 76)]),
        ("hysteresis does not begin", &[(0.4, 60), (0.0, 30)], &[]),
        ("ends with the stream", &[(0.0, 30), (0.9, 20)], &[(24, 50)]),
    ];
    for (name, runs, want) in cases {
        assert_eq!(places(runs), want, "{name}");
    }
}

#[test]
fn long_speech_is_cut_at_its_least_likely_place() {
    assert_eq!(places(&[(0.9, 100), (0.6, 1), (0.9, 60), (0.0, 30)]), [(0, 100), (100, 167)]);
}

#[test]
fn memory_stays_bounded() {
    let mut segmenter = Segmenter::new(&config());
    let mut out = Vec::new();
    for i in 0..20_000 {
        segmenter.push(&[0.1; FRAME], if i % 1000 < 500 { 0.9 } else { 0.0 }, &mut out);
        out.clear();
        assert!(segmenter.audio.len() < 4 * 16_000);
    }
}

#[test]
fn speech_so_far_grows_from_where_its_utterance_begins() {
    let mut listener = Listener::with_vad(&config(), Gate::new(Box::new(Marked), -200.0));
    let mut out = Vec::new();
    listener.push(&sound(&[(0.0, 50), (0.9, 6)]), &mut out);
    assert_eq!(listener.speech(), None, "too short to be an utterance");
    listener.push(&sound(&[(0.9, 14)]), &mut out);
    assert_eq!(listener.speech(), Some((50 * FRAME as u64, 20 * FRAME as u64)));
    let first = listener.so_far().unwrap();
    assert_eq!((first.start_sample as usize, first.samples.len()), (44 * FRAME, 26 * FRAME));
    listener.push(&sound(&[(0.0, 19)]), &mut out);
    assert_eq!(listener.speech(), None, "it may have ended");
    listener.push(&sound(&[(0.9, 10)]), &mut out);
    assert_eq!(listener.speech(), Some((50 * FRAME as u64, 49 * FRAME as u64)));
    let second = listener.so_far().unwrap();
    assert_eq!((second.start_sample, second.samples.len()), (first.start_sample, 55 * FRAME));
    assert!(out.is_empty());
    listener.push(&sound(&[(0.0, 20)]), &mut out);
    assert_eq!(out[0].start_sample, first.start_sample);
    assert_eq!(out[0].samples[..second.samples.len()], second.samples);
    assert_eq!((listener.speech(), listener.so_far()), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn utterances_are_ordered_apart_and_true_to_the_input(
        runs in prop::collection::vec((0.0_f32..1.0, 1_usize..150), 1..20),
        rest in 0_usize..FRAME,
        step in 1_usize..5000,
    ) {
        let mut sound = sound(&runs);
        sound.extend(std::iter::repeat_n(0.9, rest));
        // Told apart by their noise, so that a wrong place shows.
        for (i, x) in sound.iter_mut().enumerate().filter(|(i, _)| i % FRAME != 0) {
            *x = (i % 977) as f32 / 977.0;
        }
        let config = config();
        let out = heard(&config, &sound, step);
        let mut from = 0;
        let longest = (2.0 * 16_000.0) as usize + 2 * 96 * 16;
        for it in &out {
            let start = it.start_sample as usize;
            prop_assert!(start >= from, "overlap at {start}, {from}");
            from = start + it.samples.len();
            prop_assert!(from <= sound.len() && !it.samples.is_empty());
            prop_assert!(it.samples.len() <= longest, "{}", it.samples.len());
            prop_assert_eq!(&it.samples, &sound[start..from]);
        }
        prop_assert_eq!(heard(&config, &sound, sound.len()), out);
    }
}
