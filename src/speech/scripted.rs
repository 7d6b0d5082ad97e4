//! A transcriber that says what it was told to say: for tests and rehearsals without a model.

use std::collections::VecDeque;

use super::{How, SAMPLE_RATE_HZ, Segment, TranscribeError, Transcriber, Utterance, Word};

/// Gives one text per utterance, in order; nothing is said once the texts are used up. The words are
/// spread evenly over the utterance.
#[derive(Debug, Clone, Default)]
pub struct ScriptedTranscriber {
    texts: VecDeque<String>,
}

impl ScriptedTranscriber {
    /// A transcriber with its texts.
    pub fn new<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self { texts: texts.into_iter().map(Into::into).collect() }
    }
}

impl Transcriber for ScriptedTranscriber {
    fn transcribe(&mut self, utterance: &Utterance, _: &How) -> Result<Vec<Segment>, TranscribeError> {
        let text = self.texts.pop_front().unwrap_or_default();
        let parts: Vec<&str> = text.split_whitespace().collect();
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let start_ms = utterance.start_ms();
        let length_ms = utterance.samples.len() as u64 * 1000 / u64::from(SAMPLE_RATE_HZ);
        let at = |i: usize| start_ms + length_ms * i as u64 / parts.len() as u64;
        let word = |(i, it): (usize, &&str)| Word {
            start_ms: at(i),
            end_ms: at(i + 1),
            text: (*it).into(),
            confidence: 1.0,
        };
        let words = parts.iter().enumerate().map(word).collect();
        let (end_ms, text) = (start_ms + length_ms, parts.join(" "));
        Ok(vec![Segment { start_ms, end_ms, speaker: None, text, words, confidence: 1.0 }])
    }

    fn name(&self) -> String {
        "scripted".into()
    }
}
