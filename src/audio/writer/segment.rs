//! One file of a recording: gathering, writing, making durable, closing. The order of steps is the one
//! that the module above explains.

use std::{
    fs::OpenOptions,
    io, mem,
    path::{Path, PathBuf},
};

use super::{
    Error,
    backend::{Disk, Output},
    recover::sync_dir,
    remove_segment,
};
use crate::audio::{
    format::StreamFormat,
    wav::{Encoding, header},
};

/// Frames are gathered to this many bytes before they are written, so that neither backend makes a system
/// call for each period of 20 ms.
const GATHER_BYTES: usize = 64 * 1024;

pub(super) struct Segment {
    path: PathBuf,
    output: Output,
    format: StreamFormat,
    header_bytes: u64,
    /// Bytes of data that the file has.
    written: u64,
    /// Bytes of data that the header counts.
    counted: u64,
    pending: Vec<u8>,
}

impl Segment {
    /// Makes the file, with a header that counts nothing, and makes it durable.
    pub(super) fn create(disk: &Disk, dir: &Path, number: u32, format: StreamFormat) -> Result<Self, Error> {
        let path = dir.join(format!("audio-{number:04}.wav"));
        let failed = |source| Error::Create { path: path.clone(), source };
        // Never over what is there.
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
        let output = disk.output(file).map_err(failed)?;
        let mut segment = Self {
            path: path.clone(),
            output,
            format,
            header_bytes: 0,
            written: 0,
            counted: 0,
            pending: Vec::with_capacity(GATHER_BYTES * 2),
        };
        segment.header_bytes = segment.header(0).len() as u64;
        segment.write_header(0)?;
        segment.sync_data()?;
        sync_dir(dir)?;
        Ok(segment)
    }

    /// Bytes of data taken, also those not yet written.
    pub(super) fn data_bytes(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Bytes of data taken but not yet written.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Takes whole frames; of each 4 bytes only the lower 3 when `pack`.
    pub(super) fn push(&mut self, bytes: &[u8], pack: bool) -> Result<(), Error> {
        if pack {
            self.pending.extend(bytes.chunks_exact(4).flat_map(|b| [b[0], b[1], b[2]]));
        } else {
            self.pending.extend_from_slice(bytes);
        }
        if self.pending.len() >= GATHER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Hands what is gathered to the kernel. After an error what was not written is still gathered.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let mut done = 0;
        let mut result = Ok(());
        while done < self.pending.len() {
            let at = self.header_bytes + self.written;
            let (wrote, buffer) = self.output.write_at(mem::take(&mut self.pending), done, at);
            self.pending = buffer;
            match wrote {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    done += n;
                    self.written += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => result = Err(e),
            }
            if result.is_err() {
                break;
            }
        }
        self.pending.drain(..done);
        result.map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Makes durable what was taken, then counts it in the header, then makes that durable.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        let whole = self.whole_frames();
        // Odd data wants a pad byte behind it, where the next frame goes: count one frame less.
        let even = whole - whole % 2 * self.frame_bytes();
        if even == self.counted {
            return Ok(());
        }
        self.count(even)
    }

    /// Ends the file behind the last whole frame that was written; no file when there is none.
    pub(super) fn close(mut self) -> Result<Option<PathBuf>, Error> {
        let whole = self.whole_frames();
        if whole == 0 {
            remove_segment(&self.path)?;
            return Ok(None);
        }
        // Cuts off half a frame, or adds the pad byte.
        let length = self.header_bytes + whole + whole % 2;
        self.output.set_len(length).map_err(|source| Error::Write { path: self.path.clone(), source })?;
        self.count(whole)?;
        Ok(Some(self.path))
    }

    fn count(&mut self, data_bytes: u64) -> Result<(), Error> {
        self.sync_data()?;
        self.write_header(data_bytes)?;
        self.sync_data()?;
        self.counted = data_bytes;
        Ok(())
    }

    fn frame_bytes(&self) -> u64 {
        self.format.frame_bytes() as u64
    }

    fn whole_frames(&self) -> u64 {
        self.written / self.frame_bytes() * self.frame_bytes()
    }

    fn header(&self, data_bytes: u64) -> Vec<u8> {
        let StreamFormat { sample, rate_hz, channels } = self.format;
        header(Encoding::of(sample), rate_hz, channels, data_bytes)
    }

    fn write_header(&mut self, data_bytes: u64) -> Result<(), Error> {
        let (wrote, header) = self.output.write_at(self.header(data_bytes), 0, 0);
        let wrote = match wrote {
            Ok(n) if n < header.len() => Err(io::ErrorKind::WriteZero.into()),
            other => other,
        };
        wrote.map(drop).map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn sync_data(&mut self) -> Result<(), Error> {
        self.output.sync_data().map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}
