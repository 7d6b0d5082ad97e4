//! Sound in which nobody speaks: no words come of it, whichever way it goes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::f32::consts::TAU;

use super::tests::transcriber;
use crate::{
    config,
    speech::{Effort, How, Listener, Transcriber, Utterance},
};

const RATE: f32 = 16_000.0;

/// Noise that is the same every time: a linear congruential generator (Numerical Recipes), ±1.
fn white() -> impl FnMut() -> f32 {
    let mut seed = 1_u32;
    move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// What a room sounds like when nobody speaks: pink noise (Paul Kellet's economy filter), the hum of the
/// mains with its harmonics, and a fan that comes and goes; as loud as `dbfs`, RMS.
fn room(seconds: usize, dbfs: f32) -> Vec<f32> {
    let mut white = white();
    let mut b = [0.0_f32; 3];
    let mut samples: Vec<f32> = (0..seconds * RATE as usize)
        .map(|n| {
            let (w, t) = (white(), n as f32 / RATE);
            b[0] = 0.99765 * b[0] + w * 0.099_046;
            b[1] = 0.963 * b[1] + w * 0.296_516_4;
            b[2] = 0.57 * b[2] + w * 1.052_691_3;
            let pink = b.iter().sum::<f32>() + w * 0.1848;
            let hum = (TAU * 50.0 * t).sin() + 0.5 * (TAU * 100.0 * t).sin() + 0.2 * (TAU * 150.0 * t).sin();
            pink * (1.0 + 0.5 * (TAU * t / 45.0).sin()) + hum
        })
        .collect();
    level(&mut samples, dbfs);
    samples
}

/// A chord a second, plucked, of four notes with six harmonics each (C, A minor, F, G), and a bass.
fn music(seconds: usize, dbfs: f32) -> Vec<f32> {
    let chords = [[261.6, 329.6, 392.0], [220.0, 261.6, 329.6], [174.6, 220.0, 261.6], [196.0, 246.9, 293.7]];
    let mut samples: Vec<f32> = (0..seconds * RATE as usize)
        .map(|n| {
            let (second, t) = (n / RATE as usize, n as f32 / RATE);
            let chord: [f32; 3] = chords[second % 4];
            let since = t - second as f32;
            let pluck = (since * 40.0).min(1.0) * (-3.0 * since).exp();
            let note = |hz: f32| (1..=6).map(|k| (TAU * hz * k as f32 * since).sin() / k as f32).sum::<f32>();
            pluck * (chord.iter().map(|hz| note(*hz)).sum::<f32>() + note(chord[0] / 2.0))
        })
        .collect();
    level(&mut samples, dbfs);
    samples
}

fn level(samples: &mut [f32], dbfs: f32) {
    let rms = (samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32).sqrt();
    let factor = 10_f32.powf(dbfs / 20.0) / rms;
    samples.iter_mut().for_each(|it| *it *= factor);
}

/// What is written of `samples` by captions and by the final pass, and how many seconds were taken for speech.
fn written(samples: &[f32]) -> (Vec<String>, usize) {
    let mut listener = Listener::new(&config::Vad::default()).unwrap();
    let mut found = Vec::new();
    samples.chunks(320).for_each(|it| listener.push(it, &mut found));
    listener.flush(&mut found);
    let heard = found.iter().map(|it| it.samples.len()).sum::<usize>() / RATE as usize;
    (said(&found), heard)
}

fn said(found: &[Utterance]) -> Vec<String> {
    let mut transcriber = transcriber();
    let mut texts = Vec::new();
    for utterance in found {
        for effort in [Effort::Partial, Effort::Live, Effort::Final] {
            let segments = transcriber.transcribe(utterance, &How::of(effort)).unwrap();
            texts.extend(
                segments.into_iter().map(|it| format!("{effort:?} at {} ms: {}", it.start_ms, it.text)),
            );
        }
    }
    texts
}

#[test]
fn ten_minutes_of_room_noise_have_no_words() {
    let (texts, heard) = written(&room(600, -45.0));
    println!("{heard} s of the noise were taken for speech");
    assert_eq!(texts, Vec::<String>::new());
}

#[test]
fn a_minute_of_music_has_no_words() {
    let (texts, heard) = written(&music(60, -20.0));
    println!("{heard} s of the music were taken for speech");
    assert_eq!(texts, Vec::<String>::new());
}

/// As if the detector had been wrong.
#[test]
fn whisper_by_itself_hears_nothing_in_noise_and_music() {
    let pieces = |samples: Vec<f32>| -> Vec<Utterance> {
        let mut lengths = [1, 3, 5, 10].iter().cycle();
        let mut at = 0;
        std::iter::from_fn(|| {
            let to = at + lengths.next()? * RATE as usize;
            let piece = samples.get(at..to)?.to_vec();
            let start_sample = std::mem::replace(&mut at, to) as u64;
            Some(Utterance { start_sample, samples: piece })
        })
        .collect()
    };
    let texts =
        [said(&pieces(room(38, -45.0))), said(&pieces(room(19, -30.0))), said(&pieces(music(38, -20.0)))];
    assert_eq!(texts, [const { Vec::<String>::new() }; 3]);
}
