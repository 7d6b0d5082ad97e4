//! From a configured device name to running capture. Owns the choice of source, its thread and what it
//! tells the others; leaves the devices to `alsa` and `wav`.

use std::sync::{Arc, mpsc};

use super::{Stream, StreamFormat};
use crate::{config, status::Status};

/// What happens to a source, in order. Every one becomes an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// Capture runs.
    Opened {
        /// The source as configured.
        device: String,
        /// What was negotiated.
        format: StreamFormat,
    },
    /// Capture stopped and is being opened again, with backoff.
    Lost {
        /// What the device or driver said and what to do about it.
        reason: String,
    },
    /// The device had more than its buffer holds; capture went on at once.
    Overrun {
        /// Overruns since the start of the program.
        total: u64,
    },
    /// The source has no more (a WAV file was played to its end).
    Ended,
}

/// Running capture: two streams for two readers, and notices.
#[derive(Debug)]
pub struct Capture {
    /// Streams for the recorder; a new one after each opening.
    pub record: mpsc::Receiver<Stream>,
    /// The same frames for the listener.
    pub listen: mpsc::Receiver<Stream>,
    /// What happens.
    pub notices: mpsc::Receiver<Notice>,
}

/// Capture cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

impl Capture {
    /// Starts the capture thread. A device that is not there is not an error: it is looked for again and
    /// again, and a [`Notice`] says so. Dropping the handle ends the thread.
    pub fn start(audio: &config::Audio, status: Arc<Status>) -> Result<Self, Error> {
        let _ = (audio, status);
        unimplemented!()
    }
}
