//! Sounds for tests, the same in every run, and WAV files of them.

use std::{
    f32::consts::TAU,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::{Cleaned, Config, Task, clean};

/// White noise, −`amplitude` to `amplitude` (Lehmer's generator with Park and Miller's factor).
pub(crate) fn noise(samples: usize, seed: u64, amplitude: f32) -> Vec<f32> {
    let mut state = seed * 7919 + 1;
    let mut next = || {
        state = state * 48_271 % 2_147_483_647;
        state as f32 / 1_073_741_824.0 - 1.0
    };
    (0..samples).map(|_| amplitude * next()).collect()
}

/// A voice: syllables of 0.25 s of a gliding and trembling tone with its overtones and some breath, and
/// pauses between some of them.
pub(crate) fn voice(rate_hz: u32, samples: usize, seed: u64) -> Vec<f32> {
    let syllable = rate_hz as usize / 4;
    let (random, breath) = (noise(samples / syllable * 3 + 3, seed, 1.0), noise(samples, seed + 1, 0.02));
    let mut phase = 0.0;
    (0..samples)
        .map(|at| {
            let (number, place) = (at / syllable, (at % syllable) as f32 / syllable as f32);
            let loud = if random[3 * number] > -0.2 { (TAU * place / 2.0).sin() } else { 0.0 };
            let glide = random[3 * number + 2] * place;
            phase +=
                (130.0 + 40.0 * random[3 * number + 1] + 40.0 * glide + 600.0 * breath[at]) / rate_hz as f32;
            let tones = (1..12).map(|n| (TAU * phase * n as f32).sin() / n as f32).sum::<f32>();
            loud * (0.2 * tones + breath[at])
        })
        .collect()
}

/// What a microphone hears of `played` in a small room: 3 ms away, with echoes over 40 ms.
pub(crate) fn room(played: &[f32], rate_hz: u32) -> Vec<f32> {
    let (direct, length) = (rate_hz as usize * 3 / 1000, rate_hz as usize * 40 / 1000);
    let mut response = noise(length, 5, 0.15);
    for (at, tap) in response.iter_mut().enumerate() {
        // 60 dB in 0.2 s.
        *tap *= (-6.9 * at as f32 / (0.2 * rate_hz as f32)).exp();
        *tap = if at < direct { 0.0 } else { *tap };
    }
    response[direct] = 0.4;
    (0..played.len())
        .map(|at| response.iter().take(at + 1).enumerate().map(|(tap, it)| it * played[at - tap]).sum())
        .collect()
}

/// `sound`, later by `lag` samples, as long as it was.
pub(crate) fn later(sound: &[f32], lag: i64) -> Vec<f32> {
    let sample = |at: i64| usize::try_from(at).ok().and_then(|at| sound.get(at)).copied().unwrap_or(0.0);
    (0..sound.len() as i64).map(|at| sample(at - lag)).collect()
}

pub(crate) fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Mean power, dB.
pub(crate) fn power_db(sound: &[f32]) -> f32 {
    10.0 * (sound.iter().map(|it| it * it).sum::<f32>() / sound.len() as f32 + 1e-12).log10()
}

/// How much quieter than `sound` its difference from `wanted` is, dB.
pub(crate) fn likeness_db(sound: &[f32], wanted: &[f32]) -> f32 {
    let difference: Vec<f32> = sound.iter().zip(wanted).map(|(a, b)| a - b).collect();
    power_db(wanted) - power_db(&difference)
}

/// How many samples `sound` is behind `wanted`, −`most` to `most`: where their high frequencies are most
/// alike, which say it best and which the high-pass leaves alone.
pub(crate) fn behind(sound: &[f32], wanted: &[f32], most: i64) -> i64 {
    let edges = |it: &[f32]| -> Vec<f32> { it.windows(3).map(|it| it[0] - 2.0 * it[1] + it[2]).collect() };
    let (sound, wanted) = (edges(sound), edges(wanted));
    let alike = |lag: &i64| later(&wanted, *lag).iter().zip(&sound).map(|(a, b)| a * b).sum::<f32>();
    (-most..=most).max_by(|a, b| alike(a).total_cmp(&alike(b))).unwrap()
}

/// Writes 16-bit WAV with a channel for each of `channels`.
pub(crate) fn write(path: &Path, rate_hz: u32, channels: &[&[f32]]) -> PathBuf {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec = WavSpec {
        channels: channels.len() as u16,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut file = WavWriter::create(path, spec).unwrap();
    for frame in 0..channels[0].len() {
        for channel in channels {
            file.write_sample((channel[frame] * 32_768.0).round() as i16).unwrap();
        }
    }
    file.finalize().unwrap();
    path.to_owned()
}

/// Rate and channels of a 16-bit WAV file, by a reader that is not ours.
pub(crate) fn read(path: &Path) -> (u32, Vec<Vec<f32>>) {
    let mut file = WavReader::open(path).unwrap();
    let spec = file.spec();
    assert_eq!((spec.bits_per_sample, spec.sample_format), (16, SampleFormat::Int));
    let mut channels = vec![Vec::new(); spec.channels.into()];
    for (place, sample) in file.samples::<i16>().enumerate() {
        channels[place % usize::from(spec.channels)].push(f32::from(sample.unwrap()) / 32_768.0);
    }
    (spec.sample_rate, channels)
}

/// Cleans a microphone's sound, with that of the system where it is not empty.
pub(crate) fn cleaned(rate_hz: u32, sound: &[f32], system: &[f32], config: &Config) -> (Cleaned, Vec<f32>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut task = Task {
        microphone: vec![write(&path("microphone.wav"), rate_hz, &[sound])],
        keep_channels: false,
        system: Vec::new(),
        output: path("out.wav"),
    };
    if !system.is_empty() {
        task.system.push(write(&path("system.wav"), rate_hz, &[system]));
    }
    let done = clean(&task, config, &AtomicBool::new(false)).unwrap();
    let (rate, mut channels) = read(&task.output);
    assert_eq!((rate, channels.len()), (rate_hz, 1));
    (done, channels.remove(0))
}
