//! Whether somebody speaks, frame by frame. Owns the detector's trait, the choice of detector and the
//! energy gate before it; leaves cutting utterances to `segmenter`.

mod builtin;
mod gate;
#[cfg(feature = "whisper")]
#[path = "silero.rs"]
mod silero;
#[cfg(not(feature = "whisper"))]
#[path = "silero_disabled.rs"]
mod silero;

pub use builtin::BuiltIn;
pub use gate::Gate;
pub use silero::Silero;

use super::Error;
use crate::config;

/// A voice activity detector over a stream of 16 kHz mono.
pub trait Vad: Send {
    /// Length of every frame, samples.
    fn frame_samples(&self) -> usize;

    /// Probability of speech in `frame` (`frame_samples` long), 0 to 1. Frames follow one another.
    fn probability(&mut self, frame: &[f32]) -> f32;

    /// Forgets what was heard: the next frame begins a new stream.
    fn reset(&mut self);

    /// Name for status and logs.
    fn name(&self) -> &'static str;
}

/// The detector that `config` asks for, behind its energy gate.
pub fn from_config(config: &config::Vad) -> Result<Gate, Error> {
    let detector: Box<dyn Vad> = match &config.silero_model {
        Some(path) => Box::new(Silero::load(path)?),
        None => Box::new(BuiltIn::default()),
    };
    Ok(Gate::new(detector, config.gate_dbfs))
}
