//! What a sentence is for: a decision, a task, a next step, a question. Owns the English cues; which sentence
//! is looked at, and what becomes of it, is the parent's.

use super::{Sentence, due::due, people::People};
use crate::{
    Action,
    owners::Owners,
    text::{Word, capitalised, words},
};

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

/// Phrases of decisions, between spaces.
const DECIDED: &[&str] = &[
    "we decided",
    "we have decided",
    "we've decided",
    "we agreed",
    "we have agreed",
    "we've agreed",
    "we all agreed",
    "we resolved",
    "we chose",
    "we settled on",
    "we have settled on",
    "it was decided",
    "it was agreed",
    "it is decided",
    "let's go with",
    "let us go with",
    "we will go with",
    "we'll go with",
    "we are going with",
    "we're going with",
    "has approved",
    "have approved",
    "was approved",
    "were approved",
    "is approved",
    "approved the",
    "approved our",
    "signed off on",
    "final decision is",
    "our decision is",
    "the decision is",
];
/// Phrases that take a decision back.
const UNDECIDED: &[&str] = &[
    "not decided",
    "not agreed",
    "not approved",
    "haven't decided",
    "haven't agreed",
    "not yet",
    "decision is still",
    "decision is open",
    "decision is pending",
    "if we agreed",
    "if we decided",
    "until we have",
    "once we have",
];
/// Phrases of what comes next.
const NEXT: &[&str] = &[
    "next meeting",
    "next call",
    "the deadline",
    "meeting is on",
    "next step",
    "follow up",
    "follow-up",
    "we meet again",
];
/// What is done with the meeting itself or with nobody's work: no task.
const TALK: &[&str] = &[
    "be",
    "have",
    "not",
    "never",
    "see",
    "say",
    "think",
    "discuss",
    "talk",
    "start",
    "begin",
    "move",
    "continue",
    "wait",
    "look",
    "go",
    "let",
    "like",
    "want",
    "need",
    "take",
    "get",
    "hear",
    "repeat",
    "tell",
    "imagine",
    "believe",
    "remember",
    "mind",
    "hold",
    "mute",
    "unmute",
    "know",
    "understand",
    "explain",
    "cost",
    "work",
    "stay",
    "stop",
    "assume",
    "guess",
    "hope",
    "wonder",
    "welcome",
    "note",
    "excuse",
    "speak",
];
/// Words between a verb and what it depends on.
const FILLERS: &[&str] = &[
    "also",
    "then",
    "now",
    "just",
    "please",
    "probably",
    "definitely",
    "first",
    "still",
    "again",
    "maybe",
    "all",
];
/// What a thing is that has to be, without being a task.
const STATES: &[&str] = &[
    "fine",
    "good",
    "ok",
    "okay",
    "able",
    "careful",
    "clear",
    "there",
    "enough",
    "possible",
    "discussed",
    "a",
    "an",
    "the",
    "in",
    "at",
    "on",
    "very",
    "more",
    "less",
    "easy",
    "hard",
    "better",
    "great",
    "aware",
    "happy",
    "here",
];

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
        let any = |phrases: &[&str]| phrases.iter().any(|it| flat.contains(&format!(" {it} ")));
        let asks = sentence.text.trim_end().ends_with('?');
        let settled = flat.contains(" decision ") && flat.ends_with(" is final ");
        let decision = !asks && !any(UNDECIDED) && (any(DECIDED) || settled);
        let confirms =
            !asks && words.len() <= 3 && any(&["agreed", "decided", "approved"]) && !any(UNDECIDED);
        let read = Reading { people: &self.0, sentence, words: &words, asks };
        let action = read.request().or_else(|| if asks { None } else { read.statement(decision) });
        let next_step = !asks && action.is_none() && !decision && (any(NEXT) || read.ours());
        let chat =
            any(&["you like to", "can you hear", "any other questions", "right", "okay"]) && words.len() < 12;
        Found { decision, confirms, question: asks && action.is_none() && !chat, action, next_step }
    }
}

/// A sentence that is being read.
#[derive(Debug, Clone, Copy)]
struct Reading<'a> {
    people: &'a People<'a>,
    sentence: &'a Sentence,
    words: &'a [Word<'a>],
    asks: bool,
}

