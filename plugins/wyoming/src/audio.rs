//! Audio that comes in pieces, kept as a WAV file until it is written down. Owns its formats, how much of it
//! there may be, and that every file goes again; leaves what is done with it to `session`.

use std::{
    fs::{self, File},
    io::{self, Write},
    ops::RangeInclusive,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use panotti_sdk::{
    Context,
    serde_json::{Map, Value},
};

use crate::refused::Refused;

/// Bytes that are gathered before they go to the disk: a client of Home Assistant sends 2 KiB at a time.
const GATHERED: usize = 64 << 10;
/// Bytes of a WAV header without extensions.
const HEADER: usize = 44;

/// How samples lie in the bytes: little-endian integers, those of one byte unsigned, as in a WAV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// Samples a second, Hz.
    rate_hz: u32,
    /// Bytes of a sample.
    width: u16,
    channels: u16,
}

impl Format {
    pub(crate) const RATES_HZ: RangeInclusive<u64> = 4_000..=192_000;
    pub(crate) const WIDTHS: RangeInclusive<u64> = 1..=4;
    pub(crate) const CHANNELS: RangeInclusive<u64> = 1..=8;

    /// The format that an event gives, if it gives one.
    ///
    /// # Errors
    /// [`Refused::NoFormat`] and [`Refused::Format`].
    pub(crate) fn given(data: &Map<String, Value>) -> Result<Option<Self>, Refused> {
        let given = ["rate", "width", "channels"].map(|it| data.get(it).filter(|it| !it.is_null()));
        let [Some(rate), Some(width), Some(channels)] = given.map(|it| it.and_then(Value::as_u64)) else {
            return if given == [None; 3] { Ok(None) } else { Err(Refused::NoFormat) };
        };
        let usable = Self::RATES_HZ.contains(&rate)
            && Self::WIDTHS.contains(&width)
            && Self::CHANNELS.contains(&channels);
        // The ranges are far below what the types hold.
        let format = Self { rate_hz: rate as u32, width: width as u16, channels: channels as u16 };
        if usable { Ok(Some(format)) } else { Err(Refused::Format { rate, width, channels }) }
    }

    /// Bytes of one sample of every channel.
    fn frame_bytes(self) -> u16 {
        self.width * self.channels
    }

    /// Bytes of a second.
    fn bytes_a_second(self) -> u32 {
        self.rate_hz * u32::from(self.frame_bytes())
    }

    /// The header of a WAV file of `data_bytes` of integers (Microsoft and IBM, "Multimedia Programming
    /// Interface and Data Specifications 1.0", 1991).
    fn header(self, data_bytes: u32) -> [u8; HEADER] {
        const PCM: u16 = 1;
        let fields: [&[u8]; 13] = [
            b"RIFF",
            &(data_bytes + HEADER as u32 - 8).to_le_bytes(),
            b"WAVE",
            b"fmt ",
            &16_u32.to_le_bytes(),
            &PCM.to_le_bytes(),
            &self.channels.to_le_bytes(),
            &self.rate_hz.to_le_bytes(),
            &self.bytes_a_second().to_le_bytes(),
            &self.frame_bytes().to_le_bytes(),
            &(self.width * 8).to_le_bytes(),
            b"data",
            &data_bytes.to_le_bytes(),
        ];
        let (mut header, mut at) = ([0; HEADER], 0);
        for field in fields {
            header[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        header
    }
}

/// The folder of all requests, and how much lies in it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    folder: Arc<Path>,
    most_bytes: u64,
    bytes: Arc<AtomicU64>,
    files: Arc<AtomicU64>,
}

impl Storage {
    pub(crate) fn new(folder: PathBuf, most_bytes: u64) -> Self {
        Self { folder: folder.into(), most_bytes, bytes: Arc::default(), files: Arc::default() }
    }

    /// Makes the folder, without what a power cut left in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn empty(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&self.folder),
        }
    }

    fn create(&self, format: Format, longest_s: u32) -> io::Result<Incoming> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{number}.wav"));
        // What was said is for nobody else on the box.
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        let mut incoming =
            Incoming { format, longest_s, path, file, gathered: Vec::new(), bytes: 0, storage: self.clone() };
        incoming.file.write_all(&[0; HEADER])?;
        Ok(incoming)
    }
}

/// Audio that comes. Its file is removed when this is dropped: whoever works on it has it, so that the file
/// goes whichever way the work ends.
#[derive(Debug)]
pub(crate) struct Incoming {
    format: Format,
    longest_s: u32,
    path: PathBuf,
    file: File,
    gathered: Vec<u8>,
    /// Of the audio, gathered ones too.
    bytes: u64,
    storage: Storage,
}

