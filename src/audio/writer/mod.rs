//! Recordings to disk. Owns the segments `audio-0000.wav`, `audio-0001.wav`, … of a recording, what a
//! power cut may take from them and their repair; leaves reading to `audio::wav` and when to record to
//! `pipeline`.
//!
//! # What a power cut may take
//! A header never promises what is not on the disk. Each [`sync_ms`](config::Record::sync_ms):
//!
//! 1. the frames gathered so far are written behind the others;
//! 2. `fdatasync`: they, and the length of the file, are on the disk;
//! 3. the header is replaced in place by one that counts them: at most 80 bytes within one sector, so the
//!    disk has the old or the new one, never half of each;
//! 4. `fdatasync` again, which is cheap: one page, no new length, so no journal commit. Without it the
//!    header would reach the disk only with the next round, and a player would miss twice as much.
//!
//! At any instant the disk has a playable file that is at most `sync_ms` and one round short. [`recover`]
//! also brings back what lies behind the part that the header counts.

mod backend;
mod recover;
mod segment;
#[cfg(test)]
mod tests;
mod uring;

pub use backend::Backend;
pub use recover::{Recovered, recover, segment_files};

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use backend::Disk;
use segment::Segment;

use super::{
    format::{SampleFormat, StreamFormat},
    wav,
};
use crate::config;

/// Many programs read RIFF's sizes as signed numbers; a segment ends before that.
const MAX_FILE_BYTES: u64 = (1 << 31) - 1;
/// How often free space is looked at.
const SPACE_EVERY: Duration = Duration::from_secs(1);

