//! The way from a microphone's track to the cleaned file, block by block. Owns which stages there are and
//! their order; leaves the file itself and what a stage does to others.

use std::{
    fs::File,
    io::{self, BufWriter},
    sync::atomic::{AtomicBool, Ordering},
};

use hound::{SampleFormat, WavSpec, WavWriter};
use panotti_sdk::payloads::NoiseReductionMethod;

use crate::{
    CleanError, Cleaned, Config, Task,
    audio::Track,
    chain,
    denoise::Denoise,
    far_end::{Delays, FarEnd, System, mean},
    high_pass::HighPass,
    level::Levels,
};

/// The sizes in a header have 32 bits; a header is shorter than this.
const MOST_BYTES: u64 = u32::MAX as u64 - 128;

/// Writing fails in its own way, because the file is the caller's.
pub(crate) enum StageError {
    Write(io::Error),
    Clean(CleanError),
}

impl<E: Into<CleanError>> From<E> for StageError {
    fn from(error: E) -> Self {
        Self::Clean(error.into())
    }
}

impl StageError {
    fn write(error: hound::Error) -> Self {
        Self::Write(match error {
            hound::Error::IoError(error) => error,
            error => io::Error::other(error),
        })
    }
}

/// Everything on the way from the track to the file.
pub(crate) struct Stages {
    microphone: Track,
    rate_hz: u32,
    /// Of the result.
    channels: usize,
    high_pass: Vec<HighPass>,
    far_end: Option<FarEnd>,
    denoise: Vec<Denoise>,
    before: Levels,
    after: Levels,
    method: Option<NoiseReductionMethod>,
    frames: u64,
    problems: Vec<String>,
}

impl Stages {
    pub(crate) fn open(task: &Task, config: &Config, stop: &AtomicBool) -> Result<Self, CleanError> {
        let microphone = Track::open(&task.microphone).map_err(CleanError::Microphone)?;
        let rate_hz = microphone.rate_hz();
        let channels = if task.keep_channels { microphone.channels() } else { 1 };
        if microphone.frames() == 0 {
            return Err(CleanError::Empty);
        }
        if microphone.frames().saturating_mul(2 * channels as u64) > MOST_BYTES {
            let hours = microphone.frames() as f64 / f64::from(rate_hz) / 3600.0;
            return Err(CleanError::TooLong { hours, channels, rate_hz });
        }
        let mut problems = Vec::new();
        let mut far_end = None;
        if !task.system.is_empty() && (config.freq_domain_bleed_removal || config.time_domain_subtraction) {
            far_end = Self::far_end(task, config, (rate_hz, channels), stop, &mut problems)?;
        }
        let method = far_end.as_ref().map(|_| match config.freq_domain_bleed_removal {
            true => NoiseReductionMethod::FrequencyDomain,
            false => NoiseReductionMethod::TimeDomain,
        });
        let high_pass =
            (config.highpass_cutoff > 0.0).then(|| HighPass::new(config.highpass_cutoff, rate_hz));
        let high_pass = high_pass.map_or_else(Vec::new, |it| vec![it; channels]);
        // What is left of the original is never less than the floor.
        let wet = config.noise_reduce_factor.min(1.0 - config.spectral_floor) as f32;
        let count = if wet > 0.0 { channels } else { 0 };
        let denoise = (0..count).map(|_| Denoise::new(rate_hz, wet)).collect::<Result<_, _>>()?;
        let (before, after) = (Levels::new(rate_hz), Levels::new(rate_hz));
        Ok(Self {
            microphone,
            rate_hz,
            channels,
            high_pass,
            far_end,
            denoise,
            before,
            after,
            method,
            frames: 0,
            problems,
        })
    }

    /// The far end's removal; none where there is nothing to remove, or it cannot be.
    fn far_end(
        task: &Task,
        config: &Config,
        (rate_hz, channels): (u32, usize),
        stop: &AtomicBool,
        problems: &mut Vec<String>,
    ) -> Result<Option<FarEnd>, CleanError> {
        let open = || Track::open(&task.system);
        let (first, second) = match open().and_then(|first| Ok((first, open()?))) {
            Ok(both) => both,
            Err(error) => {
                problems.push(format!("the far end stays in: its track cannot be read: {}", chain(&error)));
                return Ok(None);
            }
        };
        let mut delays = Delays::Zero;
        if config.use_fft_alignment {
            let microphone = Track::open(&task.microphone).map_err(CleanError::Microphone)?;
            delays = Delays::survey(microphone, System::new(first, rate_hz)?, config, stop)?;
        }
        let system = System::new(second, rate_hz)?;
        Ok(delays.is_heard().then(|| FarEnd::new(config, rate_hz, channels, system, delays)))
    }

    pub(crate) fn run(&mut self, file: &mut File, stop: &AtomicBool) -> Result<(), StageError> {
        let spec = WavSpec {
            channels: self.channels as u16,
            sample_rate: self.rate_hz,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut out = WavWriter::new(BufWriter::new(file), spec).map_err(StageError::write)?;
        let block = self.far_end.as_ref().map_or(self.rate_hz as usize, FarEnd::block);
        let mut read = vec![Vec::new(); self.microphone.channels()];
        loop {
            let got = self.microphone.read(block, &mut read).map_err(CleanError::Microphone)?;
            let last = got < block;
            let mut channels = if self.channels == read.len() { read.clone() } else { vec![mean(&read)] };
            self.before.push(mean(&channels));
            for (filter, channel) in self.high_pass.iter_mut().zip(&mut channels) {
                filter.run(channel);
            }
            if let Some(far_end) = &mut self.far_end {
                far_end.push(&mut channels, last)?;
            }
            for (denoise, channel) in self.denoise.iter_mut().zip(&mut channels) {
                if stop.load(Ordering::Relaxed) {
                    return Err(CleanError::Stopped.into());
                }
                let dirty = std::mem::take(channel);
                denoise.push(&dirty, channel)?;
                if last {
                    denoise.finish(channel)?;
                }
            }
            self.write(&channels, &mut out)?;
            if stop.load(Ordering::Relaxed) {
                return Err(CleanError::Stopped.into());
            }
            if last {
                return out.finalize().map_err(StageError::write);
            }
        }
    }

    fn write(
        &mut self,
        channels: &[Vec<f32>],
        out: &mut WavWriter<BufWriter<&mut File>>,
    ) -> Result<(), StageError> {
        self.after.push(mean(channels));
        let frames = channels.first().map_or(0, Vec::len);
        for frame in 0..frames {
            for channel in channels {
                // From f32 to i16 is to the nearest number there is, also beyond its range.
                out.write_sample((channel[frame] * 32_768.0).round() as i16).map_err(StageError::write)?;
            }
        }
        self.frames += frames as u64;
        Ok(())
    }

    pub(crate) fn done(mut self) -> Cleaned {
        self.problems.extend(self.microphone.problem().map(str::to_owned));
        self.problems.extend(self.far_end.as_ref().and_then(FarEnd::problem).map(str::to_owned));
        Cleaned {
            frames: self.frames,
            rate_hz: self.rate_hz,
            gain_db: self.before.gain_db(&self.after),
            method: self.method,
            problems: self.problems,
        }
    }
}
