//! Which prints are of one voice. Owns the measure by which two groups of windows are of one voice or two,
//! and the agglomeration of windows to voices.

use crate::{
    print::{NUMBERS, Print, Window},
    within::mean_square,
};

/// Voices told apart at most.
pub(crate) const MOST_VOICES: usize = 8;
/// Full windows without which a group of them is no voice of its own: 4 s of voiced speech.
pub(crate) const LEAST: f32 = 2.7;

/// How a voice drifts from turn to turn, and how far voices lie apart; variances in units of that within a
/// voice from window to window.
const DRIFT: f32 = 0.14;
const APART: f32 = 1.5;
/// Neighbours in a stretch are joined as long as they are no further apart than windows of one voice are.
const NEIGHBOURS: f32 = 1.0;
/// Segments that are clustered, the longest; the rest is given to the voices found. Time and memory go with
/// its square.
const MOST_SEGMENTS: usize = 256;

/// Windows taken for one voice.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The mean of their whitened prints.
    pub(crate) mean: Print,
    /// Full windows.
    pub(crate) weight: f32,
}

impl Group {
    fn join(&mut self, other: &Self) {
        let weight = self.weight + other.weight;
        for (mine, other_mean) in self.mean.iter_mut().zip(&other.mean) {
            *mine = (*mine * self.weight + other_mean * other.weight) / weight;
        }
        self.weight = weight;
    }

    /// How many times further apart than one voice; infinite where two voices explain it better than one.
    /// They do by the likelihoods of the difference d of the means, with variance v for one voice and
    /// v + 2b for two, where voices have variance b: ½ ln(1 + 2b/v) < ½ d²/v · 2b/(v + 2b) for each
    /// direction. It is the two-covariance model (Brümmer and de Villiers 2010, "The speaker partitioning
    /// problem") in whitened directions, without a mean of all voices.
    fn distance(&self, other: &Self) -> f32 {
        let difference: Print = std::array::from_fn(|i| self.mean[i] - other.mean[i]);
        let v = 1.0 / self.weight + 1.0 / other.weight + 2.0 * DRIFT;
        let (distance, two) = (mean_square(&difference) / v, 2.0 * APART);
        if distance * two / (v + two) < (two / v).ln_1p() { distance } else { f32::INFINITY }
    }
}

/// The voices in windows with these whitened prints, the one with most speech first; one at least if there
/// is a window. Bottom-up (Anguera et al. 2012, "Speaker diarization: a review of recent research", III.B):
/// neighbours within a stretch first, then whatever is nearest, as long as one voice explains it better.
pub(crate) fn voices(windows: &[Window], white: &[Print]) -> Vec<Group> {
    let mut groups = segments(windows, white);
    groups.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    groups.truncate(MOST_SEGMENTS);
    let mut distances: Vec<Vec<f32>> =
        groups.iter().map(|a| groups.iter().map(|b| a.distance(b)).collect()).collect();
    while let Some((i, j)) = nearest(&distances) {
        let other = groups.swap_remove(j);
        distances.swap_remove(j);
        distances.iter_mut().for_each(|row| {
            row.swap_remove(j);
        });
        groups[i].join(&other);
        for k in 0..groups.len() {
            let distance = groups[i].distance(&groups[k]);
            distances[i][k] = distance;
            distances[k][i] = distance;
        }
    }
    groups.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let voices = groups.iter().filter(|it| it.weight >= LEAST).count();
    groups.truncate(voices.clamp(1, MOST_VOICES));
    groups
}

/// The two groups to join next, i < j.
fn nearest(distances: &[Vec<f32>]) -> Option<(usize, usize)> {
    let mut best = None;
    let mut least = f32::INFINITY;
    for (j, row) in distances.iter().enumerate() {
        for (i, &distance) in row[..j].iter().enumerate() {
            if distance < least {
                least = distance;
                best = Some((i, j));
            }
        }
    }
    best
}

