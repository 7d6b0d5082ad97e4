//! The system's track at the microphone's rate, piece by piece. Owns what lies before its start and behind
//! its end: silence.

use crate::{
    audio::{ResampleError, Resampler, Track, WavError},
    far_end::mean,
};

/// Frames that are read at once.
const BLOCK: usize = 1 << 15;

/// The far end's sound, mixed to one channel.
#[derive(Debug)]
pub(crate) struct System {
    track: Track,
    resampler: Resampler,
    /// What a window needs, or a later one will.
    held: Vec<f32>,
    /// Where `held` begins, samples; below 0 is silence.
    start: i64,
    ended: bool,
    /// What could not be read, for people.
    broken: Option<String>,
}

impl System {
    /// Brings `track` to `rate_hz`.
    pub(crate) fn new(track: Track, rate_hz: u32) -> Result<Self, ResampleError> {
        let resampler = Resampler::new(track.rate_hz(), rate_hz)?;
        Ok(Self { track, resampler, held: Vec::new(), start: 0, ended: false, broken: None })
    }

    /// What is missing, for people.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.broken.as_deref().or(self.track.problem())
    }

    /// The samples from `start` on, `length` of them. `start` never decreases from call to call.
    pub(crate) fn window(&mut self, start: i64, length: usize) -> Result<&[f32], ResampleError> {
        if self.held.is_empty() && start < self.start {
            self.held.resize((self.start - start) as usize, 0.0);
            self.start = start;
        }
        let mut channels = vec![Vec::new(); self.track.channels()];
        loop {
            // What lies before the window is not needed again.
            let before = usize::try_from(start - self.start).unwrap_or(0).min(self.held.len());
            self.held.drain(..before);
            self.start += before as i64;
            if self.start == start && self.held.len() >= length {
                return Ok(&self.held[..length]);
            }
            if self.ended {
                let missing = (start - self.start) as usize + length;
                self.held.resize(missing, 0.0);
                continue;
            }
            let got = self.track.read(BLOCK, &mut channels).unwrap_or_else(|error| {
                self.broken = Some(told(&error));
                0
            });
            self.resampler.push(&mean(&channels)[..got], &mut self.held)?;
            if got < BLOCK {
                self.resampler.finish(&mut self.held)?;
                self.ended = true;
            }
        }
    }
}

fn told(error: &WavError) -> String {
    format!("the far end's track ends early: {}", crate::chain(error))
}
