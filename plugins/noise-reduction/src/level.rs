//! How loud sound is from moment to moment, and how much quieter its pauses became. Owns the measure.

/// A stretch over which energy is taken, s: shorter than a pause between words.
const FRAME_S: f64 = 0.05;
/// The share of stretches that counts as pauses: nobody speaks more than nine tenths of the time.
const PAUSES: usize = 10;
/// −100 dBFS: below the smallest step of 16 bits, a stretch is no sound but the absence of a recording.
const SILENCE: f32 = 1e-10;

/// Energy of each stretch of a signal: mean square around the stretch's mean, so that a constant offset,
/// which nobody hears, is none.
#[derive(Debug)]
pub(crate) struct Levels {
    frame: usize,
    count: usize,
    sum: f64,
    squares: f64,
    levels: Vec<f32>,
}

impl Levels {
    /// For a signal of `rate_hz`.
    pub(crate) fn new(rate_hz: u32) -> Self {
        let frame = (f64::from(rate_hz) * FRAME_S) as usize;
        Self { frame: frame.max(1), count: 0, sum: 0.0, squares: 0.0, levels: Vec::new() }
    }

    /// Takes the next samples.
    pub(crate) fn push(&mut self, samples: impl IntoIterator<Item = f32>) {
        for sample in samples {
            let sample = f64::from(sample);
            self.sum += sample;
            self.squares += sample * sample;
            self.count += 1;
            if self.count == self.frame {
                let n = self.frame as f64;
                self.levels.push((self.squares / n - (self.sum / n).powi(2)).max(0.0) as f32);
                (self.count, self.sum, self.squares) = (0, 0.0, 0.0);
            }
        }
    }

    /// How much quieter, dB, the quietest tenth of this signal is in `after`, which lies at the same places.
    /// None where all is silent, or shorter than a stretch.
    pub(crate) fn gain_db(&self, after: &Self) -> Option<f32> {
        let mut pairs: Vec<(f32, f32)> =
            self.levels.iter().copied().zip(after.levels.iter().copied()).collect();
        pairs.retain(|it| it.0 > SILENCE);
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs.truncate(pairs.len().div_ceil(PAUSES));
        if pairs.is_empty() {
            return None;
        }
        let mean = |of: fn(&(f32, f32)) -> f32| {
            pairs.iter().map(|it| f64::from(of(it))).sum::<f64>() / pairs.len() as f64
        };
        let (before, after) = (mean(|it| it.0), mean(|it| it.1).max(SILENCE.into()));
        Some((10.0 * (before / after).log10()) as f32)
    }
}
