//! Cleans one recording's microphone track into one file. Owns what is asked for, what is answered and that
//! the file is whole; leaves the sound to `stages`, and events to the plugin.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use panotti_sdk::{files, payloads::NoiseReductionMethod};

use crate::{
    Config, ResampleError, WavError,
    stages::{StageError, Stages},
};

/// What is to be cleaned. Audio is WAV of 16, 24 or 32 bits or 32-bit floating point, 8 to 192 kHz, 1 to 16
/// channels; the files of a track follow one another without a gap.
#[derive(Debug, Clone)]
pub struct Task {
    /// The room's track.
    pub microphone: Vec<PathBuf>,
    /// Whether its channels are kept, each cleaned by itself, and not mixed to one.
    pub keep_channels: bool,
    /// What the loudspeakers played; empty where that is not known.
    pub system: Vec<PathBuf>,
    /// The WAV file to be written: 16 bits, the microphone's rate, as many frames as the microphone has.
    pub output: PathBuf,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleaned {
    /// Frames that were written.
    pub frames: u64,
    /// Their rate, Hz.
    pub rate_hz: u32,
    /// How much quieter the stretches without speech are, dB; none where all was silent.
    pub gain_db: Option<f32>,
    /// How the far end was taken out; none where it is not heard, there is none, or no method is on.
    pub method: Option<NoiseReductionMethod>,
    /// What could not be done as asked, for people.
    pub problems: Vec<String>,
}

/// Why there is no cleaned file.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// The room's track cannot be read.
    #[error("the microphone's track cannot be read")]
    Microphone(#[source] WavError),
    /// It has no frames.
    #[error("the microphone's track is empty")]
    Empty,
    /// It is longer than one WAV file may be.
    #[error(
        "the microphone's track is too long for one WAV file: {hours:.1} h of {channels} channels at {rate_hz} Hz"
    )]
    TooLong {
        /// Its length, h.
        hours: f64,
        /// Its channels.
        channels: usize,
        /// Its rate, Hz.
        rate_hz: u32,
    },
    /// Sound cannot be brought to the rate that is needed.
    #[error(transparent)]
    Resample(#[from] ResampleError),
    /// The cleaned file cannot be written.
    #[error("cannot write `{}`: give the box space, or another output_directory", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nobody waits for it any more.
    #[error("the cleaning was stopped")]
    Stopped,
}

impl CleanError {
    /// Whether the room's track itself is at fault, so that trying again is of no use.
    pub fn is_of_the_track(&self) -> bool {
        matches!(self, Self::Microphone(_) | Self::Empty | Self::TooLong { .. })
    }
}

/// Cleans the track of `task`; the same input gives the same output. Looks at `stop` again and again, and
/// ends soon after it is set.
///
/// # Errors
/// See [`CleanError`]. A file of an earlier cleaning is then still there. A system's track that cannot be
/// read is no error but one of [`Cleaned::problems`].
pub fn clean(task: &Task, config: &Config, stop: &AtomicBool) -> Result<Cleaned, CleanError> {
    let mut stages = Stages::open(task, config, stop)?;
    let mut failed = None;
    let written = files::write_with(&task.output, |file| {
        stages.run(file, stop).map_err(|error| match error {
            StageError::Write(error) => error,
            StageError::Clean(error) => {
                failed = Some(error);
                io::ErrorKind::Other.into()
            }
        })
    });
    match (failed, written) {
        (Some(error), _) => Err(error),
        (None, Err(source)) => Err(CleanError::Write { path: task.output.clone(), source }),
        (None, Ok(())) => Ok(stages.done()),
    }
}

/// Where the cleaned track of a recording is written in `folder`.
pub(crate) fn output(folder: &Path, recording_id: &str) -> PathBuf {
    // Ids may have dots: nothing here is an extension to be replaced.
    folder.join(format!("{recording_id}_microphone_cleaned.wav"))
}
