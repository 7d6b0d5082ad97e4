//! Takes rumble away: a second-order Butterworth high-pass. Owns the filter and nothing else.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// A biquad in transposed direct form II. Its delay is below 1 ms where speech is.
#[derive(Debug, Clone)]
pub(crate) struct HighPass {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl HighPass {
    /// Cuts below `cutoff_hz`, which is between 0 and half of `rate_hz`. Coefficients: R. Bristow-Johnson,
    /// "Cookbook formulae for audio EQ biquad filter coefficients", high-pass with Q = 1/√2.
    pub(crate) fn new(cutoff_hz: f64, rate_hz: u32) -> Self {
        let (sin, cos) = (TAU * cutoff_hz / f64::from(rate_hz)).sin_cos();
        let alpha = sin / (2.0 * FRAC_1_SQRT_2);
        let a0 = 1.0 + alpha;
        let edge = (1.0 + cos) / 2.0 / a0;
        Self { b: [edge, -2.0 * edge, edge], a: [-2.0 * cos / a0, (1.0 - alpha) / a0], state: [0.0; 2] }
    }

    /// Filters in place.
    pub(crate) fn run(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let x = f64::from(*sample);
            let y = self.b[0] * x + self.state[0];
            self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
            self.state[1] = self.b[2] * x - self.a[1] * y;
            *sample = y as f32;
        }
    }
}
