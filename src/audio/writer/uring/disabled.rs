//! A build without io_uring: no ring can be had, so nothing that needs one can be called.

use std::{convert::Infallible, fs::File, io};

/// Never exists.
pub(crate) struct Ring(Infallible);

impl Ring {
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this build has no feature `io-uring`"))
    }

    pub(crate) fn open(&self, _file: &File) -> io::Result<RingFile> {
        match self.0 {}
    }
}

/// Never exists.
pub(crate) struct RingFile(Infallible);

impl RingFile {
    pub(crate) fn write_at(&mut self, _: Vec<u8>, _: usize, _: u64) -> (io::Result<usize>, Vec<u8>) {
        match self.0 {}
    }

    pub(crate) fn sync_data(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}
