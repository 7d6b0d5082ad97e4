//! Every key that can be set, with what it takes. Owns the limits; the types and defaults are in the
//! sections of `Config`, and a test holds the two in step.

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its path, `audio.rate_hz`.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it may be left unset (`null`).
    pub optional: bool,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text that is not empty; what it is, and an example.
    Text(&'static str),
    /// `true` or `false`.
    Bool,
    /// A whole number from–to, and its unit.
    Int(i128, i128, &'static str),
    /// A number from–to, and its unit.
    Float(f64, f64, &'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// IP address and port.
    Address,
    /// 64 hex digits.
    Sha256,
    /// A language Whisper knows, or `auto`.
    Language,
    /// Processor cores: numbers and ranges of them.
    Cores,
    /// A log level or filter.
    LogFilter,
    /// A list of at most this many texts.
    Texts(usize),
}

const fn needed(path: &'static str, kind: Kind) -> Key {
    Key { path, kind, optional: false }
}

const fn optional(path: &'static str, kind: Kind) -> Key {
    Key { path, kind, optional: true }
}

/// All of them, in the order of the sections.
pub const KEYS: &[Key] = &[
    needed("storage.data_dir", Kind::Text("a directory such as /var/lib/panotti")),
    optional("storage.recordings_dir", Kind::Text("a directory such as /srv/recordings")),
    needed("storage.min_free_mib", Kind::Int(16, 1_048_576, "MiB")),
    needed("events.durability", Kind::Word(&["every_commit", "last_commit_at_risk"])),
    needed("events.payload_limit_kib", Kind::Int(1, 1_024, "KiB")),
    needed("events.retention_days", Kind::Int(1, 3_650, "days")),
    needed("events.retention_mib", Kind::Int(16, 8_192, "MiB")),
    needed("events.hard_limit_mib", Kind::Int(32, 12_288, "MiB (the log's address space is 16 GiB)")),
    optional("backup.dir", Kind::Text("a directory such as /srv/backups")),
    needed("backup.every_hours", Kind::Int(0, 8_760, "hours (0 makes none)")),
    needed("backup.keep", Kind::Int(1, 1_000, "copies")),
    optional("plugins.dir", Kind::Text("a directory such as /etc/panotti/plugins.d")),
    needed("server.listen", Kind::Address),
    needed("server.upload_limit_mib", Kind::Int(1, 1_048_576, "MiB")),
    needed("audio.device", Kind::Text("an ALSA name such as hw:1 (`panotti devices` lists them)")),
    optional("audio.rate_hz", Kind::Int(8_000, 192_000, "Hz")),
    optional("audio.channels", Kind::Int(1, 16, "channels")),
    optional("audio.format", Kind::Word(&["S16_LE", "S24_3LE", "S24_LE", "S32_LE", "FLOAT_LE"])),
    needed("audio.labels", Kind::Texts(16)),
    needed("audio.period_ms", Kind::Int(1, 1_000, "ms")),
    needed("audio.buffer_ms", Kind::Int(10, 10_000, "ms")),
    needed("audio.realtime_priority", Kind::Int(0, 99, "(0 asks for none)")),
    needed("record.backend", Kind::Word(&["auto", "io-uring", "plain"])),
    needed("record.segment_seconds", Kind::Int(1, 86_400, "s")),
    needed("record.sync_ms", Kind::Int(10, 1_000, "ms")),
    optional("vad.silero_model", Kind::Text("a file such as /var/lib/panotti/models/ggml-silero-v6.2.0.bin")),
    needed("vad.threshold", Kind::Float(0.0, 1.0, "(a probability)")),
    needed("vad.min_speech_duration_ms", Kind::Int(0, 10_000, "ms")),
    needed("vad.min_silence_duration_ms", Kind::Int(50, 10_000, "ms")),
    needed("vad.max_speech_duration_s", Kind::Float(1.0, 30.0, "s (Whisper hears 30 s at a time)")),
    needed("vad.speech_pad_ms", Kind::Int(0, 2_000, "ms")),
    needed("vad.gate_dbfs", Kind::Float(-120.0, 0.0, "dBFS")),
    optional("transcription.model", Kind::Text("a file, or a name such as base.en-q5_1")),
    optional("transcription.model_sha256", Kind::Sha256),
    optional("transcription.threads", Kind::Int(1, 256, "threads")),
    needed("transcription.language", Kind::Language),
    needed("transcription.beam_size", Kind::Int(1, 8, "beams (whisper.cpp decodes at most 8 at once)")),
    optional("transcription.initial_prompt", Kind::Text("a sentence")),
    needed("transcription.hot_words", Kind::Texts(100)),
    needed("transcription.prompt_from_meeting", Kind::Bool),
    needed("transcription.partial_interval_ms", Kind::Int(0, 10_000, "ms (0 shows final captions alone)")),
    optional("transcription.cores", Kind::Cores),
    needed("transcription.speakers", Kind::Word(&["off", "final", "live"])),
    needed("transcription.gpu", Kind::Bool),
    needed("models.url", Kind::Text("an address such as https://mirror.example/models")),
    needed("logging.level", Kind::LogFilter),
    needed("logging.format", Kind::Word(&["text", "json"])),
];

impl Key {
    /// The key at `path`.
    pub fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|it| it.path == path)
    }

    /// Section and name within it.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or((self.path, ""))
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        let (section, name) = self.split();
        format!("PANOTTI_{}__{}", section.to_uppercase(), name.to_uppercase())
    }
}
