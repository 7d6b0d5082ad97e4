//! What a meeting was about: its most frequent words and pairs of words, and the sentences that have most of
//! them. Owns counting and choosing.

use std::{cmp::Reverse, collections::HashMap};

use super::Sentence;
use crate::{
    Meeting, Topic,
    text::{self, content, is_content, stem},
};

/// A stretch of the meeting with subjects of its own is about this long, ms.
const STRETCH_MS: u64 = 10 * 60 * 1000;
/// Most stretches.
const MOST_STRETCHES: u64 = 12;
/// Words that name a stretch.
const TERMS: usize = 3;
/// Sentences that stand for a stretch.
const POINTS: usize = 3;
/// Sentences with fewer words that can be subjects say nothing of the meeting.
const FEWEST: usize = 2;
/// Sentences with fewer words say too little on their own.
const SHORTEST: usize = 5;

/// Each stretch of the meeting with its most frequent terms and the sentences that have most of them.
pub(super) fn topics(meeting: &Meeting, sentences: &[Sentence]) -> Vec<Topic> {
    let count = meeting.duration_ms.div_ceil(STRETCH_MS).clamp(1, MOST_STRETCHES);
    let length = (meeting.duration_ms / count).max(1);
    let mut found = Vec::new();
    for index in 0..count {
        let (from, to) = (index * length, if index + 1 == count { u64::MAX } else { (index + 1) * length });
        let stretch: Vec<_> =
            sentences.iter().filter(|it| (from..to).contains(&it.start_ms)).cloned().collect();
        let terms = terms(&stretch);
        let subjects = if terms.is_empty() { "various subjects".to_owned() } else { terms.join(", ") };
        let heading = match count {
            1 => subjects,
            _ => format!("{} to {}: {subjects}", clock(from), clock(to.min(meeting.duration_ms))),
        };
        let points = best(&stretch, POINTS).into_iter().map(|it| it.text.clone()).collect();
        found.push(Topic { heading: text::capitalised(&heading), points });
    }
    found.retain(|it| !it.points.is_empty());
    found
}

/// Minutes and seconds; hours where there are some.
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// A term, its weight, its place of first appearance and how it is written.
type Counted = HashMap<String, (usize, usize, String)>;

/// The terms that occur most, more than once each: pairs of words, then words. First come first where they
/// occur equally often.
fn terms(sentences: &[Sentence]) -> Vec<String> {
    let mut counts = Counted::new();
    for sentence in sentences {
        let words = text::words(&sentence.text);
        for (at, pair) in words.windows(2).enumerate() {
            if pair.iter().all(|it| is_content(&it.lower)) && !pair[0].pause {
                // Both words of a pair are counted as well: the pair has to come before them.
                let term = format!("{} {}", pair[0].lower, stem(&pair[1].lower));
                let first = if at == 0 { &pair[0].lower } else { pair[0].raw };
                count(&mut counts, term, 2, at, &format!("{first} {}", stem(pair[1].raw)));
            }
        }
        for (at, word) in words.iter().enumerate().filter(|it| is_content(&it.1.lower)) {
            let written = if at == 0 { &word.lower } else { word.raw };
            count(&mut counts, stem(&word.lower).to_owned(), 1, at, stem(written));
        }
    }
    // What occurs once is chance.
    counts.retain(|term, it| it.0 > if term.contains(' ') { 2 } else { 1 });
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, (weight, order, _))| (Reverse(*weight), *order));
    let mut chosen: Vec<(String, String)> = Vec::new();
    for (term, (.., written)) in ranked {
        let covered =
            chosen.iter().any(|it| it.0.split(' ').any(|word| term.split(' ').any(|it| it == word)));
        if !covered {
            chosen.push((term, written));
        }
        if chosen.len() == TERMS {
            break;
        }
    }
    chosen.into_iter().map(|it| it.1).collect()
}

fn count(counts: &mut Counted, term: String, weight: usize, at: usize, written: &str) {
    let order = counts.len();
    let counted = counts.entry(term).or_insert((0, order, written.to_owned()));
    counted.0 += weight;
    // The first word of a sentence is large for no reason of its own.
    if at > 0 {
        written.clone_into(&mut counted.2);
    }
}

/// The `most` sentences that stand for all of them best, in their order.
///
/// A sentence counts as much as its content words do on average, a word by its share of all words: SumBasic
/// (Nenkova and Vanderwende, The Impact of Frequency on Summarization, 2005); once a sentence is chosen, its
/// words count as the square of their share, so that the next one says something else.
pub(super) fn best(sentences: &[Sentence], most: usize) -> Vec<&Sentence> {
    let words: Vec<Vec<String>> = sentences.iter().map(|it| content(&it.text)).collect();
    let mut weights: HashMap<&str, f64> = HashMap::new();
    let total = words.iter().map(Vec::len).sum::<usize>().max(1) as f64;
    words.iter().flatten().for_each(|it| *weights.entry(it).or_default() += 1.0 / total);
    let fits = |it: &usize| {
        let text = &sentences[*it].text;
        words[*it].len() >= FEWEST && !text.ends_with('?') && text.split(' ').count() >= SHORTEST
    };
    let mut left: Vec<usize> = (0..sentences.len()).filter(fits).collect();
    let mut chosen = Vec::new();
    while chosen.len() < most {
        let score = |it: usize| {
            let sum: f64 = words[it].iter().filter_map(|word| weights.get(word.as_str())).sum();
            sum / words[it].len() as f64
        };
        // Of equals the first: the order of two runs is the same.
        let Some(place) = (0..left.len()).min_by(|a, b| score(left[*b]).total_cmp(&score(left[*a]))) else {
            break;
        };
        let index = left.remove(place);
        for word in &words[index] {
            if let Some(weight) = weights.get_mut(word.as_str()) {
                *weight *= *weight;
            }
        }
        chosen.push(index);
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|it| &sentences[it]).collect()
}
