//! Cleaned sound, held against what went in.

use panotti_sdk::payloads::NoiseReductionMethod::{FrequencyDomain, TimeDomain};
use proptest::prelude::*;

use super::signals::*;
use crate::Config;

const RATE: u32 = 8_000;
const SECOND: usize = RATE as usize;

/// Only the far end is taken out: what it does is not hidden by what follows.
fn far_end_only() -> Config {
    Config { noise_reduce_factor: 0.0, highpass_cutoff: 0.0, alignment_chunk_seconds: 4, ..Config::default() }
}

fn as_a_wave() -> Config {
    Config { freq_domain_bleed_removal: false, time_domain_subtraction: true, ..far_end_only() }
}

/// What was played for 9 s, and what of it a microphone hears `lag` samples later.
fn far_end(lag: i64) -> (Vec<f32>, Vec<f32>) {
    let played = voice(RATE, 9 * SECOND, 3);
    let heard = later(&room(&played, RATE), lag);
    (played, heard)
}

#[test]
fn the_far_end_is_removed_by_either_method_and_better_by_both() {
    let (played, heard) = far_end(1234);
    let with_noise = sum(&heard, &noise(heard.len(), 9, 0.001));
    let removed = |config: &Config| {
        let (done, out) = cleaned(RATE, &with_noise, &played, config);
        (done.method, power_db(&with_noise) - power_db(&out))
    };
    let (method, spectrum) = removed(&far_end_only());
    assert_eq!(method, Some(FrequencyDomain));
    assert!(spectrum > 12.0, "{spectrum} dB");
    let (method, wave) = removed(&as_a_wave());
    assert_eq!(method, Some(TimeDomain));
    assert!(wave > 12.0, "{wave} dB");
    let both = removed(&Config { time_domain_subtraction: true, ..far_end_only() });
    assert!(both.0 == Some(FrequencyDomain) && both.1 > wave.max(spectrum), "{both:?}");
}

#[test]
fn w14_the_microphone_track_is_not_shifted() {
    // The bleed comes half a second late; the room speaks from the first sample on.
    let (played, heard) = far_end((SECOND / 2) as i64);
    let near = voice(RATE, heard.len(), 20);
    for config in [far_end_only(), as_a_wave(), Config::default()] {
        let (_, out) = cleaned(RATE, &sum(&near, &heard), &played, &config);
        assert_eq!(out.len(), near.len());
        assert_eq!(behind(&out, &near, 40), 0);
        let (start, first) = (&out[..SECOND / 2], &near[..SECOND / 2]);
        assert!(power_db(start) > power_db(first) - 3.0, "the first half second is there");
    }
}

#[test]
fn w15_a_far_end_that_is_recorded_late_cuts_nothing_off() {
    // The system's track began half a second after the microphone's: the original kept the last half second.
    let (played, heard) = far_end(-((SECOND / 2) as i64));
    for config in [far_end_only(), as_a_wave()] {
        let (_, out) = cleaned(RATE, &heard, &played, &config);
        assert_eq!(out.len(), heard.len());
        let inside = SECOND..8 * SECOND;
        let removed = power_db(&heard[inside.clone()]) - power_db(&out[inside]);
        assert!(removed > 10.0, "{removed} dB");
    }
}

#[test]
fn w17_double_talk_is_not_destroyed() {
    // The far end as loud as the room in the microphone, and twice as loud in its own track.
    let (played, heard) = far_end(700);
    let near = voice(RATE, heard.len(), 20);
    let scale = 10_f32.powf((power_db(&near) - power_db(&heard)) / 20.0);
    let heard: Vec<f32> = heard.iter().map(|it| it * scale).collect();
    let both = sum(&near, &heard);
    let before = likeness_db(&both, &near);
    for config in [far_end_only(), as_a_wave()] {
        let (_, out) = cleaned(RATE, &both, &played, &config);
        let after = likeness_db(&out, &near);
        assert!(after > before + 3.0, "{before} dB → {after} dB");
        assert!((power_db(&out) - power_db(&near)).abs() < 2.0, "the room's voice keeps its level");
    }
}

#[test]
fn w17_the_same_input_gives_the_same_output_to_the_last_bit() {
    let (played, heard) = far_end(100);
    let microphone = sum(&voice(RATE, heard.len(), 20), &heard);
    let config = Config { time_domain_subtraction: true, ..Config::default() };
    let (done, out) = cleaned(RATE, &microphone, &played, &config);
    let (again, repeated) = cleaned(RATE, &microphone, &played, &config);
    assert!(out == repeated && done.gain_db == again.gain_db);
}

#[test]
fn w17_noise_is_never_made_louder() {
    // Silence with a little noise: the original raised it to full scale.
    let sound = noise(3 * SECOND, 4, 0.003);
    let (done, out) = cleaned(RATE, &sound, &[], &Config::default());
    assert!(power_db(&out) <= power_db(&sound) && done.gain_db > Some(0.0), "{:?}", done.gain_db);
}

#[test]
fn a_far_end_that_is_not_heard_changes_nothing() {
    // Somebody wears headphones.
    let near = voice(RATE, 9 * SECOND, 20);
    let (_, out) = cleaned(RATE, &near, &voice(RATE, 9 * SECOND, 3), &far_end_only());
    assert!(likeness_db(&out, &near) > 60.0, "{}", likeness_db(&out, &near));
    let (_, out) = cleaned(RATE, &near, &vec![0.0; SECOND], &as_a_wave());
    assert!(likeness_db(&out, &near) > 60.0, "a silent and shorter one");
}

