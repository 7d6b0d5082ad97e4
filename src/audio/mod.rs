//! Sound in and sound to disk. Owns sources (ALSA, WAV files), audio files of other forms, the rings that carry frames to their
//! readers, level metering, resampling and the WAV writer; leaves what is said to `speech` and the life
//! of a recording to `recordings`.
//!
//! ```text
//!  source thread ──frames──▶ CaptureSink ─┬─ level, counters ─▶ status
//!   (alsa | wav)                          ├─ ring ─▶ Stream ("record")
//!                                         ├─ ring ─▶ Stream ("listen")
//!                                         └─ Notice (opened, lost, overrun …)
//! ```
//! A [`Stream`] is one uninterrupted run of capture in one format. A reopened device begins a new one.

pub mod alsa;
mod capture;
pub mod decode;
mod format;
mod level;
mod playback;
mod resample;
mod ring;
#[cfg_attr(not(feature = "alsa"), allow(dead_code, reason = "only sound cards overrun and have gaps"))]
mod sink;
mod stop;
mod wav;
mod wav_source;
mod writer;

pub use capture::{Capture, Error as CaptureError, Handle as CaptureHandle};
pub use format::{SampleFormat, StreamFormat};
pub use playback::{Error as PlaybackError, JoinedWav};
pub use resample::{Error as ResampleError, Resampler};
pub use ring::{Block, Stream};
pub use sink::Notice;
pub use wav::{Encoding, Error as WavError, WavInfo, WavReader, read_info};
pub use writer::{Backend, Error as WriterError, Recovered, WavWriter, recover, segment_files};
