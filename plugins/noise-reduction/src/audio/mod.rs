//! Sound in files and out of them. Owns reading tracks and changing their rate; leaves what is done to the
//! sound to the stages.

mod resample;
mod track;
mod wav;

pub use self::{resample::Error as ResampleError, wav::Error as WavError};
pub(crate) use self::{resample::Resampler, track::Track};
