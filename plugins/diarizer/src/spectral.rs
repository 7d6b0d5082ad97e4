//! The diarizer made of prints and clusters. Owns what was heard of a meeting and the numbers of its
//! speakers.

use panotti_sdk::diarizer::{Diarizer, Turn};

use crate::{
    RATE_HZ, clusters, path,
    print::{Print, Printer, Window},
    within::Within,
};

/// A stretch is looked at in pieces of this many samples at most, 30 s, so that memory does not go with its
/// length.
const PIECE: usize = 30 * RATE_HZ;

/// Tells voices apart by spectrum and pitch.
///
/// It holds about 150 bytes for each half second of speech (1 MB an hour) and no sound. After each stretch
/// all that was heard is clustered anew, so that a voice is told apart as soon as there is enough of it;
/// only the answer for that stretch is given, with numbers that stay with their voices.
pub struct SpectralDiarizer {
    printer: Printer,
    stretches: usize,
    windows: Vec<Window>,
    /// For each window who was said to speak in it when it was heard.
    said: Vec<usize>,
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
        Self { printer: Printer::new(), stretches: 0, windows: Vec::new(), said: Vec::new() }
    }

    /// Who speaks in each window, as far as can be told by now; numbers without meaning.
    fn speakers(&self) -> Vec<usize> {
        let within = Within::learn(&self.windows);
        let white: Vec<Print> = self.windows.iter().map(|it| within.whiten(&it.print)).collect();
        path::speakers(&self.windows, &white, clusters::voices(&self.windows, &white))
    }

    /// Turns the numbers of the windows not spoken of yet into those said before for the same voices: pairs
    /// with most time in common first. A voice that nothing was said of gets the next number.
    fn as_said(&self, speakers: &[usize]) -> Vec<usize> {
        let voices = speakers.iter().max().map_or(0, |it| it + 1);
        let numbers = self.said.iter().max().map_or(0, |it| it + 1);
        let mut common = vec![vec![0u64; numbers]; voices];
        for ((window, &voice), &number) in self.windows.iter().zip(speakers).zip(&self.said) {
            common[voice][number] += window.end_ms - window.start_ms;
        }
        let mut pairs: Vec<(u64, usize, usize)> = Vec::new();
        for (voice, row) in common.iter().enumerate() {
            pairs.extend(row.iter().enumerate().map(|(number, &ms)| (ms, voice, number)));
        }
        pairs.retain(|it| it.0 > 0);
        pairs.sort_by(|a, b| b.0.cmp(&a.0));
        let mut names: Vec<Option<usize>> = vec![None; voices];
        for (_, voice, number) in pairs {
            if names[voice].is_none() && !names.contains(&Some(number)) {
                names[voice] = Some(number);
            }
        }
        in_order(&speakers[self.said.len()..], names, numbers)
    }
}

impl Default for SpectralDiarizer {
    fn default() -> Self {
        Self::new()
    }
}

impl Diarizer for SpectralDiarizer {
    fn hear(&mut self, start_ms: u64, samples: &[f32]) -> Vec<Turn> {
        let known = self.windows.len();
        for (i, piece) in samples.chunks(PIECE).enumerate() {
            let at = start_ms + (i * PIECE * 1000 / RATE_HZ) as u64;
            let heard = self.printer.windows(self.stretches, at, piece);
            self.stretches += 1;
            self.windows.extend(heard);
        }
        if self.windows.len() == known {
            return Vec::new();
        }
        // A piece without a voice leaves its time to its neighbours.
        let end_ms = start_ms + (samples.len() * 1000 / RATE_HZ) as u64;
        let mut from = start_ms;
        for i in known..self.windows.len() {
            self.windows[i].start_ms = from;
            self.windows[i].end_ms = self.windows.get(i + 1).map_or(end_ms, |next| next.start_ms);
            from = self.windows[i].end_ms;
        }
        let speakers = self.as_said(&self.speakers());
        self.said.extend_from_slice(&speakers);
        turns(&self.windows[known..], &speakers)
    }

    fn settle(&mut self) -> Vec<Turn> {
        let speakers = self.speakers();
        let voices = speakers.iter().max().map_or(0, |it| it + 1);
        turns(&self.windows, &in_order(&speakers, vec![None; voices], 0))
    }

    fn name(&self) -> &'static str {
        "spectral"
    }
}

/// The number of each window's voice: its name, or the next from `next` in the order in which those without
/// one first speak.
fn in_order(speakers: &[usize], mut names: Vec<Option<usize>>, mut next: usize) -> Vec<usize> {
    speakers
        .iter()
        .map(|&voice| {
            *names[voice].get_or_insert_with(|| {
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