/// What went wrong with the files of a recording.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Less is free than has to be, or nothing at all. What was recorded so far is valid.
    #[error(
        "the disk is full: {} MiB are free for `{}`, and {} MiB have to stay free (storage.min_free_mib); delete recordings or use a larger disk",
        free_bytes >> 20, dir.display(), min_free_bytes >> 20
    )]
    DiskFull {
        /// Where the recording lies.
        dir: PathBuf,
        /// What is free for us.
        free_bytes: u64,
        /// What has to stay free.
        min_free_bytes: u64,
        /// The refused write, where it came to that.
        #[source]
        source: Option<io::Error>,
    },
    /// A new segment cannot be made.
    #[error("cannot create `{}`", path.display())]
    Create {
        /// The segment.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk does not take what is written.
    #[error("cannot write `{}`: check the disk and the permissions", path.display())]
    Write {
        /// The segment.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory of a recording cannot be looked at or changed.
    #[error("cannot use the directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A segment that is no longer a WAV file.
    #[error("a segment of the recording cannot be repaired: move it away to keep the others")]
    Segment(#[source] wav::Error),
    /// io_uring was asked for.
    #[error("record.backend is `io-uring`, which cannot be used here: set it to `auto` or `plain`")]
    NoIoUring(#[source] io::Error),
}

/// A recording being written. Lives on one thread. When it is dropped without [`finish`](Self::finish),
/// its files are as after a crash.
pub struct WavWriter {
    dir: PathBuf,
    disk: Disk,
    /// As frames are given.
    given: StreamFormat,
    /// As frames are stored.
    stored: StreamFormat,
    /// Whole frames that a segment takes, in bytes as stored.
    segment_bytes: u64,
    sync_every: Duration,
    min_free_bytes: u64,
    segment: Segment,
    next_number: u32,
    files: Vec<PathBuf>,
    closed_frames: u64,
    synced: Instant,
    space_seen: Instant,
}

impl fmt::Debug for WavWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WavWriter")
            .field("dir", &self.dir)
            .field("stored", &self.stored)
            .field("recorded_ms", &self.recorded_ms())
            .finish_non_exhaustive()
    }
}

impl WavWriter {
    /// Begins a segment in `dir`, which exists, behind those that are there. Frames are stored as `format`
    /// has them, but S24_LE without its unused byte. Fails with [`Error::DiskFull`] when less than
    /// `min_free_bytes` are free.
    pub fn create(
        dir: &Path,
        format: StreamFormat,
        options: &config::Record,
        min_free_bytes: u64,
        backend: Backend,
    ) -> Result<Self, Error> {
        let stored = match format.sample {
            SampleFormat::S24Le => StreamFormat { sample: SampleFormat::S24Le3, ..format },
            _ => format,
        };
        check_space(dir, min_free_bytes)?;
        let number = recover::numbered(dir)?.last().map_or(0, |(number, _)| number + 1);
        let disk = Disk::new(backend);
        let segment =
            Segment::create(&disk, dir, number, stored).map_err(|e| classify_full(e, dir, min_free_bytes))?;
        let now = Instant::now();
        Ok(Self {
            dir: dir.to_owned(),
            disk,
            given: format,
            stored,
            segment_bytes: segment_bytes(stored, options.segment_seconds),
            sync_every: Duration::from_millis(options.sync_ms.into()),
            min_free_bytes,
            segment,
            next_number: number + 1,
            files: Vec::new(),
            closed_frames: 0,
            synced: now,
            space_seen: now,
        })
    }

    /// Takes whole interleaved frames in the format given to [`create`](Self::create). They are gathered
    /// before they are written. After an error frames may be missing: `finish` is what is left to do.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.try_write(bytes).map_err(|e| classify_full(e, &self.dir, self.min_free_bytes))
    }

    fn try_write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        let given_frame = self.given.frame_bytes();
        let stored_frame = self.stored.frame_bytes() as u64;
        while bytes.len() >= given_frame {
            let room = (self.segment_bytes - self.segment.data_bytes()) / stored_frame;
            if room == 0 {
                self.next_segment()?;
                continue;
            }
            let frames = room.min((bytes.len() / given_frame) as u64) as usize;
            let (now, rest) = bytes.split_at(frames * given_frame);
            self.segment.push(now, self.given.sample == SampleFormat::S24Le)?;
            bytes = rest;
        }
        Ok(())
    }

    /// To be called often: makes durable what was written when that is due, and looks at free space about
    /// each second ([`Error::DiskFull`]).
    pub fn tick(&mut self, now: Instant) -> Result<(), Error> {
        if now.saturating_duration_since(self.synced) >= self.sync_every {
            self.synced = now;
            self.segment.sync().map_err(|e| classify_full(e, &self.dir, self.min_free_bytes))?;
        }
        if now.saturating_duration_since(self.space_seen) >= SPACE_EVERY {
            self.space_seen = now;
            check_space(&self.dir, self.min_free_bytes)?;
        }
        Ok(())
    }

    /// Length of what was taken since [`create`](Self::create), ms.
    pub fn recorded_ms(&self) -> u64 {
        let open = self.segment.data_bytes() / self.stored.frame_bytes() as u64;
        wav::duration_ms(self.closed_frames + open, self.stored.rate_hz)
    }

    /// Writes what is gathered, makes all durable and closes; the files in order, none when no frame was
    /// written. On a full disk the files end with the last frame that found room.
    pub fn finish(mut self) -> Result<Vec<PathBuf>, Error> {
        if let Err(error) = self.segment.flush() {
            let error = classify_full(error, &self.dir, self.min_free_bytes);
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                missing_bytes = self.segment.pending_bytes(),
                "The end of the recording could not be written.",
            );
        }
        self.files.extend(self.segment.close()?);
        recover::sync_dir(&self.dir)?;
        Ok(self.files)
    }

    fn next_segment(&mut self) -> Result<(), Error> {
        // The old one stays open until the new one stands: after an error `finish` still has it.
        self.segment.flush()?;
        let next = Segment::create(&self.disk, &self.dir, self.next_number, self.stored)?;
        self.next_number += 1;
        let full = std::mem::replace(&mut self.segment, next);
        self.closed_frames += full.data_bytes() / self.stored.frame_bytes() as u64;
        self.files.extend(full.close()?);
        Ok(())
    }
}

/// Whole frames of at most `seconds`, and of less than 2 GiB with their header, in bytes; at least one.
fn segment_bytes(stored: StreamFormat, seconds: u32) -> u64 {
    let frame = stored.frame_bytes() as u64;
    let frames = u64::from(seconds) * u64::from(stored.rate_hz);
    let fitting = (MAX_FILE_BYTES - wav::HEADER_MAX_BYTES - 1) / frame;
    frames.clamp(1, fitting) * frame
}

fn check_space(dir: &Path, min_free_bytes: u64) -> Result<(), Error> {
    let free_bytes = free_bytes(dir)?;
    if free_bytes < min_free_bytes {
        return Err(Error::DiskFull { dir: dir.to_owned(), free_bytes, min_free_bytes, source: None });
    }
    Ok(())
}

fn free_bytes(dir: &Path) -> Result<u64, Error> {
    let space = rustix::fs::statvfs(dir)
        .map_err(|source| Error::Directory { path: dir.to_owned(), source: source.into() })?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// A write refused for want of space is [`Error::DiskFull`].
fn classify_full(error: Error, dir: &Path, min_free_bytes: u64) -> Error {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        Error::Create { source, .. } | Error::Write { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded) =>
        {
            let free_bytes = free_bytes(dir).unwrap_or(0);
            Error::DiskFull { dir: dir.to_owned(), free_bytes, min_free_bytes, source: Some(source) }
        }
        error => error,
    }
}

/// Removes a segment that holds no frame.
fn remove_segment(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}
