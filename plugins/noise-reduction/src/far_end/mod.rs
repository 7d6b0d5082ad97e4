//! Takes the far end out of the room's microphone: what the loudspeakers played, known from the system's
//! track. Owns the stretches in which it is done and that none of them moves or ends abruptly; what is
//! done in a stretch is in `subtract` (the wave) and `spectrum` (the frequencies), and where the far end is
//! looked for in `delays`.
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
mod delays;
mod fourier;
mod spectrum;
mod subtract;
mod system;
#[cfg(test)]
mod tests;
mod toeplitz;

pub(crate) use self::{delays::Delays, system::System};
use self::{spectrum::Spectrum, subtract::Subtract};
use crate::{Config, audio::ResampleError};

/// Longest stretch, samples: bounds the memory at high rates.
const LONGEST: usize = 1 << 20;

/// Samples in half of a stretch.
fn half(config: &Config, rate_hz: u32) -> usize {
    (config.alignment_chunk_seconds as usize * rate_hz as usize).min(LONGEST) / 2
}

/// The far end's removal from the channels of one microphone track.
#[derive(Debug)]
pub(crate) struct FarEnd {
    subtract: Option<Subtract>,
    spectrum: Option<Spectrum>,
    system: System,
    delays: Delays,
    /// Half of a stretch, samples.
    half: usize,
    /// The next stretch.
    stretch: usize,
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
    pub(crate) fn new(
        config: &Config,
        rate_hz: u32,
        channels: usize,
        system: System,
        delays: Delays,
    ) -> Self {
        Self {
            subtract: config.time_domain_subtraction.then(|| Subtract::new(rate_hz)),
            spectrum: config.freq_domain_bleed_removal.then(|| Spectrum::new(config, rate_hz)),
            system,
            delays,
            half: half(config, rate_hz),
            stretch: 0,
            channels: (0..channels).map(|_| Channel::default()).collect(),
        }
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
        let mut stretch = Vec::with_capacity(blocks.len());
        for (block, channel) in blocks.iter_mut().zip(&mut self.channels) {
            let mut whole = std::mem::take(&mut channel.previous);
            whole.extend_from_slice(block);
            channel.previous = std::mem::take(block);
            stretch.push(whole);
        }
        if held == 0 && !last {
            return Ok(());
        }
        self.clean(&mut stretch)?;
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
        self.stretch += 1;
        Ok(())
    }

    /// Cleans the channels of the stretch whose turn it is in place.
    fn clean(&mut self, channels: &mut [Vec<f32>]) -> Result<(), ResampleError> {
        // What is estimated needs more of the system's sound than the stretch itself is long.
        let history =
            [self.subtract.as_ref().map(Subtract::history), self.spectrum.as_ref().map(Spectrum::history)];
        let reach = self.half + history.into_iter().flatten().max().unwrap_or(0);
        let length = channels.first().map_or(0, Vec::len) + 2 * reach;
        let window = self.system.window((self.stretch * self.half) as i64 - reach as i64, length)?;
        let Some(lag) = self.delays.of(self.stretch) else { return Ok(()) };
        if window.iter().all(|it| *it == 0.0) {
            return Ok(());
        }
        // Where the far end of the stretch's first sample lies in the window: a delay is half a stretch at
        // the most.
        let origin = (reach as i64 - lag).unsigned_abs() as usize;
        for channel in channels {
            if let Some(subtract) = &mut self.subtract {
                subtract.run(channel, window, origin);
            }
            if let Some(spectrum) = &mut self.spectrum {
                spectrum.run(channel, window, origin);
            }
        }
        Ok(())
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
