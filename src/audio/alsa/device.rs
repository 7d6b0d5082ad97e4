//! Opening a PCM for capture. Owns keeping alsa-lib's own words off the terminal and putting them into
//! errors.

use std::{cell::RefCell, ffi::CString, fmt, io, rc::Rc};

use alsa::{Direction, Output, PCM};

use super::{Error, error::advice};

/// An open capture PCM with its name; reads and opening never block.
pub(super) struct Device {
    pub(super) name: String,
    pub(super) pcm: PCM,
    words: Words,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Device {
    /// Opens the PCM of this ALSA name.
    pub(super) fn open(name: &str) -> Result<Self, Error> {
        let words = Words::collect();
        // A name cannot hold a zero byte, so there is no such device.
        let opened = CString::new(name)
            .map_err(|_| libc::ENOENT)
            .and_then(|it| PCM::open(&it, Direction::Capture, true).map_err(|it| it.errno()));
        match opened {
            Ok(pcm) => Ok(Self { name: name.to_owned(), pcm, words }),
            Err(errno) => Err(Error::Open {
                device: name.to_owned(),
                advice: advice(errno),
                detail: words.last(),
                source: io::Error::from_raw_os_error(errno),
            }),
        }
    }

    /// A failure while setting up, with the name and alsa-lib's words.
    pub(super) fn set_up_error(&self, error: alsa::Error) -> Error {
        Error::SetUp {
            device: self.name.clone(),
            operation: error.func(),
            detail: self.words.last(),
            source: system(error),
        }
    }

    /// A failure of the running device.
    pub(super) fn read_error(&self, error: alsa::Error) -> Error {
        Error::Read { device: self.name.clone(), source: system(error) }
    }
}

/// The system's error in one of ALSA's.
pub(super) fn system(error: alsa::Error) -> io::Error {
    io::Error::from_raw_os_error(error.errno())
}

/// What alsa-lib would write to the terminal on this thread, until the next `collect`.
pub(super) struct Words(Option<Rc<RefCell<Output>>>);

impl Words {
    pub(super) fn collect() -> Self {
        Self(Output::local_error_handler().ok())
    }

    /// The last line without the C function's name.
    fn last(&self) -> String {
        let Some(output) = &self.0 else { return String::new() };
        let text = output.borrow().to_string();
        let line = text.lines().rev().find(|it| !it.trim().is_empty()).unwrap_or_default();
        line.split_once(": ").map_or(line, |(_, said)| said).trim().to_owned()
    }
}
