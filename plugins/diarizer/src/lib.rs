//! Who speaks when on one microphone: spectral features and clustering, no weights to download.
//!
//! | module | owns |
//! |---|---|
//! | `cepstrum`, `pitch` | what a frame of 25 ms sounds like |
//! | `print` | what a voice sounds like over 1.5 s: a voiceprint of 25 numbers |
//! | `within` | how far prints of one voice lie apart, learned in the meeting |
//! | `clusters` | which prints are of one voice |
//! | `path` | who speaks in each window, given the voices |
//! | `spectral` | the diarizer made of these |
//! | [`der`] | how wrong a diarizer is |
//!
//! Nothing here is random and nothing looks at a clock: the same sound gives the same turns.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests"))]

mod cepstrum;
mod clusters;
pub mod der;
mod path;
mod pitch;
mod print;
mod spectral;
#[cfg(test)]
mod tests;
mod within;

pub use spectral::SpectralDiarizer;

/// Sampling rate of what is heard, Hz.
pub const RATE_HZ: usize = 16_000;
/// Samples in a frame: 25 ms.
const FRAME: usize = 400;
/// Samples from a frame to the next: 10 ms.
const HOP: usize = 160;
