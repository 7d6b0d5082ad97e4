//! What of Whisper's answer is believed. Owns the signals of a decoding that went wrong, and their limits.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};

use super::words::Token;
use crate::speech::Word;

/// A caption with a token less likely than this is heard again with beam search. On five synthesised
/// meetings (661 words) greedy decoding alone makes 15.9 % word errors, beam search alone 11.0 %; greedy
/// with a second hearing of these, one utterance in five, makes 9.8 %. More context did not help at all
/// (`benches/transcribe.rs`).
pub(super) const DOUBTFUL_TOKEN: f32 = 0.2;
/// Mean log probability below which a decoding has failed; OpenAI's own `logprob_threshold`.
pub(super) const LOGPROB_THRESHOLD: f32 = -1.0;
/// OpenAI's own `no_speech_threshold`.
pub(super) const NO_SPEECH_THRESHOLD: f32 = 0.6;
/// OpenAI's own `compression_ratio_threshold`. whisper.cpp judges by the entropy of the last 32 tokens
/// instead, and so sees nothing in an utterance of fewer; the ratio has no such least length.
const COMPRESSION_RATIO_THRESHOLD: f32 = 2.4;

/// What came of one decoding.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempt {
    pub(super) tokens: Vec<Token>,
    pub(super) words: Vec<Word>,
    pub(super) mean_logprob: f32,
    /// Of the least likely token; 1 when there is none.
    pub(super) least_probability: f32,
    pub(super) no_speech: f32,
}

impl Attempt {
    /// Whether a token is so unlikely that another way of decoding may find a better one.
    pub(super) fn is_doubtful(&self) -> bool {
        self.least_probability < DOUBTFUL_TOKEN
    }

    /// Whether Whisper itself takes it for no speech; OpenAI's rule, both together.
    pub(super) fn is_silence(&self) -> bool {
        self.no_speech > NO_SPEECH_THRESHOLD && self.mean_logprob < LOGPROB_THRESHOLD
    }

    /// Whether it has to be heard again: it is unlikely as a whole, or turns in circles.
    pub(super) fn has_failed(&self) -> bool {
        self.mean_logprob < LOGPROB_THRESHOLD || self.circles()
    }

    /// Whether nothing of it is to be believed.
    pub(super) fn is_nothing(&self) -> bool {
        self.is_silence() || self.circles() || is_stage_direction(&self.text())
    }

    fn circles(&self) -> bool {
        repeats(&self.words) || compression_ratio(&self.text()) > COMPRESSION_RATIO_THRESHOLD
    }

    fn text(&self) -> String {
        self.words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// Bytes of a text for each byte of it compressed, as OpenAI has it: zlib, level 6.
pub(super) fn compression_ratio(text: &str) -> f32 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    // Memory refuses nothing; an error would be a text that nothing is known of.
    let compressed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    compressed.map_or(0.0, |it| text.len() as f32 / it.len().max(1) as f32)
}

/// Whether `words` turn in circles, as Whisper does where it hears nothing: a run of up to four words
/// that comes four times in a row.
pub(super) fn repeats(words: &[Word]) -> bool {
    (1..=4_usize).any(|n| {
        words
            .windows(n * 4)
            .any(|it| it.chunks(n).all(|part| part.iter().zip(it).all(|(a, b)| a.text == b.text)))
    })
}

/// `[BLANK_AUDIO]`, `(music)`, or nothing but punctuation: no word outside of brackets.
pub(super) fn is_stage_direction(text: &str) -> bool {
    let says_nothing = |text: &str| !text.chars().any(char::is_alphanumeric);
    let mut rest = text;
    while let Some(open) = rest.find(['[', '(']) {
        let close = if rest[open..].starts_with('[') { ']' } else { ')' };
        let Some(length) = rest[open..].find(close) else { break };
        if !says_nothing(&rest[..open]) {
            return false;
        }
        rest = &rest[open + length + 1..];
    }
    says_nothing(rest)
}
