//! What can go wrong with recordings.

use std::{io, path::Path};

use crate::{audio, event_log};

/// What went wrong with a recording.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such recording.
    #[error("there is no recording `{id}`")]
    Unknown {
        /// As asked for.
        id: String,
    },
    /// An id, a title, a path or a patch is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// Not possible in the present state.
    #[error("{0}")]
    Conflict(String),
    /// The device or the disk does not let us.
    #[error("{0}")]
    Unavailable(String),
    /// A file or folder refuses.
    #[error("cannot {operation} `{path}`")]
    File {
        /// What was tried.
        operation: &'static str,
        /// With what.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A recording's audio cannot be repaired.
    #[error("cannot recover the audio of `{id}`")]
    Recover {
        /// The recording.
        id: String,
        /// Why.
        #[source]
        source: audio::WriterError,
    },
    /// Something stored does not read back.
    #[error("`{what}` is damaged")]
    Damaged {
        /// File or row.
        what: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The log refuses.
    #[error("cannot use the event log")]
    Log(#[from] event_log::Error),
    /// The program is stopping.
    #[error("the service is stopping: try again in a moment")]
    Stopping,
}

/// An I/O error with what was tried, and with what.
pub(super) fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::File { operation, path, source }
}
