//! What a sentence is for: a decision, a task, a next step, a question. Owns the English cues of all but tasks,
//! which are in `tasks`; which sentence is looked at, and what becomes of it, is the parent's.

use super::{Sentence, people::People, tasks::Reading};
use crate::{Action, owners::Owners, text::words};

/// What is in a sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Something was decided.
    pub(super) decision: bool,
    /// It only says yes to the sentence before.
    pub(super) confirms: bool,
    /// Somebody is to do something.
    pub(super) action: Option<Action>,
    /// Something is to happen.
    pub(super) next_step: bool,
    /// Something was asked.
    pub(super) question: bool,
}

/// Phrases of decisions.
const DECIDED: &str = "we decided|we have decided|we've decided|we agreed|we have agreed|we've agreed|we all agreed|\
    we resolved|we chose|we settled on|we have settled on|it was decided|it was agreed|it is decided|let's go with|\
    let us go with|we will go with|we'll go with|we are going with|we're going with|has approved|have approved|\
    was approved|were approved|is approved|approved the|approved our|signed off on|final decision is|\
    our decision is|the decision is";
/// Phrases that take a decision back.
const UNDECIDED: &str = "not decided|not agreed|not approved|haven't decided|haven't agreed|not yet|decision is still|\
    decision is open|decision is pending|if we agreed|if we decided|until we have|once we have";
/// A whole utterance that says yes to the one before.
const YES: &str = "agreed|decided|approved";
/// Phrases of what comes next.
const NEXT: &str =
    "next meeting|next call|the deadline|meeting is on|next step|follow up|follow-up|we meet again";
/// Phrases of questions that ask for nothing but the next word.
const CHAT: &str = "you like to|can you hear|any other questions|right|okay";

/// Reads sentences.
#[derive(Debug)]
pub(super) struct Cues<'a>(People<'a>);

impl<'a> Cues<'a> {
    /// Names of `owners` are known; words that `sentences` have in small letters are none.
    pub(super) fn new(owners: &'a Owners, sentences: &[Sentence]) -> Self {
        let words = sentences.iter().flat_map(|it| words(&it.text));
        let small = words.filter(|it| it.raw.starts_with(char::is_lowercase)).map(|it| it.lower).collect();
        Self(People { owners, small })
    }

    /// What is in `sentence`.
    pub(super) fn find(&self, sentence: &Sentence) -> Found {
        let words = words(&sentence.text);
        let flat = words.iter().map(|it| it.lower.as_str()).collect::<Vec<_>>().join(" ");
        let flat = format!(" {flat} ");
        let any = |phrases: &str| phrases.split('|').any(|it| flat.contains(&format!(" {it} ")));
        let asks = sentence.text.trim_end().ends_with('?');
        let settled = any(DECIDED) || flat.contains(" decision ") && flat.ends_with(" is final ");
        let decision = !asks && settled && !any(UNDECIDED);
        let confirms = !asks && words.len() <= 3 && any(YES) && !any(UNDECIDED);
        let read = Reading { people: &self.0, sentence, words: &words, asks };
        let action = read.task(decision);
        let next_step = !asks && action.is_none() && !decision && (any(NEXT) || read.is_ours());
        let chat = words.len() < 12 && any(CHAT);
        Found { decision, confirms, question: asks && action.is_none() && !chat, action, next_step }
    }
}

/// Whether `word` stands in a list of words with spaces between them.
pub(super) fn among(word: &str, list: &str) -> bool {
    !word.is_empty() && list.split(' ').any(|it| it == word)
}