impl Reading<'_> {
    fn lower(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |it| it.lower.as_str())
    }

    /// The place of the verb at `at` or behind words that may stand before it, when it is one of a task.
    fn verb(&self, at: usize) -> Option<usize> {
        let place = (at..self.words.len()).find(|it| !FILLERS.contains(&self.lower(*it)))?;
        let talk = TALK.contains(&self.lower(place))
            && !(self.lower(place) == "take" && self.lower(place + 1) == "care");
        // A verb is in small letters; `will` before a capital is something else.
        (!talk && self.words[place].raw.starts_with(char::is_lowercase)).then_some(place)
    }

    /// Somebody is asked to do something: `Could you …`, `Please …`, `Don't forget to …`.
    fn request(&self) -> Option<Action> {
        for at in 0..self.words.len() {
            let (first, second, third) = (self.lower(at), self.lower(at + 1), self.lower(at + 2));
            let vocative = || self.people.addressed(self.words, at);
            if ["could", "can", "would", "will"].contains(&first) && self.asks && self.opens(at) {
                let anybody = ["someone", "somebody", "anyone", "anybody", "one"].contains(&second);
                let named = self.people.behind(self.words, at + 1);
                let behind = at + 2 + named.iter().map(|it| it.split(' ').count() - 1).sum::<usize>();
                if (second == "you" || anybody || named.len() == 1)
                    && let Some(verb) = self.verb(behind)
                {
                    let last = self.people.called(self.words);
                    let owners = [named, vocative(), last].into_iter().find(|it| !it.is_empty());
                    return Some(self.action(owners.unwrap_or_default(), verb));
                }
            }
            if first == "please" && self.opens(at) {
                let start = if ["don't", "do"].contains(&second) && ["not", "forget"].contains(&third) {
                    Some(at + 1)
                } else {
                    self.verb(at + 1).filter(|_| third != "your")
                };
                if let Some(start) = start {
                    return Some(self.action(vocative(), start));
                }
            }
            let reminder = (first == "don't" && second == "forget") as usize + (first == "remember") as usize;
            if reminder > 0 && self.opens(at) && !self.asks {
                let to = at + if first == "remember" { 1 } else { 2 };
                if self.lower(to) == "to"
                    && let Some(verb) = self.verb(to + 1)
                {
                    return Some(self.action(vocative(), verb));
                }
            }
        }
        None
    }

    /// Whether a clause begins at `at`.
    fn opens(&self, at: usize) -> bool {
        let before = at.checked_sub(1).map(|it| &self.words[it]);
        before.is_none_or(|it| it.pause || ["and", "so", "then", "okay", "but"].contains(&it.lower.as_str()))
    }

    /// Somebody takes a task or is given one: `Anna will …`, `I'll …`, `The action item for Bob is to …`.
    fn statement(&self, decision: bool) -> Option<Action> {
        if let Some(action) = self.named_item() {
            return Some(action);
        }
        for at in 0..self.words.len() {
            let (first, second) = (self.lower(at), self.lower(at + 1));
            let mine =
                ["i'll", "i will", "i'm going to", "i am going to", "i have to", "i need to", "i must"];
            let speaker = || self.sentence.speaker.clone().into_iter().collect();
            if let Some(length) = mine.iter().find_map(|it| self.phrase(at, it)) {
                if let Some(verb) = self.verb(at + length) {
                    return Some(self.action(speaker(), verb));
                }
            }
            let duties = [
                "will",
                "shall",
                "must",
                "should",
                "is going to",
                "are going to",
                "needs to",
                "need to",
                "has to",
                "have to",
                "agreed to",
                "promised to",
                "offered to",
                "volunteered to",
            ];
            let Some(length) = duties.iter().find_map(|it| self.phrase(at, it)) else { continue };
            let owners = self.people.before(self.words, at);
            let anybody = at > 0 && ["someone", "somebody"].contains(&self.lower(at - 1));
            if (!owners.is_empty() || anybody)
                && let Some(verb) = self.verb(at + length)
            {
                return Some(self.action(owners, verb));
            }
            // `The report must be sent by Friday.`
            let verb = at + length;
            let pronouns = ["i", "we", "you", "it", "that", "this", "there", "he", "she", "they"];
            let passive = self.lower(verb) == "be" && first != "will" && first != "shall" && second != "not";
            if passive && at > 0 && !pronouns.contains(&self.lower(at - 1)) && self.is_task_state(verb + 1) {
                return Some(self.action(Vec::new(), 0));
            }
        }
        // `We agreed to send the offer by Friday.` is a task as well as a decision.
        let to = (0..self.words.len()).find(|it| {
            decision && ["agreed", "decided"].contains(&self.lower(*it)) && self.lower(it + 1) == "to"
        })?;
        due(self.words)?;
        Some(self.action(Vec::new(), self.verb(to + 2)?))
    }

    fn is_task_state(&self, at: usize) -> bool {
        !self.lower(at).is_empty() && !STATES.contains(&self.lower(at))
    }

    /// How many words `phrase` has when it stands at `at`.
    fn phrase(&self, at: usize, phrase: &str) -> Option<usize> {
        let count = phrase.split(' ').count();
        phrase.split(' ').enumerate().all(|(index, it)| self.lower(at + index) == it).then_some(count)
    }

    /// `The action item for Chris is to …`, `Robert, your action item is to …`, `Action item: …`.
    fn named_item(&self) -> Option<Action> {
        let item = (0..self.words.len()).find(|it| {
            ["action item", "action point", "task", "to-do"]
                .iter()
                .any(|name| self.phrase(*it, name).is_some())
        })?;
        let behind = item + if self.lower(item) == "action" { 2 } else { 1 };
        let owners = match self.lower(behind) {
            "for" => self.people.behind(self.words, behind + 1),
            _ if item > 0 && self.lower(item - 1) == "my" => {
                self.sentence.speaker.clone().into_iter().collect()
            }
            _ => self.people.addressed(self.words, item),
        };
        let is = (behind..self.words.len()).find(|it| ["is", "to"].contains(&self.lower(*it)));
        let start = match is {
            Some(it) if self.lower(it) == "is" && self.lower(it + 1) == "to" => it + 2,
            Some(it) if self.lower(it) == "to" => it + 1,
            _ if self.words[behind - 1].pause => behind,
            _ => return None,
        };
        (start < self.words.len()).then(|| self.action(owners, start))
    }

    /// The whole group is to do something, or wants to: `We have to …`, `Let's …`.
    fn ours(&self) -> bool {
        let ours = [
            "we will",
            "we'll",
            "we have to",
            "we need to",
            "we must",
            "we should",
            "we are going to",
            "we're going to",
            "let's",
            "let us",
        ];
        let conditional = ["if", "unless"].contains(&self.lower(0));
        (0..self.words.len()).any(|at| {
            let length = ours.iter().find_map(|it| self.phrase(at, it));
            !conditional && length.is_some_and(|it| self.verb(at + it).is_some())
        })
    }

    /// The task that begins with the word at `start`, without the date where it stands at the end.
    fn action(&self, owners: Vec<String>, start: usize) -> Action {
        let due = due(self.words);
        let text = &self.sentence.text;
        let range = due.map(|it| (it.start, self.words[it.start].start..self.words[it.end - 1].end));
        let last = self.words.last().map_or(text.len(), |it| it.end);
        let (from, mut to) = (self.words[start].start, last);
        if let Some((first, range)) = &range
            && range.end == last
            && *first > start
        {
            to = range.start;
        }
        let vocative = self.people.called(self.words);
        let mut task =
            text[from..to].trim_end_matches(|it: char| !it.is_alphanumeric() && it != '%').to_owned();
        if let Some(name) = vocative.first()
            && let Some(rest) = task.strip_suffix(name.as_str())
        {
            task = rest.trim_end_matches([',', ' ']).to_owned();
        }
        let known = |it: String| self.people.owners.find(&it).unwrap_or(it);
        let owners: Vec<String> = owners.into_iter().map(known).collect();
        Action {
            owner: (!owners.is_empty()).then(|| owners.join(", ")),
            text: capitalised(&task),
            due: range.map(|(_, it)| text[it].to_owned()),
        }
    }
}
