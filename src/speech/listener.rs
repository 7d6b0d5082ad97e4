//! From a stream of sound to utterances. Owns framing for the detector, and joins detector and segmenter;
//! leaves resampling to `audio` and the words to a `Transcriber`.

use super::{
    Error, Utterance,
    segmenter::Segmenter,
    vad::{self, Gate, Vad as _},
};
use crate::config;

/// Finds utterances in 16 kHz mono. Memory is bounded by the longest utterance.
#[derive(Debug)]
pub struct Listener {
    vad: Gate,
    segmenter: Segmenter,
    /// Less than a frame.
    pending: Vec<f32>,
}

impl Listener {
    /// A listener with the detector that `config` asks for.
    pub fn new(config: &config::Vad) -> Result<Self, Error> {
        Ok(Self::with_vad(config, vad::from_config(config)?))
    }

    /// A listener with a given detector.
    pub fn with_vad(config: &config::Vad, vad: Gate) -> Self {
        Self { vad, segmenter: Segmenter::new(config), pending: Vec::new() }
    }

    /// Takes samples, as many as there are, and appends the utterances that ended to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<Utterance>) {
        self.pending.extend_from_slice(samples);
        let length = self.vad.frame_samples();
        let mut used = 0;
        while self.pending.len() - used >= length {
            let frame = &self.pending[used..used + length];
            let probability = self.vad.probability(frame);
            self.segmenter.push(frame, probability, out);
            used += length;
        }
        self.pending.drain(..used);
    }

    /// Ends what is being said and appends it to `out`. Afterwards the stream may go on.
    pub fn flush(&mut self, out: &mut Vec<Utterance>) {
        if !self.pending.is_empty() {
            let mut frame = self.pending.clone();
            frame.resize(self.vad.frame_samples(), 0.0);
            let probability = self.vad.probability(&frame);
            self.segmenter.push(&self.pending, probability, out);
            self.pending.clear();
        }
        self.segmenter.flush(out);
        self.vad.reset();
    }

    /// Where the speech began that goes on, and how much there is of it, samples. `None` before it is enough
    /// for an utterance, and in a silence, which may end it any moment.
    pub fn speech(&self) -> Option<(u64, u64)> {
        self.segmenter.speech()
    }

    /// The speech that goes on. The utterance that comes of it begins at the same sample.
    pub fn so_far(&self) -> Option<Utterance> {
        self.segmenter.so_far()
    }

    /// Whether somebody is speaking now.
    pub fn speaking(&self) -> bool {
        self.segmenter.speaking()
    }

    /// The detector's name.
    pub fn vad_name(&self) -> &'static str {
        self.vad.name()
    }
}
