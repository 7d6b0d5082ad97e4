//! Audio of every form, made by ffmpeg, whole and damaged, through the real binary and the real demo model.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use panotti::{audio::decode::AudioFile, speech::word_error_rate};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    clients::python,
    harness::{demo_model, fixture, panotti},
};

/// What is said in the source, a pause after each sentence.
const SAID: [(&str, &str); 3] = [
    ("ex01", "Sam, could you please clean the interview plan next week?"),
    ("ex02", "Everyone will postpone the battery plan next Wednesday."),
    ("ex03", "Our supplier complained about the documentation status."),
];

fn ffmpeg<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]).args(args);
    let output = command.output().expect("ffmpeg is installed by `.ci/setup test`");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The sentences one behind the other, 16 kHz, one channel, 16 bits.
fn source(folder: &Path) -> PathBuf {
    let path = folder.join("source.wav");
    let mut out = hound::WavWriter::create(
        &path,
        hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        },
    )
    .unwrap();
    for (name, _) in SAID {
        let mut file = hound::WavReader::open(fixture(&format!("speech/{name}.wav"))).unwrap();
        let samples: Vec<i16> = file.samples().map(Result::unwrap).collect();
        samples.iter().chain([&0; 12_000]).for_each(|it| out.write_sample(*it).unwrap());
    }
    out.finalize().unwrap();
    path
}

/// `source` in another form: the name, and what ffmpeg is told.
fn made(folder: &Path, source: &Path, name: &str, options: &str) -> PathBuf {
    let path = folder.join(name);
    let options: Vec<&str> = options.split_whitespace().collect();
    let input = [OsStr::new("-i"), source.as_os_str()];
    ffmpeg(input.into_iter().chain(options.into_iter().map(OsStr::new)).chain([path.as_os_str()]));
    path
}

