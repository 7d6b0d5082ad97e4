//! Who says which words on one microphone. Owns putting words to the turns that a diarizer finds, and what
//! speakers are called before anybody names them; leaves telling voices apart to the diarizer, and names to
//! `recordings`.

use std::collections::BTreeMap;

use panotti_sdk::diarizer::{Diarizer, Turn};

use super::{Segment, Utterance, Word};

/// A voice that spoke for less is not known well: of meetings put together from known speakers, most false
/// voices were shorter (the diarizer's bench).
const LEAST_SPOKEN_MS: u64 = 4_000;
/// What a speaker is called, before the number.
const UNNAMED: &str = "Speaker ";

/// The speakers of one microphone.
pub struct Speakers {
    diarizer: Box<dyn Diarizer>,
}

impl std::fmt::Debug for Speakers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Speakers").field("diarizer", &self.diarizer.name()).finish()
    }
}

impl Speakers {
    /// Speakers told apart by the diarizer of this build; `None` when it has none.
    pub fn new() -> Option<Self> {
        #[cfg(feature = "diarizer")]
        return Some(Self { diarizer: Box::new(panotti_diarizer::SpectralDiarizer::new()) });
        #[cfg(not(feature = "diarizer"))]
        None
    }

    /// Hears `utterance`, in which `segments` were said, and says who said them as far as can be told by now.
    /// A segment in which the speaker changes becomes several.
    pub fn hear(&mut self, utterance: &Utterance, segments: Vec<Segment>) -> Vec<Segment> {
        let turns = self.diarizer.hear(utterance.start_ms(), &utterance.samples);
        by_turns(segments, &turns)
    }

    /// Hears `utterance` for [`Self::settle`] alone.
    pub fn take(&mut self, utterance: &Utterance) {
        self.diarizer.take(utterance.start_ms(), &utterance.samples);
    }

    /// Says who said `segments`, knowing all that was heard; nobody, where that is not to be relied on: with a
    /// single voice found, or one that hardly spoke. Numbers go on from the `voices` of other
    /// microphones, to which those of this one are added.
    pub fn settle(&mut self, segments: Vec<Segment>, voices: &mut usize) -> Vec<Segment> {
        let mut turns = self.diarizer.settle();
        if !are_several(&turns) {
            return nameless(segments);
        }
        turns.iter_mut().for_each(|it| it.speaker += *voices);
        *voices = turns.iter().map(|it| it.speaker + 1).max().unwrap_or(*voices);
        by_turns(segments, &turns)
    }
}

/// Whether there are two voices at least, and each has spoken for long enough to be known.
fn are_several(turns: &[Turn]) -> bool {
    let mut spoken: BTreeMap<usize, u64> = BTreeMap::new();
    for turn in turns {
        *spoken.entry(turn.speaker).or_default() += turn.end_ms - turn.start_ms;
    }
    spoken.len() > 1 && spoken.values().all(|ms| *ms >= LEAST_SPOKEN_MS)
}

fn nameless(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.iter_mut().for_each(|it| it.speaker = None);
    segments
}

/// Splits `segments` where the speaker changes. Without turns they stay as they are.
fn by_turns(segments: Vec<Segment>, turns: &[Turn]) -> Vec<Segment> {
    if turns.is_empty() {
        return segments;
    }
    segments.into_iter().flat_map(|it| split(it, turns)).collect()
}

fn split(segment: Segment, turns: &[Turn]) -> Vec<Segment> {
    if segment.words.is_empty() {
        let speaker = at(turns, segment.start_ms.midpoint(segment.end_ms));
        return vec![Segment { speaker, ..segment }];
    }
    let mut parts: Vec<Segment> = Vec::new();
    for word in segment.words {
        let speaker = at(turns, word.start_ms.midpoint(word.end_ms));
        match parts.last_mut() {
            Some(part) if part.speaker == speaker => part.words.push(word),
            _ => parts.push(Segment { speaker, words: vec![word], ..Segment::default() }),
        }
    }
    for part in &mut parts {
        fill(part);
    }
    // Where speech begins and ends is known better than where its words do.
    if let Some(first) = parts.first_mut() {
        first.start_ms = segment.start_ms;
    }
    if let Some(last) = parts.last_mut() {
        last.end_ms = segment.end_ms;
    }
    parts
}

/// Times, text and confidence from the words.
fn fill(part: &mut Segment) {
    part.start_ms = part.words.first().map_or(0, |it| it.start_ms);
    part.end_ms = part.words.last().map_or(0, |it| it.end_ms);
    part.text = part.words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ");
    let sum: f32 = part.words.iter().map(|it: &Word| it.confidence).sum();
    part.confidence = sum / part.words.len().max(1) as f32;
}

/// Who speaks at `ms`, or nearest to it.
fn at(turns: &[Turn], ms: u64) -> Option<String> {
    let distance = |it: &&Turn| it.start_ms.saturating_sub(ms).max((ms + 1).saturating_sub(it.end_ms));
    turns.iter().min_by_key(distance).map(|it| unnamed(it.speaker))
}

fn unnamed(number: usize) -> String {
    format!("{UNNAMED}{}", number + 1)
}

