//! Counters and gauges shared by all threads. Owns what can be read at any moment without asking
//! anybody; leaves history to the event log.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use serde::Serialize;

use crate::audio::StreamFormat;

/// Most channels a source can have.
pub const MAX_CHANNELS: usize = 16;

/// What is going on. One per process, shared by reference counting; a value is written by one thread.
#[derive(Debug, Default)]
pub struct Status {
    /// Streams opened and frames captured in the present one; see [`Position`].
    position: AtomicU64,
    /// Bumped whenever the recorder wakes.
    pub record_ticks: AtomicU64,
    /// Bumped whenever the listener wakes.
    pub listen_ticks: AtomicU64,
    /// Bumped with every period captured: what the watchdog looks at.
    pub capture_ticks: AtomicU64,
    /// Overruns of the device's own buffer.
    pub overruns: AtomicU64,
    /// Frames dropped because the recorder was behind.
    pub record_lost_frames: AtomicU64,
    /// Frames dropped because the listener was behind.
    pub listen_lost_frames: AtomicU64,
    /// Whether the capture thread got real-time priority.
    pub realtime: AtomicBool,
    /// Utterances that wait for the transcriber.
    pub utterances_waiting: AtomicU64,
    /// Milliseconds of audio transcribed.
    pub transcribed_audio_ms: AtomicU64,
    /// Milliseconds the transcriber worked.
    pub transcriber_busy_ms: AtomicU64,
    peaks: [AtomicU32; MAX_CHANNELS],
    rms: [AtomicU32; MAX_CHANNELS],
    facts: Mutex<Facts>,
}

/// A place in what was captured: which stream, counted from 1, and which of its frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of streams opened so far.
    pub stream: u64,
    /// Frames captured in the newest one.
    pub frame: u64,
}

/// Frames take the low 48 bits of a packed position: 46 years at 192 kHz.
const FRAME_BITS: u32 = 48;

/// What changes rarely.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    /// The source.
    pub capture: CaptureState,
    /// Which interface writes recordings: `io_uring`, or `plain` and why.
    pub recorder: String,
    /// The speech detector in use.
    pub vad: String,
    /// The model in use.
    pub model: ModelState,
    /// The final pass that runs now.
    pub final_pass: Option<FinalPass>,
    /// How captions keep up with the room.
    pub captions: CaptionState,
}

/// How captions keep up with the room. Audio is kept in every state, and the final pass writes all of it
/// down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CaptionState {
    /// Words are shown while they are spoken.
    #[default]
    Live,
    /// This box is too slow for that: captions come when an utterance has ended.
    WithoutPartials,
    /// Captions come late.
    Behind {
        /// Speech that waits for its captions, ms.
        waiting_ms: u64,
    },
}

/// How far a final pass is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FinalPass {
    /// The recording.
    pub recording_id: String,
    /// Audio written down, ms.
    pub done_ms: u64,
    /// All of it, ms.
    pub total_ms: u64,
}

/// How the source is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CaptureState {
    /// Not yet opened.
    #[default]
    Starting,
    /// Frames arrive.
    Running {
        /// As configured.
        device: String,
        /// As negotiated.
        format: StreamFormat,
    },
    /// Being opened again and again.
    Lost {
        /// What went wrong and what to do.
        reason: String,
    },
    /// The source has no more.
    Ended,
}

/// How the model is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ModelState {
    /// None is configured.
    #[default]
    None,
    /// Being read.
    Loading {
        /// File or name.
        name: String,
    },
    /// Ready.
    Ready {
        /// File or name.
        name: String,
        /// What computes: `cpu`, `cuda`, `vulkan`.
        accelerator: String,
    },
    /// Cannot be used.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// Level of one channel over the last period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Level {
    /// Root mean square, dBFS (a full-scale square wave is 0), −120 at least.
    pub rms_dbfs: f32,
    /// Peak, dBFS.
    pub peak_dbfs: f32,
}

impl Status {
    /// Where capture is.
    pub fn position(&self) -> Position {
        let packed = self.position.load(Ordering::Acquire);
        Position { stream: packed >> FRAME_BITS, frame: packed & ((1 << FRAME_BITS) - 1) }
    }

    /// Capture has opened a new stream; before its readers get it.
    pub fn stream_opened(&self) {
        let next = self.position().stream + 1;
        self.position.store(next << FRAME_BITS, Ordering::Release);
    }

    /// Capture has `frames` more; before its readers get them.
    pub fn frames_captured(&self, frames: u64) {
        self.position.fetch_add(frames, Ordering::Release);
        self.capture_ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// Stores the level of one channel.
    pub fn set_level(&self, channel: usize, level: Level) {
        if channel < MAX_CHANNELS {
            self.rms[channel].store(level.rms_dbfs.to_bits(), Ordering::Relaxed);
            self.peaks[channel].store(level.peak_dbfs.to_bits(), Ordering::Relaxed);
        }
    }

    /// Levels of the first `channels` channels.
    pub fn levels(&self, channels: usize) -> Vec<Level> {
        (0..channels.min(MAX_CHANNELS))
            .map(|it| Level {
                rms_dbfs: f32::from_bits(self.rms[it].load(Ordering::Relaxed)),
                peak_dbfs: f32::from_bits(self.peaks[it].load(Ordering::Relaxed)),
            })
            .collect()
    }

    /// A copy of what changes rarely.
    pub fn facts(&self) -> Facts {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what changes rarely. Not for the capture thread's hot path.
    pub fn update(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
