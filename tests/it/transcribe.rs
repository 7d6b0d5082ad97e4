//! `panotti transcribe`, the real binary, on fixtures and on other people's recordings; and the two ways to
//! the disk, which store the same.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use panotti::{
    audio::{WavReader, segment_files},
    speech::{Listener, word_error_rate},
};
use serde_json::{Value, json};

use crate::harness::{Setup, demo_model, fixture, panotti, read_wav, shared};

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = panotti(&["transcribe", "--threads", "1", "--model"]);
    command.arg(demo_model()).args(args).stdin(Stdio::null());
    command
}

pub(crate) fn transcribe(args: &[&str], files: &[&Path]) -> Output {
    command(args).args(files).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn wav(path: &Path, spec: hound::WavSpec, samples: impl IntoIterator<Item = i32>) -> PathBuf {
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.into_iter().for_each(|it| writer.write_sample(it).unwrap());
    writer.finalize().unwrap();
    path.to_owned()
}

const SPEC: hound::WavSpec = hound::WavSpec {
    channels: 1,
    sample_rate: 16_000,
    bits_per_sample: 16,
    sample_format: hound::SampleFormat::Int,
};

#[test]
fn one_file_in_every_form() {
    let said = "Everyone will postpone the battery plan next Wednesday.";
    let file = fixture("speech/ex02.wav");
    for (form, begins, time) in [
        ("txt", "", ""),
        ("md", "# Merged Transcript\n", "[00:00."),
        ("json", "{\n", "\"start\""),
        ("srt", "1\n00:00:0", "-->"),
        ("vtt", "WEBVTT", "-->"),
        ("html", "<!DOCTYPE html>\n", "<time "),
    ] {
        let output = transcribe(&["--format", form], &[&file]);
        let out = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{form}: {}", text(&output.stderr));
        assert!(out.starts_with(begins) && out.contains(time) && out.ends_with('\n'), "{form}: {out}");
        // In Markdown and subtitles as well; a small model may leave a word out.
        assert!(out.contains("postpone"), "{form}: {out}");
        if form == "txt" {
            assert!(word_error_rate(said, &out) < 0.2, "{out}");
        }
        assert!(!text(&output.stderr).contains('\u{1b}'), "no bar where nobody looks");
    }
}

#[test]
fn files_into_a_folder_and_one_of_them_bad() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("transcripts");
    let bad = dir.path().join("bad.wav");
    fs::write(&bad, "RIFF: this is a text").unwrap();
    let (first, last) = (fixture("speech/ex02.wav"), fixture("speech/ex03.wav"));
    let args = ["--format", "txt,json,srt", "--output", out.to_str().unwrap()];
    let output = transcribe(&args, &[&first, &bad, &last]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{}: ", bad.display())) && said.contains("WAV"), "{said}");
    let mut names: Vec<_> =
        fs::read_dir(&out).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["ex02.json", "ex02.srt", "ex02.txt", "ex03.json", "ex03.srt", "ex03.txt"]);
    let one = fs::read_to_string(out.join("ex03.txt")).unwrap();
    assert!(word_error_rate("Our supplier complained about the documentation status.", &one) < 0.2, "{one}");

    // The same for a script: a line of JSON for each file.
    let args = ["--json", "--output", out.to_str().unwrap()];
    let output = transcribe(&args, &[&first, &bad]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!((&lines[0]["ok"], &lines[1]["ok"], lines.len()), (&json!(true), &json!(false), 2));
    assert_eq!(lines[0]["written"], json!([out.join("ex02.txt")]));
    assert!(lines[1]["error"].as_str().unwrap().contains("bad.wav"), "{}", lines[1]);
}

#[test]
fn files_that_are_not_speech() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let eight = hound::WavSpec { bits_per_sample: 8, ..SPEC };
    let whole = fs::read(fixture("speech/ex02.wav")).unwrap();
    fs::write(path("empty.wav"), "").unwrap();
    fs::write(path("text.wav"), "Sam, could you please clean the interview plan?\n".repeat(200)).unwrap();
    fs::write(path("header.wav"), &whole[..44]).unwrap();
    fs::write(path("cut.wav"), &whole[..30]).unwrap();
    fs::write(path("mp3.mp3"), [b"ID3\x04".as_slice(), &[0x55; 4096]].concat()).unwrap();
    fs::create_dir(path("folder.wav")).unwrap();
    // Exit code, and what is said of it; of those that work nothing.
    for (file, code, says) in [
        (path("no-such.wav"), 1, "No such file"),
        (path("folder.wav"), 1, "folder.wav"),
        (path("empty.wav"), 1, "empty.wav"),
        (path("text.wav"), 1, "text.wav"),
        (path("cut.wav"), 1, "cut.wav"),
        (path("mp3.mp3"), 1, "mp3.mp3"),
        (path("header.wav"), 0, ""),
        (wav(&path("none.wav"), SPEC, []), 0, ""),
        (wav(&path("one.wav"), SPEC, [1]), 0, ""),
        (wav(&path("short.wav"), SPEC, (0..800).map(|it| it * 40 % 16_000)), 0, ""),
        (wav(&path("eight.wav"), eight, (0..16_000).map(|it| it % 40)), 0, ""),
        (fixture("speech/silence0.wav"), 0, ""),
    ] {
        let output = transcribe(&[], &[&file]);
        let said = text(&output.stderr);
        println!("{}", said.trim());
        assert_eq!(output.status.code(), Some(code), "{}: {said}", file.display());
        assert!(said.contains(says), "{}: {said}", file.display());
        if code == 0 {
            assert!(output.stdout.len() < 40, "{}: {}", file.display(), text(&output.stdout));
        }
    }
    let none = command(&[]).output().unwrap();
    assert_eq!(none.status.code(), Some(2), "no file is a wrong command line");
    assert!(text(&none.stderr).contains("FILE"), "{}", text(&none.stderr));
}

