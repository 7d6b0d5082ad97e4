//! Silero through whisper.cpp. Owns feeding it a stream: whisper.cpp forgets its state at every call, so
//! each call repeats the sound just before its frame.

use std::path::Path;

use whisper_rs::{WhisperVadContext, WhisperVadContextParams};

use super::Vad;
use crate::speech::{Error, model, whisper};

/// Samples in one of Silero's windows: 32 ms.
const WINDOW: usize = 512;
/// Windows judged by one call.
const WINDOWS_PER_FRAME: usize = 4;
/// Windows heard again before them, so that the network's state has settled: 0.5 s.
const CONTEXT_WINDOWS: usize = 16;

/// The Silero detector.
#[derive(Debug)]
pub struct Silero {
    context: WhisperVadContext,
    /// The context and the frame, one after the other.
    heard: Vec<f32>,
}

impl Silero {
    /// Checks the model file, then loads it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        model::check_silero(path)?;
        whisper::log_to_tracing();
        let mut params = WhisperVadContextParams::new();
        params.set_n_threads(1);
        let text = path.to_str().filter(|it| !it.contains('\0'));
        let text = text.ok_or_else(|| Error::Load {
            path: path.into(),
            reason: "its path is not UTF-8: rename the file".into(),
        })?;
        let context = WhisperVadContext::new(text, params)
            .map_err(|it| Error::Load { path: path.into(), reason: it.to_string() })?;
        Ok(Self { context, heard: Vec::with_capacity((CONTEXT_WINDOWS + WINDOWS_PER_FRAME) * WINDOW) })
    }
}

impl Vad for Silero {
    fn frame_samples(&self) -> usize {
        WINDOW * WINDOWS_PER_FRAME
    }

    fn probability(&mut self, frame: &[f32]) -> f32 {
        let excess = self.heard.len().saturating_sub(CONTEXT_WINDOWS * WINDOW);
        self.heard.drain(..excess);
        self.heard.extend_from_slice(frame);
        if let Err(error) = self.context.detect_speech(&self.heard) {
            tracing::error!(%error, "Silero failed on a frame; it counts as silence.");
            return 0.0;
        }
        let all = self.context.probabilities();
        let last = &all[all.len().saturating_sub(WINDOWS_PER_FRAME)..];
        last.iter().copied().fold(0.0, f32::max)
    }

    fn reset(&mut self) {
        self.heard.clear();
    }

    fn name(&self) -> &'static str {
        "silero"
    }
}
