//! Judges a model's answer. Owns what passes: the sections once each and no others, no blanks, no echo,
//! something of this meeting in it, an owner for every action item. What is known from data (title, attendees,
//! date, duration) is taken from no answer, and no refusal quotes one: it may say what somebody in the meeting
//! wanted people to read.

mod parse;

use std::collections::HashSet;

use self::parse::{parse, unwrapped};
use crate::{Line, Notes, Prompt, owners::Owners, text};

/// What an answer is held against.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    /// What was said.
    pub(crate) lines: &'a [Line],
    /// Whether it was said in English.
    pub(crate) english: bool,
}

/// A summary has at least this many characters, one sentence.
const SHORTEST_SUMMARY: usize = 20;
/// A sentence has at least so many different words.
const FEWEST_WORDS: usize = 4;
/// A summary has at most this many characters: 10 long sentences.
const LONGEST_SUMMARY: usize = 1500;
/// An item of a list has at most this many characters.
const LONGEST_ITEM: usize = 800;
/// With more words than this said, there is something to report.
const SILENT_WORDS: usize = 150;
/// From this share on, lines of the transcript that stand in the answer make it a copy.
const COPIED: f32 = 0.6;
/// At least this share of the summary's words has a beginning that was heard. Summaries use words of their own;
/// one that has next to none of the meeting's is about something else.
const HEARD: f32 = 0.15;

/// The notes in an answer, or what is wrong with it, as the model is told.
pub(crate) fn notes(
    answer: &str,
    prompt: &Prompt,
    told: &Told<'_>,
    owners: &Owners,
) -> Result<Notes, String> {
    let answer = unwrapped(answer);
    not_an_echo(&answer, prompt)?;
    let mut notes = parse(&answer)?;
    not_a_copy(&answer, told.lines)?;
    summary_is_one(&notes.summary)?;
    let said: Vec<_> = told.lines.iter().map(|it| it.text.as_str()).collect();
    let words: usize = said.iter().map(|it| it.split(' ').count()).sum();
    let points: Vec<&String> = notes.topics.iter().flat_map(|it| &it.points).collect();
    if words >= SILENT_WORDS && points.is_empty() {
        return Err("the section `Key Discussion Points` has no bullet points".into());
    }
    let headings = notes.topics.iter().map(|it| &it.heading);
    let tasks = notes.actions.iter().map(|it| &it.text);
    let all = headings.chain(points).chain(tasks).chain(&notes.decisions).chain(&notes.next_steps);
    for item in all {
        not_blank(item, &said)?;
        if item.chars().count() > LONGEST_ITEM {
            return Err(format!("an item is too long: {LONGEST_ITEM} characters at most"));
        }
    }
    not_blank(&notes.summary, &said)?;
    if told.english {
        of_this_meeting(&notes.summary, &said)?;
    }
    for action in &mut notes.actions {
        if let Some(due) = &action.due {
            not_blank(&format!("[{due}]"), &said)?;
        }
        action.owner = action.owner.take().and_then(|it| owners.resolve(&it));
    }
    Ok(notes)
}

/// The summary of `parts` in an answer that is nothing else, or what is wrong with it.
pub(crate) fn summary(
    answer: &str,
    prompt: &Prompt,
    parts: &[String],
    english: bool,
) -> Result<String, String> {
    let answer = unwrapped(answer);
    not_an_echo(&answer, prompt)?;
    if answer.lines().any(|it| it.trim_start().starts_with('#')) {
        return Err("it has headings: write prose alone".into());
    }
    let summary = text::one_line(&answer);
    summary_is_one(&summary)?;
    let said: Vec<_> = parts.iter().map(String::as_str).collect();
    not_blank(&summary, &said)?;
    if english {
        of_this_meeting(&summary, &said)?;
    }
    Ok(summary)
}

fn not_an_echo(answer: &str, prompt: &Prompt) -> Result<(), String> {
    match answer.lines().any(|it| prompt.echoes(it)) {
        true => Err("it repeats the instructions or the marker lines".into()),
        false => Ok(()),
    }
}

fn not_a_copy(answer: &str, lines: &[Line]) -> Result<(), String> {
    let long: Vec<_> = lines.iter().filter(|it| it.text.chars().count() >= 30).collect();
    let copied = long.iter().filter(|it| answer.contains(&it.text)).count();
    match long.len() >= 10 && copied as f32 >= COPIED * long.len() as f32 {
        true => Err("it copies the record instead of reporting on it".into()),
        false => Ok(()),
    }
}

fn summary_is_one(summary: &str) -> Result<(), String> {
    let length = summary.chars().count();
    match length {
        0 => Err("the summary is empty".into()),
        1..SHORTEST_SUMMARY => Err(format!("the summary is too short: {length} characters")),
        LONGEST_SUMMARY.. => {
            Err(format!("the summary is too long: {length} characters, {LONGEST_SUMMARY} at most"))
        }
        _ => Ok(()),
    }
}

/// Words that stand where something was to be filled in.
const BLANKS: &[&str] = &["tbd", "tba", "xxx", "lorem", "placeholder"];
/// With what the text in brackets begins that asks to be replaced.
const ASKING: &[&str] = &[
    "insert",
    "your",
    "name",
    "date",
    "owner",
    "topic",
    "action",
    "deadline",
    "title",
    "summary",
    "description",
    "attendee",
    "list",
    "if ",
    "to be",
    "point",
    "bullet",
    "decision",
    "item",
    "person",
    "time",
    "add ",
    "fill",
    "specify",
    "details",
    "discussion",
    "step",
    "sentence",
    "none",
    "n/a",
    "no ",
    "not ",
    "…",
    "...",
    "xx",
];

/// Nothing is left to be filled in. What was said in the meeting itself may stand.
fn not_blank(item: &str, said: &[&str]) -> Result<(), String> {
    let was_said = |text: &str| said.iter().any(|it| it.to_lowercase().contains(text));
    let blank =
        text::words(item).iter().any(|it| BLANKS.contains(&it.lower.as_str()) && !was_said(&it.lower));
    let pairs = [('[', ']'), ('<', '>'), ('{', '}')];
    let asks = pairs.iter().any(|(open, close)| {
        let inner = item.split_once(*open).and_then(|it| it.1.split_once(*close));
        let inner = inner.map(|it| it.0.trim().to_lowercase());
        inner.is_some_and(|it| {
            it.is_empty() || ASKING.iter().any(|asking| it.starts_with(asking)) && !was_said(&it)
        })
    });
    match asks || blank {
        true => Err("something is left to be filled in".into()),
        false => Ok(()),
    }
}

/// The summary has something to do with what was said.
fn of_this_meeting(summary: &str, said: &[&str]) -> Result<(), String> {
    // Six letters: `present` and `presentation` count as the same.
    let root = |it: &str| it.chars().take(6).collect::<String>();
    let heard: HashSet<String> = said.iter().flat_map(|it| text::content(it)).map(|it| root(&it)).collect();
    let words = text::content(summary);
    let known = words.iter().filter(|it| heard.contains(&root(it))).count();
    let different: HashSet<_> = text::words(summary).into_iter().map(|it| it.lower).collect();
    // Short meetings have too few words for a share.
    let share = if heard.len() >= 10 { HEARD } else { 0.0 };
    match different.len() < FEWEST_WORDS || (known as f32) < share * words.len().max(1) as f32 {
        true => Err("the summary says nothing of this meeting".into()),
        false => Ok(()),
    }
}
