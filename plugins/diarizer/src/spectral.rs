//! The diarizer made of prints and clusters. Owns what was heard of a meeting and the numbers of its
//! speakers.

use panotti_sdk::diarizer::{Diarizer, Turn};

use crate::{
    RATE_HZ,
    clusters::{self, Group},
    path,
    print::{Print, Printer, Window},
    within::Within,
};

/// A stretch is looked at in pieces of this many samples at most, 30 s, so that memory does not go with its
/// length.
const PIECE: usize = 30 * RATE_HZ;

/// With so many windows, five minutes of speech, or fewer, they are clustered anew after each stretch; with
/// more, each time they have become more by one part in `SHARE`, so that the work stays in proportion.
const FEW: usize = 600;
const SHARE: usize = 50;

/// Tells voices apart by spectrum and pitch.
///
/// It holds about 150 bytes for each half second of speech (1 MB an hour) and no sound. What was heard is
/// clustered anew as it grows, so that a voice is told apart as soon as there is enough of it; only the
/// answer for the stretch heard last is given, with numbers that stay with their voices.
pub struct SpectralDiarizer {
    printer: Printer,
    stretches: usize,
    windows: Vec<Window>,
    /// For each window who was said to speak in it when it was heard.
    said: Vec<usize>,
    /// The voices as they were found last.
    known: Option<Known>,
    /// How many windows there are when they are looked for again.
    again_at: usize,
}

/// Voices, and the numbers that were said for them.
struct Known {
    within: Within,
    voices: Vec<Group>,
    /// None for a voice that nothing was said of yet.
    numbers: Vec<Option<usize>>,
}

impl std::fmt::Debug for SpectralDiarizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpectralDiarizer").field("windows", &self.windows.len()).finish_non_exhaustive()
    }
}

impl SpectralDiarizer {
    /// One that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            printer: Printer::new(),
            stretches: 0,
            windows: Vec::new(),
            said: Vec::new(),
            known: None,
            again_at: 0,
        }
    }

    /// The voices as far as they can be told apart by now, and which of them speaks in each window.
    fn voices(&self) -> (Known, Vec<usize>) {
        let within = Within::learn(&self.windows);
        let white: Vec<Print> = self.windows.iter().map(|it| within.whiten(&it.print)).collect();
        let voices = clusters::voices(&self.windows, &white);
        let (voices, speakers) = path::refine(&self.windows, &white, voices);
        let numbers = vec![None; voices.len()];
        (Known { within, voices, numbers }, speakers)
    }

    /// The numbers said before for each of these voices: pairs with most time in common first.
    fn numbers(&self, voices: usize, speakers: &[usize]) -> Vec<Option<usize>> {
        let mut common = vec![vec![0u64; self.next_number()]; voices];
        for ((window, &voice), &number) in self.windows.iter().zip(speakers).zip(&self.said) {
            common[voice][number] += window.end_ms - window.start_ms;
        }
        let mut pairs: Vec<(u64, usize, usize)> = Vec::new();
        for (voice, row) in common.iter().enumerate() {
            pairs.extend(row.iter().enumerate().map(|(number, &ms)| (ms, voice, number)));
        }
        pairs.retain(|it| it.0 > 0);
        pairs.sort_by_key(|it| std::cmp::Reverse(it.0));
        let mut numbers: Vec<Option<usize>> = vec![None; voices];
        for (_, voice, number) in pairs {
            if numbers[voice].is_none() && !numbers.contains(&Some(number)) {
                numbers[voice] = Some(number);
            }
        }
        numbers
    }

    fn next_number(&self) -> usize {
        self.said.iter().max().map_or(0, |it| it + 1)
    }
}

impl Default for SpectralDiarizer {
    fn default() -> Self {
        Self::new()
    }
}

impl Diarizer for SpectralDiarizer {
    fn take(&mut self, start_ms: u64, samples: &[f32]) {
        let heard = self.windows.len();
        for (i, piece) in samples.chunks(PIECE).enumerate() {
            let at = start_ms + (i * PIECE * 1000 / RATE_HZ) as u64;
            self.windows.extend(self.printer.windows(self.stretches, at, piece));
            self.stretches += 1;
        }
        // A piece without a voice leaves its time to its neighbours.
        let end_ms = start_ms + (samples.len() * 1000 / RATE_HZ) as u64;
        let mut from = start_ms;
        for i in heard..self.windows.len() {
            self.windows[i].start_ms = from;
            self.windows[i].end_ms = self.windows.get(i + 1).map_or(end_ms, |next| next.start_ms);
            from = self.windows[i].end_ms;
        }
    }

    fn hear(&mut self, start_ms: u64, samples: &[f32]) -> Vec<Turn> {
        let heard = self.windows.len();
        self.take(start_ms, samples);
        if self.windows.len() == heard {
            return Vec::new();
        }
        let next = self.next_number();
        let known = match self.known.take() {
            Some(known) if self.windows.len() < self.again_at => known,
            _ => {
                let count = self.windows.len();
                self.again_at = if count <= FEW { count } else { count + count / SHARE };
                let (mut known, speakers) = self.voices();
                known.numbers = self.numbers(known.voices.len(), &speakers);
                known
            }
        };
        let known = self.known.insert(known);
        let new = &self.windows[heard..];
        let white: Vec<Print> = new.iter().map(|it| known.within.whiten(&it.print)).collect();
        let speakers = in_order(&path::least_cost(new, &white, &known.voices), &mut known.numbers, next);
        self.said.extend_from_slice(&speakers);
        turns(new, &speakers)
    }

    fn settle(&mut self) -> Vec<Turn> {
        let (mut voices, speakers) = self.voices();
        turns(&self.windows, &in_order(&speakers, &mut voices.numbers, 0))
    }

    fn name(&self) -> &'static str {
        "spectral"
    }
}

/// The number of each window's voice; those without one get the next from `next`, in the order in which they
/// first speak.
fn in_order(speakers: &[usize], numbers: &mut [Option<usize>], mut next: usize) -> Vec<usize> {
    speakers
        .iter()
        .map(|&voice| {
            *numbers[voice].get_or_insert_with(|| {
                next += 1;
                next - 1
            })
        })
        .collect()
}

/// Joins windows that follow each other and are one speaker's.
fn turns(windows: &[Window], speakers: &[usize]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for (window, &speaker) in windows.iter().zip(speakers) {
        match turns.last_mut() {
            Some(last) if last.speaker == speaker && last.end_ms == window.start_ms => {
                last.end_ms = window.end_ms;
            }
            _ if window.start_ms == window.end_ms => {}
            _ => turns.push(Turn { start_ms: window.start_ms, end_ms: window.end_ms, speaker }),
        }
    }
    turns
}
