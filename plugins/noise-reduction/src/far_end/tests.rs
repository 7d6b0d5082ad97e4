//! The parts of the far end's removal, each by itself.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use realfft::num_complex::Complex64;

use super::{align::Aligner, delays::confirmed, spectrum::Spectrum, toeplitz};
use crate::{
    Config,
    tests::signals::{later, likeness_db, noise, room, voice},
};

#[test]
fn the_equations_are_solved() {
    let complex = |seed| -> Vec<Complex64> {
        let parts = noise(64, seed, 1.0);
        parts.chunks(2).map(|it| Complex64::new(it[0].into(), it[1].into())).collect()
    };
    let (signal, p) = (complex(1), complex(2));
    let n = p.len();
    // An autocorrelation, so that the matrix is one of the kind that occurs.
    let r: Vec<Complex64> = (0..n).map(|m| (m..n).map(|t| signal[t] * signal[t - m].conj()).sum()).collect();
    let h = toeplitz::solve(&r, &p);
    for row in 0..n {
        let element = |at: usize| if row >= at { r[row - at] } else { r[at - row].conj() };
        let left: Complex64 = (0..n).map(|at| element(at) * h[at]).sum();
        assert!((left - p[row]).norm() < 1e-9, "row {row}");
    }
}

#[test]
fn equations_without_a_solution_give_no_nonsense() {
    assert_eq!(toeplitz::solve(&[0.0; 4], &[1.0; 4]), [0.0; 4]);
    // A constant predicts itself: one factor does it.
    let h = toeplitz::solve(&[2.0, 2.0, 2.0], &[1.0, 1.0, 1.0]);
    assert_eq!(h, [0.5, 0.0, 0.0]);
}

#[test]
fn windows_add_up_to_what_they_were_cut_from() {
    let rate = 16_000;
    let sound = voice(rate, 12_345, 1);
    for samples in [1, 255, 256, 257, 12_345] {
        let mut out = sound[..samples].to_vec();
        let mut spectrum = Spectrum::new(&Config::default(), rate);
        // Nothing was played: every gain is 1.
        let silence = vec![0.0; samples + 2 * spectrum.history()];
        let origin = spectrum.history();
        spectrum.run(&mut out, &silence, origin);
        assert!(out.iter().zip(&sound).all(|(a, b)| (a - b).abs() < 1e-6), "{samples}");
    }
}

#[test]
fn what_was_not_played_is_left_as_it_is() {
    let rate = 16_000;
    let near = voice(rate, 64_000, 20);
    let mut spectrum = Spectrum::new(&Config::default(), rate);
    let mut out = near.clone();
    let history = spectrum.history();
    spectrum.run(&mut out, &noise(near.len() + 2 * history, 6, 0.3), history);
    assert!(likeness_db(&out, &near) > 25.0, "{}", likeness_db(&out, &near));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Delays are found both ways, to a sample of 16 kHz, also when somebody else speaks as loudly.
    #[test]
    fn delays_are_found(
        rate in prop_oneof![Just(8_000_u32), Just(16_000), Just(48_000)],
        share in -0.95_f64..0.95,
    ) {
        let samples = 2 * rate as usize;
        let lag = (share * f64::from(rate)) as i64;
        let played = voice(rate, 2 * samples, 3);
        let heard = later(&played, lag)[samples / 2..samples / 2 + samples].to_vec();
        let near = voice(rate, samples, 20);
        let microphone: Vec<f32> = heard.iter().zip(near).map(|(far, near)| 0.5 * far + 0.5 * near).collect();
        let found = Aligner::new(rate).lag(&microphone, &played).unwrap();
        prop_assert!((found - lag).abs() <= i64::from(rate / 16_000).max(1), "{} for {}", found, lag);
    }
}

#[test]
fn noise_and_silence_have_no_delay() {
    let rate = 16_000;
    let played = voice(rate, 128_000, 3);
    let mut aligner = Aligner::new(rate);
    for seed in 20..24 {
        assert_eq!(aligner.lag(&noise(64_000, seed, 0.1), &played), None, "{seed}");
    }
    assert_eq!(aligner.lag(&vec![0.0; 64_000], &played), None);
    assert!(aligner.lag(&room(&played, rate)[32_000..96_000], &played).is_some());
}

#[test]
fn delays_count_when_a_stretch_of_other_sound_found_the_same() {
    // Chance: all different; a loud moment that two overlapping stretches have in common.
    assert_eq!(confirmed(&[Some(1), Some(900), None, Some(-500), Some(-500), Some(3000)], 9), [0_i64; 0]);
    // What others found in between is replaced by that of the nearest, also before the first and after the last.
    let found = [None, Some(4000), Some(100), Some(-800), Some(104), None, Some(108), Some(9000)];
    assert_eq!(confirmed(&found, 9), [100, 100, 100, 100, 104, 104, 108, 108]);
    // A client lost half a second in the middle.
    let found = [7, 7, 7, 7, 507, 507, 507, 507].map(Some);
    assert_eq!(confirmed(&found, 9), [7, 7, 7, 7, 507, 507, 507, 507]);
    // A witness that is too far away is none.
    let mut found = vec![None; 40];
    (found[0], found[30]) = (Some(5), Some(5));
    assert_eq!(confirmed(&found, 9), [0_i64; 0]);
    assert_eq!(confirmed(&[None, Some(3)], 9), [3, 3]);
    assert_eq!(confirmed(&[], 9), [0_i64; 0]);
}
