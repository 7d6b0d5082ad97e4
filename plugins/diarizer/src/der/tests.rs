//! The score by hand, and what has to be true of any.

use proptest::{prelude::*, prop_assert_eq, proptest};

use super::*;

const EXACT: Scoring = Scoring { collar_ms: 0, overlap: true };

fn turns(all: &[(u64, u64, usize)]) -> Vec<Turn> {
    all.iter().map(|&(start_ms, end_ms, speaker)| Turn { start_ms, end_ms, speaker }).collect()
}

#[test]
fn errors_are_of_their_kind() {
    let two = &[(0, 4000, 0), (4000, 10_000, 1)];
    // Reference, hypothesis; speech, missed, false alarm, confused.
    let cases: [(&[_], &[_], [u64; 4]); 9] = [
        (&[], &[], [0, 0, 0, 0]),
        (two, two, [10_000, 0, 0, 0]),
        // What speakers are called does not matter.
        (two, &[(0, 4000, 5), (4000, 10_000, 2)], [10_000, 0, 0, 0]),
        // All one: the one who speaks most is right.
        (two, &[(0, 10_000, 0)], [10_000, 0, 0, 4000]),
        (two, &[], [10_000, 10_000, 0, 0]),
        (&[], two, [0, 0, 10_000, 0]),
        (two, &[(0, 3000, 0), (5000, 12_000, 1)], [10_000, 2000, 2000, 0]),
        // Two at once, one said: half is missed, nothing confused.
        (&[(0, 1000, 0), (0, 1000, 1)], &[(0, 1000, 0)], [2000, 1000, 0, 0]),
        // One voice said to be two: the lesser part is wrong.
        (&[(0, 1000, 0)], &[(0, 700, 0), (700, 1000, 1)], [1000, 0, 0, 300]),
    ];
    for (reference, hypothesis, [speech_ms, missed_ms, false_alarm_ms, confused_ms]) in cases {
        assert_eq!(
            score(&turns(reference), &turns(hypothesis), EXACT),
            Errors { speech_ms, missed_ms, false_alarm_ms, confused_ms },
            "{reference:?} / {hypothesis:?}"
        );
    }
    assert_eq!(score(&turns(two), &turns(&[(0, 10_000, 0)]), EXACT).rate(), 0.4);
    assert_eq!(score(&[], &[], EXACT).rate(), 0.0);
}

#[test]
fn times_near_edges_and_of_several_speakers_can_be_left_out() {
    let reference = turns(&[(1000, 5000, 0), (4000, 8000, 1)]);
    let hypothesis = turns(&[(1200, 5000, 0), (5000, 8200, 1)]);
    // Collar, overlap; speech, errors.
    let cases = [(0, true, 8000, 1400), (250, true, 6000, 500), (0, false, 6000, 400), (250, false, 5000, 0)];
    for (collar_ms, overlap, speech_ms, errors) in cases {
        let it = score(&reference, &hypothesis, Scoring { collar_ms, overlap });
        assert_eq!(it.speech_ms, speech_ms, "{collar_ms} {overlap}");
        assert_eq!(it.missed_ms + it.false_alarm_ms + it.confused_ms, errors, "{collar_ms} {overlap}");
    }
}

fn any_turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (0u64..50, 1u64..20, 0usize..4);
    prop::collection::vec(turn, 0..8).prop_map(|all| {
        all.into_iter()
            .map(|(start, length, speaker)| Turn {
                start_ms: start * 100,
                end_ms: (start + length) * 100,
                speaker,
            })
            .collect()
    })
}

/// The greatest sum by trying all.
fn best_by_trying(gain: &[Vec<i64>], row: usize, taken: &mut Vec<bool>) -> i64 {
    if row == gain.len() {
        return 0;
    }
    let mut best = i64::MIN;
    for column in 0..gain.len() {
        if !taken[column] {
            taken[column] = true;
            best = best.max(gain[row][column] + best_by_trying(gain, row + 1, taken));
            taken[column] = false;
        }
    }
    best
}

proptest! {
    #[test]
    fn a_reference_has_no_errors_against_itself(turns in any_turns(), collar_ms in 0u64..300, overlap: bool) {
        prop_assert_eq!(score(&turns, &turns, Scoring { collar_ms, overlap }).rate(), 0.0);
    }

    #[test]
    fn the_other_way_round_missed_is_false_alarm(a in any_turns(), b in any_turns()) {
        let (there, back) = (score(&a, &b, EXACT), score(&b, &a, EXACT));
        prop_assert_eq!((there.missed_ms, there.confused_ms), (back.false_alarm_ms, back.confused_ms));
    }

    #[test]
    fn names_do_not_matter(a in any_turns(), b in any_turns(), shift in 1usize..4) {
        let renamed: Vec<Turn> = b.iter().map(|it| Turn { speaker: (it.speaker + shift) % 4, ..*it }).collect();
        prop_assert_eq!(score(&a, &b, EXACT), score(&a, &renamed, EXACT));
    }

    #[test]
    fn no_assignment_is_better(cells in prop::collection::vec(0i64..100, 36), size in 0usize..=6) {
        let gain: Vec<Vec<i64>> = (0..size).map(|i| cells[i * 6..i * 6 + size].to_vec()).collect();
        let chosen = assignment(&gain);
        let mut columns = chosen.clone();
        columns.sort_unstable();
        prop_assert_eq!(columns, (0..size).collect::<Vec<_>>());
        let sum: i64 = chosen.iter().enumerate().map(|(i, &j)| gain[i][j]).sum();
        prop_assert_eq!(sum, best_by_trying(&gain, 0, &mut vec![false; size]));
    }
}
