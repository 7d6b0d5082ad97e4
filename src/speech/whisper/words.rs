//! From Whisper's tokens to words. Owns joining parts of words, their times and confidences.

use crate::speech::{Segment, Word};

/// One token of text; times in ms from the start of the utterance.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) bytes: Vec<u8>,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) probability: f32,
}

/// Joins tokens into words: one begins at every token that begins with a space. Times are made to rise
/// and to lie within `length_ms`, since Whisper's own may do neither.
pub(super) fn words(tokens: &[Token], start_ms: u64, length_ms: u64) -> Vec<Word> {
    let mut groups: Vec<Vec<&Token>> = Vec::new();
    for token in tokens {
        match groups.last_mut() {
            // Characters of several bytes may be spread over tokens, so bytes are joined, not text.
            Some(last) if !token.bytes.starts_with(b" ") => last.push(token),
            _ => groups.push(vec![token]),
        }
    }
    let mut words: Vec<Word> = Vec::new();
    let mut from = 0;
    for group in groups {
        let bytes: Vec<u8> = group.iter().flat_map(|it| it.bytes.iter().copied()).collect();
        let text = String::from_utf8_lossy(&bytes).trim().to_string();
        let inside = |ms: i64| u64::try_from(ms).unwrap_or(0).clamp(from, length_ms);
        let start = group.first().map_or(from, |it| inside(it.start_ms));
        let end = group.last().map_or(from, |it| inside(it.end_ms)).max(start);
        let confidence = group.iter().map(|it| it.probability).sum::<f32>() / group.len() as f32;
        let confidence = confidence.clamp(0.0, 1.0);
        from = end;
        match words.last_mut() {
            _ if text.is_empty() => {}
            // A dash or quotation mark by itself belongs to the word before it.
            Some(last) if !text.chars().any(char::is_alphanumeric) => {
                last.text = format!("{} {text}", last.text);
                last.end_ms = start_ms + end;
            }
            _ => words.push(Word { start_ms: start_ms + start, end_ms: start_ms + end, text, confidence }),
        }
    }
    words
}

/// Makes segments of at most a few sentences: a new one begins after the end of a sentence once the
/// current one is `long_ms` long.
pub(super) fn segments(words: Vec<Word>, long_ms: u64) -> Vec<Segment> {
    let mut segments: Vec<Vec<Word>> = Vec::new();
    let mut ended = true;
    for word in words {
        let ends = word.text.ends_with(['.', '?', '!']);
        let end_ms = word.end_ms;
        match segments.last_mut() {
            Some(current) if !ended => current.push(word),
            _ => segments.push(vec![word]),
        }
        let begun = segments.last().and_then(|it| it.first()).map_or(0, |it| it.start_ms);
        ended = ends && end_ms.saturating_sub(begun) >= long_ms;
    }
    segments.into_iter().filter_map(segment).collect()
}

fn segment(words: Vec<Word>) -> Option<Segment> {
    let (start_ms, end_ms) = (words.first()?.start_ms, words.last()?.end_ms);
    let text = words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ");
    let confidence = words.iter().map(|it| it.confidence).sum::<f32>() / words.len() as f32;
    Some(Segment { start_ms, end_ms, speaker: None, text, words, confidence })
}
