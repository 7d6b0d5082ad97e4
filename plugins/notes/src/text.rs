//! Pieces of text: lines, sentences, words, and text that is safe inside Markdown. Owns how text is cut and
//! escaped; leaves what it means to others.

use std::{collections::HashSet, sync::LazyLock};

/// Whitespace of any kind becomes one space, and what cannot be seen goes: one line.
pub(crate) fn one_line(text: &str) -> String {
    let visible =
        |it: &char| !it.is_control() && !matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    let words = text.split_whitespace().map(|it| it.chars().filter(visible).collect::<String>());
    words.filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

/// One line that stays text inside Markdown: no heading, list, quote, HTML, link or picture can come of it.
pub(crate) fn escape(text: &str) -> String {
    let line = one_line(text);
    let mut escaped = String::with_capacity(line.len() + 8);
    let mut rest = line.chars().peekable();
    let (mut before, mut first) = (' ', true);
    while let Some(it) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        let opens = match it {
            '#' | '>' | '=' | '|' => first,
            '-' | '+' => first && (next == ' ' || next == it),
            '*' => first && next == ' ',
            '(' | '[' => before == ']',
            '~' | '`' => first && next == it,
            _ => false,
        };
        match it {
            '<' if next.is_ascii_alphabetic() || "/!?".contains(next) => escaped.push_str("&lt;"),
            _ if opens => escaped.extend(['\\', it]),
            _ => escaped.push(it),
        }
        (before, first) = (it, false);
    }
    escaped
}

/// The first letter large.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |it| it.to_uppercase().chain(letters).collect())
}

/// Words that end in a point without ending a sentence.
const ABBREVIATIONS: &[&str] =
    &["mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "e.g.", "i.e.", "vs.", "no.", "approx.", "inc."];

/// Its sentences: text up to `.`, `?` or `!` before a space.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let (mut found, mut start, mut end) = (Vec::new(), 0, 0);
    for word in text.split_inclusive(char::is_whitespace) {
        end += word.len();
        let word = word.trim_end().trim_end_matches(['"', '\'', ')', '\u{201d}', '\u{2019}']);
        let ends = word.ends_with(['.', '?', '!', '\u{3002}', '\u{ff1f}', '\u{ff01}']);
        if ends && !ABBREVIATIONS.contains(&word.to_lowercase().as_str()) {
            found.push(text[start..end].trim());
            start = end;
        }
    }
    found.push(text[start..].trim());
    found.retain(|it| it.chars().any(char::is_alphanumeric));
    found
}

/// A word and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    /// As it stands, without punctuation around it.
    pub(crate) raw: &'a str,
    /// Small letters, straight apostrophes.
    pub(crate) lower: String,
    /// Whether a comma, colon or dash follows.
    pub(crate) pause: bool,
    /// Where it begins, bytes.
    pub(crate) start: usize,
    /// Behind its last byte.
    pub(crate) end: usize,
}

/// The words of a text, in order.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        let bare = piece.trim_end();
        let inner = bare.trim_start_matches(|it: char| !it.is_alphanumeric() && it != '$');
        let start = at + bare.len() - inner.len();
        at += piece.len();
        let raw = inner.trim_end_matches(|it: char| !it.is_alphanumeric() && it != '%');
        if raw.is_empty() {
            continue;
        }
        let pause = inner[raw.len()..].starts_with([',', ':', ';', '\u{2014}', '\u{2013}']);
        let lower = raw.to_lowercase().replace('\u{2019}', "'");
        found.push(Word { raw, lower, pause, start, end: start + raw.len() });
    }
    found
}

/// Words that say nothing of what a meeting is about.
const STOPWORDS: &str = "a about above actually after again all almost already also always am an and another any \
anybody anyone anything are around as ask at away back be because been before being below best better between \
both but by call called came can cannot can't come could couldn't day days did didn't different do does doesn't \
doing done don't down during each eight eleven else end enough even ever every everybody everyone everything \
exactly few find fine first five for forget four friday from get getting give go goes going gonna good got great \
guess had has have haven't having he hello her here hers hi him his hour hours how however i i'd if i'll i'm in \
into is isn't it it's its i've just keep kind know last later least less let let's like little long look lot lots \
made make makes many may maybe me mean meeting might mine minute minutes moment monday month months more morning \
most move much must my need needs never new next nine no nobody none nor not nothing now of off often oh ok okay \
old on once one only onto or other others our out over own part people perhaps please point probably put question \
quite rather really remember right said same saturday say second see seem seems seven shall she should shouldn't \
since six so some somebody someone something soon sort start still such sunday sure take talk team teams ten than \
thank thanks that that's the their them then there there's these they thing things think this those though three \
thursday through time times to today together tomorrow tonight too tuesday twelve two uh um under until up update \
updated us use used very want wants was wasn't way we wednesday week weeks well we'll went were we're we've what \
what's when where whether which while who who's whole why will with without won't work works would wouldn't yeah hear heard \
year years yes yesterday yet you you'll your you're yours agree agreed decide decided discuss action item items";

/// Whether the word is too common to say anything. `word` is in small letters.
pub(crate) fn is_stopword(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOPWORDS.split_whitespace().collect());
    WORDS.contains(word)
}

/// Whether the word can be a subject of a meeting. `word` is in small letters.
pub(crate) fn is_content(word: &str) -> bool {
    let letters = word.chars().all(|it| it.is_alphabetic() || it == '-');
    letters && word.chars().count() > 3 && !is_stopword(word)
}

/// The word without a plural's `s`, so that `budgets` counts as `budget`.
pub(crate) fn stem(word: &str) -> &str {
    let plural = word.len() > 4 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us");
    if plural { &word[..word.len() - 1] } else { word }
}

/// The words that can be subjects, in order, as they are counted.
pub(crate) fn content(text: &str) -> Vec<String> {
    let words = words(text).into_iter().filter(|it| is_content(&it.lower));
    words.map(|it| stem(&it.lower).to_owned()).collect()
}
