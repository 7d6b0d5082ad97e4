//! Leaves out what people say while they look for words. Owns which words those are; changes no other
//! letter, except that a sentence which began with one gets its capital back.

use panotti_sdk::payloads::{Segment, Transcript, Word};

/// Sounds without a meaning. All capitals ("ER") are something else.
const SOUNDS: &[&str] = &["um", "umm", "uh", "uhh", "uhm", "er", "erm", "hm", "hmm", "mhm"];
/// Phrases without a meaning where commas set them off.
const PHRASES: &[&[&str]] = &[&["you", "know"], &["i", "mean"], &["sort", "of"], &["kind", "of"]];
/// Words that people double on purpose, or that are right twice.
const DOUBLED: &[&str] =
    &["very", "really", "so", "much", "many", "no", "yes", "yeah", "bye", "ha", "had", "that", "more", "far"];
/// Longest phrase whose immediate repetition is a stumble, words.
const LONGEST_STUMBLE: usize = 4;

/// Cleans every segment; those of which nothing is left are dropped.
pub(crate) fn clean(transcript: &mut Transcript) {
    transcript.segments.iter_mut().for_each(segment);
    transcript.segments.retain(|it| !it.text.is_empty());
}

fn segment(segment: &mut Segment) {
    let spoken: Vec<&str> = segment.words.iter().map(|it| it.text.as_str()).collect();
    let words: Vec<&str> = segment.text.split_whitespace().collect();
    if spoken == words {
        // Words keep their times.
        let kept = kept(&words);
        let timed = |(index, text): (usize, String)| Word { text, ..segment.words[index].clone() };
        let words: Vec<Word> = kept.into_iter().map(timed).collect();
        segment.text = words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ");
        segment.words = words;
    } else {
        segment.text = kept(&words).into_iter().map(|it| it.1).collect::<Vec<_>>().join(" ");
    }
}

/// A word without its punctuation, in lower case.
fn bare(word: &str) -> String {
    word.trim_matches(|it: char| !it.is_alphanumeric()).to_lowercase()
}

fn is_sound(word: &str) -> bool {
    let shouted =
        word.chars().filter(|it| it.is_alphabetic()).count() > 1 && !word.chars().any(char::is_lowercase);
    !shouted && SOUNDS.contains(&bare(word).as_str())
}

fn ends_clause(word: &str) -> bool {
    word.ends_with([',', '.', '?', '!', ';', ':'])
}

fn ends_sentence(word: &str) -> bool {
    word.ends_with(['.', '?', '!'])
}

/// The words that stay, with their places among `words`.
fn kept(words: &[&str]) -> Vec<(usize, String)> {
    let mut kept: Vec<(usize, String)> = Vec::new();
    // Whether what was left out began a sentence.
    let (mut capital, mut at) = (false, 0);
    while at < words.len() {
        let left_out = if is_sound(words[at]) { 1 } else { phrase(words, at).max(stumble(words, at)) };
        if left_out > 0 {
            let begins = kept.last().is_none_or(|(_, before)| ends_sentence(before));
            let last = words[at + left_out - 1];
            capital |= begins && words[at].starts_with(char::is_uppercase);
            if ends_sentence(last)
                && let Some((_, before)) = kept.last_mut()
            {
                close(before, last);
            }
            at += left_out;
            continue;
        }
        let word = words[at];
        kept.push((at, if capital { capitalised(word) } else { word.to_owned() }));
        capital = false;
        at += 1;
    }
    kept
}

/// How many words from `at` are a phrase that commas set off.
fn phrase(words: &[&str], at: usize) -> usize {
    let after_pause = at == 0 || ends_clause(words[at - 1]);
    let says = |phrase: &&&[&str]| {
        let end = at + phrase.len();
        after_pause
            && words.len() > end
            && words[end - 1].ends_with(',')
            && words[at..end].iter().zip(phrase.iter()).all(|(word, it)| bare(word) == **it)
            && words[at..end - 1].iter().all(|it| !ends_clause(it))
    };
    PHRASES.iter().find(says).map_or(0, |it| it.len())
}

