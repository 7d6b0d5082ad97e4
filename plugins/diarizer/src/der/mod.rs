//! How wrong a diarizer is: the diarization error rate. Owns scoring turns against a reference; leaves
//! reading references to its callers.

use std::collections::BTreeMap;

use panotti_sdk::diarizer::Turn;

/// What is scored.
#[derive(Debug, Clone, Copy)]
pub struct Scoring {
    /// Time on each side of the start and end of a turn of the reference that does not count, ms. 250 is
    /// usual: nobody marks turns to the millisecond.
    pub collar_ms: u64,
    /// Whether times in which several people speak count.
    pub overlap: bool,
}

/// Time by what was wrong in it, ms. In a time in which two speak, each counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Errors {
    /// Time that people speak.
    pub speech_ms: u64,
    /// Of it, where nobody was said to speak.
    pub missed_ms: u64,
    /// Where somebody was said to speak and nobody does.
    pub false_alarm_ms: u64,
    /// Where the wrong one was said to speak.
    pub confused_ms: u64,
}

impl Errors {
    /// The diarization error rate: all errors divided by the time that people speak. Can be above 1; 0 where
    /// nobody speaks and nobody was said to.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let errors = self.missed_ms + self.false_alarm_ms + self.confused_ms;
        if errors == 0 { 0.0 } else { errors as f64 / self.speech_ms.max(1) as f64 }
    }
}

/// Scores turns against those of a reference, as NIST's md-eval does (Rich Transcription 2009 evaluation
/// plan, section 6.1): with the one-to-one mapping of speakers under which most time is right, the errors
/// in a time are the greater of the numbers of speakers there and said, less those that are right. Turns of
/// one speaker may overlap each other; the order does not matter.
#[must_use]
pub fn score(reference: &[Turn], hypothesis: &[Turn], scoring: Scoring) -> Errors {
    let regions = regions(reference, hypothesis, scoring);
    let count = |turns: &[Turn]| turns.iter().map(|it| it.speaker + 1).max().unwrap_or(0);
    let size = count(reference).max(count(hypothesis));
    let mut common = vec![vec![0i64; size]; size];
    for region in &regions {
        for &real in &region.real {
            for &said in &region.said {
                common[real][said] += region.ms as i64;
            }
        }
    }
    let meant = assignment(&common);
    let mut errors = Errors::default();
    for Region { ms, real, said } in &regions {
        let right = real.iter().filter(|it| said.contains(&meant[**it])).count() as u64;
        let (there, told) = (real.len() as u64, said.len() as u64);
        errors.speech_ms += ms * there;
        errors.missed_ms += ms * there.saturating_sub(told);
        errors.false_alarm_ms += ms * told.saturating_sub(there);
        errors.confused_ms += ms * (there.min(told) - right);
    }
    errors
}

/// A time in which nobody begins or ends.
struct Region {
    ms: u64,
    real: Vec<usize>,
    said: Vec<usize>,
}

fn regions(reference: &[Turn], hypothesis: &[Turn], scoring: Scoring) -> Vec<Region> {
    // For each time at which something changes: how many more turns of whom from there on.
    #[derive(Default)]
    struct Change {
        real: Vec<(usize, i32)>,
        said: Vec<(usize, i32)>,
        collars: i32,
    }
    let mut changes: BTreeMap<u64, Change> = BTreeMap::new();
    for turn in reference {
        for (at, more) in [(turn.start_ms, 1), (turn.end_ms, -1)] {
            changes.entry(at).or_default().real.push((turn.speaker, more));
            changes.entry(at.saturating_sub(scoring.collar_ms)).or_default().collars += 1;
            changes.entry(at + scoring.collar_ms).or_default().collars -= 1;
        }
    }
    for turn in hypothesis {
        for (at, more) in [(turn.start_ms, 1), (turn.end_ms, -1)] {
            changes.entry(at).or_default().said.push((turn.speaker, more));
        }
    }
    let (mut real, mut said, mut collars) = (BTreeMap::new(), BTreeMap::new(), 0);
    let mut regions = Vec::new();
    let mut changes = changes.into_iter().peekable();
    while let Some((at, change)) = changes.next() {
        for (turns, more) in [(&mut real, change.real), (&mut said, change.said)] {
            for (speaker, more) in more {
                *turns.entry(speaker).or_insert(0) += more;
            }
        }
        collars += change.collars;
        let Some((next, _)) = changes.peek() else { break };
        let speaking = |turns: &BTreeMap<usize, i32>| -> Vec<usize> {
            turns.iter().filter(|it| *it.1 > 0).map(|it| *it.0).collect()
        };
        let region = Region { ms: next - at, real: speaking(&real), said: speaking(&said) };
        if collars == 0 && (scoring.overlap || region.real.len() < 2) {
            regions.push(region);
        }
    }
    regions
}

/// For each row of a square matrix a column of its own such that the sum is greatest: the Hungarian method
/// (Kuhn 1955) with potentials, by shortest augmenting paths.
fn assignment(gain: &[Vec<i64>]) -> Vec<usize> {
    let size = gain.len();
    // Row and column 0 stand for none; `row_of[column]` is its row.
    let (mut rows, mut columns) = (vec![0i64; size + 1], vec![0i64; size + 1]);
    let mut row_of = vec![0usize; size + 1];
    for row in 1..=size {
        row_of[0] = row;
        let mut least = vec![i64::MAX; size + 1];
        let mut from = vec![0usize; size + 1];
        let mut seen = vec![false; size + 1];
        let mut column = 0;
        while row_of[column] != 0 {
            seen[column] = true;
            let (here, mut step, mut next) = (row_of[column], i64::MAX, 0);
            for j in (1..=size).filter(|j| !seen[*j]) {
                let rest = -gain[here - 1][j - 1] - rows[here] - columns[j];
                if rest < least[j] {
                    least[j] = rest;
                    from[j] = column;
                }
                if least[j] < step {
                    step = least[j];
                    next = j;
                }
            }
            for j in 0..=size {
                if seen[j] {
                    rows[row_of[j]] += step;
                    columns[j] -= step;
                } else if least[j] != i64::MAX {
                    least[j] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[from[column]];
            column = from[column];
        }
    }
    let mut chosen = vec![0; size];
    for column in 1..=size {
        chosen[row_of[column] - 1] = column - 1;
    }
    chosen
}

#[cfg(test)]
mod tests;
