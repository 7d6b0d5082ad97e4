//! WAV files: what their headers say ([`read_info`]), their frames ([`WavReader`]) and headers of our own.
//! Reads what other programs left behind, also when they died over it; leaves writing recordings to
//! `audio::writer`.
//!
//! Sources: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF) and
//! `mmreg.h` (WAVEFORMATEXTENSIBLE); EBU Tech 3306 (RF64); ITU-R BS.2088 (BW64).

mod header;
mod parse;
mod reader;
#[cfg(test)]
mod tests;

pub(super) use header::{HEADER_MAX_BYTES, header};
pub use parse::read_info;
pub use reader::WavReader;

use std::{io, path::PathBuf};

use super::format::{SampleFormat, StreamFormat};

/// How one sample lies in the file. More forms than [`SampleFormat`]: those a device never delivers are
/// converted while reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 8-bit integer around 128.
    U8,
    /// 16-bit integer.
    S16,
    /// 24-bit integer in 3 bytes.
    S24,
    /// 32-bit integer, or fewer bits at the upper end of 4 bytes.
    S32,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
}

impl Encoding {
    /// Bytes one sample takes in the file.
    pub fn bytes(self) -> u16 {
        match self {
            Self::U8 => 1,
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// What a reader is given.
    fn delivered(self) -> SampleFormat {
        match self {
            Self::U8 | Self::S16 => SampleFormat::S16Le,
            Self::S24 => SampleFormat::S24Le3,
            Self::S32 => SampleFormat::S32Le,
            Self::F32 | Self::F64 => SampleFormat::FloatLe,
        }
    }

    /// What a recording in this format is written as.
    pub(super) fn of(sample: SampleFormat) -> Self {
        match sample {
            SampleFormat::S16Le => Self::S16,
            // The unused byte carries nothing, and WAV keeps 24 bits at the other end of 4 bytes.
            SampleFormat::S24Le3 | SampleFormat::S24Le => Self::S24,
            SampleFormat::S32Le => Self::S32,
            SampleFormat::FloatLe => Self::F32,
        }
    }
}

/// What the header of a WAV file says, corrected by what the file really holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavInfo {
    /// The form in which [`WavReader`] delivers the frames.
    pub format: StreamFormat,
    /// The form in which they lie in the file.
    pub encoding: Encoding,
    /// Where the first frame begins, bytes from the start of the file.
    pub data_offset: u64,
    /// Length of all whole frames in the file, bytes.
    pub data_bytes: u64,
    /// What a finished header promises beyond that, bytes; 0 where it was never finished.
    pub missing_bytes: u64,
}

impl WavInfo {
    /// Bytes one frame takes in the file.
    pub fn stored_frame_bytes(&self) -> u64 {
        u64::from(self.encoding.bytes()) * u64::from(self.format.channels)
    }

    /// Number of whole frames.
    pub fn frames(&self) -> u64 {
        self.data_bytes / self.stored_frame_bytes()
    }

    /// Length in ms, rounded down.
    pub fn duration_ms(&self) -> u64 {
        duration_ms(self.frames(), self.format.rate_hz)
    }
}

/// `frames` at `rate_hz` in ms, rounded down.
pub(super) fn duration_ms(frames: u64, rate_hz: u32) -> u64 {
    let rate = u64::from(rate_hz);
    frames / rate * 1000 + frames % rate * 1000 / rate
}

/// What is wrong with a WAV file. `file` is its path in backquotes, or "the file" where only its bytes are
/// known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not ours to read.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk does not deliver.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something else than WAV.
    #[error(
        "{file} is no WAV file (it {start}): give a WAV file, or convert it with `ffmpeg -i IN -c:a pcm_s16le OUT.wav`"
    )]
    NotWav {
        /// The file.
        file: String,
        /// "starts with …" or "is empty".
        start: String,
    },
    /// WAV, but too little of it.
    #[error("{file} is a damaged WAV file: {what}; copy it again from where it came from")]
    Damaged {
        /// The file.
        file: String,
        /// The fault.
        what: String,
    },
    /// WAV of a kind that is not read.
    #[error(
        "{file}: {what} is not supported: convert it with `ffmpeg -i IN -c:a pcm_s16le {options}OUT.wav`"
    )]
    Unsupported {
        /// The file.
        file: String,
        /// "compressed WAV (format 0x0002)", "a WAV file of 32 channels (at most 16)" …
        what: String,
        /// Further options of the conversion, each followed by a space.
        options: &'static str,
    },
}
