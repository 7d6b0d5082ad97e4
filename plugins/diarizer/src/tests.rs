//! The diarizer as its callers see it: on the spoken fixtures, and on whatever may come.

use std::{collections::BTreeSet, fs, path::PathBuf};

use panotti_sdk::diarizer::{Diarizer, Turn};
use proptest::{prelude::*, prop_assert, prop_assert_eq, proptest};

use crate::{
    RATE_HZ, SpectralDiarizer,
    der::{Scoring, score},
};

const SCORING: Scoring = Scoring { collar_ms: 250, overlap: true };

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/fixtures/speech", name].iter().collect()
}

fn sound(name: &str) -> Vec<f32> {
    let mut reader = hound::WavReader::open(fixture(name)).unwrap();
    assert_eq!(reader.spec().sample_rate as usize, RATE_HZ);
    reader.samples::<i16>().map(|it| f32::from(it.unwrap()) / 32768.0).collect()
}

/// The sentences of the fixture's meeting of three voices: when, and by whom.
fn meeting() -> (Vec<f32>, Vec<Turn>) {
    let text = fs::read_to_string(fixture("meeting-0.segments.tsv")).unwrap();
    let ms = |s: &str| (s.parse::<f64>().unwrap() * 1000.0) as u64;
    let voices = ["espeak/en-us", "espeak/en-us+robert", "flite/slt"];
    let turns = text
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            Turn {
                start_ms: ms(fields[0]),
                end_ms: ms(fields[1]),
                speaker: voices.iter().position(|it| *it == fields[2]).unwrap(),
            }
        })
        .collect();
    (sound("meeting-0.wav"), turns)
}

/// What is said while these turns are heard one by one, each in pieces of `piece_ms` at most, and after.
fn diarize(samples: &[f32], turns: &[Turn], piece_ms: u64) -> (Vec<Turn>, Vec<Turn>) {
    let mut diarizer = SpectralDiarizer::new();
    let mut online = Vec::new();
    for turn in turns {
        let mut from = turn.start_ms;
        while from < turn.end_ms {
            let to = (from + piece_ms).min(turn.end_ms);
            online.extend(diarizer.hear(from, &samples[from as usize * 16..to as usize * 16]));
            from = to;
        }
    }
    (online, diarizer.settle())
}

fn speakers(turns: &[Turn]) -> BTreeSet<usize> {
    turns.iter().map(|it| it.speaker).collect()
}

#[test]
fn three_voices_are_three_speakers() {
    let (samples, reference) = meeting();
    let (online, settled) = diarize(&samples, &reference, u64::MAX / 2);
    assert_eq!(speakers(&settled), BTreeSet::from([0, 1, 2]));
    let settled = score(&reference, &settled, SCORING).rate();
    let online = score(&reference, &online, SCORING).rate();
    assert!(settled <= 0.02, "{settled}");
    assert!(online <= 0.15, "{online}");
}

#[test]
fn any_two_voices_are_two_speakers() {
    let (samples, all) = meeting();
    for absent in 0..3 {
        let mut reference = all.clone();
        reference.retain(|it| it.speaker != absent);
        let (_, settled) = diarize(&samples, &reference, u64::MAX / 2);
        assert_eq!(speakers(&settled).len(), 2, "without {absent}");
        let rate = score(&reference, &settled, SCORING).rate();
        assert!(rate <= 0.05, "without {absent}: {rate}");
    }
}

#[test]
fn one_voice_is_one_speaker() {
    let (samples, all) = meeting();
    for speaker in 0..3 {
        let mut reference = all.clone();
        reference.retain(|it| it.speaker == speaker);
        let (online, settled) = diarize(&samples, &reference, u64::MAX / 2);
        assert_eq!(speakers(&online), BTreeSet::from([0]), "{speaker}");
        assert_eq!(speakers(&settled), BTreeSet::from([0]), "{speaker}");
    }
    for name in ["ex01.wav", "ex02.wav", "ex03.wav", "ex04.wav"] {
        let samples = sound(name);
        let end_ms = samples.len() as u64 / 16;
        let whole = Turn { start_ms: 0, end_ms, speaker: 0 };
        assert_eq!(diarize(&samples, &[whole], u64::MAX / 2), (vec![whole], vec![whole]), "{name}");
    }
}

