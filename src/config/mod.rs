//! The configuration as the rest of the program sees it: resolved, valid, with every default filled in.
//! Owns the sections, their defaults and units; reading and judging what was written is in `load`.

mod board;
mod check;
mod choices;
mod cores;
mod keys;
mod languages;
mod load;
mod problem;
mod rules;
pub(crate) mod yaml;

pub use board::{BOARDS, Board, Build, Facts, Line, Microphone, Thermal, microphones};
pub(crate) use check::nearest;
pub use choices::{Durability, LogFormat, RecordBackend, TellApart};
pub use cores::cores;
pub use keys::{KEYS, Key, Kind};
pub use languages::language_name;
pub use load::{DEFAULT_FILE, Loaded, Override, Sources, load};
pub use problem::{Origin, Problem, Problems};

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where things are kept.
    pub storage: Storage,
    /// The event log.
    pub events: Events,
    /// Copies of the event log.
    pub backup: Backup,
    /// The plugins.
    pub plugins: Plugins,
    /// The HTTP API and the page.
    pub server: Server,
    /// The microphone.
    pub audio: Audio,
    /// How recordings are written.
    pub record: Record,
    /// How speech is found.
    pub vad: Vad,
    /// How speech is written down.
    pub transcription: Transcription,
    /// Where models come from.
    pub models: Models,
    /// What the program says about itself.
    pub logging: Logging,
}

/// Where things are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The event log (`events/`), recordings and models lie below it.
    pub data_dir: PathBuf,
    /// Where recordings lie; also the only place below which a client may name audio files.
    /// `recordings` below `data_dir` when not set.
    pub recordings_dir: Option<PathBuf>,
    /// A recording stops cleanly when less than this is free, in MiB.
    pub min_free_mib: u64,
}

/// The event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// What an acknowledged event has survived.
    pub durability: Durability,
    /// Largest payload of an event as JSON, in KiB.
    pub payload_limit_kib: u32,
    /// Events older than this are removed, in days.
    pub retention_days: u32,
    /// The oldest events are removed when the log is larger than this, in MiB; those that a subscription
    /// has not seen are kept.
    pub retention_mib: u64,
    /// The oldest events are removed when the log is larger than this, in MiB, whoever has not seen them.
    pub hard_limit_mib: u64,
}

/// Copies of the event log: events, recordings' metadata, keys, plugins' state. Audio is not among it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Where they are put; `backups` below `storage.data_dir` when not set.
    pub dir: Option<PathBuf>,
    /// A copy is made this often, in hours; 0 makes none.
    pub every_hours: u32,
    /// How many are kept.
    pub keep: u32,
}

/// The plugins; each has a settings file of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plugins {
    /// Folder of their settings files; `plugins.d` below `storage.data_dir` when not set.
    pub dir: Option<PathBuf>,
}

/// The HTTP API and the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Largest audio file that a client may send to be written down, in MiB.
    pub upload_limit_mib: u64,
}

/// The microphone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audio {
    /// An ALSA name (`hw:1`, `default`, `plughw:CARD=PowerConf`), or `wav:FILE` to play a file in real time,
    /// or `wav-fast:FILE` to play it as fast as it is taken.
    pub device: String,
    /// Sample rate in Hz, 8,000 to 192,000; the nearest to 48,000 that the device has when not set.
    pub rate_hz: Option<u32>,
    /// Number of channels, 1 to 16; the fewest the device has when not set.
    pub channels: Option<u16>,
    /// Sample format; the best the device has when not set.
    pub format: Option<crate::audio::SampleFormat>,
    /// A name for each channel (a seat, `Remote`): it becomes the speaker in the transcript. Channels with
    /// no label are mixed.
    pub labels: Vec<String>,
    /// Length of one ALSA period in ms.
    pub period_ms: u32,
    /// Length of ALSA's buffer in ms.
    pub buffer_ms: u32,
    /// Real-time priority (SCHED_FIFO, 1 to 99) of the capture thread; 0 asks for none.
    pub realtime_priority: u8,
}

/// How recordings are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// Which system interface writes the audio.
    pub backend: RecordBackend,
    /// A new file is begun after this many seconds, and always before 2 GiB.
    pub segment_seconds: u32,
    /// What is written reaches the disk at least this often, in ms; the most a power cut can take.
    pub sync_ms: u32,
}

/// How speech is found. The names are those of whisper.cpp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vad {
    /// A Silero model in ggml form; the built-in detector when not set.
    pub silero_model: Option<PathBuf>,
    /// Probability from which a frame is speech, 0 to 1.
    pub threshold: f32,
    /// Shorter speech is dropped, in ms.
    pub min_speech_duration_ms: u32,
    /// Silence that ends an utterance, in ms.
    pub min_silence_duration_ms: u32,
    /// Longer speech is cut at its quietest place, in s.
    pub max_speech_duration_s: f32,
    /// Audio kept before and after speech, in ms.
    pub speech_pad_ms: u32,
    /// Below this level a frame is silence without asking the detector, in dBFS.
    pub gate_dbfs: f32,
}