/// Transcribes `files` in one process; the exit code, and the line of JSON of each by its name.
fn transcribe(folder: &Path, files: &[PathBuf]) -> (i32, BTreeMap<String, Value>) {
    let mut command = panotti(&["transcribe", "--threads", "1", "--json", "--format", "txt,json", "--model"]);
    command.arg(demo_model()).arg("--output").arg(folder.join("out")).args(files).stdin(Stdio::null());
    let output = command.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let name = |it: &Value| {
        Path::new(it["file"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned()
    };
    let lines: BTreeMap<_, _> = lines.map(|it| (name(&it), it)).collect();
    assert_eq!(lines.len(), files.len(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), lines)
}

fn text_of(line: &Value) -> String {
    fs::read_to_string(line["written"][0].as_str().unwrap_or_else(|| panic!("{line}"))).unwrap()
}

/// A picture that moves, as video.
const VIDEO: &str = "-f lavfi -i testsrc=size=160x120:rate=5 -shortest";

#[test]
fn every_form_of_audio_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path());
    // A picture of the size that cameras make, in front of the sound.
    let picture = dir.path().join("cover.png");
    let noise = "-f lavfi -i color=s=1600x1200,noise=alls=100 -frames:v 1";
    ffmpeg(noise.split(' ').map(OsStr::new).chain([picture.as_os_str()]));
    assert!(fs::metadata(&picture).unwrap().len() > 1 << 20);
    let cover = format!("-i {} -map 0:a -map 1:v -c:v copy", picture.display());
    let forms = [
        ("a.mp3", "-b:a 64k".to_owned()),
        ("cover.mp3", format!("{cover} -disposition:v attached_pic -metadata title=x")),
        ("low.mp3", "-ar 22050 -b:a 32k".into()),
        ("a.mp2", "-ar 48000 -b:a 128k".into()),
        ("vorbis.ogg", "-c:a libvorbis".into()),
        ("a.flac", "-ar 44100".into()),
        ("deep.flac", "-ar 96000 -sample_fmt s32 -ac 2".into()),
        ("ogg-flac.oga", "-c:a flac".into()),
        ("aac.m4a", "-c:a aac -ar 44100 -b:a 96k".into()),
        ("stream.aac", "-c:a aac -ar 44100 -b:a 96k".into()),
        ("alac.m4a", "-c:a alac".into()),
        ("sound.mkv", "-c:a aac -ar 48000".into()),
        ("video.mkv", format!("{VIDEO} -c:v mpeg4 -c:a libvorbis")),
        ("video.mp4", format!("{VIDEO} -c:v mpeg4 -c:a aac -ar 48000")),
        ("video.mov", format!("{VIDEO} -c:v mpeg4 -c:a pcm_s16be -ar 48000")),
        ("u8.wav", "-c:a pcm_u8".into()),
        ("s24.wav", "-c:a pcm_s24le -ar 48000".into()),
        ("s32.wav", "-c:a pcm_s32le".into()),
        ("f32.wav", "-c:a pcm_f32le".into()),
        ("f64.wav", "-c:a pcm_f64le".into()),
        ("alaw.wav", "-c:a pcm_alaw".into()),
        ("mulaw.wav", "-c:a pcm_mulaw".into()),
        ("adpcm.wav", "-c:a adpcm_ms".into()),
        ("ima.wav", "-c:a adpcm_ima_wav".into()),
        ("five.wav", "-ar 48000 -filter:a pan=5.1|FL=c0|FR=c0|FC=c0|LFE=0*c0|BL=c0|BR=c0".into()),
        ("high.wav", "-ar 192000".into()),
        ("a.aiff", "-ar 44100".into()),
        ("a.caf", "-c:a pcm_s16le".into()),
        ("opus.webm", "-c:a libopus -b:a 32k".into()),
        ("video.webm", format!("{VIDEO} -c:v libvpx -c:a libopus")),
        ("voice.ogg", "-c:a libopus -b:a 24k -application voip -ac 1".into()),
        ("opus.mp4", "-c:a libopus -b:a 32k -strict -2".into()),
    ];
    let forms = forms.iter().filter(|it| cfg!(feature = "opus") || !it.1.contains("opus"));
    let mut files: Vec<PathBuf> =
        forms.map(|(name, options)| made(dir.path(), &source, name, options)).collect();
    files.push(source);
    let (code, lines) = transcribe(dir.path(), &files);
    let reference = SAID.map(|it| it.1).join(" ");
    let rate = |name: &str| {
        assert_eq!(lines[name]["ok"], true, "{}", lines[name]);
        word_error_rate(&reference, &text_of(&lines[name]))
    };
    let best = rate("source.wav");
    assert!(best < 0.1, "{best}");
    for (name, line) in &lines {
        let (rate, length) = (rate(name), line["audio_seconds"].as_f64().unwrap_or_default());
        println!("{name}: {:.0} % word errors, {length:.2} s", rate * 100.0);
        // Of 25 words, what 8 bits and 24 kbit/s cost.
        assert!(rate <= best + 0.13, "{name}: {}", text_of(line));
        assert!((length - 14.9).abs() < 0.5, "{name}: {length} s");
        assert_eq!(line["warnings"], json!([]), "{name}");
    }
    assert_eq!(code, 0);
}

#[test]
fn a_form_that_changes_within_a_file_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    // Of lengths that end with a block of what is read at a time, and of others.
    for (seconds, rates) in [("1", [16_000, 8_000]), ("2", [8_000, 48_000]), ("1.3", [48_000, 16_000])] {
        let mut bytes = Vec::new();
        for rate in rates {
            let part = dir.path().join("part.ogg");
            let tone = format!("-f lavfi -i sine=r={rate} -t {seconds} -c:a flac");
            ffmpeg(tone.split(' ').map(OsStr::new).chain([part.as_os_str()]));
            bytes.extend(fs::read(part).unwrap());
        }
        let both = dir.path().join("both.ogg");
        fs::write(&both, bytes).unwrap();
        let mut file = AudioFile::open(&both).unwrap();
        let mut frames = BTreeMap::new();
        let mut samples = Vec::new();
        while let Some(format) = file.read(&mut samples).unwrap() {
            *frames.entry(format.rate_hz).or_insert(0) += samples.len();
            samples.clear();
        }
        let length = |rate: u32| (f64::from(rate) * seconds.parse::<f64>().unwrap()) as usize;
        let want: BTreeMap<_, _> = rates.into_iter().map(|it| (it, length(it))).collect();
        assert_eq!(frames, want, "{seconds} s");
    }
}

