//! The pitch of a voice. Owns finding the fundamental frequency of a frame by autocorrelation.

use std::{f32::consts::PI, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};

use crate::RATE_HZ;

/// Samples looked at: 40 ms, more than two periods of the lowest voice.
pub(crate) const SPAN: usize = 640;

/// Room for the lags without wrapping round.
const TRANSFORM: usize = 1024;
const LOW_HZ: f32 = 60.0;
const HIGH_HZ: f32 = 400.0;
/// A frame is voiced where the wave a period later is at least this much like itself.
const VOICED: f32 = 0.5;
/// Sum of squares of the windowed samples of what is only rounding, -90 dBFS.
const SILENCE: f32 = 2e-7;
/// What an octave higher is worth, against taking two periods for one.
const OCTAVE_COST: f32 = 0.02;

/// Finds pitch: the greatest maximum of the autocorrelation of the windowed sound divided by that of the
/// window (Boersma 1993, "Accurate short-term analysis of the fundamental frequency", eq. 9 and 26).
pub(crate) struct Pitch {
    forward: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
    sound: Vec<f32>,
    spectrum: Vec<Complex32>,
    forward_scratch: Vec<Complex32>,
    back_scratch: Vec<Complex32>,
    window: Vec<f32>,
    /// The window's own autocorrelation, 1 at lag 0.
    of_window: Vec<f32>,
}

impl Pitch {
    pub(crate) fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, back) = (planner.plan_fft_forward(TRANSFORM), planner.plan_fft_inverse(TRANSFORM));
        let mut it = Self {
            sound: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            forward_scratch: forward.make_scratch_vec(),
            back_scratch: back.make_scratch_vec(),
            forward,
            back,
            window: (0..SPAN)
                .map(|i| 0.5 - 0.5 * (2.0 * PI * (i as f32 + 0.5) / SPAN as f32).cos())
                .collect(),
            of_window: vec![1.0; TRANSFORM],
        };
        it.correlate(&[1.0; SPAN], 0.0);
        it.of_window.copy_from_slice(&it.sound);
        it
    }

    /// The pitch in Hz of `SPAN` samples, if they are voiced.
    pub(crate) fn of(&mut self, samples: &[f32]) -> Option<f32> {
        let mean = samples.iter().sum::<f32>() / samples.len() as f32;
        self.correlate(samples, mean);
        let (shortest, longest) = ((RATE_HZ as f32 / HIGH_HZ) as usize, (RATE_HZ as f32 / LOW_HZ) as usize);
        let likeness = |lag: usize| self.sound[lag] / self.of_window[lag];
        let mut best: Option<(f32, f32)> = None;
        for lag in shortest..=longest {
            let [left, it, right] = [lag - 1, lag, lag + 1].map(likeness);
            if it < VOICED || it < left || it <= right {
                continue;
            }
            // The top of the parabola through the three.
            let bend = left - 2.0 * it + right;
            let shift = if bend < 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
            let hz = RATE_HZ as f32 / (lag as f32 + shift);
            let top = it - 0.25 * (left - right) * shift;
            let worth = top.min(1.0) + OCTAVE_COST * (hz / LOW_HZ).log2();
            if best.is_none_or(|(most, _)| worth > most) {
                best = Some((worth, hz));
            }
        }
        best.map(|(_, hz)| hz)
    }

    /// Leaves the autocorrelation of the windowed samples in `sound`, 1 at lag 0; zeros for silence.
    fn correlate(&mut self, samples: &[f32], mean: f32) {
        self.sound.fill(0.0);
        for ((it, sample), weight) in self.sound.iter_mut().zip(samples).zip(&self.window) {
            *it = (sample - mean) * weight;
        }
        let there =
            self.forward.process_with_scratch(&mut self.sound, &mut self.spectrum, &mut self.forward_scratch);
        self.spectrum.iter_mut().for_each(|it| *it = Complex32::new(it.norm_sqr(), 0.0));
        let back =
            self.back.process_with_scratch(&mut self.spectrum, &mut self.sound, &mut self.back_scratch);
        debug_assert!(there.is_ok() && back.is_ok(), "the buffers are of the transforms' own making");
        let power = self.sound[0];
        // The transform there and back multiplies by its length.
        if power > SILENCE * TRANSFORM as f32 {
            self.sound.iter_mut().for_each(|it| *it /= power);
        } else {
            self.sound.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_pitch_of_a_buzz_within_one_percent() {
        for hz in [70.0f32, 95.0, 120.0, 180.0, 240.0, 330.0, 390.0] {
            // Ten harmonics, each weaker by its number, the first one missing as on a telephone.
            let samples: Vec<f32> = (0..SPAN)
                .map(|i| {
                    (2..=10)
                        .map(|k| (2.0 * PI * hz * k as f32 * i as f32 / RATE_HZ as f32).sin() / k as f32)
                        .sum()
                })
                .collect();
            let found = Pitch::new().of(&samples).expect("a pitch");
            assert!((found / hz - 1.0).abs() < 0.01, "{hz} Hz: {found}");
        }
    }

    #[test]
    fn noise_and_silence_have_none() {
        let mut state = 1u32;
        let noise: Vec<f32> = (0..SPAN)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state as f32 / u32::MAX as f32 - 0.5
            })
            .collect();
        assert_eq!(Pitch::new().of(&noise), None);
        assert_eq!(Pitch::new().of(&[0.0; SPAN]), None);
        assert_eq!(Pitch::new().of(&[0.7; SPAN]), None);
    }
}