/// How many words from `at` are said again right after: the last time stays.
fn stumble(words: &[&str], at: usize) -> usize {
    (1..=LONGEST_STUMBLE)
        .rev()
        .find(|length| {
            let (first, again) = (at..at + length, at + length..at + 2 * length);
            again.end <= words.len()
                && words[first.clone()].iter().zip(&words[again]).all(|(a, b)| bare(a) == bare(b))
                // A comma is part of a stumble; the end of a sentence is none.
                && words[first.clone()].iter().all(|it| !it.ends_with(['.', '?', '!', ';', ':']))
                && words[first].iter().all(|it| repeatable(it, *length))
        })
        .unwrap_or(0)
}

/// Whether saying `word` twice is a stumble: not for numbers, and not for words that are doubled on purpose.
fn repeatable(word: &str, length: usize) -> bool {
    let bare = bare(word);
    let number = bare.chars().any(char::is_numeric) || NUMBERS.contains(&bare.as_str());
    !bare.is_empty() && !number && (length > 1 || !DOUBLED.contains(&bare.as_str()))
}

/// Digits as they are spoken, in telephone numbers for instance.
const NUMBERS: &[&str] =
    &["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "hundred"];

/// Ends `before` as what was left out ended.
fn close(before: &mut String, last: &str) {
    if ends_sentence(before) {
        return;
    }
    let open = before.trim_end_matches([',', ';', ':']).len();
    before.truncate(open);
    before.extend(last.chars().rev().take_while(|it| !it.is_alphanumeric()).last());
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        kept(&words).into_iter().map(|it| it.1).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn w20_fillers_go_and_case_and_meaning_stay() {
        for (said, written) in [
            ("Um, we launch on Monday.", "We launch on Monday."),
            ("So, uh, we launch.", "So, we launch."),
            ("NASA and I agreed, um.", "NASA and I agreed."),
            ("I like it, kind of.", "I like it, kind of."),
            ("It is kind of late, and I like that.", "It is kind of late, and I like that."),
            ("Well, you know, it is late.", "Well, it is late."),
            ("You know the plan.", "You know the plan."),
            ("I mean, it works.", "It works."),
            ("I mean it.", "I mean it."),
            ("The ER is closed, er, today.", "The ER is closed, today."),
            ("We we we launch.", "We launch."),
            ("We want, we want to launch.", "We want to launch."),
            ("Call five five five one.", "Call five five five one."),
            ("Room 12 12 is very very small, no no.", "Room 12 12 is very very small, no no."),
            ("We had had enough that that day.", "We had had enough that that day."),
            ("Yes. Yes.", "Yes. Yes."),
            ("Go. Go now.", "Go. Go now."),
            ("Um. Uh.", ""),
            ("", ""),
        ] {
            assert_eq!(cleaned(said), written, "{said}");
        }
    }

    #[test]
    fn words_keep_their_times() {
        let word = |text: &str, start_ms| Word {
            start_ms,
            end_ms: start_ms + 90,
            text: text.into(),
            confidence: 0.5,
        };
        let said = Segment {
            start_ms: 0,
            end_ms: 400,
            speaker: None,
            text: "Um, we we go.".into(),
            words: vec![word("Um,", 0), word("we", 100), word("we", 200), word("go.", 300)],
            confidence: 0.5,
        };
        let empty = Segment { text: "Um.".into(), words: vec![word("Um.", 0)], ..said.clone() };
        let mut transcript = Transcript { segments: vec![said, empty], ..Transcript::default() };
        clean(&mut transcript);
        assert_eq!(transcript.segments.len(), 1);
        let segment = &transcript.segments[0];
        assert_eq!(segment.text, "We go.");
        assert_eq!(segment.words, [word("We", 200), word("go.", 300)]);
    }

    proptest! {
        /// What stays is what was said, in order, letter by letter but for capitals.
        #[test]
        fn nothing_is_invented(words in proptest::collection::vec("[A-Za-z0-9,.?]{1,6}|um,|we|NASA", 0..30)) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let kept = kept(&words);
            prop_assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
            for (index, text) in &kept {
                let letters = |it: &str| it.chars().filter(|it| it.is_alphanumeric()).collect::<String>();
                prop_assert_eq!(letters(text).to_lowercase(), letters(words[*index]).to_lowercase());
            }
            let again: Vec<&str> = kept.iter().map(|it| it.1.as_str()).collect();
            let numbers = |words: &[&str]| words.iter().filter(|it| it.contains(char::is_numeric)).count();
            prop_assert_eq!(numbers(&again), numbers(&words));
        }
    }
}
