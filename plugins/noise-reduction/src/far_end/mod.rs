//! Takes the far end out of the room's microphone: what the loudspeakers played, known from the system's
//! track. Owns the stretches in which it is done and that none of them moves or ends abruptly; what is
//! done in a stretch is in `align` (the delay), `subtract` (the wave) and `spectrum` (the frequencies).
//!
//! Stretches overlap by half and fade into one another, so that whatever is estimated anew in each of them
//! changes without a click:
//!
//! ```text
//! stretch 0  ██████████▇▆▅▄▃▂
//! stretch 1       ▂▃▄▅▆▇▇▆▅▄▃▂
//! stretch 2              ▂▃▄▅▆▇██████
//! ```

mod align;
mod fourier;
mod spectrum;
mod subtract;
mod system;
mod toeplitz;

pub(crate) use self::system::System;
use self::{align::Aligner, spectrum::Spectrum, subtract::Subtract};
use crate::{Config, audio::ResampleError};

/// Longest stretch, samples: bounds the memory at high rates.
const LONGEST: usize = 1 << 20;

/// The far end's removal from the channels of one microphone track.
#[derive(Debug)]
pub(crate) struct FarEnd {
    remover: Remover,
    system: System,
    /// Half of a stretch, samples.
    half: usize,
    /// Where the next block begins, samples.
    position: usize,
    channels: Vec<Channel>,
}

#[derive(Debug, Default)]
struct Channel {
    /// The last block as it was.
    previous: Vec<f32>,
    /// Its part that the last stretch gives, faded out.
    fading: Vec<f32>,
}

impl FarEnd {
    /// For a microphone track of `rate_hz`. `config` has a method on.
    pub(crate) fn new(config: &Config, rate_hz: u32, channels: usize, system: System) -> Self {
        let half = (config.alignment_chunk_seconds as usize * rate_hz as usize).min(LONGEST) / 2;
        let channels = (0..channels).map(|_| Channel::default()).collect();
        Self { remover: Remover::new(config, rate_hz, half), system, half, position: 0, channels }
    }

    /// Samples of each channel that [`Self::push`] takes at once; fewer only the last time.
    pub(crate) fn block(&self) -> usize {
        self.half
    }

    /// What is missing of the system's track, for people.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.system.problem()
    }

    /// Takes the next block of each channel and puts what is ready of it into its place: nothing at first,
    /// and all that is left when the block is the last.
    pub(crate) fn push(&mut self, blocks: &mut [Vec<f32>], last: bool) -> Result<(), ResampleError> {
        let held = self.channels.first().map_or(0, |it| it.previous.len());
        if self.position == 0 && !last {
            for (block, channel) in blocks.iter_mut().zip(&mut self.channels) {
                channel.previous = std::mem::take(block);
            }
            self.position = self.half;
            return Ok(());
        }
        let mut stretch: Vec<Vec<f32>> = Vec::with_capacity(blocks.len());
        for (block, channel) in blocks.iter_mut().zip(&mut self.channels) {
            let mut whole = std::mem::take(&mut channel.previous);
            whole.extend_from_slice(block);
            channel.previous = std::mem::take(block);
            stretch.push(whole);
        }
        let reach = self.remover.reach();
        let start = self.position as i64 - held as i64 - reach as i64;
        let length = stretch.first().map_or(0, Vec::len) + 2 * reach;
        let window = self.system.window(start, length)?;
        self.remover.run(&mut stretch, window);
        for ((block, channel), cleaned) in blocks.iter_mut().zip(&mut self.channels).zip(stretch) {
            *block = cleaned;
            let n = held as f32;
            for (place, (sample, faded)) in block.iter_mut().zip(channel.fading.drain(..)).enumerate() {
                *sample = *sample * (place as f32 / n) + faded;
            }
            if !last {
                let n = (block.len() - held) as f32;
                let second = block.drain(held..).enumerate();
                channel.fading.extend(second.map(|(place, sample)| sample * (1.0 - place as f32 / n)));
            }
        }
        self.position += self.half;
        Ok(())
    }
}

/// Cleans one stretch. Remembers only the delay, for stretches in which the far end is silent or drowned.
#[derive(Debug)]
struct Remover {
    aligner: Option<Aligner>,
    subtract: Option<Subtract>,
    spectrum: Option<Spectrum>,
    /// Longest delay that is found either way, samples.
    longest_lag: usize,
    /// How much later the far end is in the microphone than in the system's track, samples.
    lag: Option<i64>,
}

impl Remover {
    fn new(config: &Config, rate_hz: u32, longest_lag: usize) -> Self {
        Self {
            aligner: config.use_fft_alignment.then(|| Aligner::new(rate_hz)),
            subtract: config.time_domain_subtraction.then(|| Subtract::new(rate_hz)),
            spectrum: config.freq_domain_bleed_removal.then(|| Spectrum::new(config, rate_hz)),
            longest_lag,
            lag: (!config.use_fft_alignment).then_some(0),
        }
    }

    /// How far the system's sound must go beyond a stretch on both sides, samples.
    fn reach(&self) -> usize {
        let history =
            [self.subtract.as_ref().map(Subtract::history), self.spectrum.as_ref().map(Spectrum::history)];
        self.longest_lag + history.into_iter().flatten().max().unwrap_or(0)
    }

    /// Cleans the channels of a stretch in place. `window` is the system's sound from [`Self::reach`] before
    /// the stretch to as much behind it.
    fn run(&mut self, channels: &mut [Vec<f32>], window: &[f32]) {
        let reach = self.reach();
        if window.iter().all(|it| *it == 0.0) {
            return;
        }
        if let Some(aligner) = &mut self.aligner {
            let mean = mean(channels);
            let around = &window[reach - self.longest_lag..window.len() - (reach - self.longest_lag)];
            self.lag = aligner.lag(&mean, around).or(self.lag);
        }
        let Some(lag) = self.lag else { return };
        // Where the far end of the stretch's first sample lies in the window.
        let origin = (reach as i64 - lag).unsigned_abs() as usize;
        for channel in channels {
            if let Some(subtract) = &mut self.subtract {
                subtract.run(channel, window, origin);
            }
            if let Some(spectrum) = &mut self.spectrum {
                spectrum.run(channel, window, origin);
            }
        }
    }
}

/// The mean of all channels.
pub(crate) fn mean(channels: &[Vec<f32>]) -> Vec<f32> {
    let mut mean = vec![0.0; channels.first().map_or(0, Vec::len)];
    for channel in channels {
        mean.iter_mut().zip(channel).for_each(|(mean, sample)| *mean += sample);
    }
    mean.iter_mut().for_each(|it| *it /= channels.len() as f32);
    mean
}
