//! From one sample rate to another, as a stream. Owns framing, the filter's delay and the exact length;
//! leaves the filter itself to rubato.

use rubato::{
    Fft, FixedSync, Resampler as _, WindowFunction, audioadapter_buffers::direct::InterleavedSlice,
};

/// Resamples mono audio of any rate. Output is aligned in time with the input: the filter's delay is
/// trimmed, and after [`Resampler::flush`] there are `round(n · to / from)` samples for `n` that went in.
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// None where the rates are equal.
    filter: Option<Fft<f32>>,
    pending: Vec<f32>,
    chunk: Vec<f32>,
    /// Samples of the filter's delay still to be dropped.
    skip: usize,
    taken: u64,
    given: u64,
}

/// A resampler cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot resample from {from_hz} Hz to {to_hz} Hz: both rates must be above 0")]
pub struct Error {
    /// Rate of the input, Hz.
    pub from_hz: u32,
    /// Rate of the output, Hz.
    pub to_hz: u32,
    #[source]
    source: rubato::ResamplerConstructionError,
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("from_hz", &self.from_hz).field("to_hz", &self.to_hz).finish()
    }
}

impl Resampler {
    /// Resamples from `from_hz` to `to_hz`; equal rates pass through untouched.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, Error> {
        // Blocks of 20 ms: a filter long enough for speech, and a delay nobody notices in a caption.
        // An even number of the smallest blocks keeps the filter's centre on a sample of both rates.
        let unit = 2 * (from_hz / gcd(from_hz, to_hz).max(1)) as usize;
        let block = (from_hz as usize / 50).max(1).next_multiple_of(unit.max(1));
        let filter = if from_hz == to_hz && from_hz > 0 {
            None
        } else {
            let window = WindowFunction::BlackmanHarris2;
            let made =
                Fft::new_custom(from_hz as usize, to_hz as usize, block, 1, 1, window, FixedSync::Both);
            Some(made.map_err(|source| Error { from_hz, to_hz, source })?)
        };
        let skip = filter.as_ref().map_or(0, Fft::output_delay);
        let (pending, chunk) = (Vec::new(), Vec::new());
        Ok(Self { from_hz, to_hz, filter, pending, chunk, skip, taken: 0, given: 0 })
    }

    /// Takes mono samples and appends what is ready to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        if self.filter.is_none() {
            out.extend_from_slice(samples);
            return;
        }
        self.taken += samples.len() as u64;
        self.pending.extend_from_slice(samples);
        self.run(out);
    }

    /// Appends what is still inside the filter, and begins anew.
    pub fn flush(&mut self, out: &mut Vec<f32>) {
        let Some(needed) = self.filter.as_ref().map(Fft::input_frames_next) else { return };
        let (from, to) = (u64::from(self.from_hz), u64::from(self.to_hz));
        let expected = (self.taken * to + from / 2) / from;
        while self.given < expected {
            self.pending.resize(self.pending.len().next_multiple_of(needed).max(needed), 0.0);
            self.run(out);
        }
        out.truncate(out.len() - (self.given - expected) as usize);
        self.pending.clear();
        (self.taken, self.given) = (0, 0);
        if let Some(filter) = &mut self.filter {
            filter.reset();
            self.skip = filter.output_delay();
        }
    }

    /// Puts every whole block that is pending through the filter.
    fn run(&mut self, out: &mut Vec<f32>) {
        let Some(filter) = &mut self.filter else { return };
        let needed = filter.input_frames_next();
        let mut used = 0;
        while self.pending.len() - used >= needed {
            let n = filter.output_frames_next();
            self.chunk.clear();
            self.chunk.resize(n, 0.0);
            let input = InterleavedSlice::new(&self.pending[used..used + needed], 1, needed);
            let output = InterleavedSlice::new_mut(&mut self.chunk, 1, n);
            // Both buffers have the length the filter asked for. Were it to refuse, the block stays
            // silent and everything after it keeps its place in time.
            if let (Ok(input), Ok(mut output)) = (input, output)
                && let Err(error) = filter.process_into_buffer(&input, &mut output, None)
            {
                tracing::error!(%error, "Resampling failed; a block of audio is replaced by silence.");
            }
            used += needed;
            let dropped = self.skip.min(n);
            self.skip -= dropped;
            self.given += (n - dropped) as u64;
            out.extend_from_slice(&self.chunk[dropped..]);
        }
        self.pending.drain(..used);
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::f32::consts::TAU;

    use super::*;

    const RATES: [u32; 7] = [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000];

    fn resample(from: u32, to: u32, input: &[f32], step: usize) -> Vec<f32> {
        let mut it = Resampler::new(from, to).unwrap();
        let mut out = Vec::new();
        for part in input.chunks(step) {
            it.push(part, &mut out);
        }
        it.flush(&mut out);
        out
    }

    fn sine(hz: f32, rate: u32, n: usize) -> Vec<f32> {
        (0..n).map(|i| 0.5 * (TAU * hz * i as f32 / rate as f32).sin()).collect()
    }

    fn rms(it: &[f32]) -> f32 {
        (it.iter().map(|x| x * x).sum::<f32>() / it.len() as f32).sqrt()
    }

    #[test]
    fn a_sine_keeps_its_frequency_phase_and_level() {
        for from in RATES {
            let out = resample(from, 16_000, &sine(1000.0, from, from as usize), 777);
            let want = sine(1000.0, 16_000, 16_000);
            assert!(out.len().abs_diff(16_000) <= 1, "{from}: {}", out.len());
            // Away from the ends, where the signal begins and stops all at once.
            let error: Vec<f32> = (800..15_200).map(|i| out[i] - want[i]).collect();
            assert!(rms(&error) < 0.002, "{from}: {}", rms(&error));
        }
    }

    #[test]
    fn an_impulse_keeps_its_place_and_the_length_is_exact() {
        for from in RATES {
            let n = from as usize / 2 + 123;
            let mut input = vec![0.0; n];
            let at = from as usize / 4;
            input[at] = 1.0;
            let out = resample(from, 16_000, &input, 480);
            let peak = (0..out.len()).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs())).unwrap();
            let want = at as f64 * 16_000.0 / f64::from(from);
            assert!((peak as f64 - want).abs() <= 1.0, "{from}: {peak} for {want}");
            let length = (n as f64 * 16_000.0 / f64::from(from)).round() as usize;
            assert_eq!(out.len(), length, "{from}");
        }
    }

    #[test]
    fn how_the_input_is_cut_does_not_matter() {
        let input = sine(440.0, 44_100, 10_000);
        let whole = resample(44_100, 16_000, &input, 10_000);
        for step in [1, 7, 882, 4096] {
            assert_eq!(resample(44_100, 16_000, &input, step), whole, "{step}");
        }
    }

    #[test]
    fn what_lies_above_the_new_band_is_suppressed_by_50_db() {
        for hz in [9_000.0, 12_000.0, 20_000.0] {
            let out = resample(48_000, 16_000, &sine(hz, 48_000, 48_000), 960);
            let db = 20.0 * (rms(&out[800..15_200]) / rms(&sine(hz, 48_000, 48_000))).log10();
            assert!(db < -50.0, "{hz} Hz comes through at {db} dB");
        }
    }

    #[test]
    fn equal_rates_pass_through_and_a_flushed_resampler_begins_anew() {
        let input = sine(300.0, 16_000, 1000);
        assert_eq!(resample(16_000, 16_000, &input, 100), input);
        assert!(Resampler::new(0, 16_000).is_err() && Resampler::new(0, 0).is_err());

        let input = sine(300.0, 48_000, 5000);
        let mut it = Resampler::new(48_000, 16_000).unwrap();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for out in [&mut first, &mut second] {
            it.push(&input, out);
            it.flush(out);
        }
        assert_eq!(first, second);
    }
}
