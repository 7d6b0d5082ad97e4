//! The segments of a recording as one WAV file that nobody has to write. Owns the view; leaves ranges and
//! responses to `http`.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{
    format::StreamFormat,
    wav::{self, WavInfo, header, read_info},
};

/// Why segments cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No segment was named.
    #[error("the recording has no audio")]
    Empty,
    /// A segment that cannot be read.
    #[error("cannot play `{}`", path.display())]
    Segment {
        /// The segment.
        path: PathBuf,
        /// Why.
        #[source]
        source: wav::Error,
    },
    /// The device came back in another format during the recording.
    #[error("`{}` has {found} where the segments before it have {expected}: play it on its own", path.display())]
    Format {
        /// The segment.
        path: PathBuf,
        /// Its format.
        found: StreamFormat,
        /// That of the first segment.
        expected: StreamFormat,
    },
}

/// One WAV file made of several. Its length is that at the time of opening, also if a segment grows.
#[derive(Debug)]
pub struct JoinedWav {
    /// RIFF, or RF64 where 32 bits do not suffice.
    header: Vec<u8>,
    parts: Vec<Part>,
    data_bytes: u64,
    format: StreamFormat,
}

/// The audio of one segment.
#[derive(Debug)]
struct Part {
    file: File,
    /// Where its audio begins in the joined audio, bytes.
    start: u64,
    /// Where its audio begins in its file, bytes.
    data_offset: u64,
    data_bytes: u64,
}

impl JoinedWav {
    /// Opens all segments, in order; they stay open, so that playing goes on when they are removed.
    pub fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        let shape = |info: &WavInfo| (info.encoding, info.format.rate_hz, info.format.channels);
        let mut first: Option<WavInfo> = None;
        let mut parts = Vec::with_capacity(paths.len());
        let mut data_bytes = 0;
        for path in paths {
            let (file, info) = open_segment(path)?;
            let first = first.get_or_insert(info);
            if shape(first) != shape(&info) {
                return Err(Error::Format { path: path.clone(), found: info.format, expected: first.format });
            }
            parts.push(Part {
                file,
                start: data_bytes,
                data_offset: info.data_offset,
                data_bytes: info.data_bytes,
            });
            data_bytes += info.data_bytes;
        }
        let Some(WavInfo { encoding, format, .. }) = first else { return Err(Error::Empty) };
        let header = header(encoding, format.rate_hz, format.channels, data_bytes);
        Ok(Self { header, parts, data_bytes, format })
    }

    /// Length of the whole file, bytes.
    #[expect(clippy::len_without_is_empty, reason = "there is always a header")]
    pub fn len(&self) -> u64 {
        self.header.len() as u64 + self.data_bytes + self.data_bytes % 2
    }

    /// In which [`WavReader`](super::WavReader) would deliver the frames.
    pub fn format(&self) -> StreamFormat {
        self.format
    }

    /// Fills `buffer` from `offset` on as far as the file reaches; bytes read, 0 at the end. Fails with
    /// `UnexpectedEof` when a segment became shorter.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let wanted = &mut buffer[done..];
            match self.read_piece(offset + done as u64, wanted) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // What was read is good; the error comes again with the next call.
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    /// What one source (header, segment, pad byte) has at `offset`.
    fn read_piece(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let header_bytes = self.header.len() as u64;
        if offset < header_bytes {
            let rest = &self.header[offset as usize..];
            let n = rest.len().min(buffer.len());
            buffer[..n].copy_from_slice(&rest[..n]);
            return Ok(n);
        }
        let at = offset - header_bytes;
        if at >= self.data_bytes {
            if offset >= self.len() {
                return Ok(0);
            }
            buffer[0] = 0;
            return Ok(1);
        }
        // The last that begins at or before `at`; empty ones begin where their successors do.
        let index = self.parts.partition_point(|it| it.start <= at) - 1;
        let part = &self.parts[index];
        let within = at - part.start;
        let n = (part.data_bytes - within).min(buffer.len() as u64) as usize;
        match part.file.read_at(&mut buffer[..n], part.data_offset + within)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => Ok(n),
        }
    }
}

fn open_segment(path: &Path) -> Result<(File, WavInfo), Error> {
    let failed = |source| Error::Segment { path: path.to_owned(), source };
    let mut file =
        File::open(path).map_err(|source| failed(wav::Error::Open { path: path.to_owned(), source }))?;
    let info = read_info(&mut file).map_err(failed)?;
    Ok((file, info))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::audio::wav::Encoding;

    /// A sparse segment that ends with `last`.
    fn segment(dir: &Path, name: &str, channels: u16, data_bytes: u64, last: u8) -> PathBuf {
        let path = dir.join(name);
        let header = header(Encoding::S16, 48_000, channels, data_bytes);
        std::fs::write(&path, &header).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[last], header.len() as u64 + data_bytes - 1).unwrap();
        path
    }

    #[test]
    fn more_than_4_gib_becomes_rf64() {
        let dir = tempfile::tempdir().unwrap();
        let size = 2_000_000_000;
        let parts = [1, 2, 3].map(|i| segment(dir.path(), &i.to_string(), 2, size, i));
        let joined = JoinedWav::open(&parts).unwrap();
        let mut start = [0; 80];
        assert_eq!(joined.read_at(0, &mut start).unwrap(), 80);
        assert!(start.starts_with(b"RF64"));
        assert_eq!((joined.len(), joined.format().channels), (80 + 3 * size, 2));
        let mut around = [9; 2];
        assert_eq!(joined.read_at(80 + 2 * size - 1, &mut around).unwrap(), 2);
        assert_eq!(around, [2, 0]);
        assert_eq!(joined.read_at(joined.len() - 1, &mut around).unwrap(), 1);
        assert_eq!(around[0], 3);
    }

    #[test]
    fn what_cannot_be_joined_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let parts = [segment(dir.path(), "a.wav", 1, 10, 1), segment(dir.path(), "b.wav", 2, 12, 1)];
        let error = JoinedWav::open(&parts).unwrap_err().to_string();
        assert!(error.contains("b.wav` has S16_LE 48000 Hz 2 ch"), "{error}");
        assert!(matches!(JoinedWav::open(&[]).unwrap_err(), Error::Empty));
    }

    #[test]
    fn a_growing_file_has_the_length_it_had() {
        let dir = tempfile::tempdir().unwrap();
        let part = segment(dir.path(), "a.wav", 1, 100, 1);
        let joined = JoinedWav::open(std::slice::from_ref(&part)).unwrap();
        File::options().write(true).open(&part).unwrap().write_all_at(&[5; 500], 144).unwrap();
        assert_eq!((joined.len(), joined.read_at(0, &mut [0; 999]).unwrap()), (144, 144));
        File::options().write(true).open(&part).unwrap().set_len(60).unwrap();
        let error = joined.read_at(60, &mut [0; 9]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
