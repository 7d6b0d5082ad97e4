//! Headers of WAV files. Owns where the samples lie and in what form; leaves reading them to `track`. hound
//! refuses what programs leave behind that could not finish, so headers are read here.
//!
//! Sources: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF) and `mmreg.h`
//! (WAVEFORMATEXTENSIBLE); EBU Tech 3306 (RF64).

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Real files have a handful of chunks; a file of zeros would otherwise keep us busy for minutes.
const MAX_CHUNKS: usize = 1000;
const MAX_CHANNELS: u16 = 16;
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;
const PCM: u16 = 1;
const IEEE_FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// Why a WAV file cannot be used.
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
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ends before its audio begins.
    #[error("`{}` has no audio yet: it ends in its header", path.display())]
    Unbegun {
        /// The file.
        path: PathBuf,
    },
    /// Something else than WAV, or a kind of it that is not read.
    #[error("`{}` cannot be used: {what}; convert it with `ffmpeg -i IN -c:a pcm_s16le OUT.wav`", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
    /// A file of a track does not go on like the one before it.
    #[error("`{}` has another rate or number of channels than the file before it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// There is no file at all.
    #[error("the track has no files")]
    NoFiles,
}

/// How one sample lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    S16,
    S24,
    S32,
    F32,
}

impl Encoding {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
        }
    }

    /// The sample in `bytes`, −1 to 1; what is no number is silence.
    pub(super) fn sample(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::S16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            (Self::S24, &[a, b, c]) => i32::from_le_bytes([0, a, b, c]) as f32 / 2_147_483_648.0,
            (Self::S32, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0,
            (Self::F32, &[a, b, c, d]) => {
                let sample = f32::from_le_bytes([a, b, c, d]);
                if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }
            }
            _ => 0.0,
        }
    }
}

/// A WAV file whose header was read.
#[derive(Debug, Clone)]
pub(super) struct Wav {
    pub(super) path: PathBuf,
    pub(super) rate_hz: u32,
    pub(super) channels: u16,
    pub(super) encoding: Encoding,
    /// Where the first frame begins, bytes from the start of the file.
    pub(super) offset: u64,
    /// Whole frames that are really there.
    pub(super) frames: u64,
    /// Whether the header promises more than there is, or was never finished.
    pub(super) cut: bool,
}

impl Wav {
    /// Reads the header of the file at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let open = |source| Error::Open { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(open)?;
        let length = file.metadata().map_err(open)?.len();
        match parse(&mut file, length, path) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Error::Unbegun { path: path.to_owned() })
            }
            parsed => parsed,
        }
    }

    /// Bytes of one frame.
    pub(super) fn frame_bytes(&self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }
}

fn parse(file: &mut File, length: u64, path: &Path) -> Result<Wav, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let unusable = |what: &str| Error::Unusable { path: path.to_owned(), what: what.to_owned() };
    let mut start = [0; 12];
    file.read_exact(&mut start).map_err(failed)?;
    if !matches!(&start[..4], b"RIFF" | b"RF64" | b"BW64") || &start[8..] != b"WAVE" {
        return Err(unusable(&format!("it is no WAV file, it starts with \"{}\"", start.escape_ascii())));
    }
    let finished = u64::from(u32_at(&start, 4)) + 8 == length;
    let (mut at, mut fmt, mut long) = (12_u64, None, None);
    for _ in 0..MAX_CHUNKS {
        let mut chunk = [0; 8];
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        file.read_exact(&mut chunk).map_err(failed)?;
        let (size, body) = (u32_at(&chunk, 4), at + 8);
        match &chunk[..4] {
            b"ds64" => {
                let mut sizes = [0; 16];
                file.read_exact(&mut sizes).map_err(failed)?;
                long = Some(u64::from(u32_at(&sizes, 8)) | u64::from(u32_at(&sizes, 12)) << 32);
            }
            b"fmt " => {
                let mut bytes = vec![0; (size as usize).min(40)];
                file.read_exact(&mut bytes).map_err(failed)?;
                fmt = Some(parse_fmt(&bytes).map_err(|what| unusable(&what))?);
            }
            b"data" => {
                let (rate_hz, channels, encoding) =
                    fmt.ok_or_else(|| unusable("it does not say its format"))?;
                let there = length.saturating_sub(body);
                // Programs that died left 0 or all ones: the audio then goes to the end of the file.
                let said = match (size, long) {
                    (u32::MAX, long) => long,
                    (0, _) if !finished => None,
                    (size, _) => Some(size.into()),
                };
                let path = path.to_owned();
                let mut wav = Wav { path, rate_hz, channels, encoding, offset: body, frames: 0, cut: false };
                wav.cut = said.is_none_or(|it| it > there);
                wav.frames = said.unwrap_or(there).min(there) / wav.frame_bytes() as u64;
                return Ok(wav);
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        at = body + u64::from(size) + u64::from(size % 2);
    }
    Err(unusable("there is no audio within its first 1000 chunks"))
}

/// Rate, channels and encoding from the body of a `fmt ` chunk.
fn parse_fmt(bytes: &[u8]) -> Result<(u32, u16, Encoding), String> {
    if bytes.len() < 16 {
        return Err("its format description is too short".into());
    }
    let (channels, rate_hz, block) = (u16_at(bytes, 2), u32_at(bytes, 4), u16_at(bytes, 12));
    let tag = match u16_at(bytes, 0) {
        EXTENSIBLE if bytes.len() >= 26 => u16_at(bytes, 24),
        tag => tag,
    };
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(format!("it has {channels} channels (1 to {MAX_CHANNELS} are read)"));
    }
    if !RATES_HZ.contains(&rate_hz) {
        return Err(format!("its rate is {rate_hz} Hz (8000 to 192000 are read)"));
    }
    let encoding = match (tag, block / channels) {
        (PCM, 2) => Encoding::S16,
        (PCM, 3) => Encoding::S24,
        (PCM, 4) => Encoding::S32,
        (IEEE_FLOAT, 4) => Encoding::F32,
        (tag, bytes) => {
            let bits = 8 * bytes;
            return Err(format!(
                "its samples are of format {tag:#06x} with {bits} bits (16, 24 and 32 bits are read)"
            ));
        }
    };
    Ok((rate_hz, channels, encoding))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
