//! Fourier transforms of real sound. Owns plans and scratch; the transforms are realfft's.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};

/// A transform of one length and its inverse.
pub(super) struct Fourier {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    scratch: Vec<Complex32>,
    real: Vec<f32>,
}

impl std::fmt::Debug for Fourier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fourier").field("length", &self.length()).finish_non_exhaustive()
    }
}

impl Fourier {
    /// Of `length` samples, an even number.
    pub(super) fn new(length: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
        let scratch = vec![Complex32::default(); forward.get_scratch_len().max(inverse.get_scratch_len())];
        Self { real: vec![0.0; length], forward, inverse, scratch }
    }

    /// Samples of a signal.
    pub(super) fn length(&self) -> usize {
        self.real.len()
    }

    /// Bins of a spectrum, from 0 Hz to half of the rate.
    pub(super) fn bins(&self) -> usize {
        self.real.len() / 2 + 1
    }

    /// The spectrum of `signal`, which is continued by silence, into `spectrum` of [`Self::bins`].
    pub(super) fn forward(&mut self, signal: impl Iterator<Item = f32>, spectrum: &mut [Complex32]) {
        self.real.fill(0.0);
        self.real.iter_mut().zip(signal).for_each(|(place, sample)| *place = sample);
        // It fails for wrong lengths only, and these are its own.
        let done = self.forward.process_with_scratch(&mut self.real, spectrum, &mut self.scratch);
        debug_assert!(done.is_ok(), "{done:?}");
    }

    /// The signal of `spectrum`, which is used up. Scaled: back and forth changes nothing.
    pub(super) fn inverse(&mut self, spectrum: &mut [Complex32]) -> &[f32] {
        // A real signal has no imaginary part at both ends.
        for end in [0, spectrum.len() - 1] {
            spectrum[end].im = 0.0;
        }
        let done = self.inverse.process_with_scratch(spectrum, &mut self.real, &mut self.scratch);
        debug_assert!(done.is_ok(), "{done:?}");
        let scale = 1.0 / self.real.len() as f32;
        self.real.iter_mut().for_each(|it| *it *= scale);
        &self.real
    }
}
