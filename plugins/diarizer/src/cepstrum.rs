//! The shape of the spectrum: mel-frequency cepstral coefficients. Owns the filters and the transform;
//! knows nothing of voices.

use std::{f32::consts::PI, sync::Arc};

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

use crate::{FRAME, RATE_HZ};

/// Coefficients per frame, c1 to c12: c0 is loudness, and those above follow pitch.
pub(crate) const COEFFICIENTS: usize = 12;

const TRANSFORM: usize = 512;
/// Mel filters, between which frequencies.
const FILTERS: usize = 30;
const LOW_HZ: f32 = 80.0;
const HIGH_HZ: f32 = 7600.0;
/// Lifts the high frequencies, which speech has less of: y(t) = x(t) - 0.97 x(t-1).
const PRE_EMPHASIS: f32 = 0.97;

/// Turns frames of sound into cepstra (Davis and Mermelstein 1980).
pub(crate) struct Cepstrum {
    transform: Arc<dyn RealToComplex<f32>>,
    sound: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    window: [f32; FRAME],
    filters: Vec<Filter>,
    cosines: Vec<[f32; FILTERS]>,
}

/// A triangle over the bins of the spectrum.
struct Filter {
    first: usize,
    weights: Vec<f32>,
}

impl Cepstrum {
    pub(crate) fn new() -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(TRANSFORM);
        Self {
            sound: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            transform,
            window: std::array::from_fn(|i| 0.54 - 0.46 * (2.0 * PI * i as f32 / (FRAME - 1) as f32).cos()),
            filters: filters(),
            cosines: (1..=COEFFICIENTS)
                .map(|k| {
                    std::array::from_fn(|m| {
                        (PI * k as f32 * (m as f32 + 0.5) / FILTERS as f32).cos()
                            * (2.0 / FILTERS as f32).sqrt()
                    })
                })
                .collect(),
        }
    }

    /// The cepstrum of `FRAME` samples; what lies before them is `before`.
    pub(crate) fn of(&mut self, before: f32, samples: &[f32]) -> [f32; COEFFICIENTS] {
        self.sound.fill(0.0);
        let mut last = before;
        for ((it, sample), weight) in self.sound.iter_mut().zip(samples).zip(&self.window) {
            *it = (sample - PRE_EMPHASIS * last) * weight;
            last = *sample;
        }
        let done =
            self.transform.process_with_scratch(&mut self.sound, &mut self.spectrum, &mut self.scratch);
        debug_assert!(done.is_ok(), "the buffers are of the transform's own making");
        let energies: [f32; FILTERS] = std::array::from_fn(|m| {
            let Filter { first, weights } = &self.filters[m];
            let sum: f32 =
                weights.iter().zip(&self.spectrum[*first..]).map(|(w, it)| w * it.norm_sqr()).sum();
            // Far below one step of 16-bit sound, so that digital silence has a logarithm.
            (sum + 1e-8).ln()
        });
        std::array::from_fn(|k| self.cosines[k].iter().zip(&energies).map(|(c, e)| c * e).sum())
    }
}

/// Filters evenly spaced in mel, mel = 2595 log10(1 + f / 700 Hz), each reaching to its neighbours' centres.
fn filters() -> Vec<Filter> {
    let mel = |hz: f32| 2595.0 * (1.0 + hz / 700.0).log10();
    let (low, high) = (mel(LOW_HZ), mel(HIGH_HZ));
    let centre = |m: usize| {
        let at = low + (high - low) * m as f32 / (FILTERS + 1) as f32;
        700.0 * (10f32.powf(at / 2595.0) - 1.0) * TRANSFORM as f32 / RATE_HZ as f32
    };
    (0..FILTERS)
        .map(|m| {
            let (from, top, to) = (centre(m), centre(m + 1), centre(m + 2));
            let first = from.ceil() as usize;
            let weights = (first..=to as usize)
                .map(|bin| {
                    let bin = bin as f32;
                    if bin < top { (bin - from) / (top - from) } else { (to - bin) / (to - top) }
                })
                .collect();
            Filter { first, weights }
        })
        .collect()
}
