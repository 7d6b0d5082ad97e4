//! Linear equations as linear prediction and least-squares filters have them. Owns their solution.

use std::ops::Mul;

use realfft::num_complex::ComplexFloat;

/// Solves `T h = p` for `h`, where `T[i][j] = r[i - j]` and `r[-n]` is the conjugate of `r[n]`, by the
/// Levinson recursion: G. Golub, C. Van Loan, "Matrix Computations", section 4.7. `r` is an autocorrelation,
/// so that `T` is positive definite; where rounding has spoiled that, the order stays as high as it can be
/// and the rest of `h` is 0.
pub(super) fn solve<T: ComplexFloat<Real = f64> + Mul<f64, Output = T>>(r: &[T], p: &[T]) -> Vec<T> {
    let n = p.len();
    let mut h = vec![T::zero(); n];
    // The predictor: T a = [error, 0, …, 0].
    let mut a = vec![T::zero(); n + 1];
    let mut next = a.clone();
    let least = 1e-12 * r[0].re();
    let mut error = r[0].re();
    if error <= 0.0 {
        return h;
    }
    a[0] = T::one();
    for m in 0..n {
        if m > 0 {
            let left = dot(&r[1..=m], &a[..m]);
            let reflection = left * (-1.0 / error);
            for i in 0..=m {
                next[i] = a[i] + reflection * a[m - i].conj();
            }
            std::mem::swap(&mut a, &mut next);
            error *= 1.0 - (reflection * reflection.conj()).re();
            if error <= least {
                break;
            }
        }
        let missing = (p[m] - dot(&r[1..=m], &h[..m])) * (1.0 / error);
        for i in 0..=m {
            h[i] = h[i] + missing * a[m - i].conj();
        }
    }
    h
}

/// `Σ r[m - i] x[i]`, where `r` begins at 1 and has `m` values.
fn dot<T: ComplexFloat>(r: &[T], x: &[T]) -> T {
    r.iter().rev().zip(x).fold(T::zero(), |sum, (&r, &x)| sum + r * x)
}
