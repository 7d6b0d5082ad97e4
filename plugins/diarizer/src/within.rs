//! How far prints of one voice lie apart. Owns learning the covariance of prints within a voice and
//! whitening by it, so that a difference counts in each direction by how much one voice varies there.

use crate::print::{NUMBERS, Print, Window};

/// How far prints of full windows of one voice spread, by number of the print: standard deviations that we
/// measured on read speech (five voices of LibriSpeech, rounded). Only what is believed before the meeting
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
            for i in 0..NUMBERS {
                covariance[i][i] += shared * BELIEF * f64::from(USUAL[i]).powi(2);
                for j in 0..=i {
                    covariance[i][j] /= shared * BELIEF + f64::from(pairs);
                }
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
