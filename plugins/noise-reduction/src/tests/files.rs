//! Audio as clients, other programs and power cuts leave it behind.

use std::{fs, path::Path, path::PathBuf, sync::atomic::AtomicBool};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::signals::*;
use crate::{CleanError, Cleaned, Config, Task, WavError, clean};

const RATE: u32 = 8_000;

/// Nothing is changed but the form.
fn as_it_is() -> Config {
    Config { noise_reduce_factor: 0.0, highpass_cutoff: 0.0, ..Config::default() }
}

fn run(files: &[PathBuf], keep_channels: bool, out: &Path) -> Result<Cleaned, CleanError> {
    let task = Task { microphone: files.to_vec(), keep_channels, system: Vec::new(), output: out.to_owned() };
    clean(&task, &as_it_is(), &AtomicBool::new(false))
}

#[test]
fn every_form_of_samples_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    let sound = voice(RATE, 4_001, 1);
    let forms = [
        (16, SampleFormat::Int),
        (24, SampleFormat::Int),
        (32, SampleFormat::Int),
        (32, SampleFormat::Float),
    ];
    for (bits_per_sample, sample_format) in forms {
        for (sample_rate, channels) in [(8_000, 1), (11_025, 2), (192_000, 16)] {
            let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
            let mut file = WavWriter::create(&path, spec).unwrap();
            for sample in &sound {
                for _ in 0..channels {
                    match sample_format {
                        SampleFormat::Float => file.write_sample(*sample).unwrap(),
                        SampleFormat::Int => {
                            let scale = 2_f64.powi(i32::from(bits_per_sample) - 1);
                            file.write_sample((f64::from(*sample) * scale).round() as i32).unwrap();
                        }
                    }
                }
            }
            file.finalize().unwrap();
            let done = run(std::slice::from_ref(&path), false, &out).unwrap();
            assert_eq!((done.frames, done.rate_hz, &done.problems[..]), (4_001, sample_rate, &[][..]));
            let (rate, read) = read(&out);
            assert_eq!((rate, read.len()), (sample_rate, 1));
            let same = |(a, b): (&f32, &f32)| (a - b).abs() <= 1.1 / 32_768.0;
            assert!(read[0].iter().zip(&sound).all(same), "{spec:?}");
        }
    }
}

#[test]
fn the_box_own_segments_follow_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let sound = voice(RATE, 30_000, 1);
    let cut = [0, 1, 8_000, 16_000, 16_000, 30_000];
    let files: Vec<PathBuf> = cut
        .windows(2)
        .enumerate()
        .map(|(place, it)| write(&folder.path().join(format!("{place}.wav")), RATE, &[&sound[it[0]..it[1]]]))
        .collect();
    let (whole, parts) = (folder.path().join("whole.wav"), folder.path().join("parts.wav"));
    run(&[write(&folder.path().join("one.wav"), RATE, &[&sound])], false, &whole).unwrap();
    assert_eq!(run(&files, false, &parts).unwrap().frames, 30_000);
    assert_eq!(fs::read(whole).unwrap(), fs::read(parts).unwrap());
}

#[test]
fn named_channels_are_kept_and_others_are_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let (left, right) = (voice(RATE, 20_000, 1), voice(RATE, 20_000, 2));
    let file = [write(&folder.path().join("in.wav"), RATE, &[&left, &right])];
    let out = folder.path().join("out.wav");
    run(&file, true, &out).unwrap();
    let kept = read(&out).1;
    assert!(kept.len() == 2 && likeness_db(&kept[0], &left) > 60.0 && likeness_db(&kept[1], &right) > 60.0);
    run(&file, false, &out).unwrap();
    let mixed: Vec<f32> = sum(&left, &right).iter().map(|it| it / 2.0).collect();
    assert!(likeness_db(&read(&out).1[0], &mixed) > 55.0);
}

