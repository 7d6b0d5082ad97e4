//! From segments to cues that can be read while they are shown. Owns where a cue and a line end; leaves the
//! syntax to `subtitles`.
//!
//! Limits: two lines of 42 columns and 7 s (Netflix, Timed Text Style Guide, general requirements; BBC,
//! Subtitle Guidelines). A cue ends between words, at the end of a sentence or at a comma where there is one.

use super::{Segment, label, one_line};

/// Columns of a line.
const LINE: usize = 42;
/// Longest that a cue is shown, ms.
const LONGEST_MS: u64 = 7_000;
/// A cue shorter than this is gone before it is read, ms.
const SHORT_MS: u64 = 1_000;
/// A cue with less text than this looks lost, columns.
const SHORT: usize = 12;

/// What is shown at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) start_ms: u64,
    /// Always behind the start.
    pub(super) end_ms: u64,
    pub(super) speaker: Option<String>,
    /// One or two; none is empty.
    pub(super) lines: Vec<String>,
}

/// A word, or a part of one that fills more than a line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    text: String,
    columns: usize,
    start_ms: u64,
    end_ms: u64,
    /// Whether it continues the word before it.
    joined: bool,
}

/// All cues, in order of start. Segments without text have none. With `label_shown` the first line has room
/// for the speaker and a colon.
pub(super) fn cues(segments: &[Segment], label_shown: bool) -> Vec<Cue> {
    let mut cues = Vec::new();
    for segment in segments {
        let speaker = label(segment);
        let indent = speaker.as_deref().filter(|_| label_shown).map_or(0, |it| columns(it) + 2);
        let pieces = pieces(segment);
        let mut from = 0;
        for to in ends(&pieces, indent.min(LINE / 2)) {
            let shown = &pieces[from..to];
            let start_ms = shown[0].start_ms;
            let end_ms = shown.iter().map(|it| it.end_ms).max().unwrap_or(start_ms);
            let end_ms = end_ms.clamp(start_ms + 1, start_ms + LONGEST_MS);
            let lines = lines(shown, indent.min(LINE / 2)).unwrap_or_else(|| vec![joined(shown)]);
            cues.push(Cue { start_ms, end_ms, speaker: speaker.clone(), lines });
            from = to;
        }
    }
    // WebVTT wants rising starts, and of two who speak at once each has cues of their own.
    cues.sort_by_key(|it| it.start_ms);
    cues
}

/// The words of a segment with their times; where the text was changed since, times by length.
fn pieces(segment: &Segment) -> Vec<Piece> {
    let bare = |text: &str| text.chars().filter(|it| !it.is_whitespace()).collect::<String>();
    let said: String = segment.words.iter().map(|it| bare(&it.text)).collect();
    let end_ms = segment.end_ms.max(segment.start_ms);
    let mut pieces = Vec::new();
    if said == bare(&segment.text) {
        for word in &segment.words {
            let within = |ms: u64| ms.clamp(segment.start_ms, end_ms);
            spread(&one_line(&word.text), within(word.start_ms), within(word.end_ms), &mut pieces);
        }
    } else {
        spread(&one_line(&segment.text), segment.start_ms, end_ms, &mut pieces);
    }
    if let Some(first) = pieces.first_mut() {
        first.start_ms = segment.start_ms;
    }
    if let Some(last) = pieces.last_mut() {
        last.end_ms = end_ms;
    }
    pieces
}

/// Appends the words of `text`, none wider than a line, each with its share of the time.
fn spread(text: &str, start_ms: u64, end_ms: u64, out: &mut Vec<Piece>) {
    let parts: Vec<(String, bool)> = text.split_whitespace().flat_map(cut).collect();
    let all = parts.iter().map(|it| columns(&it.0).max(1)).sum::<usize>().max(1);
    let length = end_ms.saturating_sub(start_ms);
    let at = |before: usize| start_ms + (length as u128 * before as u128 / all as u128) as u64;
    let mut before = 0;
    for (text, joined) in parts {
        let columns = columns(&text);
        let after = before + columns.max(1);
        out.push(Piece { text, columns, start_ms: at(before), end_ms: at(after), joined });
        before = after;
    }
}