/// The transcript of a file in JSON, after what must hold of every one.
fn sound(path: &Path) -> Value {
    let output = transcribe(&["--format", "json"], &[path]);
    assert_eq!(output.status.code(), Some(0), "{}: {}", path.display(), text(&output.stderr));
    let transcript: Value = serde_json::from_slice(&output.stdout).unwrap();
    let seconds = hound::WavReader::open(path).unwrap();
    let seconds = f64::from(seconds.duration()) / f64::from(seconds.spec().sample_rate);
    let name = path.display();
    assert!((transcript["duration"].as_f64().unwrap() - seconds).abs() < 0.002, "{name}");
    for list in ["segments", "words"] {
        let mut last = 0.0;
        for it in transcript[list].as_array().unwrap() {
            let (start, end) = (it["start"].as_f64().unwrap(), it["end"].as_f64().unwrap());
            assert!(last <= start && start <= end && end <= seconds + 0.001, "{name}: {last} {it}");
            last = start;
        }
    }
    for segment in transcript["segments"].as_array().unwrap() {
        assert!(!segment["text"].as_str().unwrap().trim().is_empty(), "{name}: {segment}");
        let confidence = segment["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence), "{name}: {segment}");
        let (start, end) = (segment["start"].as_f64().unwrap(), segment["end"].as_f64().unwrap());
        for word in segment["words"].as_array().unwrap() {
            let (from, to) = (word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap());
            assert!(start - 0.001 <= from && to <= end + 0.001, "{name}: {word} in {start} to {end}");
        }
    }
    transcript
}

/// Who spoke when, in s: the fields 4 and 5 of a line are start and duration.
fn spoken(rttm: &Path) -> Vec<(f64, f64)> {
    let lines = fs::read_to_string(rttm).unwrap();
    let fields = lines.lines().map(|it| it.split_whitespace().collect::<Vec<_>>());
    fields
        .map(|it| {
            let start: f64 = it[3].parse().unwrap();
            (start, start + it[4].parse::<f64>().unwrap())
        })
        .collect()
}

/// Where the detector finds speech in a file of 16 kHz, one channel, in s.
fn regions(path: &Path) -> Vec<(f64, f64)> {
    let (samples, ..) = read_wav(&fs::read(path).unwrap());
    let mut listener = Listener::new(&panotti::config::Vad::default()).unwrap();
    let mut found = Vec::new();
    listener.push(&samples, &mut found);
    listener.flush(&mut found);
    let seconds = |samples: u64| samples as f64 / 16_000.0;
    found
        .iter()
        .map(|it| (seconds(it.start_sample), seconds(it.start_sample + it.samples.len() as u64)))
        .collect()
}

/// Seconds of `these` that lie within `those`, in steps of 10 ms, and all seconds of `these`.
fn overlap(these: &[(f64, f64)], those: &[(f64, f64)]) -> (f64, f64) {
    let within = |spans: &[(f64, f64)], at: f64| spans.iter().any(|it| it.0 <= at && at < it.1);
    let steps = (0..6000).map(|it| f64::from(it) / 100.0).filter(|at| within(these, *at));
    let (both, all) = steps.fold((0, 0), |(both, all), at| (both + i32::from(within(those, at)), all + 1));
    (f64::from(both) / 100.0, f64::from(all) / 100.0)
}

#[test]
fn real_meetings() {
    let spans = |transcript: &Value| -> Vec<_> {
        let segments = transcript["segments"].as_array().unwrap().iter();
        segments.map(|it| (it["start"].as_f64().unwrap(), it["end"].as_f64().unwrap())).collect()
    };
    if let Some(path) = shared("audio/real/jfk.wav") {
        let heard = spans(&sound(&path));
        // One man speaks, from 0.3 s to 10.5 s of 11 s, with pauses.
        let (within, all) = overlap(&heard, &[(0.2, 10.8)]);
        assert!(all > 6.0 && within > 0.95 * all, "jfk: {within} of {all} s");
    }
    for name in ["meeting-trn01", "meeting-trn02", "meeting-trn03", "conversation-30s"] {
        let Some(path) = shared(&format!("audio/real/{name}.wav")) else { continue };
        let written = spans(&sound(&path));
        let heard = regions(&path);
        let reference = spoken(&path.with_extension("rttm"));
        let (found, said) = overlap(&reference, &heard);
        let (right, claimed) = overlap(&heard, &reference);
        println!("{name}: {found:.1} of {said:.1} s found; {right:.1} of {claimed:.1} s right");
        // Short words far from the microphone are lost; what is taken for speech is mostly that.
        assert!(found >= 0.5 * said, "{name}: {found} of {said} s");
        assert!(right >= 0.4 * claimed, "{name}: {right} of {claimed} s");
        // What is written down was taken for speech.
        let (within, all) = overlap(&written, &heard);
        assert!(within >= 0.9 * all, "{name}: {within} of {all} s");
    }
}

/// Noise, so that every frame is like no other.
fn noise(path: &Path, seconds: u32) {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // 24 bits with a sign, quiet.
        (state as i32 >> 8) / 64
    };
    let spec = hound::WavSpec { channels: 2, sample_rate: 48_000, bits_per_sample: 24, ..SPEC };
    wav(path, spec, (0..seconds * 2 * 48_000).map(|_| next()));
}

