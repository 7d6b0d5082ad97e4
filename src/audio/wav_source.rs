//! A WAV file in the place of a microphone. Owns its pace; leaves reading the file to `wav`. The file's own
//! format is what is captured: `rate_hz`, `channels` and `format` of the configuration are for sound cards.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    sink::CaptureSink,
    stop::Stop,
    wav::{self, WavReader},
};

/// How often a fast source looks whether its readers have room again.
const FULL: Duration = Duration::from_millis(1);

/// How fast a file is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As a sound card would deliver it; a reader that is behind loses frames.
    RealTime,
    /// As fast as both readers take it; nothing is lost.
    Fast,
}

/// Plays the file at `path`, `period_ms` at a time, to its end or until asked to stop.
pub(crate) fn play(
    (device, path, pace): (&str, &Path, Pace),
    period_ms: u32,
    sink: &mut CaptureSink,
    stop: &Stop,
) -> Result<(), wav::Error> {
    let mut file = WavReader::open(path)?;
    let format = file.info().format;
    let rate = u64::from(format.rate_hz.max(1));
    let period = usize::try_from(rate * u64::from(period_ms) / 1000).unwrap_or(1).max(1);
    let mut frames = Vec::with_capacity(period * format.frame_bytes());
    sink.open(device, format);
    let start = Instant::now();
    loop {
        frames.clear();
        if file.read(period, &mut frames)? == 0 {
            return Ok(());
        }
        let stopped = match pace {
            // From the start of the file, not from the last period: pauses do not add up.
            Pace::RealTime => {
                stop.sleep_until(start + Duration::from_secs_f64(file.position() as f64 / rate as f64))
            }
            Pace::Fast => {
                while !sink.has_room(frames.len()) && !stop.sleep(FULL) {}
                stop.requested()
            }
        };
        if stopped {
            return Ok(());
        }
        sink.push(&frames);
    }
}
