//! Audio files of any form, known by their content, as interleaved `f32`. Owns choosing the reader, and that
//! no file, however broken, ends the program; leaves WAV to `wav`, which also reads what was never finished,
//! and other forms to `media`. Holds about a second of sound at a time.

mod error;
mod media;
mod sniff;
#[cfg(test)]
mod tests;
mod track;

use std::{
    fs::File,
    io::Read as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

pub use error::Error;
pub use sniff::is_audio;

use super::{SampleFormat, StreamFormat, WavError, WavReader};
use media::Media;

/// Sample rates that are believed, Hz.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=384_000;
/// Most channels that are believed.
const MOST_CHANNELS: usize = 64;

/// An audio file being read, from its beginning to its end.
#[derive(Debug)]
pub struct AudioFile {
    /// The path in backquotes, for errors.
    name: String,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Wav { file: Box<WavReader>, bytes: Vec<u8> },
    Media(Box<Media>),
}

impl AudioFile {
    /// Opens the file at `path` and decodes its beginning. WAV (also unfinished), FLAC, MP3, OGG (Vorbis,
    /// Opus), AAC, M4A and MP4 (AAC, ALAC), MKV and WebM, AIFF, CAF; of a video, the sound.
    ///
    /// # Errors
    /// It cannot be opened, is empty, is no audio, has audio in a codec that is not decoded, or nothing
    /// can be decoded at all.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let name = format!("`{}`", path.display());
        let failed = |source| Error::Read { file: name.clone(), source };
        let file = File::open(path).map_err(|source| Error::Open { path: path.into(), source })?;
        let mut start = Vec::new();
        file.take(16).read_to_end(&mut start).map_err(failed)?;
        if start.is_empty() {
            return Err(Error::Empty { file: name });
        }
        let media = |start: &[u8]| {
            guarded(&name, || Media::open(path, &name, start)).map(|it| Reader::Media(Box::new(it)))
        };
        let reader = if matches!(start.get(..4), Some(b"RIFF" | b"RF64" | b"BW64" | b"RIFX")) {
            match WavReader::open(path) {
                Ok(file) => Reader::Wav { file: Box::new(file), bytes: Vec::new() },
                // Codecs of telephones and of the nineties. What neither reads, `wav` explains better.
                Err(error @ WavError::Unsupported { .. }) => media(&start).map_err(|_| error)?,
                Err(error) => return Err(error.into()),
            }
        } else {
            media(&start)?
        };
        Ok(Self { name, reader })
    }

    /// Length in ms, where the file says it.
    pub fn duration_ms(&self) -> Option<u64> {
        match &self.reader {
            Reader::Wav { file, .. } => Some(file.info().duration_ms()),
            Reader::Media(media) => media.duration_ms(),
        }
    }

    /// Rate and channels of what is read next; both may change within a file.
    pub fn format(&self) -> StreamFormat {
        match &self.reader {
            Reader::Wav { file, .. } => StreamFormat { sample: SampleFormat::FloatLe, ..file.info().format },
            Reader::Media(media) => media.format(),
        }
    }

    /// Appends about a second of interleaved frames, full scale ±1, to `out`, and says their format; `None`
    /// at the end.
    ///
    /// # Errors
    /// The disk does not deliver. A file that is damaged ends early instead; see [`AudioFile::damage`].
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<Option<StreamFormat>, Error> {
        match &mut self.reader {
            Reader::Wav { file, bytes } => {
                bytes.clear();
                let format = file.info().format;
                let frames = file.read(format.rate_hz as usize, bytes)?;
                format.sample.decode(bytes, out);
                let format = StreamFormat { sample: SampleFormat::FloatLe, ..format };
                Ok((frames > 0).then_some(format))
            }
            Reader::Media(media) => {
                let read = catch_unwind(AssertUnwindSafe(|| media.read(out)));
                read.unwrap_or_else(|_| {
                    media.give_up("the decoder failed");
                    Ok(None)
                })
            }
        }
    }

    /// What is missing, once the end is reached; `None` when all was there.
    pub fn damage(&self) -> Option<String> {
        let what = match &self.reader {
            Reader::Wav { file, .. } => {
                let info = file.info();
                let missing_ms =
                    info.missing_bytes / info.stored_frame_bytes() * 1000 / u64::from(info.format.rate_hz);
                (info.missing_bytes > 0).then(|| cut(info.duration_ms(), info.duration_ms() + missing_ms))
            }
            Reader::Media(media) => media.damage(),
        };
        what.map(|what| format!("{} is damaged: {what}", self.name))
    }
}

/// Decoders are other people's code, fed with anything: a panic in one is a damaged file.
fn guarded<T>(name: &str, open: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        Err(Error::Damaged { file: name.to_owned(), what: "the decoder failed on it".into() })
    })
}

/// "it ends after 36.0 s of 60.0 s".
fn cut(there_ms: u64, said_ms: u64) -> String {
    format!("it ends after {} of {}", seconds(there_ms), seconds(said_ms))
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
