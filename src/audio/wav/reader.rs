//! Reading the frames of a WAV file in order, in a form that the rest of the program knows.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    Encoding, Error, WavInfo,
    parse::{parse, read_up_to},
};

/// A WAV file being read.
#[derive(Debug)]
pub struct WavReader<R = BufReader<File>> {
    file: R,
    name: String,
    info: WavInfo,
    /// The next frame.
    position: u64,
    /// A block as it lies in the file, when it has to be converted.
    stored: Vec<u8>,
}

impl WavReader {
    /// Opens the file at `path` and reads its header.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
        Self::named(BufReader::with_capacity(64 * 1024, file), format!("`{}`", path.display()))
    }
}

impl<R: Read + Seek> WavReader<R> {
    /// Reads the header of a file that is open already, or that lies in memory.
    pub fn new(file: R) -> Result<Self, Error> {
        Self::named(file, "the file".into())
    }

    fn named(mut file: R, name: String) -> Result<Self, Error> {
        let info = parse(&mut file, &name)?;
        let mut reader = Self { file, name, info, position: 0, stored: Vec::new() };
        reader.seek_frame(0)?;
        Ok(reader)
    }

    /// What the file holds. Fixed when it was opened, also if it grows.
    pub fn info(&self) -> WavInfo {
        self.info
    }

    /// The frame that is read next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Appends at most `frames` whole interleaved frames in [`WavInfo::format`] to `out`; their number,
    /// 0 at the end. Frames × channels × bytes per sample are appended.
    pub fn read(&mut self, frames: usize, out: &mut Vec<u8>) -> Result<usize, Error> {
        let left = self.info.frames() - self.position;
        let frames = left.min(frames as u64);
        let frame_bytes = self.info.stored_frame_bytes();
        // A file that became shorter since it was opened simply ends earlier.
        let mut read = |bytes: &mut Vec<u8>| {
            let start = bytes.len();
            bytes.resize(start + (frames * frame_bytes) as usize, 0);
            let got = read_up_to(&mut self.file, &mut bytes[start..])
                .map_err(|source| Error::Read { file: self.name.clone(), source })?;
            let whole = got as u64 / frame_bytes;
            bytes.truncate(start + (whole * frame_bytes) as usize);
            Ok(whole)
        };
        let got = match self.info.encoding {
            Encoding::S16 | Encoding::S24 | Encoding::S32 | Encoding::F32 => read(out)?,
            encoding @ (Encoding::U8 | Encoding::F64) => {
                self.stored.clear();
                let got = read(&mut self.stored)?;
                convert(encoding, &self.stored, out);
                got
            }
        };
        self.position += got;
        Ok(got as usize)
    }

    /// Goes on at `frame`, or at the end when there are fewer.
    pub fn seek_frame(&mut self, frame: u64) -> Result<(), Error> {
        let frame = frame.min(self.info.frames());
        let offset = self.info.data_offset + frame * self.info.stored_frame_bytes();
        self.file
            .seek(SeekFrom::Start(offset))
            .map_err(|source| Error::Read { file: self.name.clone(), source })?;
        self.position = frame;
        Ok(())
    }
}

/// 8-bit integers to 16 bits, double precision to single.
fn convert(encoding: Encoding, stored: &[u8], out: &mut Vec<u8>) {
    if encoding == Encoding::U8 {
        out.extend(stored.iter().flat_map(|&it| ((i16::from(it) - 128) << 8).to_le_bytes()));
    } else {
        out.extend(stored.chunks_exact(8).flat_map(|b| {
            let double = f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            (double as f32).to_le_bytes()
        }));
    }
}
