//! Whole files through the real demo model.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use super::*;
use crate::{
    audio::WavReader,
    speech::{ScriptedTranscriber, load, word_error_rate},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn demo() -> Box<dyn Transcriber> {
    let model = root().join("tests/fixtures/panotti-demo.en-q5_1.bin");
    let model = Some(model.to_str().unwrap().into());
    load(
        &config::Transcription { model, threads: Some(1), ..config::Transcription::default() },
        Path::new("models"),
    )
    .unwrap()
}

fn transcribe(tracks: &[TrackInput], transcriber: &mut dyn Transcriber) -> Result<Transcript, Error> {
    let go_on = &mut |_: Progress, _: &[Segment]| ControlFlow::Continue(());
    let written = transcribe_tracks(tracks, &Hints::default(), &config::Vad::default(), transcriber, go_on);
    written.map(|it| it.transcript)
}

fn track(files: &[PathBuf]) -> TrackInput {
    TrackInput { files: files.to_vec(), ..TrackInput::default() }
}

fn speech(name: &str) -> PathBuf {
    root().join("tests/fixtures/speech").join(name)
}

/// Writes interleaved 16-bit frames at `rate`.
fn wav(path: &Path, rate: u32, channels: u16, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for it in samples {
        file.write_sample(*it).unwrap();
    }
    file.finalize().unwrap();
}

fn samples(path: &Path) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect()
}

#[test]
fn meetings_are_written_down() {
    let mut transcriber = demo();
    for (name, most) in [("meeting_picked", 0.02), ("meeting-0", 0.15)] {
        let reference = std::fs::read_to_string(speech(&format!("{name}.txt"))).unwrap();
        let it = transcribe(&[track(&[speech(&format!("{name}.wav"))])], transcriber.as_mut()).unwrap();
        let rate = word_error_rate(&reference, &it.text());
        assert!(rate <= most, "{name} {rate}: {}", it.text());
        assert!(it.segments.iter().all(|it| it.start_ms <= it.end_ms));
        assert!(it.segments.is_sorted_by_key(|it| it.start_ms));
        assert!(it.segments.iter().all(|segment| segment.end_ms <= it.duration_ms));
    }
}

#[test]
fn channels_speak_for_themselves_and_files_follow_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (samples(&speech("ex01.wav")), samples(&speech("ex02.wav")));
    // Left speaks in the first file, right in the second, which begins in the middle of a pause.
    let gap = vec![0; 16_000];
    let frames = |left: &[i16], right: &[i16]| -> Vec<i16> {
        let n = left.len().max(right.len());
        let at = |it: &[i16], i: usize| it.get(i).copied().unwrap_or(0);
        (0..n).flat_map(|i| [at(left, i), at(right, i)]).collect()
    };
    let files = [dir.path().join("1.wav"), dir.path().join("2.wav")];
    let left = [gap.clone(), a.clone(), gap.clone()].concat();
    wav(&files[0], 16_000, 2, &frames(&left, &[]));
    wav(&files[1], 16_000, 2, &frames(&[], &[gap, b].concat()));
    let channel_labels = vec!["Ann".to_string(), "Bo".to_string()];
    let input = TrackInput { files: files.to_vec(), channel_labels, ..TrackInput::default() };
    let it = transcribe(&[input], demo().as_mut()).unwrap();
    let speakers: Vec<Option<&str>> = it.segments.iter().map(|it| it.speaker.as_deref()).collect();
    assert_eq!(speakers, [Some("Ann"), Some("Bo")]);
    let said = "Sam, could you please clean the interview plan next week? \
                Everyone will postpone the battery plan next Wednesday.";
    assert_eq!(word_error_rate(said, &it.text()), 0.0, "{}", it.text());
    let second = (left.len() + 16_000) as u64 / 16;
    assert!(it.segments[1].start_ms.abs_diff(second) < 500, "{} for {second}", it.segments[1].start_ms);
}

#[test]
fn other_rates_say_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("48k.wav");
    let mut up = Resampler::new(16_000, 48_000).unwrap();
    let input: Vec<f32> = samples(&speech("ex01.wav")).iter().map(|it| f32::from(*it) / 32768.0).collect();
    let mut out = Vec::new();
    up.push(&input, &mut out);
    up.flush(&mut out);
    let out: Vec<i16> = out.iter().map(|it| (it * 32767.0) as i16).collect();
    wav(&path, 48_000, 1, &out);
    let it = transcribe(&[track(&[path])], demo().as_mut()).unwrap();
    let said = "Sam, could you please clean the interview plan next week?";
    assert_eq!(word_error_rate(said, &it.text()), 0.0, "{}", it.text());
}

#[test]
fn work_can_be_cancelled_and_bad_files_are_named() {
    let mut script = ScriptedTranscriber::new(["one", "two"]);
    let input = [track(&[speech("meeting_picked.wav")])];
    let mut seen = Vec::new();
    let mut stop = |it: Progress, _: &[Segment]| {
        seen.push(it);
        ControlFlow::Break(())
    };
    let stopped =
        transcribe_tracks(&input, &Hints::default(), &config::Vad::default(), &mut script, &mut stop);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert_eq!(seen.len(), 1);
    let missing = transcribe(&[track(&["none.wav".into()])], &mut script).unwrap_err();
    assert!(missing.to_string().contains("none.wav"));
}

#[test]
fn real_talk_has_structure_and_lies_where_people_speak() {
    let dir = root().join("../shared/audio/real");
    let mut transcriber = demo();
    for name in ["jfk", "conversation-30s", "meeting-trn01"] {
        let path = dir.join(format!("{name}.wav"));
        if !path.exists() {
            println!("Skipped: there is no {}.", path.display());
            continue;
        }
        let mut listener = Listener::new(&config::Vad::default()).unwrap();
        let mut heard = Vec::new();
        let mut file = WavReader::open(&path).unwrap();
        let (mut bytes, mut sound) = (Vec::new(), Vec::new());
        file.read(usize::MAX, &mut bytes).unwrap();
        file.info().format.sample.decode(&bytes, &mut sound);
        listener.push(&sound, &mut heard);
        listener.flush(&mut heard);
        let spoken: usize = heard.iter().map(|it| it.samples.len()).sum();
        assert!(spoken > sound.len() / 8, "{name}: {spoken} of {}", sound.len());

        let it = transcribe(&[track(&[path])], transcriber.as_mut()).unwrap();
        assert_eq!(it.duration_ms, file.info().duration_ms());
        for segment in &it.segments {
            assert!(segment.start_ms <= segment.end_ms && segment.end_ms <= it.duration_ms);
            let inside = |it: &Utterance| {
                let end = it.start_ms() + it.samples.len() as u64 / 16;
                (it.start_ms()..=end).contains(&segment.start_ms)
            };
            assert!(heard.iter().any(inside), "{name}: {segment:?}");
        }
    }
}