/// Runs of windows of a stretch that sound alike.
fn segments(windows: &[Window], white: &[Print]) -> Vec<Group> {
    let mut all = Vec::new();
    let mut rest = windows.iter().zip(white).peekable();
    while let Some((first, _)) = rest.peek() {
        let stretch = first.stretch;
        let mut run = Vec::new();
        while let Some((window, print)) = rest.next_if(|(it, _)| it.stretch == stretch) {
            run.push(Group { mean: *print, weight: window.weight() });
        }
        while let Some((at, distance)) = run
            .windows(2)
            .map(|pair| pair[0].distance(&pair[1]))
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(&b.1))
        {
            if distance > NEIGHBOURS {
                break;
            }
            let next = run.remove(at + 1);
            run[at].join(&next);
        }
        all.append(&mut run);
    }
    all
}

/// The groups of windows by who speaks in them, for `count` voices.
pub(crate) fn regroup(windows: &[Window], white: &[Print], speakers: &[usize], count: usize) -> Vec<Group> {
    let mut groups = vec![Group { mean: [0.0; NUMBERS], weight: 0.0 }; count];
    for ((window, print), &speaker) in windows.iter().zip(white).zip(speakers) {
        groups[speaker].join(&Group { mean: *print, weight: window.weight() });
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// Windows of stretches of `run` each, of voices `apart` from each other in units of the spread within,
    /// which every number of a print alternates by.
    fn meeting(voices: usize, each: usize, run: usize, apart: f32) -> (Vec<Window>, Vec<Print>) {
        (0..voices * each)
            .map(|i| {
                let voice = i / run % voices;
                let print = std::array::from_fn(|k| {
                    let spread = if (i * 7 + k * 3) % 5 < 2 { 0.6 } else { -0.4 };
                    spread + if k % voices == voice { apart } else { 0.0 }
                });
                let (start_ms, end_ms) = (i as u64 * 500, i as u64 * 500 + 500);
                (Window { stretch: i / run, start_ms, end_ms, voice: 1.0, print }, print)
            })
            .unzip()
    }

    #[test]
    fn as_many_voices_as_there_are_up_to_a_most() {
        for (there, apart, found) in
            [(1, 0.0, 1), (2, 6.0, 2), (3, 0.0, 1), (5, 8.0, 5), (12, 20.0, MOST_VOICES)]
        {
            let (windows, prints) = meeting(there, 60, 6, apart);
            assert_eq!(voices(&windows, &prints).len(), found, "{there} voices {apart} apart");
        }
    }

    #[test]
    fn too_little_speech_is_no_voice_of_its_own_but_the_first() {
        for (each, found) in [(1, 1), (4, 1), (12, 2)] {
            let (windows, prints) = meeting(2, each, each, 8.0);
            assert_eq!(voices(&windows, &prints).len(), found, "{each} windows each");
        }
    }

    proptest! {
        /// What is put together is all that was there, in whatever order.
        #[test]
        fn joining_keeps_weight_and_mean(weights in proptest::collection::vec(0.01f32..10.0, 1..20)) {
            let mut all = Group { mean: [0.0; NUMBERS], weight: 0.0 };
            for (i, &weight) in weights.iter().enumerate() {
                all.join(&Group { mean: [i as f32; NUMBERS], weight });
            }
            let total: f32 = weights.iter().sum();
            let mean = weights.iter().enumerate().map(|(i, w)| i as f32 * w).sum::<f32>() / total;
            prop_assert!((all.weight - total).abs() < 1e-3 * total);
            prop_assert!((all.mean[0] - mean).abs() < 1e-3 * (1.0 + mean));
        }

        /// The measure has no direction, and a group is of one voice with itself.
        #[test]
        fn distance_is_symmetric(a in -9.0f32..9.0, b in -9.0f32..9.0, wa in 0.01f32..99.0, wb in 0.01f32..99.0) {
            let a = Group { mean: [a; NUMBERS], weight: wa };
            let b = Group { mean: [b; NUMBERS], weight: wb };
            prop_assert_eq!(a.distance(&b), b.distance(&a));
            prop_assert_eq!(a.distance(&a), 0.0);
        }
    }
}
