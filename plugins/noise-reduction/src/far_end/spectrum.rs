//! The far end, taken out frequency by frequency. Owns the estimate of its share in the microphone and the
//! Wiener gain that follows from it; the microphone's phase stays as it is.

use std::f32::consts::PI;

use realfft::num_complex::{Complex32, Complex64};

use super::{fourier::Fourier, toeplitz};
use crate::Config;

/// A window is about as long as a vowel stays the same, s.
const WINDOW_S: f64 = 0.032;
/// Half windows over which the room is still heard: 160 ms at 16 kHz.
const TAPS: usize = 10;
/// Half windows that the far end may come before the delay that was found.
const BEFORE: usize = 1;
/// Noise that the far end is thought to have, as a share of its power: keeps a bin in which it is silent
/// from being given a response.
const LOADING: f64 = 1e-3;

/// In each bin, the far end is what was played there in the last [`TAPS`] half windows, each with a complex
/// factor: a convolution in the bin (Y. Avargel, I. Cohen, "System identification in the short-time Fourier
/// transform domain with crossband filtering", IEEE Trans. ASLP 15, 2007, without crossbands). Least squares
/// over the stretch gives the factors, which somebody speaking at the same time does not change: their voice
/// has nothing to do with what was played.
#[derive(Debug)]
pub(super) struct Spectrum {
    alpha: f32,
    floor: f32,
    smoothing: usize,
    window: Vec<f32>,
    fourier: Fourier,
}

impl Spectrum {
    /// For tracks of `rate_hz`.
    pub(super) fn new(config: &Config, rate_hz: u32) -> Self {
        let size = ((f64::from(rate_hz) * WINDOW_S) as usize).next_power_of_two();
        // Root of a periodic Hann window: applied twice and overlapped by half, it adds up to 1.
        let window = (0..size).map(|it| (PI * it as f32 / size as f32).sin()).collect();
        Self {
            alpha: config.wiener_alpha as f32,
            floor: config.spectral_floor as f32,
            smoothing: config.smoothing_factor as usize,
            window,
            fourier: Fourier::new(size),
        }
    }

    fn hop(&self) -> usize {
        self.window.len() / 2
    }

    /// How much of the system's sound is needed beyond the stretch, samples.
    pub(super) fn history(&self) -> usize {
        (TAPS + 2) * self.hop()
    }

    /// Takes the far end out of a stretch of the microphone. `origin` is where its far end begins in
    /// `window`.
    pub(super) fn run(&mut self, microphone: &mut [f32], window: &[f32], origin: usize) {
        let (hop, bins) = (self.hop(), self.fourier.bins());
        // Each sample lies in two windows, also the first one.
        let frames = microphone.len().div_ceil(hop) + 1;
        let mut heard = self.frames(microphone, -(hop as i64), frames);
        let first = origin as i64 - ((TAPS - BEFORE) * hop) as i64;
        let played = self.frames(window, first, frames + TAPS - 1);
        let mut far = vec![Complex32::default(); heard.len()];
        for bin in 0..bins {
            let factors = factors(bin, bins, &heard, &played);
            for (frame, far) in far.iter_mut().skip(bin).step_by(bins).enumerate() {
                let recent =
                    (0..TAPS).map(|tap| factors[tap] * played[(frame + TAPS - 1 - tap) * bins + bin]);
                *far = recent.sum();
            }
        }
        self.suppress(&mut heard, &far);
        self.overlap(&mut heard, microphone);
    }

    /// Spectra of `frames` windows, one behind the other; the first begins at `start` of `signal`, around
    /// which is silence.
    fn frames(&mut self, signal: &[f32], start: i64, frames: usize) -> Vec<Complex32> {
        let (hop, bins) = (self.hop() as i64, self.fourier.bins());
        let mut spectra = vec![Complex32::default(); frames * bins];
        for (spectrum, frame) in spectra.chunks_exact_mut(bins).zip(0..) {
            let begin = start + frame * hop;
            let samples = (begin..).zip(&self.window).map(|(at, weight)| {
                let sample = usize::try_from(at).ok().and_then(|at| signal.get(at));
                sample.map_or(0.0, |it| it * weight)
            });
            self.fourier.forward(samples, spectrum);
        }
        spectra
    }

    /// Scales each bin by its Wiener gain. Powers are averaged over neighbours before, so that the gain
    /// does not flicker.
    fn suppress(&self, heard: &mut [Complex32], far: &[Complex32]) {
        let bins = self.fourier.bins();
        let (mut heard_power, mut far_power) = (vec![0.0; bins], vec![0.0; bins]);
        let keep = self.smoothing as f32 / (self.smoothing + 1) as f32;
        for (heard, far) in heard.chunks_exact_mut(bins).zip(far.chunks_exact(bins)) {
            for (power, spectrum) in [(&mut heard_power, &*heard), (&mut far_power, far)] {
                for (bin, power) in power.iter_mut().enumerate() {
                    let near = bin.saturating_sub(self.smoothing)..(bin + self.smoothing + 1).min(bins);
                    let now: f32 = spectrum[near].iter().map(Complex32::norm_sqr).sum();
                    *power = keep * *power + (1.0 - keep) * now;
                }
            }
            for (bin, heard) in heard.iter_mut().enumerate() {
                let share = far_power[bin] / heard_power[bin].max(f32::MIN_POSITIVE);
                *heard *= (1.0 - self.alpha * share).max(self.floor * self.floor).min(1.0).sqrt();
            }
        }
    }

    /// The sound of `spectra`, windows of [`Self::frames`] that begin half a window before it, in `out`.
    fn overlap(&mut self, spectra: &mut [Complex32], out: &mut [f32]) {
        let (hop, bins) = (self.hop(), self.fourier.bins());
        out.fill(0.0);
        for (frame, spectrum) in spectra.chunks_exact_mut(bins).enumerate() {
            let skip = hop.saturating_sub(frame * hop);
            let place = (frame * hop).saturating_sub(hop);
            let signal = self.fourier.inverse(spectrum).iter().zip(&self.window).skip(skip);
            let out = out.get_mut(place..).unwrap_or_default();
            out.iter_mut().zip(signal).for_each(|(out, (sample, weight))| *out += sample * weight);
        }
    }
}

/// The factors of one bin: least squares, with the matrix in its Toeplitz form.
fn factors(bin: usize, bins: usize, heard: &[Complex32], played: &[Complex32]) -> Vec<Complex32> {
    let wide = |it: &Complex32| Complex64::new(it.re.into(), it.im.into());
    let played: Vec<Complex64> = played.iter().skip(bin).step_by(bins).map(wide).collect();
    let heard: Vec<Complex64> = heard.iter().skip(bin).step_by(bins).map(wide).collect();
    let correlation = |late: &[Complex64], early: &[Complex64]| {
        late.iter().zip(early).fold(Complex64::default(), |sum, (late, early)| sum + late * early.conj())
    };
    let mut r: Vec<Complex64> = (0..TAPS).map(|tap| correlation(&played[tap..], &played)).collect();
    r[0] *= 1.0 + LOADING;
    let p: Vec<Complex64> = (0..TAPS).map(|tap| correlation(&heard, &played[TAPS - 1 - tap..])).collect();
    toeplitz::solve(&r, &p).into_iter().map(|it| Complex32::new(it.re as f32, it.im as f32)).collect()
}
