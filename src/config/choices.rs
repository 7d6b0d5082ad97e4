//! Settings that are one of a few words. Owns the words; leaves the sections they stand in to the parent.

use serde::{Deserialize, Serialize};

/// What an acknowledged event has survived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// It is on the disk: neither a crash nor a power cut takes it away.
    #[default]
    EveryCommit,
    /// A crash of the program takes nothing away; a power cut may undo the last commit, which is a few
    /// milliseconds of events. The log stays whole.
    LastCommitAtRisk,
}

/// Which system interface writes the audio.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordBackend {
    /// io_uring where the kernel lets us, ordinary writes elsewhere.
    #[default]
    Auto,
    /// io_uring or an error.
    IoUring,
    /// Ordinary writes.
    Plain,
}

/// Where voices on one microphone are told apart: `Speaker 1` and so on. Channels with a label of their own
/// have one speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TellApart {
    /// Nowhere.
    Off,
    /// In transcripts, when all was heard.
    Final,
    /// Also in captions, where the first seconds of a new voice are often given to another.
    Live,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
