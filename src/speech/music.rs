//! Whether sound is music, or a tone, and not speech. Owns that measure: speech detectors take music for
//! speech, and a small Whisper then dreams, as sure of itself as of real words.
//!
//! Notes stand still, a voice glides. So the fine structure of the spectrum (its logarithm less its running
//! mean, 200 Hz to 4 kHz) is compared with that of 128 ms later: the median of their cosine similarity is 0.95
//! and more in chords, and 0.34 at most in 2 s and 4 s of 382 pieces of synthesised speech, clean and in noise.
//! Speech over music lies between, and passes. Singing passes, too.

use std::sync::{Arc, LazyLock};

use realfft::{RealFftPlanner, RealToComplex, num_complex};

use super::SAMPLE_RATE_HZ;

/// Frame of 64 ms: partials of notes stand apart.
const FRAME: usize = 1024;
const HOP: usize = FRAME / 2;
/// Frames between the two that are compared: 128 ms.
const LAG: usize = 4;
/// Bins on each side that a bin is compared with.
const AROUND: usize = 9;
/// Frames this much weaker than the strongest say nothing: 30 dB.
const FLOOR: f32 = 1e-3;
/// Fewer comparisons than this say nothing.
const LEAST: usize = 8;
/// Between speech and chords, nearer to chords: to lose speech is worse.
const STEADY: f32 = 0.7;

/// Whether nothing but steady notes sound in `samples`, 16 kHz.
pub(super) fn is_music(samples: &[f32]) -> bool {
    steadiness(samples).is_some_and(|it| it > STEADY)
}

/// Worked out once: this is asked of every utterance and every partial caption.
static TRANSFORM: LazyLock<Arc<dyn RealToComplex<f32>>> =
    LazyLock::new(|| RealFftPlanner::new().plan_fft_forward(FRAME));
static HANN: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..FRAME).map(|n| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / FRAME as f32).cos()).collect()
});

fn steadiness(samples: &[f32]) -> Option<f32> {
    let transform = &*TRANSFORM;
    let bin = |hz: usize| hz * FRAME / SAMPLE_RATE_HZ as usize;
    let band = bin(200)..bin(4000);
    let mut spectrum = transform.make_output_vec();
    let mut frame = transform.make_input_vec();
    // Fine structure, of length 1, and energy.
    let mut frames: Vec<(Vec<f32>, f32)> = Vec::new();
    for window in samples.windows(FRAME).step_by(HOP) {
        for ((to, from), hann) in frame.iter_mut().zip(window).zip(&*HANN) {
            *to = from * hann;
        }
        transform.process(&mut frame, &mut spectrum).ok()?;
        let energy = spectrum.iter().map(num_complex::Complex::norm_sqr).sum();
        let log: Vec<f32> = spectrum.iter().map(|it| (it.norm() + 1e-6).ln()).collect();
        let fine = |at: usize| {
            let around = &log[at - AROUND..=at + AROUND];
            log[at] - around.iter().sum::<f32>() / around.len() as f32
        };
        let mut fine: Vec<f32> = band.clone().map(fine).collect();
        let length = fine.iter().map(|it| it * it).sum::<f32>().sqrt().max(1e-9);
        fine.iter_mut().for_each(|it| *it /= length);
        frames.push((fine, energy));
    }
    let floor = frames.iter().map(|it| it.1).fold(0.0, f32::max) * FLOOR;
    let pairs = frames.iter().zip(frames.iter().skip(LAG)).filter(|(a, b)| a.1.min(b.1) > floor);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let mut alike: Vec<f32> = pairs.map(|(a, b)| dot(&a.0, &b.0)).collect();
    alike.sort_unstable_by(f32::total_cmp);
    (alike.len() >= LEAST).then(|| alike[alike.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::WavReader;

    #[test]
    fn speech_is_no_music_and_a_chord_is() {
        let mut file = WavReader::open("tests/fixtures/speech/meeting_picked.wav").unwrap();
        let (mut bytes, mut speech) = (Vec::new(), Vec::new());
        file.read(usize::MAX, &mut bytes).unwrap();
        file.info().format.sample.decode(&bytes, &mut speech);
        for seconds in [1, 2, 4, 16] {
            for piece in speech.chunks_exact(seconds * 16_000) {
                let found = steadiness(piece);
                assert!(found.is_none_or(|it| it < 0.5), "{found:?} in {seconds} s");
            }
        }
        let chord = |n: usize| {
            let phase = |hz: f32| (std::f32::consts::TAU * hz * n as f32 / 16_000.0).sin();
            [261.6, 329.6, 392.0, 523.2, 659.2, 784.0].map(phase).iter().sum::<f32>() / 10.0
        };
        let chord: Vec<f32> = (0..16_000).map(chord).collect();
        assert!(is_music(&chord), "{:?}", steadiness(&chord));
        let over: Vec<f32> = chord.iter().zip(&speech[16_000..]).map(|(a, b)| a / 4.0 + b).collect();
        assert!(!is_music(&over), "{:?}", steadiness(&over));
        for too_short in [0, 1, FRAME, 4 * FRAME] {
            assert_eq!(steadiness(&chord[..too_short]), None);
        }
        assert!(!is_music(&[0.0; 16_000]) && !is_music(&[f32::NAN; 16_000]));
    }
}
