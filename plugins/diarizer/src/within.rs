//! How far prints of one voice lie apart. Owns learning the covariance of prints within a voice and
//! whitening by it, so that a difference counts in each direction by how much one voice varies there.

use crate::print::{NUMBERS, Print, Window};

/// How far prints of full windows of one voice spread, by number of the print: standard deviations that we
/// measured on read speech (ten voices of LibriSpeech, rounded). Only what is believed before the meeting
/// has said enough.
#[rustfmt::skip]
const USUAL: Print = [
    2.2, 1.6, 1.7, 1.2, 0.82, 0.8, 0.7, 0.55, 0.6, 0.6, 0.5, 0.54,
    0.23, 0.21, 0.23, 0.22, 0.19, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2,
    0.12,
];
/// How many pairs of windows of the meeting weigh as much as that belief.
const BELIEF: f64 = 160.0;
/// Pairs further apart than this many times what is usual are two voices.
const ONE_VOICE: f32 = 2.2;
/// The last windows that are learned from, half an hour of speech.
const MOST: usize = 4096;

/// The lower triangle L of the covariance within a voice, L Lᵀ.
pub(crate) struct Within {
    factor: [[f32; NUMBERS]; NUMBERS],
}

impl Within {
    /// Learns from pairs of windows that follow each other without overlap: most are of one voice, so that
    /// half the covariance of their differences is that within a voice. It is weighed with the usual one as
    /// the mean of an inverse Wishart prior is, and pairs that are surely of two voices are left out.
    pub(crate) fn learn(windows: &[Window]) -> Self {
        let windows = &windows[windows.len().saturating_sub(MOST)..];
        let differences: Vec<Print> = windows.windows(APART + 1).filter_map(difference).collect();
        let mut it = Self {
            factor: std::array::from_fn(|i| std::array::from_fn(|j| if i == j { USUAL[i] } else { 0.0 })),
        };
        // Which pairs are of one voice depends on what is learned: twice is enough to settle.
        for _ in 0..2 {
            let mut covariance = [[0.0f64; NUMBERS]; NUMBERS];
            let mut pairs = 0;
            for difference in differences.iter().filter(|d| mean_square(&it.whiten(d)) < ONE_VOICE) {
                pairs += 1;
                for i in 0..NUMBERS {
                    for j in 0..=i {
                        covariance[i][j] += f64::from(difference[i]) * f64::from(difference[j]);
                    }
                }
            }
            // Windows overlap: this many pairs tell as much as one.
            let shared = APART as f64;
            let weight = shared * BELIEF + f64::from(pairs);
            for (i, row) in covariance.iter_mut().enumerate() {
                row[i] += shared * BELIEF * f64::from(USUAL[i]).powi(2);
                row.iter_mut().for_each(|it| *it /= weight);
            }
            it.factor = cholesky(&covariance);
        }
        it
    }

    /// The print in units in which one voice's spread by 1 in every direction: L⁻¹ x.
    pub(crate) fn whiten(&self, print: &Print) -> Print {
        let mut white = [0.0; NUMBERS];
        for i in 0..NUMBERS {
            let row = &self.factor[i];
            let known: f32 = row[..i].iter().zip(&white).map(|(l, y)| l * y).sum();
            white[i] = (print[i] - known) / row[i];
        }
        white
    }
}

/// Windows from one to the first that does not overlap it.
const APART: usize = 3;

/// The difference of the first and the last of some windows of one stretch, as if both were full ones of
/// which each has the covariance within a voice.
fn difference(windows: &[Window]) -> Option<Print> {
    let [first, .., last] = windows else { return None };
    if first.stretch != last.stretch {
        return None;
    }
    let scale = (1.0 / first.voice + 1.0 / last.voice).sqrt();
    Some(std::array::from_fn(|i| (first.print[i] - last.print[i]) / scale))
}

pub(crate) fn mean_square(print: &Print) -> f32 {
    print.iter().map(|it| it * it).sum::<f32>() / NUMBERS as f32
}

/// The lower triangle whose product with its transpose is the matrix, of which the lower half is read.
fn cholesky(matrix: &[[f64; NUMBERS]; NUMBERS]) -> [[f32; NUMBERS]; NUMBERS] {
    let mut factor = [[0.0f64; NUMBERS]; NUMBERS];
    for i in 0..NUMBERS {
        for j in 0..=i {
            let known: f64 = factor[i][..j].iter().zip(&factor[j][..j]).map(|(a, b)| a * b).sum();
            // The belief keeps the diagonal well above zero; rounding must not take a root of less.
            let rest = matrix[i][j] - known;
            factor[i][j] = if i == j { rest.max(1e-12).sqrt() } else { rest / factor[j][j] };
        }
    }
    factor.map(|row| row.map(|it| it as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_believed_until_there_is_something_to_learn_from() {
        let white = Within::learn(&[]).whiten(&USUAL);
        assert!(white.iter().all(|it| (it - 1.0).abs() < 1e-6), "{white:?}");
    }

    #[test]
    fn directions_in_which_a_voice_varies_count_less() {
        // Number 1 follows number 0, both vary as usual; the others not at all.
        let windows: Vec<Window> = (0..4000u64)
            .map(|i| {
                let value = ((i * i * 31 + i * 17) % 1000) as f32 / 1000.0 * 12f32.sqrt();
                let mut print = [0.0; NUMBERS];
                (print[0], print[1]) = (USUAL[0] * value, USUAL[1] * value);
                Window { stretch: 0, start_ms: i * 500, end_ms: i * 500 + 500, voice: 1.0, print }
            })
            .collect();
        let within = Within::learn(&windows);
        let mut along = [0.0; NUMBERS];
        (along[0], along[1]) = (USUAL[0], USUAL[1]);
        let mut across = along;
        across[1] = -across[1];
        let (along, across) = (mean_square(&within.whiten(&along)), mean_square(&within.whiten(&across)));
        assert!(across > 4.0 * along, "{across} {along}");
    }

    #[test]
    fn the_triangle_times_itself_is_the_matrix() {
        let mut matrix = [[0.0; NUMBERS]; NUMBERS];
        for (i, row) in matrix.iter_mut().enumerate() {
            for (j, it) in row.iter_mut().enumerate() {
                *it = 0.7f64.powi(i.abs_diff(j) as i32) * (1 + i) as f64 * (1 + j) as f64;
            }
        }
        let factor = cholesky(&matrix);
        for i in 0..NUMBERS {
            for j in 0..NUMBERS {
                let product: f32 = factor[i].iter().zip(&factor[j]).map(|(a, b)| a * b).sum();
                assert!((f64::from(product) - matrix[i][j]).abs() < 1e-3, "{i} {j}");
            }
        }
    }
}
