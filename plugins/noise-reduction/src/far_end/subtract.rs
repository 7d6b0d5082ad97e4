//! The far end, subtracted as a wave: what was played, through the room's response from loudspeaker to
//! microphone. Owns the estimate of the response and the subtraction.

use realfft::num_complex::Complex32;

use super::{fourier::Fourier, toeplitz};

/// Length of the response, s: the direct sound and the first reflections.
const RESPONSE_S: f64 = 0.064;
/// Longest response, samples: the equations grow with its square.
const LONGEST: usize = 4096;
/// How much of the response may lie before the delay that was found, s.
const BEFORE_S: f64 = 0.002;
/// Noise that the far end is thought to have, as a share of its power: keeps frequencies that it does not
/// have out of the response.
const LOADING: f64 = 1e-4;

/// Estimates the response by least squares over a stretch (the Wiener–Hopf equations) and subtracts.
#[derive(Debug)]
pub(super) struct Subtract {
    taps: usize,
    before: usize,
    fourier: Option<Fourier>,
}

impl Subtract {
    /// For tracks of `rate_hz`.
    pub(super) fn new(rate_hz: u32) -> Self {
        let samples = |seconds: f64| (seconds * f64::from(rate_hz)) as usize;
        Self { taps: samples(RESPONSE_S).min(LONGEST), before: samples(BEFORE_S), fourier: None }
    }

    /// How much of the system's sound is needed beyond the stretch, samples.
    pub(super) fn history(&self) -> usize {
        self.taps
    }

    /// Subtracts from a stretch of the microphone. `origin` is where its far end begins in `window`.
    pub(super) fn run(&mut self, microphone: &mut [f32], window: &[f32], origin: usize) {
        // What was played from the response's length before the stretch to its end.
        let start = (origin + self.before).saturating_sub(self.taps - 1);
        let played = &window[start..(origin + self.before + microphone.len()).min(window.len())];
        let length = (played.len() + self.taps).next_power_of_two();
        if self.fourier.as_ref().is_none_or(|it| it.length() != length) {
            self.fourier = Some(Fourier::new(length));
        }
        let Some(fourier) = &mut self.fourier else { return };
        let offset = origin + self.before - start;
        let mut spectrum = vec![Complex32::default(); fourier.bins()];
        fourier.forward(played.iter().copied(), &mut spectrum);
        let mut product: Vec<Complex32> = spectrum.iter().map(|it| it.norm_sqr().into()).collect();
        let mut r: Vec<f64> =
            fourier.inverse(&mut product)[..self.taps].iter().map(|&it| it.into()).collect();
        r[0] *= 1.0 + LOADING;
        // The microphone's stretch is laid where its far end is.
        let silence = std::iter::repeat_n(0.0, offset);
        fourier.forward(silence.chain(microphone.iter().copied()), &mut product);
        product.iter_mut().zip(&spectrum).for_each(|(heard, played)| *heard *= played.conj());
        let p: Vec<f64> = fourier.inverse(&mut product)[..self.taps].iter().map(|&it| it.into()).collect();
        let response = toeplitz::solve(&r, &p);
        fourier.forward(response.iter().map(|&it| it as f32), &mut product);
        product.iter_mut().zip(&spectrum).for_each(|(response, played)| *response *= played);
        let estimate = &fourier.inverse(&mut product)[offset..];
        microphone.iter_mut().zip(estimate).for_each(|(sample, far)| *sample -= far);
    }
}
