//! Why a client does not get what it wants. Owns the words and codes of `error` events.

use std::{error::Error, io};

use panotti_sdk::{ContextError, serde_json::json};

use crate::{
    audio::Format,
    protocol::{self, Fault},
};

/// Why a client is told no. Its connection is closed after that, since it may wait for an answer for ever.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Protocol(#[from] Fault),
    #[error("`{0}` came before any audio")]
    NoAudio(&'static str),
    #[error("the audio's `rate`, `width` and `channels` are not given as numbers")]
    NoFormat,
    #[error("audio of {rate} Hz, {width} bytes a sample and {channels} channels cannot be used: \
             {} to {} Hz, {} to {} bytes and {} to {} channels can",
        Format::RATES_HZ.start(), Format::RATES_HZ.end(), Format::WIDTHS.start(), Format::WIDTHS.end(),
        Format::CHANNELS.start(), Format::CHANNELS.end())]
    Format { rate: u64, width: u64, channels: u64 },
    #[error("the audio's format changes within a request")]
    FormatChanged,
    #[error("the audio is longer than {longest_s} s: send less at once, or raise `longest_s` of the plugin")]
    TooLong { longest_s: u32 },
    #[error("too much audio waits on the box: try again later, or raise `most_audio_mib` of the plugin")]
    Full,
    #[error(
        "{connections} clients are served already: try again later, or raise `connections` of the plugin"
    )]
    Crowded { connections: usize },
    #[error("clients at this address are not served: the plugin's setting `allow` says who is")]
    NotAllowed,
    #[error("nothing whole came for {idle_s} s")]
    Idle { idle_s: u64 },
    #[error("the model {model} does not know the language `{language}`")]
    Language { language: String, model: String },
    #[error("the box cannot keep the audio")]
    Disk(#[source] io::Error),
    #[error(transparent)]
    Transcriber(#[from] ContextError),
}

impl Refused {
    /// A word for programs.
    fn code(&self) -> &'static str {
        match self {
            Self::Protocol(_) | Self::NoAudio(_) => "protocol",
            Self::NoFormat | Self::Format { .. } | Self::FormatChanged => "audio-format",
            Self::TooLong { .. } => "audio-too-long",
            Self::Full | Self::Crowded { .. } => "busy",
            Self::NotAllowed => "not-allowed",
            Self::Idle { .. } => "timeout",
            Self::Language { .. } => "language",
            Self::Disk(_) => "disk",
            Self::Transcriber(ContextError::NoModel) => "no-model",
            Self::Transcriber(_) => "transcriber",
        }
    }

    /// All of it in one line.
    pub(crate) fn in_words(&self) -> String {
        let (mut text, mut cause) = (self.to_string(), self.source());
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    /// The `error` event.
    pub(crate) fn event(&self) -> Vec<u8> {
        protocol::encode("error", &json!({ "text": self.in_words(), "code": self.code() }))
    }
}