/// A word in parts no wider than a line, behind punctuation where there is some: languages without spaces
/// are one word.
fn cut(word: &str) -> Vec<(String, bool)> {
    let mut parts: Vec<(String, bool)> = Vec::new();
    let (mut part, mut width, mut glued) = (String::new(), 0, false);
    for it in word.chars() {
        let stops = part.ends_with(['。', '、', '，', '！', '？', '-', '/']) && width >= LINE / 2;
        if !part.is_empty() && !glued && column(it) > 0 && (width + column(it) > LINE || stops) {
            let joined = !parts.is_empty();
            parts.push((std::mem::take(&mut part), joined));
            width = 0;
        }
        // What is joined by U+200D is one sign, as families of emoji are.
        glued = it == '\u{200d}';
        part.push(it);
        width += column(it);
    }
    let joined = !parts.is_empty();
    parts.push((part, joined));
    parts
}

/// Where cues end: the division of least cost.
fn ends(pieces: &[Piece], indent: usize) -> Vec<usize> {
    // Cost of all up to here, and where the last cue begins.
    let mut best = vec![(0.0_f32, 0_usize); pieces.len() + 1];
    for end in 1..=pieces.len() {
        best[end].0 = f32::INFINITY;
        for start in (0..end).rev() {
            let shown = &pieces[start..end];
            let single = end - start == 1;
            let length_ms =
                shown.iter().map(|it| it.end_ms).max().unwrap_or(0).saturating_sub(shown[0].start_ms);
            if !single && (length_ms > LONGEST_MS || lines(shown, indent).is_none()) {
                break;
            }
            let cost = best[start].0 + cost(shown, length_ms, end == pieces.len());
            if cost < best[end].0 {
                best[end] = (cost, start);
            }
        }
    }
    let mut ends = Vec::new();
    let mut at = pieces.len();
    while at > 0 {
        ends.push(at);
        at = best[at].1;
    }
    ends.reverse();
    ends
}

/// Few cues, that end where a thought does, and none that flashes by.
fn cost(shown: &[Piece], length_ms: u64, last: bool) -> f32 {
    let end = shown.last().and_then(|it| it.text.chars().last());
    let cut = match end {
        _ if last => 0.0,
        Some('.' | '!' | '?' | '…' | '。' | '！' | '？') => 0.0,
        Some(',' | ';' | ':' | '、' | '，') => 0.3,
        _ => 0.8,
    };
    let short = if width(shown) < SHORT { 0.5 } else { 0.0 };
    let brief = if length_ms < SHORT_MS { 0.3 } else { 0.0 };
    0.4 + cut + short + brief
}

/// One line, or two of which the longer is as short as can be; `None` when that is not enough.
fn lines(shown: &[Piece], indent: usize) -> Option<Vec<String>> {
    // Quick, since this is asked of many stretches.
    if width(shown) > 2 * LINE {
        return None;
    }
    if indent + width(shown) <= LINE {
        return Some(vec![joined(shown)]);
    }
    let halves = (1..shown.len()).map(|at| shown.split_at(at));
    let longer = |it: &(&[Piece], &[Piece])| (indent + width(it.0)).max(width(it.1));
    let (first, second) = halves.min_by_key(longer).filter(|it| longer(it) <= LINE)?;
    Some(vec![joined(first), joined(second)])
}

fn joined(shown: &[Piece]) -> String {
    let mut out = String::new();
    for piece in shown {
        if !out.is_empty() && !piece.joined {
            out.push(' ');
        }
        out += &piece.text;
    }
    out
}

fn width(shown: &[Piece]) -> usize {
    let spaces = shown.iter().skip(1).filter(|it| !it.joined).count();
    shown.iter().map(|it| it.columns).sum::<usize>() + spaces
}

fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// Columns of a character: wide ones of East Asia (Unicode, UAX #11) and pictures take two, marks on others
/// none.
fn column(it: char) -> usize {
    match u32::from(it) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f | 0x1f3fb..=0x1f3ff => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::payloads::Word;

    /// A segment of words of `each_ms`, one behind the other.
    fn said(speaker: Option<&str>, text: &str, each_ms: u64) -> Segment {
        let words = text.split_whitespace().enumerate().map(|(i, text)| Word {
            start_ms: i as u64 * each_ms,
            end_ms: (i as u64 + 1) * each_ms,
            text: text.into(),
            confidence: 0.9,
        });
        let words: Vec<Word> = words.collect();
        let end_ms = words.last().map_or(0, |it| it.end_ms);
        Segment {
            start_ms: 0,
            end_ms,
            speaker: speaker.map(Into::into),
            text: text.into(),
            words,
            confidence: 0.9,
        }
    }

    #[test]
    fn sentences_are_kept_together_and_lines_balanced() {
        let text = "We agreed on the budget for the next quarter. The supplier will send the new \
            documentation by Wednesday, and Sam is going to postpone it.";
        let cues = cues(&[said(None, text, 300)], false);
        let shown: Vec<_> = cues.iter().map(|it| (it.start_ms, it.end_ms, it.lines.join("|"))).collect();
        let want = [
            (0, 2700, "We agreed on the budget|for the next quarter.".to_owned()),
            (2700, 5400, "The supplier will send the new|documentation by Wednesday,".to_owned()),
            (5400, 7500, "and Sam is going to postpone it.".to_owned()),
        ];
        assert_eq!(shown, want);
    }

    #[test]
    fn speakers_languages_without_spaces_and_signs_of_several_characters() {
        let labelled = cues(&[said(Some("Ann"), "one two three four five six seven eight", 100)], true);
        assert_eq!(labelled.len(), 1);
        assert!(labelled[0].lines[0].len() + 5 <= LINE && labelled[0].speaker.as_deref() == Some("Ann"));
        let long =
            "会議の議事録を作成しました。次回の打ち合わせは来週の水曜日に行います。資料を準備してください。";
        let wide = cues(&[said(None, long, 9_000)], false);
        assert!(wide.len() > 1, "{wide:?}");
        assert_eq!(wide.iter().flat_map(|it| it.lines.clone()).collect::<String>(), long);
        let family = "👩\u{200d}👩\u{200d}👧".repeat(20);
        let parts = cut(&family);
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|it| !it.0.starts_with('\u{200d}') && !it.0.ends_with('\u{200d}')));
    }

    #[test]
    fn a_changed_text_and_bad_times_have_cues_too() {
        let mut changed = said(None, "a b c", 4_000);
        changed.text =
            "Something else that somebody wrote instead of what the machine had heard before".into();
        let cues_of = |segment: &Segment| cues(std::slice::from_ref(segment), false);
        assert_eq!(cues_of(&changed).last().unwrap().end_ms, 12_000);
        let backwards = Segment { start_ms: 5_000, end_ms: 1_000, ..said(None, "back", 10) };
        assert_eq!((cues_of(&backwards)[0].start_ms, cues_of(&backwards)[0].end_ms), (5_000, 5_001));
        assert!(cues_of(&said(Some("Ann"), " \n", 10)).is_empty());
    }

    proptest! {
        /// Nothing is lost, nothing too long, and every cue ends after it begins.
        #[test]
        fn cues_hold_their_limits(
            words in proptest::collection::vec("[a-z,.é会🙂]{1,60}", 1..80),
            each_ms in 0_u64..9_000,
            label in proptest::option::of("[A-Za-z ]{1,30}"),
        ) {
            let segment = said(label.as_deref(), &words.join(" "), each_ms);
            let cues = cues(std::slice::from_ref(&segment), true);
            let bare = |text: &str| text.chars().filter(|it| !it.is_whitespace()).collect::<String>();
            let shown: String = cues.iter().flat_map(|it| &it.lines).map(|it| bare(it)).collect();
            prop_assert_eq!(shown, bare(&segment.text));
            let mut last = 0;
            for cue in &cues {
                prop_assert!(last <= cue.start_ms && cue.start_ms < cue.end_ms);
                prop_assert!(cue.end_ms - cue.start_ms <= LONGEST_MS);
                prop_assert!((1..=2).contains(&cue.lines.len()), "{:?}", cue);
                prop_assert!(cue.lines.iter().all(|it| !it.is_empty() && columns(it) <= LINE), "{:?}", cue);
                last = cue.start_ms;
            }
        }
    }
}