/// How speech is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transcription {
    /// A Whisper model in ggml form: a path, or a name looked up as `ggml-NAME.bin` in `models` below
    /// `data_dir`. Without one, recordings are made and nothing is written down.
    pub model: Option<String>,
    /// Expected SHA-256 of the model file, 64 hex digits; not compared when not set.
    pub model_sha256: Option<String>,
    /// Threads for Whisper; when not set, one fewer than there are cores, at most 4.
    pub threads: Option<u16>,
    /// ISO 639-1 code, or `auto`.
    pub language: String,
    /// Beams of the final pass, and of captions with a doubtful word; 1 is greedy.
    pub beam_size: u16,
    /// Where voices on one microphone are told apart.
    pub speakers: TellApart,
    /// Text that tells Whisper what the talk is about.
    pub initial_prompt: Option<String>,
    /// Names and terms that are likely to be said, and how they are spelt.
    pub hot_words: Vec<String>,
    /// Whether Whisper is told the meeting's title and who takes part.
    pub prompt_from_meeting: bool,
    /// While somebody speaks, what was said so far is shown this often, in ms; 0 shows final captions alone.
    pub partial_interval_ms: u32,
    /// Processor cores that Whisper keeps to, such as `2-3` or `0,2`; all of them when not set.
    pub cores: Option<String>,
    /// Whether a GPU is used when this build has one.
    pub gpu: bool,
    /// The model was named on the command line: what `panotti model use` chose stands back. No key.
    #[serde(skip)]
    pub model_on_command_line: bool,
}

/// Where models come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// What comes before `/ggml-NAME.bin`. `{repository}` stands for whose collection a model is of, such as
    /// `ggerganov/whisper.cpp`; a mirror that keeps all models in one folder needs none.
    pub url: String,
}

/// What the program says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,panotti::audio=debug`.
    pub level: String,
    /// How lines look when journald does not take them.
    pub format: LogFormat,
}

impl Default for Storage {
    fn default() -> Self {
        Self { data_dir: PathBuf::from("/var/lib/panotti"), recordings_dir: None, min_free_mib: 256 }
    }
}

impl Storage {
    /// Where recordings lie.
    pub fn recordings_dir(&self) -> PathBuf {
        self.recordings_dir.clone().unwrap_or_else(|| self.data_dir.join("recordings"))
    }

    /// Where the event log lies.
    pub fn events_dir(&self) -> PathBuf {
        self.data_dir.join("events")
    }

    /// Where audio that clients send lies until it is written down.
    pub fn uploads_dir(&self) -> PathBuf {
        self.data_dir.join("uploads")
    }

    /// Where models lie.
    pub fn models_dir(&self) -> PathBuf {
        self.data_dir.join("models")
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            payload_limit_kib: 256,
            retention_days: 30,
            retention_mib: 1024,
            hard_limit_mib: 4096,
        }
    }
}

impl Default for Backup {
    fn default() -> Self {
        Self { dir: None, every_hours: 24, keep: 7 }
    }
}

impl Config {
    /// Where the plugins' settings lie.
    pub fn plugins_dir(&self) -> PathBuf {
        self.plugins.dir.clone().unwrap_or_else(|| self.storage.data_dir.join("plugins.d"))
    }

    /// Where copies of the event log are put.
    pub fn backup_dir(&self) -> PathBuf {
        self.backup.dir.clone().unwrap_or_else(|| self.storage.data_dir.join("backups"))
    }
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 54789)), upload_limit_mib: 1024 }
    }
}

impl Default for Audio {
    fn default() -> Self {
        Self {
            device: "default".into(),
            rate_hz: None,
            channels: None,
            format: None,
            labels: Vec::new(),
            period_ms: 20,
            buffer_ms: 500,
            realtime_priority: 60,
        }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self { backend: RecordBackend::Auto, segment_seconds: 3600, sync_ms: 500 }
    }
}

impl Default for Vad {
    fn default() -> Self {
        Self {
            silero_model: None,
            // Least frame errors of the built-in detector on real meetings without losing much speech
            // (`benches/vad.rs`).
            threshold: 0.6,
            min_speech_duration_ms: 250,
            // Shorter pauses part sentences that small models confuse, and captions come earlier.
            min_silence_duration_ms: 350,
            max_speech_duration_s: 25.0,
            speech_pad_ms: 150,
            gate_dbfs: -60.0,
        }
    }
}

impl Default for Transcription {
    fn default() -> Self {
        Self {
            model: None,
            model_sha256: None,
            threads: None,
            language: "en".into(),
            beam_size: 5,
            speakers: TellApart::Final,
            initial_prompt: None,
            hot_words: Vec::new(),
            prompt_from_meeting: true,
            partial_interval_ms: 1000,
            cores: None,
            gpu: true,
            model_on_command_line: false,
        }
    }
}

impl Default for Models {
    fn default() -> Self {
        // As whisper.cpp's own download scripts have it.
        Self { url: "https://huggingface.co/{repository}/resolve/main".into() }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}
