//! The twin of `silero` in a build without whisper.cpp: says so.

use std::path::Path;

use super::Vad;
use crate::speech::Error;

/// The Silero detector, which this build does not have.
#[derive(Debug)]
pub enum Silero {}

impl Silero {
    /// Says that this build has no whisper.cpp.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Err(Error::NotBuilt { path: path.into() })
    }
}

impl Vad for Silero {
    fn frame_samples(&self) -> usize {
        match *self {}
    }

    fn probability(&mut self, _: &[f32]) -> f32 {
        match *self {}
    }

    fn reset(&mut self) {
        match *self {}
    }

    fn name(&self) -> &'static str {
        match *self {}
    }
}
