//! The two ways to the disk behind one interface, and the choice between them.

use std::{fs::File, io, os::unix::fs::FileExt as _, sync::mpsc, thread, time::Duration};

use super::{
    Error,
    uring::{Ring, RingFile},
};
use crate::config::RecordBackend;

/// A refused `io_uring_enter` makes tokio-uring wait for ever: after this we go without.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// Which system interface writes the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// io_uring, through tokio-uring.
    IoUring,
    /// `pwrite` and `fdatasync`.
    Plain,
}

impl Backend {
    /// Chooses by trying: an old kernel, seccomp or `kernel.io_uring_disabled` may refuse io_uring. Also
    /// says what was chosen and why, for the log and for people. Fails only when io_uring is what the
    /// configuration insists on.
    pub fn probe(wanted: RecordBackend) -> Result<(Self, String), Error> {
        if wanted == RecordBackend::Plain {
            return Ok((Self::Plain, "ordinary writes, as configured".into()));
        }
        match (try_ring(), wanted) {
            (Ok(()), _) => Ok((Self::IoUring, "io_uring, which this kernel lets us use".into())),
            (Err(e), RecordBackend::IoUring) => Err(Error::NoIoUring(e)),
            (Err(e), _) => Ok((Self::Plain, format!("ordinary writes, because io_uring was refused: {e}"))),
        }
    }
}

/// Writes and syncs a few bytes in memory, on a thread that can be left behind.
fn try_ring() -> io::Result<()> {
    let (done, result) = mpsc::channel();
    let attempt = move || -> io::Result<()> {
        let file = File::from(rustix::fs::memfd_create("panotti-probe", rustix::fs::MemfdFlags::CLOEXEC)?);
        let ring = Ring::new()?;
        let mut ring_file = ring.open(&file)?;
        ring_file.write_at(b"xprobe".to_vec(), 1, 0).0?;
        ring_file.sync_data()?;
        let mut read = [0; 5];
        file.read_exact_at(&mut read, 0)?;
        if &read == b"probe" { Ok(()) } else { Err(io::Error::other("what was written is not there")) }
    };
    thread::Builder::new().name("io_uring probe".into()).spawn(move || {
        // Nobody listens any more when it took too long.
        let _late = done.send(attempt());
    })?;
    result.recv_timeout(PROBE_PATIENCE).unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no completion arrives (io_uring_enter may be forbidden)",
        ))
    })
}

/// Opens files for one backend. A ring belongs to the thread that made it.
pub(super) struct Disk {
    ring: Option<Ring>,
}

impl Disk {
    /// A ring that cannot be had any more (memory locks used up) is no reason to lose a recording.
    pub(super) fn new(backend: Backend) -> Self {
        let ring = match backend {
            Backend::Plain => None,
            Backend::IoUring => Ring::new()
                .inspect_err(|e| {
                    tracing::warn!(
                        error = e as &dyn std::error::Error,
                        "No io_uring could be set up: this recording uses ordinary writes.",
                    );
                })
                .ok(),
        };
        Self { ring }
    }

    pub(super) fn output(&self, file: File) -> io::Result<Output> {
        let ring = self.ring.as_ref().map(|it| it.open(&file)).transpose()?;
        Ok(Output { file, ring })
    }
}

/// A file being written.
pub(super) struct Output {
    file: File,
    ring: Option<RingFile>,
}

impl Output {
    /// Writes `buffer[from..]` at `offset` of the file; how much was taken, and the buffer again.
    pub(super) fn write_at(
        &mut self,
        buffer: Vec<u8>,
        from: usize,
        offset: u64,
    ) -> (io::Result<usize>, Vec<u8>) {
        match &mut self.ring {
            Some(ring) => ring.write_at(buffer, from, offset),
            None => (self.file.write_at(&buffer[from..], offset), buffer),
        }
    }

    /// Returns when data and length are on the disk (`fdatasync`).
    pub(super) fn sync_data(&mut self) -> io::Result<()> {
        match &mut self.ring {
            Some(ring) => ring.sync_data(),
            None => self.file.sync_data(),
        }
    }

    pub(super) fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}
