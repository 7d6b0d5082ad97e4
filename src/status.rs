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
    /// Frames captured in the present stream.
    pub captured_frames: AtomicU64,
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
