//! The twin of `enabled` in a build without whisper.cpp: says so.

use std::path::Path;

use crate::{
    config,
    speech::{Error, Transcriber},
};

/// Says that this build has no whisper.cpp.
pub(in crate::speech) fn load(path: &Path, _: &config::Transcription) -> Result<Box<dyn Transcriber>, Error> {
    Err(Error::NotBuilt { path: path.into() })
}
