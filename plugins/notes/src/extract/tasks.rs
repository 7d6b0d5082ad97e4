//! Finds tasks: `Anna will …`, `I'll …`, `Could you …`, `The report must be sent`. Owns the English phrases that
//! give or take one, and what of the sentence is the task, its owner and its date.

use super::{Sentence, cues::among, due::due, people::People};
use crate::{
    Action,
    text::{Word, capitalised},
};

/// What is done with the meeting itself or is nobody's work: no task.
const TALK: &str = "be have not never see say think discuss talk start begin move continue wait look go let like want \
    need take get hear repeat tell imagine believe remember mind hold mute unmute know understand explain cost work \
    stay stop assume guess hope wonder welcome note excuse speak";
/// Words between a verb and what it depends on.
const FILLERS: &str = "also then now just please probably definitely first still again maybe all";
/// What a thing has to be without its being a task.
const STATES: &str = "fine good ok okay able careful clear there enough possible discussed a an the in at on very more \
    less easy hard better great aware happy here";
/// Somebody takes a task.
const MINE: &str = "i'll|i will|i'm going to|i am going to|i have to|i need to|i must";
/// Somebody has one.
const DUTIES: &str = "will|shall|must|should|is going to|are going to|needs to|need to|has to|have to|agreed to|\
    promised to|offered to|volunteered to";
/// The whole group has one, or wants one.
const OURS: &str =
    "we will|we'll|we have to|we need to|we must|we should|we are going to|we're going to|let's|let us";
/// A thing that carries the name of a task.
const ITEMS: &str = "action item|action point|task|to-do";
/// What was said may not happen.
const DOUBT: &str = "don't think|do not think|not sure|doubt";

/// A sentence that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) people: &'a People<'a>,
    pub(super) sentence: &'a Sentence,
    pub(super) words: &'a [Word<'a>],
    /// Whether it is a question.
    pub(super) asks: bool,
}

impl Reading<'_> {
    /// The task that somebody is asked for, takes or is given; `decision`: whether one was made here.
    pub(super) fn task(&self, decision: bool) -> Option<Action> {
        let places = 0..self.words.len();
        let asked = places.clone().find_map(|at| self.request(at));
        let doubt = places.clone().any(|at| self.any(at, DOUBT).is_some());
        if asked.is_some() || self.asks || doubt {
            return asked;
        }
        let named = self.named_item().or_else(|| places.clone().find_map(|at| self.duty(at)));
        named.or_else(|| places.clone().find_map(|at| if decision { self.decided(at) } else { None }))
    }

    /// Whether the whole group is to do something, or wants to: `We have to …`, `Let's …`.
    pub(super) fn is_ours(&self) -> bool {
        let begins = |at| self.any(at, OURS).is_some_and(|length| self.verb(at + length).is_some());
        !among(self.lower(0), "if unless") && (0..self.words.len()).any(begins)
    }

    fn lower(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |it| it.lower.as_str())
    }

    /// How many words that one of `phrases` has that stands at `at`.
    fn any(&self, at: usize, phrases: &str) -> Option<usize> {
        phrases.split('|').find_map(|phrase| {
            let fits = phrase.split(' ').enumerate().all(|(index, it)| self.lower(at + index) == it);
            fits.then(|| phrase.split(' ').count())
        })
    }

    /// The place of the verb at `at`, or behind words that may stand before it, when it is one of a task.
    fn verb(&self, at: usize) -> Option<usize> {
        let place = (at..self.words.len()).find(|it| !among(self.lower(*it), FILLERS))?;
        let care = self.any(place, "take care|make sure").is_some();
        let works = care || !among(self.lower(place), TALK);
        // A verb is in small letters; `will` before a capital is something else.
        (works && self.words[place].raw.starts_with(char::is_lowercase)).then_some(place)
    }

    /// Whether a clause begins at `at`.
    fn opens(&self, at: usize) -> bool {
        let before = at.checked_sub(1).map(|it| &self.words[it]);
        before.is_none_or(|it| it.pause || among(&it.lower, "and so then okay but"))
    }

    fn speaker(&self) -> Vec<String> {
        self.sentence.speaker.clone().into_iter().collect()
    }

    /// Somebody is asked to do something: `Could you …`, `Please …`, `Don't forget to …`.
    fn request(&self, at: usize) -> Option<Action> {
        if !self.opens(at) {
            return None;
        }
        let (first, second, third) = (self.lower(at), self.lower(at + 1), self.lower(at + 2));
        let addressed = || self.people.addressed(self.words, at);
        if self.asks && among(first, "could can would will") {
            let named = self.people.behind(self.words, at + 1);
            if !among(second, "you someone somebody anyone anybody one") && named.len() != 1 {
                return None;
            }
            let length = named.first().map_or(1, |it| it.split(' ').count());
            let verb = self.verb(at + 1 + length)?;
            let owners = [named, addressed(), self.people.called(self.words)];
            return Some(self.action(owners.into_iter().find(|it| !it.is_empty()).unwrap_or_default(), verb));
        }
        let start = match (first, second, third) {
            ("please", "don't", _) | ("please", "do", "not") => Some(at + 1),
            // `Please check your microphone.`
            ("please", _, it) if it != "your" => self.verb(at + 1),
            ("don't", "forget", "to") if !self.asks => self.verb(at + 3),
            ("remember", "to", _) if !self.asks => self.verb(at + 2),
            _ => None,
        };
        Some(self.action(addressed(), start?))
    }

    /// Somebody takes a task, has one, or a thing is to be done to: the words at `at` say so.
    fn duty(&self, at: usize) -> Option<Action> {
        let mine = self.any(at, MINE).and_then(|length| self.verb(at + length));
        if let Some(verb) = mine {
            return Some(self.action(self.speaker(), verb));
        }
        let behind = at + self.any(at, DUTIES)?;
        let before = at.checked_sub(1).map_or("", |it| self.lower(it));
        let owners = self.people.before(self.words, at);
        if !owners.is_empty() || among(before, "someone somebody") {
            return Some(self.action(owners, self.verb(behind)?));
        }
        // `The report must be sent by Friday.`
        let state = self.lower(behind + 1);
        let thing = at > 0 && !among(before, "i we you it that this there he she they");
        let passive = self.lower(behind) == "be" && !among(self.lower(at), "will shall");
        (thing && passive && !state.is_empty() && !among(state, STATES)).then(|| self.action(Vec::new(), 0))
    }

    /// `We agreed to send the offer by Friday.` is a task as well as a decision.
    fn decided(&self, at: usize) -> Option<Action> {
        let behind = at + self.any(at, "agreed to|decided to")?;
        due(self.words)?;
        Some(self.action(Vec::new(), self.verb(behind)?))
    }

    /// `The action item for Chris is to …`, `Robert, your action item is to …`, `Action item: …`.
    fn named_item(&self) -> Option<Action> {
        let (item, length) =
            (0..self.words.len()).find_map(|at| self.any(at, ITEMS).map(|length| (at, length)))?;
        let behind = item + length;
        let before = item.checked_sub(1).map_or("", |it| self.lower(it));
        let owners = match self.lower(behind) {
            "for" => self.people.behind(self.words, behind + 1),
            _ if before == "my" => self.speaker(),
            _ => self.people.addressed(self.words, item),
        };
        let to = (behind..self.words.len()).find(|it| self.lower(*it) == "to");
        let start = match to {
            Some(to) => self.verb(to + 1)?,
            None if self.words[behind - 1].pause && behind < self.words.len() => behind,
            None => return None,
        };
        Some(self.action(owners, start))
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
