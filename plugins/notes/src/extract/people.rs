//! Finds names of people in a sentence. Owns what looks like a name; who may own a task is `owners`' matter.

use std::collections::HashSet;

use super::due::{DAYS, MONTHS};
use crate::{
    owners::Owners,
    text::{Word, is_stopword},
};

/// Words that begin sentences and names no one: a name may follow them.
const OPENERS: &[&str] = &[
    "and", "but", "so", "then", "okay", "ok", "well", "also", "now", "yes", "no", "yeah", "maybe", "because",
    "that", "today", "tomorrow", "right", "great", "good", "alright", "hey", "hi", "thanks", "perfect",
    "fine", "sure",
];
/// Words before a capital letter that make it the name of a thing.
const THINGS: &[&str] = &[
    "project",
    "version",
    "team",
    "phase",
    "room",
    "building",
    "product",
    "company",
    "department",
    "the",
    "this",
    "our",
    "a",
    "an",
    "my",
    "your",
    "their",
    "its",
    "in",
    "of",
    "from",
    "to",
    "for",
    "at",
    "release",
    "mister",
];

/// Reads names.
#[derive(Debug)]
pub(super) struct People<'a> {
    /// Who is known to take part.
    pub(super) owners: &'a Owners,
    /// Words that were said with a small letter somewhere: at the beginning of a sentence they are no names.
    pub(super) small: HashSet<String>,
}

impl People<'_> {
    /// Whether the word at `at` is a name: of somebody known, or by its capital letter.
    pub(super) fn is_name(&self, words: &[Word<'_>], at: usize) -> bool {
        let Some(word) = words.get(at) else { return false };
        let lower = word.lower.as_str();
        let mut letters = word.raw.chars();
        let capital =
            letters.next().is_some_and(char::is_uppercase) && letters.clone().any(char::is_lowercase);
        let plain = word.raw.chars().all(|it| it.is_alphabetic() || it == '-');
        if !capital || lower.chars().count() < 2 {
            return false;
        }
        let common = is_stopword(lower) || OPENERS.contains(&lower) || THINGS.contains(&lower);
        let date = DAYS.contains(&lower) || MONTHS.contains(&lower);
        self.owners.has_word(lower) || plain && !common && !date && !self.small.contains(lower)
    }

    /// The people whose names end right before the word at `end`: `Anna Smith and Bob` before `will`. None
    /// where the words are the name of a thing, as in `Project Apollo`.
    pub(super) fn before(&self, words: &[Word<'_>], end: usize) -> Vec<String> {
        let mut names = Vec::new();
        let mut last = end;
        while last > 0 && self.is_name(words, last - 1) {
            let mut first = last - 1;
            while first > 0 && self.is_name(words, first - 1) && !words[first - 1].pause {
                first -= 1;
            }
            let before = first.checked_sub(1).map(|it| &words[it]);
            if before.is_some_and(|it| !it.pause && THINGS.contains(&it.lower.as_str())) {
                return Vec::new();
            }
            names.insert(0, joined(&words[first..last]));
            match before {
                Some(it) if it.lower == "and" && !it.pause => last = first - 1,
                _ => break,
            }
        }
        names
    }

    /// The people whose names begin at `start`: behind `for`.
    pub(super) fn behind(&self, words: &[Word<'_>], start: usize) -> Vec<String> {
        let (mut names, mut at) = (Vec::new(), start);
        while self.is_name(words, at) {
            let first = at;
            while self.is_name(words, at) && (at == first || !words[at - 1].pause) {
                at += 1;
            }
            names.push(joined(&words[first..at]));
            if words.get(at).is_some_and(|it| it.lower == "and") {
                at += 1;
            }
        }
        names
    }

    /// Who is spoken to before the word at `end`: `Robert, your …`.
    pub(super) fn addressed(&self, words: &[Word<'_>], end: usize) -> Vec<String> {
        let place = (0..end).rev().find(|it| words[*it].pause);
        place.map(|it| self.before(words, it + 1)).unwrap_or_default()
    }

    /// Who is spoken to at the end: `…, Anna?`
    pub(super) fn called(&self, words: &[Word<'_>]) -> Vec<String> {
        let names = self.before(words, words.len());
        let count: usize = names.iter().map(|it| it.split(' ').count()).sum();
        let before = words.len().checked_sub(count + 1).map(|it| &words[it]);
        if names.len() == 1 && before.is_some_and(|it| it.pause) { names } else { Vec::new() }
    }
}

fn joined(words: &[Word<'_>]) -> String {
    words.iter().map(|it| it.raw).collect::<Vec<_>>().join(" ")
}
