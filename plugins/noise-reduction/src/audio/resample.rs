//! From one sample rate to another, as a stream. Owns framing, the filter's delay and the exact length;
//! leaves the filter itself to rubato.

use rubato::{
    Fft, FixedSync, Resampler as _, WindowFunction, audioadapter_buffers::direct::InterleavedSlice,
};

/// Audio cannot be brought to another rate.
#[derive(Debug, thiserror::Error)]
#[error("cannot resample from {from_hz} Hz to {to_hz} Hz: {reason}")]
pub struct Error {
    /// Rate of the input, Hz.
    pub from_hz: u32,
    /// Rate of the output, Hz.
    pub to_hz: u32,
    /// The filter's words.
    pub reason: String,
}

/// Resamples mono audio. Output is aligned in time with the input, and after [`Self::finish`] there are
/// `round(n · to / from)` samples for `n` that went in.
pub(crate) struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// None where the rates are equal.
    filter: Option<Fft<f32>>,
    pending: Vec<f32>,
    block: Vec<f32>,
    /// Samples of the filter's delay still to be dropped.
    skip: usize,
    taken: u64,
    given: u64,
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("from_hz", &self.from_hz).field("to_hz", &self.to_hz).finish()
    }
}

impl Resampler {
    /// Equal rates pass through untouched.
    pub(crate) fn new(from_hz: u32, to_hz: u32) -> Result<Self, Error> {
        let failed = |reason: String| Error { from_hz, to_hz, reason };
        let filter = if from_hz == to_hz {
            None
        } else {
            // An even number of the smallest blocks keeps the filter's centre on a sample of both rates.
            let unit = 2 * (from_hz / gcd(from_hz, to_hz)) as usize;
            let block = (from_hz as usize / 50).next_multiple_of(unit);
            let (window, fixed) = (WindowFunction::BlackmanHarris2, FixedSync::Both);
            let made = Fft::new_custom(from_hz as usize, to_hz as usize, block, 1, 1, window, fixed);
            Some(made.map_err(|error| failed(error.to_string()))?)
        };
        let skip = filter.as_ref().map_or(0, Fft::output_delay);
        let (pending, block) = (Vec::new(), Vec::new());
        Ok(Self { from_hz, to_hz, filter, pending, block, skip, taken: 0, given: 0 })
    }

    /// Takes samples and appends what is ready to `out`.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), Error> {
        if self.filter.is_none() {
            out.extend_from_slice(samples);
            return Ok(());
        }
        self.taken += samples.len() as u64;
        self.pending.extend_from_slice(samples);
        self.run(out)
    }

    /// Appends what is still inside the filter; nothing may be pushed after it.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), Error> {
        let Some(needed) = self.filter.as_ref().map(Fft::input_frames_next) else { return Ok(()) };
        let (from, to) = (u64::from(self.from_hz), u64::from(self.to_hz));
        let expected = (self.taken * to + from / 2) / from;
        while self.given < expected {
            self.pending.resize(self.pending.len().next_multiple_of(needed).max(needed), 0.0);
            self.run(out)?;
        }
        out.truncate(out.len() - (self.given - expected) as usize);
        Ok(())
    }

    /// Puts every whole block that is pending through the filter.
    fn run(&mut self, out: &mut Vec<f32>) -> Result<(), Error> {
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let (from_hz, to_hz) = (self.from_hz, self.to_hz);
        let failed = |reason: String| Error { from_hz, to_hz, reason };
        let (needed, mut used) = (filter.input_frames_next(), 0);
        while self.pending.len() - used >= needed {
            let n = filter.output_frames_next();
            self.block.clear();
            self.block.resize(n, 0.0);
            let input = InterleavedSlice::new(&self.pending[used..used + needed], 1, needed)
                .map_err(|error| failed(error.to_string()))?;
            let mut output = InterleavedSlice::new_mut(&mut self.block, 1, n)
                .map_err(|error| failed(error.to_string()))?;
            filter.process_into_buffer(&input, &mut output, None).map_err(|it| failed(it.to_string()))?;
            used += needed;
            let dropped = self.skip.min(n);
            self.skip -= dropped;
            self.given += (n - dropped) as u64;
            out.extend_from_slice(&self.block[dropped..]);
        }
        self.pending.drain(..used);
        Ok(())
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