#[test]
fn what_is_cut_off_is_written_down_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path());
    let cut = |name: &str, options: &str| {
        let whole = made(dir.path(), &source, &format!("whole-{name}"), options);
        let bytes = fs::read(whole).unwrap();
        let path = dir.path().join(name);
        fs::write(&path, &bytes[..bytes.len() * 6 / 10]).unwrap();
        path
    };
    let readable = [
        cut("a.wav", ""),
        cut("alaw.wav", "-c:a pcm_alaw"),
        cut("a.flac", ""),
        cut("a.mp3", "-b:a 64k"),
        cut("fast.m4a", "-c:a aac -b:a 96k -movflags faststart"),
        cut("a.mkv", "-c:a libvorbis"),
    ];
    // Its length stands at its end, so that nobody knows what is missing.
    let endless = [cut("a.ogg", "-c:a libvorbis"), cut("a.aac", "-c:a aac")];
    let (code, lines) = transcribe(dir.path(), &[&readable[..], &endless].concat());
    assert_eq!(code, 0, "{lines:#?}");
    for (name, line) in &lines {
        let text = text_of(line);
        assert!(word_error_rate(SAID[0].1, text.lines().next().unwrap()) < 0.25, "{name}: {text}");
        assert!(!text.contains("supplier"), "{name}: {text}");
        let warnings = line["warnings"].as_array().unwrap();
        if readable.iter().any(|it| it.ends_with(name)) {
            let warning = warnings[0].as_str().unwrap();
            assert!(warning.contains(name) && warning.contains("it ends after"), "{name}: {warning}");
        }
    }
}

#[test]
fn what_cannot_be_heard_is_told_and_the_rest_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path());
    let path = |name: &str| dir.path().join(name);
    let put = |name: &str, bytes: &[u8]| {
        fs::write(path(name), bytes).unwrap();
        path(name)
    };
    let m4a = fs::read(made(dir.path(), &source, "whole.m4a", "-c:a aac")).unwrap();
    let mut cases = vec![
        (put("zero.mp3", b""), "is empty (0 bytes)"),
        (
            put("text.mp3", "Notes of a meeting, by hand.\n".repeat(500).as_bytes()),
            "is no audio that is known",
        ),
        (put("index.m4a", &m4a[..m4a.len() * 6 / 10]), "its index is missing"),
        (made(dir.path(), &source, "ac3.mkv", "-c:a ac3 -ar 48000"), "AC-3 that is not decoded"),
        (path("missing.wav"), "No such file"),
    ];
    let silent = path("silent.mp4");
    ffmpeg(
        "-f lavfi -i testsrc=size=160x120:rate=5 -t 1 -c:v mpeg4"
            .split(' ')
            .map(OsStr::new)
            .chain([silent.as_os_str()]),
    );
    cases.push((silent, "has no audio in it"));
    let quiet = path("quiet.flac");
    ffmpeg("-f lavfi -i anullsrc=r=16000:cl=mono -t 5".split(' ').map(OsStr::new).chain([quiet.as_os_str()]));
    let mut files: Vec<_> = cases.iter().map(|it| it.0.clone()).collect();
    files.extend([quiet, source]);
    let (code, lines) = transcribe(dir.path(), &files);
    assert_eq!(code, 1);
    for (file, want) in &cases {
        let line = &lines[file.file_name().unwrap().to_str().unwrap()];
        let error = line["error"].as_str().unwrap_or_else(|| panic!("{line}"));
        println!("{error}");
        assert!(error.contains(want) && error.contains(file.to_str().unwrap()), "{error}");
    }
    // Silence is no fault, and what is fine is not harmed by what is not.
    assert_eq!((&lines["quiet.flac"]["ok"], text_of(&lines["quiet.flac"])), (&json!(true), String::new()));
    assert!(text_of(&lines["source.wav"]).contains("postpone"));
}

