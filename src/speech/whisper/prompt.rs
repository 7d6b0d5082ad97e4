//! What Whisper is told before it hears. Owns the order of what is known, and cutting it to what fits.

use whisper_rs::{WhisperContext, WhisperTokenId};

use crate::{config, speech::Hints};

/// A text longer than this is not looked at: whisper.cpp takes it apart with a regular expression, on the
/// stack.
const LONGEST_CHARS: usize = 4000;

/// What is known, the most telling last: Whisper heeds most what stands next to the speech, and what does not
/// fit is cut at the front.
pub(super) fn text(config: &config::Transcription, hints: &Hints) -> Option<String> {
    let hot_words: Vec<_> = config.hot_words.iter().map(|it| it.trim()).filter(|it| !it.is_empty()).collect();
    let hot_words = Some(format!("{}.", hot_words.join(", "))).filter(|_| !hot_words.is_empty());
    let parts = [config.initial_prompt.as_deref(), hot_words.as_deref(), hints.prompt.as_deref()];
    let text = parts.into_iter().flatten().map(str::trim).collect::<Vec<_>>().join(" ").replace('\0', "");
    let skipped = text.chars().count().saturating_sub(LONGEST_CHARS);
    Some(text.chars().skip(skipped).collect()).filter(|it: &String| !it.is_empty())
}

/// The tokens of `text`, at most `most` of them: the last ones, from the beginning of a word on.
pub(super) fn tokens(context: &WhisperContext, text: &str, most: usize) -> Vec<WhisperTokenId> {
    // Words begin with a space to Whisper. A token stands for at least a byte, so there is always room: with
    // too little, whisper-rs would take the negative number that says so for a length.
    let tokens = context.tokenize(&format!(" {text}"), text.len() + 2).unwrap_or_default();
    if tokens.len() <= most {
        return tokens;
    }
    let kept = &tokens[tokens.len() - most..];
    let is_start = |it: &&WhisperTokenId| context.token_to_bytes(**it).is_ok_and(|it| it.starts_with(b" "));
    let start = kept.iter().position(|it| is_start(&it)).unwrap_or(0);
    kept[start..].to_vec()
}