#[test]
fn a_drifting_far_end_is_followed() {
    // 200 ppm, as of two cheap clocks: 4 ms in 20 s.
    let played = voice(RATE, 20 * SECOND, 3);
    let drifted: Vec<f32> = (0..played.len())
        .map(|at| {
            let place = at as f64 * 0.9998;
            let (whole, part) = (place as usize, place.fract() as f32);
            played[whole] * (1.0 - part) + played[whole + 1] * part
        })
        .collect();
    let heard = later(&room(&drifted, RATE), 400);
    let (_, out) = cleaned(RATE, &heard, &played, &far_end_only());
    let removed = power_db(&heard) - power_db(&out);
    assert!(removed > 8.0, "{removed} dB");
}

#[test]
fn noise_is_lowered_in_pauses_and_the_voice_stays() {
    let rate = 48_000;
    let voice = voice(rate, 6 * 48_000, 8);
    let noisy = sum(&voice, &noise(voice.len(), 2, 0.01));
    // The high-pass turns the phase of the lowest tones, and white noise has no rumble.
    let usual = Config { highpass_cutoff: 0.0, ..Config::default() };
    let (done, out) = cleaned(rate, &noisy, &[], &usual);
    assert_eq!(done.method, None);
    let gain = done.gain_db.unwrap();
    assert!((2.0..4.0).contains(&gain), "a quarter of it: {gain} dB");
    assert_eq!(behind(&out, &voice, 100), 0);
    assert!(likeness_db(&out, &voice) > 8.0, "{}", likeness_db(&out, &voice));
    let whole = Config { noise_reduce_factor: 1.0, spectral_floor: 0.0, ..usual.clone() };
    let more = cleaned(rate, &noisy, &[], &whole).0.gain_db.unwrap();
    let floor = Config { noise_reduce_factor: 1.0, spectral_floor: 0.12, ..usual };
    let floored = cleaned(rate, &noisy, &[], &floor).0.gain_db.unwrap();
    assert!(more > floored + 1.0 && floored > gain + 4.0, "{more} dB, {floored} dB, {gain} dB");
}

#[test]
fn rumble_is_removed_and_the_voice_is_not() {
    let tone = |hz: f32| -> Vec<f32> {
        (0..2 * SECOND).map(|at| 0.3 * (std::f32::consts::TAU * hz * at as f32 / RATE as f32).sin()).collect()
    };
    let config = Config { noise_reduce_factor: 0.0, ..Config::default() };
    let lost = |hz: f32, config: &Config| {
        power_db(&tone(hz)) - power_db(&cleaned(RATE, &tone(hz), &[], config).1[SECOND..])
    };
    assert!(lost(20.0, &config) > 20.0 && lost(300.0, &config) < 0.1);
    // Butterworth: 3 dB at its corner.
    assert!((lost(80.0, &config) - 3.0).abs() < 0.3);
    assert!(lost(20.0, &Config { highpass_cutoff: 0.0, ..config.clone() }) < 0.1);
}

#[test]
fn each_setting_of_the_far_end_does_something() {
    let (played, heard) = far_end(2000);
    let quieter = |config: Config| {
        let out = cleaned(RATE, &heard, &played, &config).1;
        power_db(&heard) - power_db(&out)
    };
    let usual = quieter(far_end_only());
    assert!(quieter(Config { wiener_alpha: 0.5, ..far_end_only() }) < usual - 3.0);
    assert!(quieter(Config { spectral_floor: 0.5, ..far_end_only() }) < 6.1);
    assert!((quieter(Config { smoothing_factor: 8, ..far_end_only() }) - usual).abs() > 0.05);
    assert!(quieter(Config { use_fft_alignment: false, ..far_end_only() }) < 3.0);
    // Half of 2 s is more than the delay, and a longer one is not found.
    assert!(quieter(Config { alignment_chunk_seconds: 2, ..far_end_only() }) > 6.0);
    let off = Config { freq_domain_bleed_removal: false, ..far_end_only() };
    assert!(quieter(off).abs() < 0.01);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever the rate, the length and the delay: as many samples come out, at the same places.
    #[test]
    fn length_and_alignment_are_kept(
        rate in prop_oneof![Just(8_000_u32), Just(44_100), Just(16_000), 8_000_u32..24_000],
        samples in 1_usize..60_000,
        lag in -6_000_i64..6_000,
        both in any::<bool>(),
    ) {
        let near = voice(rate, samples, 20);
        let played = voice(rate, samples, 3);
        let mut microphone = sum(&near, &later(&played, lag).iter().map(|it| 0.2 * it).collect::<Vec<_>>());
        // A train of clicks, at odd places.
        for at in (samples / 7..samples).step_by(3571) {
            microphone[at] = 0.9;
        }
        let config = Config { time_domain_subtraction: both, alignment_chunk_seconds: 2, ..Config::default() };
        let (done, out) = cleaned(rate, &microphone, &played, &config);
        prop_assert_eq!((done.frames, out.len()), (samples as u64, samples));
        if samples > 4000 {
            prop_assert_eq!(behind(&out, &microphone, 20), 0);
        }
    }
}
