//! Why a file is not heard, in words for whoever brought it.

use std::{io, path::PathBuf};

use crate::audio::WavError;

/// An audio file cannot be read. `file` is its path in backquotes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not ours to read.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk does not deliver.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing in it.
    #[error("{file} is empty (0 bytes): copy it again from where it came from")]
    Empty {
        /// The file.
        file: String,
    },
    /// Something else than audio, or audio in a container that is not read.
    #[error(
        "{file} is no audio that is known here (it starts with \"{start}\"): give WAV, FLAC, MP3, OGG, M4A, \
         AAC, MP4, MKV, WebM, AIFF or CAF, or convert it with `ffmpeg -i IN -vn OUT.flac`"
    )]
    NotAudio {
        /// The file.
        file: String,
        /// Its first bytes.
        start: String,
    },
    /// Only pictures.
    #[error("{file} has no audio in it: give the file with the sound")]
    Silent {
        /// The file.
        file: String,
    },
    /// The container is known, its audio is not.
    #[error("the audio of {file} is {codec}: convert it with `ffmpeg -i IN -vn OUT.flac`")]
    Codec {
        /// The file.
        file: String,
        /// The codec, and what is wrong with it.
        codec: String,
    },
    /// So little is left of it that nothing can be heard.
    #[error("{file} is damaged ({what}): copy it again from where it came from")]
    Damaged {
        /// The file.
        file: String,
        /// The fault.
        what: String,
    },
    /// A WAV file with a fault of its own.
    #[error(transparent)]
    Wav(#[from] WavError),
}
