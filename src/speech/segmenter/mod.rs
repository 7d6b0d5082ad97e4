//! Where an utterance begins and ends. Owns the rules that turn a probability per frame into utterances;
//! leaves the probabilities to `vad`.
//!
//! The parameters and their meanings are those of whisper.cpp (`whisper_vad_segments_from_probs`, after
//! Silero's `get_speech_timestamps`), made to work on a stream:
//!
//! ```text
//!             p ≥ threshold                      p < threshold − 0.15 for min_silence
//!   silence ────────────────▶ speech ──────────────────────────────────────────────▶ silence
//!                              └─ max_speech: cut at the least likely, then quietest frame of its last part
//! ```

use super::{SAMPLE_RATE_HZ, Utterance};
use crate::config;

/// Speech goes on until the probability is this much below the threshold (Silero's hysteresis).
const HYSTERESIS: f32 = 0.15;
/// Share of the longest speech, at its end, in which a cut is looked for.
const CUT_SHARE: f32 = 0.4;

/// Speech that goes on.
#[derive(Debug)]
struct Speech {
    start: u64,
    /// Where silence began, while it is not yet long enough.
    silent_from: Option<u64>,
    /// Every frame since `start`.
    frames: Vec<Frame>,
    /// The first part was cut off and given away: what is left is speech however short it is.
    continued: bool,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    at: u64,
    probability: f32,
    mean_square: f32,
}

impl Frame {
    fn new(at: u64, samples: &[f32], probability: f32) -> Self {
        let sum: f32 = samples.iter().map(|x| x * x).sum();
        Self { at, probability, mean_square: sum / samples.len().max(1) as f32 }
    }
}

/// Cuts a stream into utterances. Holds no more sound than the longest utterance with its pads.
#[derive(Debug)]
pub struct Segmenter {
    threshold: f32,
    min_speech: u64,
    min_silence: u64,
    max_speech: u64,
    pad: u64,
    /// The last of the stream; its first sample stands at `base`.
    audio: Vec<f32>,
    base: u64,
    /// Sound before here has been given away.
    free_from: u64,
    speech: Option<Speech>,
}

impl Segmenter {
    /// A segmenter at the beginning of a stream. Times are rounded to samples; at least one second of
    /// speech is always allowed.
    pub fn new(config: &config::Vad) -> Self {
        let samples = |ms: u32| u64::from(ms) * u64::from(SAMPLE_RATE_HZ) / 1000;
        let longest = config.max_speech_duration_s.clamp(1.0, 3600.0) * SAMPLE_RATE_HZ as f32;
        Self {
            threshold: config.threshold,
            min_speech: samples(config.min_speech_duration_ms),
            min_silence: samples(config.min_silence_duration_ms),
            max_speech: longest as u64,
            pad: samples(config.speech_pad_ms),
            audio: Vec::new(),
            base: 0,
            free_from: 0,
            speech: None,
        }
    }

    /// Whether somebody is speaking now.
    pub fn speaking(&self) -> bool {
        self.speech.is_some()
    }

    /// Where the speech began that goes on, and how much there is of it, samples. `None` before it is enough
    /// for an utterance, and in a silence, which may end it any moment.
    pub fn speech(&self) -> Option<(u64, u64)> {
        let speech = self.speech.as_ref().filter(|it| it.silent_from.is_none())?;
        let length = self.end() - speech.start;
        (length >= self.least(speech)).then_some((speech.start, length))
    }

    /// The speech that goes on, with the pad before it. The utterance that comes of it begins at the same
    /// sample.
    pub fn so_far(&self) -> Option<Utterance> {
        self.speech.as_ref().map(|it| self.utterance(it, self.end(), 0))
    }

    /// Takes the next frame with its probability; appends the utterances that ended to `out`.
    pub fn push(&mut self, frame: &[f32], probability: f32, out: &mut Vec<Utterance>) {
        let at = self.end();
        self.audio.extend_from_slice(frame);
        let end = self.end();
        let is_speech = probability >= self.threshold;
        let Some(speech) = &mut self.speech else {
            if is_speech {
                let frames = vec![Frame::new(at, frame, probability)];
                self.speech = Some(Speech { start: at, silent_from: None, frames, continued: false });
            } else {
                self.forget();
            }
            return;
        };
        speech.frames.push(Frame::new(at, frame, probability));
        if is_speech {
            speech.silent_from = None;
        } else if probability < (self.threshold - HYSTERESIS).max(0.01) {
            let from = *speech.silent_from.get_or_insert(at);
            if end - from >= self.min_silence {
                self.emit(from, self.pad, out);
                self.speech = None;
                self.forget();
                return;
            }
        }
        if end - speech.start >= self.max_speech {
            self.cut(out);
        }
    }

    /// Ends what is being said; the stream may go on after it.
    pub fn flush(&mut self, out: &mut Vec<Utterance>) {
        if let Some(speech) = &self.speech {
            let end = speech.silent_from.unwrap_or(self.end());
            self.emit(end, self.pad, out);
            self.speech = None;
        }
        self.forget();
    }

    fn end(&self) -> u64 {
        self.base + self.audio.len() as u64
    }

    /// Speech is as long as it may be: cuts it where a word hardly is.
    fn cut(&mut self, out: &mut Vec<Utterance>) {
        let Some(speech) = &mut self.speech else { return };
        if let Some(from) = speech.silent_from {
            self.emit(from, self.pad, out);
            self.speech = None;
            self.forget();
            return;
        }
        let n = speech.frames.len();
        let first = (n - (n as f32 * CUT_SHARE) as usize).clamp(1, n);
        let least = |a: &Frame, b: &Frame| {
            a.probability.total_cmp(&b.probability).then(a.mean_square.total_cmp(&b.mean_square))
        };
        let best = (first..n).min_by(|&a, &b| least(&speech.frames[a], &speech.frames[b])).unwrap_or(n);
        let frames = speech.frames.split_off(best);
        let at = frames.first().map_or(self.base + self.audio.len() as u64, |it| it.at);
        // A cut in the middle of speech has no pads: every sample belongs to one side.
        self.emit(at, 0, out);
        self.speech = Some(Speech { start: at, silent_from: None, frames, continued: true });
        self.forget();
    }

    /// Gives away the speech that ends at `end`, with `pad` after it, unless it is too short.
    fn emit(&mut self, end: u64, pad: u64, out: &mut Vec<Utterance>) {
        let Some(speech) = &self.speech else { return };
        if end.saturating_sub(speech.start) < self.least(speech) {
            return;
        }
        let utterance = self.utterance(speech, end, pad);
        self.free_from = utterance.start_sample + utterance.samples.len() as u64;
        out.push(utterance);
    }

    /// Shorter speech is dropped, samples.
    fn least(&self, speech: &Speech) -> u64 {
        if speech.continued { 1 } else { self.min_speech.max(1) }
    }

    fn utterance(&self, speech: &Speech, end: u64, pad: u64) -> Utterance {
        let from = speech.start.saturating_sub(self.pad).max(self.free_from).max(self.base);
        let to = (end + pad).min(self.end());
        let range = (from - self.base) as usize..(to - self.base) as usize;
        Utterance { start_sample: from, samples: self.audio[range].to_vec() }
    }

    /// Drops the sound that no utterance can want any more.
    fn forget(&mut self) {
        let wanted_from = match &self.speech {
            Some(speech) => speech.start,
            None => self.end(),
        };
        let keep = wanted_from.saturating_sub(self.pad).max(self.base);
        self.audio.drain(..(keep - self.base) as usize);
        self.base = keep;
    }
}

#[cfg(test)]
mod tests;