#[test]
fn where_nobody_speaks_there_is_nobody() {
    let mut diarizer = SpectralDiarizer::new();
    for samples in [vec![], vec![0.0; 40], vec![0.0; 480_000], vec![f32::NAN; 40_000], sound("silence0.wav")]
    {
        assert_eq!(diarizer.hear(0, &samples), [], "{} samples", samples.len());
    }
    assert_eq!(diarizer.settle(), []);
}

#[test]
fn the_same_sound_gives_the_same_turns_in_whatever_pieces_it_comes() {
    let (samples, reference) = meeting();
    let (online, whole) = diarize(&samples, &reference, u64::MAX / 2);
    assert_eq!(diarize(&samples, &reference, u64::MAX / 2), (online, whole.clone()));
    for piece_ms in [1500, 2000, 3000] {
        let (_, pieces) = diarize(&samples, &reference, piece_ms);
        let rate = score(&whole, &pieces, SCORING).rate();
        assert!(rate <= 0.1, "{piece_ms} ms: {rate}");
    }
}

#[test]
fn a_stretch_longer_than_is_looked_at_at_once_is_covered() {
    let samples = sound("meeting-0.wav");
    let end_ms = samples.len() as u64 / 16;
    let mut diarizer = SpectralDiarizer::new();
    let online = diarizer.hear(500, &samples);
    let settled = diarizer.settle();
    for turns in [&online, &settled] {
        assert_eq!((turns[0].start_ms, turns[turns.len() - 1].end_ms), (500, 500 + end_ms));
        assert!(turns.windows(2).all(|it| it[0].end_ms == it[1].start_ms));
        assert!(speakers(turns).len() > 1);
    }
}

/// A buzz with this pitch and this much of high frequencies in noise, or what no microphone would give.
fn any_sound() -> impl Strategy<Value = Vec<f32>> {
    let voice = (60u32..400, 0.0f32..1.0, 0.0f32..0.3, 0usize..60_000, any::<u32>());
    let voiced = voice.prop_map(|(hz, bright, noise, samples, mut state)| {
        let period = RATE_HZ as u32 / hz;
        let mut last = 0.0;
        (0..samples as u32)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let pulse = if i % period == 0 { 0.8 } else { 0.0 };
                last = pulse + (1.0 - bright) * 0.9 * last;
                last + noise * (state as f32 / u32::MAX as f32 - 0.5)
            })
            .collect::<Vec<f32>>()
    });
    let broken = prop::collection::vec(
        prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(-f32::MAX), Just(1e-40), -2.0f32..2.0],
        0..3000,
    );
    prop_oneof![4 => voiced, 1 => broken]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn turns_are_in_order_without_gaps_and_new_speakers_get_the_next_number(
        stretches in prop::collection::vec((any_sound(), 0u64..3000), 0..12)
    ) {
        let (mut diarizer, mut again) = (SpectralDiarizer::new(), SpectralDiarizer::new());
        let (mut at, mut known) = (0, 0);
        let mut covered = Vec::new();
        for (samples, pause_ms) in &stretches {
            at += pause_ms;
            let end_ms = at + samples.len() as u64 / 16;
            let turns = diarizer.hear(at, samples);
            prop_assert_eq!(&turns, &again.hear(at, samples));
            if let (Some(first), Some(last)) = (turns.first(), turns.last()) {
                prop_assert_eq!((first.start_ms, last.end_ms), (at, end_ms));
                covered.push((at, end_ms));
            }
            for pair in turns.windows(2) {
                prop_assert_eq!(pair[0].end_ms, pair[1].start_ms);
                prop_assert!(pair[0].speaker != pair[1].speaker);
            }
            for turn in &turns {
                prop_assert!(turn.start_ms < turn.end_ms);
                prop_assert!(turn.speaker <= known);
                known = known.max(turn.speaker + 1);
            }
            at = end_ms;
        }
        let settled = diarizer.settle();
        prop_assert_eq!(&settled, &again.settle());
        let mut known = 0;
        for turn in &settled {
            prop_assert!(turn.speaker <= known);
            known = known.max(turn.speaker + 1);
        }
        // All that was heard, and no more. Turns may go on over stretches that touch.
        let joined = |spans: &mut dyn Iterator<Item = (u64, u64)>| {
            let mut all: Vec<(u64, u64)> = Vec::new();
            for (from, to) in spans {
                match all.last_mut() {
                    Some(last) if last.1 == from => last.1 = to,
                    _ => all.push((from, to)),
                }
            }
            all
        };
        let heard = joined(&mut covered.into_iter());
        prop_assert_eq!(joined(&mut settled.iter().map(|it| (it.start_ms, it.end_ms))), heard);
    }
}
