//! Who speaks in each window, given the voices. Owns the best path through them and giving up voices that
//! it hardly touches.

use crate::{
    clusters::{Group, LEAST, regroup},
    print::{Print, Window},
    within::mean_square,
};

/// What a change of speaker costs within a stretch and from one to the next, in the same units as half the
/// squared distance of a full window from a voice, mean over the directions. Not a logarithm of anybody's
/// probability: tuned.
const CHANGE: f32 = 0.7;
const CHANGE_AT_PAUSE: f32 = 0.2;
/// Rounds of finding the path and then the voices again.
const ROUNDS: usize = 3;

/// The voices moved to where their windows are, and for each window the number of its voice. A voice left
/// with too little is given up.
pub(crate) fn refine(
    windows: &[Window],
    white: &[Print],
    mut voices: Vec<Group>,
) -> (Vec<Group>, Vec<usize>) {
    let mut path = least_cost(windows, white, &voices);
    for _ in 0..ROUNDS {
        voices = regroup(windows, white, &path, voices.len());
        let most = voices.iter().map(|it| it.weight).fold(0.0, f32::max);
        // The path may take windows from a voice that was just enough of one.
        voices.retain(|it| it.weight >= (LEAST / 1.5).min(most));
        let again = least_cost(windows, white, &voices);
        if again == path {
            break;
        }
        path = again;
    }
    (voices, path)
}

/// For each window the number of its voice: the path of least cost (Viterbi).
pub(crate) fn least_cost(windows: &[Window], white: &[Print], voices: &[Group]) -> Vec<usize> {
    let mut costs = vec![0.0f32; voices.len()];
    // For each window the voice before it, by voice.
    let mut before: Vec<Vec<u8>> = Vec::with_capacity(windows.len());
    let cheapest = |costs: &[f32]| {
        costs.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or((0, 0.0), |(i, cost)| (i, *cost))
    };
    for (i, (window, print)) in windows.iter().zip(white).enumerate() {
        let same = i > 0 && windows[i - 1].stretch == window.stretch;
        let change = if same { CHANGE } else { CHANGE_AT_PAUSE };
        let (best, least) = cheapest(&costs);
        let from = |k: usize| if costs[k] <= least + change { k } else { best };
        before.push((0..voices.len()).map(|k| from(k) as u8).collect());
        costs = voices
            .iter()
            .enumerate()
            .map(|(k, voice)| {
                let difference = std::array::from_fn(|i| print[i] - voice.mean[i]);
                // Less the least, so that the sum over ten hours keeps its digits.
                costs[k].min(least + change) - least + 0.5 * window.weight() * mean_square(&difference)
            })
            .collect();
    }
    let (mut speaker, _) = cheapest(&costs);
    let mut path = vec![0; windows.len()];
    for (at, from) in path.iter_mut().zip(&before).rev() {
        *at = speaker;
        speaker = usize::from(from[speaker]);
    }
    path
}
