//! The twin of the sound card code in a build without the feature `alsa`: every call says so.

use super::{Capabilities, Device, Error};
use crate::{
    audio::{sink::CaptureSink, stop::Stop},
    config,
};

/// No devices in this build.
pub fn list() -> Result<Vec<Device>, Error> {
    Err(Error::NotBuilt)
}

/// No device in this build.
pub fn probe(_name: &str) -> Result<Capabilities, Error> {
    Err(Error::NotBuilt)
}

/// No capture in this build.
pub(crate) fn record(_wanted: &config::Audio, _sink: &mut CaptureSink, _stop: &Stop) -> Result<(), Error> {
    Err(Error::NotBuilt)
}
