//! Notes without a language model: sentences of the transcript, chosen by English cues and by how often words
//! occur. Owns the choice; the same transcript always has the same notes, and nothing is in them that was not
//! said.

mod cues;
mod due;
mod people;
mod tasks;
mod topics;

use self::cues::{Cues, Found};
use crate::{Meeting, Notes, Topic, owners::Owners, text};

/// Most questions, and most next steps: more than fit a page help nobody.
const MOST: usize = 20;
/// A pause of this length ends a sentence that has no full stop, ms.
const PAUSE_MS: u64 = 2000;
/// So does this length, bytes: some models write no full stops.
const LONGEST: usize = 400;

/// A sentence and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sentence {
    /// The channel's label.
    speaker: Option<String>,
    /// Start of the line in which it begins, ms.
    start_ms: u64,
    /// As it was written down.
    text: String,
}

/// The notes of `meeting`, from its own sentences.
pub fn extract(meeting: &Meeting) -> Notes {
    let sentences = sentences(meeting);
    let found = find(meeting, &sentences);
    let mut notes = Notes::default();
    let mut questions = Vec::new();
    for (index, (sentence, found)) in sentences.iter().zip(found).enumerate() {
        // `Agreed.` says yes to what was said before it.
        let decision = match found.confirms.then(|| index.checked_sub(1)).flatten() {
            Some(before) => Some(&sentences[before]),
            None => found.decision.then_some(sentence),
        };
        if let Some(decision) = decision {
            add(&mut notes.decisions, decision.text.clone());
        }
        if let Some(action) = found.action
            && !notes.actions.contains(&action)
        {
            notes.actions.push(action);
        } else if found.next_step && notes.next_steps.len() < MOST {
            add(&mut notes.next_steps, sentence.text.clone());
        }
        if found.question && questions.len() < MOST {
            let speaker = sentence.speaker.as_ref().map(|it| format!("{it}: ")).unwrap_or_default();
            add(&mut questions, format!("{speaker}{}", sentence.text));
        }
    }
    notes.topics = topics::topics(meeting, &sentences);
    notes.summary = summary(meeting, &sentences, &notes, questions.len());
    if !questions.is_empty() {
        notes.topics.push(Topic { heading: "Questions asked".into(), points: questions });
    }
    notes
}

/// People to whom a sentence gives a task, by the names that the sentence has for them.
pub(crate) fn committed(meeting: &Meeting) -> Vec<String> {
    let mut names = Vec::new();
    for owner in find(meeting, &sentences(meeting)).into_iter().filter_map(|it| it.action?.owner) {
        owner.split(", ").for_each(|it| add(&mut names, it.to_owned()));
    }
    names
}

fn find(meeting: &Meeting, sentences: &[Sentence]) -> Vec<Found> {
    let owners = Owners::of(meeting);
    let cues = Cues::new(&owners, sentences);
    sentences.iter().map(|it| cues.find(it)).collect()
}

fn add(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// What was said as sentences: lines of one speaker that follow one another without a full stop are one, also
/// where somebody else says a word in between.
fn sentences(meeting: &Meeting) -> Vec<Sentence> {
    let mut joined: Vec<(Sentence, u64)> = Vec::new();
    for line in &meeting.lines {
        match joined.iter_mut().rev().find(|it| it.0.speaker == line.speaker) {
            Some((sentence, end_ms))
                if !sentence.text.ends_with(['.', '?', '!'])
                    && line.start_ms.saturating_sub(*end_ms) < PAUSE_MS
                    && sentence.text.len() < LONGEST =>
            {
                sentence.text += &format!(" {}", line.text);
                *end_ms = line.end_ms;
            }
            _ => {
                let (speaker, text) = (line.speaker.clone(), line.text.clone());
                joined.push((Sentence { speaker, start_ms: line.start_ms, text }, line.end_ms));
            }
        }
    }
    let cut = |it: &Sentence| {
        let sentences = text::sentences(&it.text).into_iter();
        sentences.map(|text| Sentence { text: text.to_owned(), ..it.clone() }).collect::<Vec<_>>()
    };
    joined.iter().flat_map(|(it, _)| cut(it)).collect()
}

/// What was found in numbers, and the sentences that stand for the meeting best, in their order.
fn summary(meeting: &Meeting, sentences: &[Sentence], notes: &Notes, questions: usize) -> String {
    if sentences.is_empty() {
        return "Nothing was said, or nothing was understood.".into();
    }
    let count = |number: usize, what: &str| match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    let numbers = format!(
        "The meeting took {}; {}, {} and {} were found in what was said.",
        crate::meeting::duration(meeting.duration_ms),
        count(notes.decisions.len(), "decision"),
        count(notes.actions.len(), "action item"),
        count(questions, "question"),
    );
    let best = topics::best(sentences, 3).into_iter().map(|it| it.text.clone());
    [numbers].into_iter().chain(best).collect::<Vec<_>>().join(" ")
}