impl Incoming {
    /// Makes the file.
    ///
    /// # Errors
    /// [`Refused::Disk`] and [`Refused::Transcriber`].
    pub(crate) async fn begin(
        context: &Context,
        storage: &Storage,
        format: Format,
        longest_s: u32,
    ) -> Result<Self, Refused> {
        let storage = storage.clone();
        context.blocking(move || storage.create(format, longest_s)).await?.map_err(Refused::Disk)
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes more audio.
    ///
    /// # Errors
    /// [`Refused::TooLong`], [`Refused::Full`] and [`Refused::Disk`].
    pub(crate) async fn push(mut self, context: &Context, audio: &[u8]) -> Result<Self, Refused> {
        let more = audio.len() as u64;
        if self.bytes + more > u64::from(self.format.bytes_a_second()) * u64::from(self.longest_s) {
            return Err(Refused::TooLong { longest_s: self.longest_s });
        }
        self.bytes += more;
        if self.storage.bytes.fetch_add(more, Ordering::Relaxed) + more > self.storage.most_bytes {
            return Err(Refused::Full);
        }
        self.gathered.extend_from_slice(audio);
        if self.gathered.len() < GATHERED {
            return Ok(self);
        }
        context.blocking(|| self.write()).await?.map_err(Refused::Disk)
    }

    /// All of it came: what is on disk is a WAV file.
    ///
    /// # Errors
    /// [`Refused::Disk`].
    pub(crate) async fn end(self, context: &Context) -> Result<Self, Refused> {
        let finish = || {
            let written = self.write()?;
            let frame = u64::from(written.format.frame_bytes());
            // At most 2 GiB, by the range of `most_audio_mib`.
            let whole = u32::try_from(written.bytes / frame * frame).map_err(io::Error::other)?;
            written.file.write_all_at(&written.format.header(whole), 0)?;
            Ok(written)
        };
        context.blocking(finish).await?.map_err(Refused::Disk)
    }

    fn write(mut self) -> io::Result<Self> {
        self.file.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(self)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.storage.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::error!(path = %self.path.display(), %error, "Audio of a request is left behind.");
        }
    }
}

#[cfg(test)]
mod tests {
    use panotti_sdk::serde_json::json;

    use super::*;

    fn given(data: &Value) -> Result<Option<Format>, Refused> {
        Format::given(data.as_object().unwrap())
    }

    #[test]
    fn every_format_makes_a_wav_file_that_others_read() {
        for width in 1..=4_u16 {
            for (channels, rate) in [(1_u16, 4_000_u32), (2, 44_100), (8, 192_000)] {
                let data = json!({ "rate": rate, "width": width, "channels": channels, "timestamp": null });
                let format = given(&data).unwrap().unwrap();
                // A sample of one byte is unsigned: 0x80 is silence. The others are 0x…8081.
                let sample = [0x81, 0x80, 0x80, 0x80];
                let frame: Vec<u8> =
                    (0..channels).flat_map(|_| &sample[4 - usize::from(width)..]).copied().collect();
                let audio = frame.repeat(3);
                let mut file = format.header(audio.len() as u32).to_vec();
                file.extend(&audio);
                let mut wav = hound::WavReader::new(io::Cursor::new(file)).unwrap();
                let spec = wav.spec();
                assert_eq!(
                    (spec.channels, spec.sample_rate, spec.bits_per_sample, spec.sample_format),
                    (channels, rate, width * 8, hound::SampleFormat::Int)
                );
                let samples: Vec<i32> = wav.samples().map(Result::unwrap).collect();
                let value = [0, -0x7f80, -0x7f_7f80, -0x7f7f_7f7f][usize::from(width) - 1];
                assert_eq!(samples, vec![value; 3 * usize::from(channels)], "{width}");
            }
        }
    }

    #[test]
    fn nobody_else_reads_what_was_said() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::new(dir.path().join("wyoming"), 1 << 20);
        storage.empty().unwrap();
        let format = given(&json!({ "rate": 16_000, "width": 2, "channels": 1 })).unwrap().unwrap();
        let incoming = storage.create(format, 60).unwrap();
        assert_eq!(fs::metadata(incoming.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn formats_that_cannot_be_used() {
        assert_eq!(given(&json!({ "timestamp": 3, "rate": null })).unwrap(), None);
        for bad in [
            json!({ "rate": 3_999, "width": 2, "channels": 1 }),
            json!({ "rate": 192_001, "width": 2, "channels": 1 }),
            json!({ "rate": 16_000, "width": 0, "channels": 1 }),
            json!({ "rate": 16_000, "width": 5, "channels": 1 }),
            json!({ "rate": 16_000, "width": 2, "channels": 0 }),
            json!({ "rate": 16_000, "width": 2, "channels": 9 }),
            json!({ "rate": u64::MAX, "width": u64::MAX, "channels": u64::MAX }),
        ] {
            assert!(matches!(given(&bad), Err(Refused::Format { .. })), "{bad}");
        }
        for bad in [
            json!({ "rate": 16_000 }),
            json!({ "rate": "16000", "width": 2, "channels": 1 }),
            json!({ "rate": 16_000.5, "width": 2, "channels": 1 }),
            json!({ "rate": -1, "width": 2, "channels": 1 }),
        ] {
            assert!(matches!(given(&bad), Err(Refused::NoFormat)), "{bad}");
        }
    }
}
