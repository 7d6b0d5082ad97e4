//! Takes noise away. Owns the way to the network's rate and back and that the result stays in its place;
//! leaves telling speech from noise to nnnoiseless (RNNoise: J.-M. Valin, "A Hybrid DSP/Deep Learning
//! Approach to Real-Time Full-Band Speech Enhancement", 2018).

use nnnoiseless::DenoiseState;

use crate::audio::{ResampleError, Resampler};

/// The rate that the network was trained at, Hz.
const RATE_HZ: u32 = 48_000;
const FRAME: usize = DenoiseState::FRAME_SIZE;
/// The network's samples are those of 16 bits.
const SCALE: f32 = 32_768.0;

/// One channel on its way through the network, mixed with what it was before.
pub(crate) struct Denoise {
    /// Share of the network's sound in the mix, 0 to 1.
    wet: f32,
    up: Resampler,
    down: Resampler,
    network: Box<DenoiseState<'static>>,
    /// At [`RATE_HZ`], not yet a whole frame.
    pending: Vec<f32>,
    /// Output of the network's first frame, which lies before the start of the sound.
    skip: usize,
    /// At the sound's own rate: what went in and has no counterpart yet, and what came out of the network.
    dry: Vec<f32>,
    cleaned: Vec<f32>,
}

impl std::fmt::Debug for Denoise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Denoise").field("wet", &self.wet).finish_non_exhaustive()
    }
}

impl Denoise {
    /// For sound of `rate_hz`; `wet` is the share of the network's sound in the result, 0 to 1.
    pub(crate) fn new(rate_hz: u32, wet: f32) -> Result<Self, ResampleError> {
        Ok(Self {
            wet,
            up: Resampler::new(rate_hz, RATE_HZ)?,
            down: Resampler::new(RATE_HZ, rate_hz)?,
            network: DenoiseState::new(),
            pending: Vec::new(),
            // Its windows overlap by one frame: what comes out is one frame behind.
            skip: FRAME,
            dry: Vec::new(),
            cleaned: Vec::new(),
        })
    }

    /// Takes samples and appends what is ready to `out`.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), ResampleError> {
        self.dry.extend_from_slice(samples);
        self.up.push(samples, &mut self.pending)?;
        self.run()?;
        self.mix(out);
        Ok(())
    }

    /// Appends the rest, so that as many samples came out as went in; nothing may be pushed after it.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), ResampleError> {
        self.up.finish(&mut self.pending)?;
        // The last frame comes out with the one after it, and is filled up before.
        self.pending.resize(self.pending.len().next_multiple_of(FRAME) + FRAME, 0.0);
        self.run()?;
        self.down.finish(&mut self.cleaned)?;
        self.mix(out);
        // Rounding both lengths may leave a sample without a counterpart.
        out.append(&mut self.dry);
        Ok(())
    }

    /// Puts every whole frame through the network.
    fn run(&mut self) -> Result<(), ResampleError> {
        let whole = self.pending.len() / FRAME * FRAME;
        let mut cleaned = [0.0; FRAME];
        for frame in self.pending[..whole].chunks_exact_mut(FRAME) {
            frame.iter_mut().for_each(|it| *it *= SCALE);
            self.network.process_frame(&mut cleaned, frame);
            cleaned.iter_mut().for_each(|it| *it /= SCALE);
            self.down.push(&cleaned[self.skip..], &mut self.cleaned)?;
            self.skip = 0;
        }
        self.pending.drain(..whole);
        Ok(())
    }

    fn mix(&mut self, out: &mut Vec<f32>) {
        let n = self.dry.len().min(self.cleaned.len());
        let pairs = self.dry.drain(..n).zip(self.cleaned.drain(..n));
        out.extend(pairs.map(|(dry, cleaned)| dry + self.wet * (cleaned - dry)));
    }
}
