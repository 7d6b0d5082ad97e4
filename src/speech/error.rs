//! What can go wrong between sound and transcript, with what to do about it.

use std::path::PathBuf;

use super::{TranscribeError, model};

/// Speech cannot be found or written down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No model is configured.
    #[error(
        "no Whisper model is set: give one with --model FILE or transcription.model in the configuration \
         (a ggml file such as ggml-base.en-q5_1.bin; names are looked up in {models_dir}), or get one: \
         `panotti model fetch base.en-q5_1`, then `panotti model use base.en-q5_1`"
    )]
    NoModel {
        /// Where models lie.
        models_dir: PathBuf,
    },
    /// The model file is not usable.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// whisper.cpp refused a model that looked right.
    #[error("whisper.cpp cannot load {path}: {reason}; try another model, or look at the log")]
    Load {
        /// The model file.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The program was built without whisper.cpp.
    #[error("this build has no whisper.cpp, so {path} cannot be used: build with `--features whisper`")]
    NotBuilt {
        /// The model file.
        path: PathBuf,
    },
    /// Two models at once are too much for this machine.
    #[error(
        "{path} needs about {needed_mb} MB of memory beside the model in use, and {available_mb} MB are free: stop \
         the service, run `panotti model use` again, and start it; or choose a smaller model"
    )]
    Memory {
        /// The model file.
        path: PathBuf,
        /// About what it takes, MB.
        needed_mb: u64,
        /// What can be had, MB.
        available_mb: u64,
    },
    /// An audio file cannot be read.
    #[error("cannot read the audio in {path}")]
    Audio {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An utterance could not be written down.
    #[error(transparent)]
    Transcribe(#[from] TranscribeError),
    /// Whoever asked for it wants it no longer.
    #[error("transcription was cancelled")]
    Cancelled,
}
