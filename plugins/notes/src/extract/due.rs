//! Finds until when something is to be done: `by Friday`, `before the next meeting`, `on December 6th`. Owns
//! the words of English dates; nothing is reckoned from them, they stay in the words of the meeting.

use std::ops::Range;

use crate::text::Word;

const PREPOSITIONS: &[&str] =
    &["by", "before", "until", "till", "on", "after", "at", "in", "within", "from", "due", "around"];
/// These tell when on their own.
const ALONE: &[&str] = &["today", "tomorrow", "tonight", "asap", "immediately"];
pub(super) const DAYS: &[&str] =
    &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
pub(super) const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const PERIODS: &[&str] =
    &["day", "week", "month", "quarter", "year", "morning", "afternoon", "evening", "weekend", "sprint"];
const UNITS: &[&str] = &[
    "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months", "year", "years",
];

/// The words that say until when, or on which day; those behind `by`, `before` and `until` go first.
pub(super) fn due(words: &[Word<'_>]) -> Option<Range<usize>> {
    let mut found: Option<(bool, Range<usize>)> = None;
    let mut at = 0;
    while at < words.len() {
        let Some(end) = phrase(words, at) else {
            at += 1;
            continue;
        };
        let firm = ["by", "before", "until", "till", "due"].contains(&words[at].lower.as_str());
        if found.as_ref().is_none_or(|it| firm && !it.0) {
            found = Some((firm, at..end));
        }
        at = end;
    }
    found.map(|it| it.1)
}

/// Behind the last word of the phrase that begins at `at`.
fn phrase(words: &[Word<'_>], at: usize) -> Option<usize> {
    let lower = |at: usize| words.get(at).map_or("", |it| it.lower.as_str());
    let first = lower(at);
    if PREPOSITIONS.contains(&first) {
        let end = date(words, at + 1)?;
        // `on Wednesday at 7:15`.
        let time = (lower(end) == "at" && is_time(lower(end + 1))).then_some(end + 2);
        return Some(time.unwrap_or(end));
    }
    match (first, lower(at + 1)) {
        (it, _) if ALONE.contains(&it) => Some(at + 1),
        ("later", "today") | ("right", "now") => Some(at + 2),
        ("this" | "next", it) if PERIODS.contains(&it) || DAYS.contains(&it) => Some(at + 2),
        _ => None,
    }
}

/// Behind the last word of a date that begins at `at`.
fn date(words: &[Word<'_>], at: usize) -> Option<usize> {
    let lower = |at: usize| words.get(at).map_or("", |it| it.lower.as_str());
    let (first, second) = (lower(at), lower(at + 1));
    if ALONE.contains(&first) || is_time(first) {
        return Some(at + 1 + usize::from(["am", "pm", "a.m", "p.m", "o'clock"].contains(&second)));
    }
    match first {
        "noon" | "midnight" | "lunch" | "christmas" | "easter" => Some(at + 1),
        "the" if ["meeting", "call", "weekend", "workshop", "release", "launch"].contains(&second) => {
            Some(at + 2)
        }
        "the" | "our" => date(words, at + 1),
        "end" if second == "of" => {
            let rest = at + 2 + usize::from(["the", "this", "next"].contains(&lower(at + 2)));
            let last = lower(rest);
            (PERIODS.contains(&last) || DAYS.contains(&last) || MONTHS.contains(&last)).then_some(rest + 1)
        }
        "this" | "next" | "last" if PERIODS.contains(&second) || DAYS.contains(&second) => Some(at + 2),
        "this" | "next" if ["meeting", "call", "release"].contains(&second) => Some(at + 2),
        it if DAYS.contains(&it) => Some(at + 1 + usize::from(PERIODS.contains(&second) && !words[at].pause)),
        it if MONTHS.contains(&it) => {
            let day = second.starts_with(|it: char| it.is_ascii_digit());
            // `may` alone is no month.
            (day || it != "may").then_some(at + 1 + usize::from(day))
        }
        it if is_ordinal(it) => {
            let of = usize::from(second == "of");
            Some(at + 1 + if MONTHS.contains(&lower(at + 1 + of)) { of + 1 } else { 0 })
        }
        it if UNITS.contains(&second) && is_number(it) => Some(at + 2),
        _ => None,
    }
}

/// `7:15`.
fn is_time(word: &str) -> bool {
    word.split_once(':').is_some_and(|(hours, minutes)| {
        let digits = |it: &str| !it.is_empty() && it.len() <= 2 && it.bytes().all(|it| it.is_ascii_digit());
        digits(hours) && digits(minutes)
    })
}

/// `6th`.
fn is_ordinal(word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && ["st", "nd", "rd", "th"].contains(&&word[digits..])
}

fn is_number(word: &str) -> bool {
    let small =
        ["a", "an", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"];
    small.contains(&word) || word.bytes().all(|it| it.is_ascii_digit())
}