#[test]
fn an_unfinished_file_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    write(&path, RATE, &[&voice(RATE, 16_000, 1)]);
    let whole = fs::read(&path).unwrap();
    // Cut off in the middle of a sample; never finished, in the two ways that programs leave behind.
    let mut zero = whole.clone();
    zero[4..8].fill(0);
    zero[40..44].fill(0);
    let mut ones = whole.clone();
    ones[40..44].fill(0xFF);
    for (bytes, frames) in [(&whole[..44 + 2 * 9_000 + 1], 9_000), (&zero, 16_000), (&ones, 16_000)] {
        fs::write(&path, bytes).unwrap();
        let done = run(std::slice::from_ref(&path), false, &out).unwrap();
        assert_eq!(done.frames, frames);
        assert!(done.problems[0].contains("in.wav` was not finished"), "{:?}", done.problems);
    }
    // The power went away right when the box began its next segment.
    let next = folder.path().join("next.wav");
    fs::write(&path, &whole).unwrap();
    fs::write(&next, &whole[..20]).unwrap();
    let done = run(&[path.clone(), next.clone()], false, &out).unwrap();
    assert!(done.frames == 16_000 && done.problems[0].contains("next.wav` ends in its header"));
    assert!(matches!(run(&[next, path], false, &out), Err(CleanError::Microphone(WavError::Unbegun { .. }))));
}

#[test]
fn what_is_no_wav_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    let good = write(&folder.path().join("good.wav"), RATE, &[&voice(RATE, 8_000, 1)]);
    let wav = fs::read(&good).unwrap();
    let with = |at: usize, value: &[u8]| {
        let mut bytes = wav.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    for (bytes, says) in [
        (b"ID3 this is an MP3, whatever its name says".to_vec(), "it is no WAV file"),
        (with(20, &[0x55, 0]), "format 0x0055"),
        (with(22, &[0, 0]), "0 channels"),
        (with(22, &[17, 0]), "17 channels"),
        (with(24, &[0, 0, 0, 0]), "0 Hz"),
        (with(32, &[1, 0]), "8 bits"),
        (with(16, &[4, 0, 0, 0]), "too short"),
        (with(12, b"JUNK"), "it does not say its format"),
        ([b"RIFF\0\0\0\0WAVE".to_vec(), vec![0; 64_000]].concat(), "no audio within"),
    ] {
        fs::write(&path, &bytes).unwrap();
        let error = crate::chain(&run(std::slice::from_ref(&path), false, &out).unwrap_err());
        assert!(error.contains(says) && error.contains("in.wav"), "{error}");
        assert!(!out.exists());
    }
    let other = write(&folder.path().join("other.wav"), 2 * RATE, &[&voice(RATE, 8_000, 1)]);
    let error = crate::chain(&run(&[good.clone(), other], false, &out).unwrap_err());
    assert!(error.contains("other.wav` has another rate"), "{error}");
    let missing = folder.path().join("missing.wav");
    let error = crate::chain(&run(&[missing], false, &out).unwrap_err());
    assert!(error.contains("cannot open") && error.contains("missing.wav"), "{error}");
    let empty = write(&folder.path().join("empty.wav"), RATE, &[&[]]);
    assert!(matches!(run(&[empty], false, &out), Err(CleanError::Empty)));
    // The output's folder is a file.
    let error = run(std::slice::from_ref(&good), false, &good.join("out.wav")).unwrap_err();
    assert!(matches!(error, CleanError::Write { .. }) && !error.is_of_the_track());
}

#[test]
fn work_that_nobody_waits_for_ends_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out/out.wav");
    let file = write(&folder.path().join("in.wav"), RATE, &[&voice(RATE, 80_000, 1)]);
    let task = Task { microphone: vec![file], keep_channels: false, system: Vec::new(), output: out.clone() };
    let stopped = clean(&task, &Config::default(), &AtomicBool::new(true));
    assert!(matches!(stopped, Err(CleanError::Stopped)));
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 0);
}
