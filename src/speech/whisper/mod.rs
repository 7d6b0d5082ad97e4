//! Whisper through whisper.cpp, or its absence: the twins `enabled` and `disabled` have the same face.

#[cfg(not(feature = "whisper"))]
mod disabled;
#[cfg(feature = "whisper")]
mod enabled;
#[cfg(feature = "whisper")]
mod languages;
#[cfg(feature = "whisper")]
mod log;
#[cfg(all(test, feature = "whisper"))]
mod nothing_tests;
#[cfg(feature = "whisper")]
mod params;
#[cfg(feature = "whisper")]
mod prompt;
#[cfg(feature = "whisper")]
mod quality;
#[cfg(all(test, feature = "whisper"))]
mod tests;
#[cfg(feature = "whisper")]
mod words;

#[cfg(not(feature = "whisper"))]
pub(super) use disabled::load;
#[cfg(feature = "whisper")]
pub use enabled::WhisperTranscriber;
#[cfg(feature = "whisper")]
pub(super) use enabled::load;
#[cfg(feature = "whisper")]
pub use log::log_to_tracing;