#[test]
fn times_of_a_video_are_those_of_its_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path());
    // The sound begins 3 s after the pictures.
    let late = dir.path().join("late.mkv");
    let line = "-f lavfi -i testsrc=size=160x120:rate=5 -itsoffset 3 -i";
    let tail = "-map 0:v -map 1:a -t 18 -c:v mpeg4 -c:a libvorbis";
    let args = line.split(' ').map(OsStr::new).chain([source.as_os_str()]);
    ffmpeg(args.chain(tail.split(' ').map(OsStr::new)).chain([late.as_os_str()]));
    let (code, lines) = transcribe(dir.path(), &[late, source]);
    assert_eq!(code, 0);
    let starts = |name: &str| -> Vec<f64> {
        let json = fs::read_to_string(lines[name]["written"][1].as_str().unwrap()).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        json["segments"].as_array().unwrap().iter().map(|it| it["start"].as_f64().unwrap()).collect()
    };
    for (late, own) in starts("late.mkv").iter().zip(starts("source.wav")) {
        assert!((late - own - 3.0).abs() < 0.25, "{late} s for {own} s");
    }
}

#[test]
fn hours_take_no_more_memory_than_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let peak_kib = |minutes: u32| -> u64 {
        let path = dir.path().join(format!("{minutes}.flac"));
        let seconds = (minutes * 60).to_string();
        let args = ["-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", &seconds].map(OsStr::new);
        ffmpeg(args.into_iter().chain([path.as_os_str()]));
        let mut line = python("peak_memory.py");
        let command = panotti(&["transcribe", "--threads", "1", "--format", "json"]);
        line.arg(command.get_program()).args(command.get_args());
        line.arg("--model").arg(demo_model()).arg("--output").arg(dir.path().join("out")).arg(&path);
        let output = line.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json = fs::read_to_string(dir.path().join(format!("out/{minutes}.json"))).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["duration"], f64::from(minutes) * 60.0);
        assert_eq!(json["segments"], json!([]), "silence has no words");
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    let (short, long) = (peak_kib(5), peak_kib(120));
    println!("5 min: {short} KiB; 2 h: {long} KiB");
    assert!(long < short + 8 * 1024, "{long} KiB for 2 h, {short} KiB for 5 min");
}

#[test]
fn damaged_files_are_survived() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path());
    let forms = [
        ("a.mp3", "-b:a 64k -t 2"),
        ("a.flac", "-t 2"),
        ("a.ogg", "-c:a libvorbis -t 2"),
        ("a.m4a", "-c:a aac -t 2"),
        ("alac.m4a", "-c:a alac -t 2"),
        ("a.aac", "-c:a aac -t 2"),
        ("a.mkv", "-c:a libvorbis -t 2"),
        ("a.webm", "-c:a libopus -t 2"),
        ("adpcm.wav", "-c:a adpcm_ms -t 2"),
        ("a.aiff", "-t 2"),
        ("a.caf", "-c:a pcm_s16le -t 2"),
    ];
    let path = dir.path().join("damaged");
    for (name, options) in forms {
        let whole = fs::read(made(dir.path(), &source, name, options)).unwrap();
        // Bytes that are others, and an end that comes early; most damage near the headers.
        let changes = proptest::collection::vec(
            (prop_oneof![0..whole.len().min(600), 0..whole.len()], any::<u8>()),
            0..12,
        );
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() });
        let survived = runner.run(&(changes, 0.0..1.3_f64), |(changes, keep)| {
            let mut bytes = whole.clone();
            changes.iter().for_each(|(at, to)| bytes[*at] = *to);
            bytes.truncate((whole.len() as f64 * keep.min(1.0)) as usize);
            fs::write(&path, &bytes).unwrap();
            let Ok(mut file) = AudioFile::open(&path) else { return Ok(()) };
            let (mut frames, mut block) = (0_u64, Vec::new());
            loop {
                block.clear();
                let Ok(Some(format)) = file.read(&mut block) else { break };
                frames += block.len() as u64 / u64::from(format.channels);
                prop_assert!(block.len() < 64 << 20, "{} samples at once", block.len());
            }
            file.damage();
            // 2 s, or the silence that broken times may add.
            prop_assert!(frames < 13 * 3600 * 384_000, "{frames} frames");
            Ok(())
        });
        survived.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