/// The frames of the segments of a recording, one behind the other.
fn frames(dir: &Path) -> (usize, Vec<u8>) {
    let files = segment_files(dir).unwrap();
    let mut bytes = Vec::new();
    for file in &files {
        let mut reader = WavReader::open(file).unwrap();
        while reader.read(48_000, &mut bytes).unwrap() > 0 {}
    }
    (files.len(), bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_to_the_disk_store_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("noise.wav");
    noise(&source, 20);
    let mut kept = Vec::new();
    for (backend, says) in [("io-uring", "io_uring"), ("plain", "as configured")] {
        let setup = Setup::hearing_wav(&source).set("PANOTTI_RECORD__BACKEND", backend);
        let box_ = match setup.try_start() {
            Ok(box_) => box_,
            // A kernel without it says so, and what to set.
            Err((_, log)) if backend == "io-uring" => {
                assert!(log.contains("`auto` or `plain`"), "{log}");
                println!("skipped: this kernel has no io_uring");
                return;
            }
            Err((_, log)) => panic!("{log}"),
        };
        let recorder = box_.get("/system").await["recorder"].clone();
        assert!(recorder.as_str().unwrap().contains(says), "{recorder}");
        let id = box_.record(backend).await;
        let first = box_.get("/system").await["counters"]["captured_frames"].as_u64().unwrap();
        box_.until("four seconds", async || {
            let now = box_.get("/system").await["counters"]["captured_frames"].as_u64()?;
            (now > first + 4 * 48_000).then_some(())
        })
        .await;
        assert_eq!(box_.finish(&id).await["error"], Value::Null);
        kept.push(frames(&box_.data_dir().join("recordings").join(&id)));
    }
    let mut whole = Vec::new();
    let mut reader = WavReader::open(&source).unwrap();
    while reader.read(48_000, &mut whole).unwrap() > 0 {}
    for (_, bytes) in &kept {
        assert!(bytes.len() > 3 * 48_000 * 6, "{}", bytes.len());
        // Where it begins in the source: from there on it is the source, byte by byte.
        let at = whole.chunks_exact(6).position(|it| it == &bytes[..6]);
        let at = at.expect("it begins with a frame of the source") * 6;
        assert!(whole[at..at + bytes.len()] == **bytes, "something else is stored than was heard");
    }
}