/// Calls the speakers of `segments` as they were called in `before`, an earlier hearing of the same meeting,
/// so that a name once given stays with its voice: they are paired by the time they share, longest first.
/// Who was not there before gets a number that is free, and not one for which `is_named` holds: that name is
/// another's. Labels for which `is_fixed` holds, those of channels, are neither changed nor given.
pub fn keep_names(
    segments: &mut [Segment],
    before: &[Segment],
    is_fixed: impl Fn(&str) -> bool,
    is_named: impl Fn(&str) -> bool,
) {
    let free = |it: &&Segment| it.speaker.as_deref().is_some_and(|label| !is_fixed(label));
    let mut shared: BTreeMap<(String, String), u64> = BTreeMap::new();
    for new in segments.iter().filter(free) {
        for old in before.iter().filter(free) {
            let ms = new.end_ms.min(old.end_ms).saturating_sub(new.start_ms.max(old.start_ms));
            if let (Some(new), Some(old), 1..) = (&new.speaker, &old.speaker, ms) {
                *shared.entry((new.clone(), old.clone())).or_default() += ms;
            }
        }
    }
    let mut pairs: Vec<_> = shared.into_iter().collect();
    pairs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for ((new, old), _) in pairs {
        if !names.contains_key(&new) && !names.values().any(|it| *it == old) {
            names.insert(new, old);
        }
    }
    let known: Vec<String> = before.iter().filter_map(|it| it.speaker.clone()).collect();
    let labels: Vec<String> = segments.iter().filter(free).filter_map(|it| it.speaker.clone()).collect();
    for label in labels {
        if names.contains_key(&label) {
            continue;
        }
        let is_free = |it: &String| {
            !known.contains(it) && !names.values().any(|taken| taken == it) && !is_fixed(it) && !is_named(it)
        };
        if let Some(name) = (0..).map(unnamed).find(is_free) {
            names.insert(label, name);
        }
    }
    for segment in segments {
        if let Some(name) = segment.speaker.as_ref().and_then(|it| names.get(it)) {
            segment.speaker = Some(name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start_ms: u64) -> Word {
        Word { start_ms, end_ms: start_ms + 200, text: text.into(), confidence: 0.5 }
    }

    fn turn(start_ms: u64, end_ms: u64, speaker: usize) -> Turn {
        Turn { start_ms, end_ms, speaker }
    }

    fn said(start_ms: u64, end_ms: u64, speaker: &str) -> Segment {
        Segment { start_ms, end_ms, speaker: Some(speaker.into()), ..Segment::default() }
    }

    #[test]
    fn a_segment_is_split_where_the_speaker_changes() {
        let words = vec![word("Shall", 100), word("we?", 300), word("Yes.", 900), word("Good.", 1500)];
        let segment = Segment { start_ms: 50, end_ms: 1800, words, ..Segment::default() };
        let parts =
            by_turns(vec![segment.clone()], &[turn(0, 700, 1), turn(700, 1250, 0), turn(1250, 1400, 1)]);
        let seen: Vec<_> = parts
            .iter()
            .map(|it| (it.start_ms, it.end_ms, it.speaker.as_deref(), it.text.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (50, 500, Some("Speaker 2"), "Shall we?"),
                (900, 1100, Some("Speaker 1"), "Yes."),
                // Nobody speaks there: whoever is nearest.
                (1500, 1800, Some("Speaker 2"), "Good."),
            ]
        );
        assert_eq!(by_turns(vec![segment.clone()], &[]), [segment]);
    }

    #[test]
    fn one_voice_or_a_short_one_is_nobody() {
        assert!(!are_several(&[turn(0, 60_000, 0)]));
        assert!(!are_several(&[turn(0, 60_000, 0), turn(60_000, 63_000, 1)]));
        assert!(are_several(&[turn(0, 2_500, 1), turn(2_500, 9_000, 0), turn(9_000, 10_500, 1)]));
    }

    #[test]
    fn names_stay_with_their_voices() {
        let live = [said(0, 1000, "Anna"), said(1000, 3000, "Speaker 2"), said(500, 2500, "Remote")];
        let mut settled = [
            said(0, 400, "Speaker 2"),
            said(400, 1000, "Speaker 3"),
            said(1000, 3000, "Speaker 1"),
            said(5000, 6000, "Speaker 4"),
            said(500, 2500, "Remote"),
        ];
        keep_names(&mut settled, &live, |it| it == "Remote", |_| false);
        let names: Vec<_> = settled.iter().filter_map(|it| it.speaker.as_deref()).collect();
        assert_eq!(names, ["Speaker 1", "Anna", "Speaker 2", "Speaker 3", "Remote"]);
        keep_names(&mut settled, &[], |_| true, |_| false);
        assert_eq!(settled[1].speaker.as_deref(), Some("Anna"));
        // Numbers that are a channel's, or that somebody has named, are not given to others.
        let mut new = [said(0, 400, "Speaker 1"), said(400, 900, "Speaker 2")];
        keep_names(&mut new, &[], |it| it == "Speaker 3", |it| it == "Speaker 1" || it == "Speaker 5");
        let names: Vec<_> = new.iter().filter_map(|it| it.speaker.as_deref()).collect();
        assert_eq!(names, ["Speaker 2", "Speaker 4"]);
    }
}
