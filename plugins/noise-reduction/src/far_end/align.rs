//! How much later the far end is heard in the microphone than in the system's track, or earlier. Owns the
//! estimate for one stretch; leaves what to make of several to `delays`.

use realfft::num_complex::Complex32;

use super::fourier::Fourier;

/// Rate that is enough to find a delay, Hz.
const RATE_HZ: u32 = 16_000;
/// A delay may be one when its correlation stands out of that of all others by so many standard deviations.
/// The highest of 160,000 random ones, as many as 10 s have, stands out by 4.9 (√(2 ln n)); voices of
/// different people come to 6 to 12 in some stretches, and what is really heard to 16 to 250.
const CLEAR: f32 = 7.0;

/// Finds delays by generalised cross-correlation with phase transform: C. Knapp, G. Carter, "The generalized
/// correlation method for estimation of time delay", IEEE Trans. ASSP 24 (1976). The phase alone tells the
/// direct sound from its echoes, and one loud vowel does not drown everything else.
#[derive(Debug)]
pub(super) struct Aligner {
    /// Samples that are averaged into one.
    step: usize,
    fourier: Option<Fourier>,
}

impl Aligner {
    /// For tracks of `rate_hz`.
    pub(super) fn new(rate_hz: u32) -> Self {
        Self { step: (rate_hz / RATE_HZ).max(1) as usize, fourier: None }
    }

    /// The delay in samples; `around` is the system's sound of the same stretch and as much before as
    /// behind it. None where nothing stands out.
    pub(super) fn lag(&mut self, microphone: &[f32], around: &[f32]) -> Option<i64> {
        let (step, longest) = (self.step, (around.len() - microphone.len()) / 2);
        let length = around.len().div_ceil(step).next_power_of_two().max(2);
        if self.fourier.as_ref().is_none_or(|it| it.length() != length) {
            self.fourier = Some(Fourier::new(length));
        }
        let fourier = self.fourier.as_mut()?;
        let (mut heard, mut played) = (spectrum(fourier), spectrum(fourier));
        fourier.forward(averaged(microphone, step), &mut heard);
        fourier.forward(averaged(around, step), &mut played);
        let mut whole = 0.0;
        for (played, heard) in played.iter_mut().zip(&heard) {
            *played *= heard.conj();
            whole += f64::from(played.norm());
        }
        // Bins with next to nothing in them, above the band of a telephone, have no phase worth the name.
        let least = (0.01 * whole / played.len() as f64) as f32 + f32::MIN_POSITIVE;
        played.iter_mut().for_each(|it| *it /= it.norm() + least);
        let lags = 2 * longest / step + 1;
        let correlation = &fourier.inverse(&mut played)[..lags.min(length)];
        let deviation = (correlation.iter().map(|it| it * it).sum::<f32>() / lags as f32).sqrt();
        let (place, peak) = correlation.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        (*peak > CLEAR * deviation && deviation > 0.0).then(|| longest as i64 - (place * step) as i64)
    }
}

fn spectrum(fourier: &Fourier) -> Vec<Complex32> {
    vec![Complex32::default(); fourier.bins()]
}

/// Every `step` samples as one. What this folds down from above is the same in both tracks.
fn averaged(signal: &[f32], step: usize) -> impl Iterator<Item = f32> {
    signal.chunks(step).map(move |it| it.iter().sum::<f32>() / step as f32)
}
