//! Events in, events and files out.

use std::{fs, path::PathBuf, sync::Arc};

use panotti_sdk::{
    Event, NewEvent,
    conformance::Case,
    jiff::Timestamp,
    names::{RECORDING_DELETED, RECORDING_ENDED, TRANSCRIPTION_REQUESTED},
    payloads::{
        NoiseReductionCompleted, NoiseReductionError, NoiseReductionMethod, Origin, RecordingDeleted,
        RecordingEnded, Track, TrackSource,
    },
    serde_json::{self, Map, json},
    testing::Bench,
};

use super::signals::*;
use crate::{Config, DESCRIPTOR};

const RATE: u32 = 8_000;

fn track(source: TrackSource, path: &str) -> Track {
    Track { path: path.into(), source, ..Track::default() }
}

fn ended(id: &str, tracks: &[Track]) -> RecordingEnded {
    RecordingEnded {
        recording_id: id.into(),
        title: "Weekly".into(),
        attendees: Vec::new(),
        timestamp: Timestamp::UNIX_EPOCH,
        origin: Origin::Client,
        duration_ms: 0,
        interrupted: false,
        problem: None,
        tracks: tracks.to_vec(),
        metadata: Map::from_iter([("room".to_owned(), json!("Blue"))]),
        started_at: None,
    }
}

/// A bench with `mic.wav` and `sys.wav`, of 2 s, among its recordings.
fn bench() -> Bench {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.start().unwrap();
    let folder = bench.data_directory().join("recordings");
    let played = voice(RATE, 16_000, 3);
    let heard = sum(&voice(RATE, 16_000, 20), &room(&played, RATE));
    write(&folder.join("mic.wav"), RATE, &[&heard]);
    write(&folder.join("sys.wav"), RATE, &[&played]);
    bench
}

fn both() -> [Track; 2] {
    [track(TrackSource::Microphone, "mic.wav"), track(TrackSource::System, "sys.wav")]
}

fn output(bench: &Bench, id: &str) -> PathBuf {
    bench.data_directory().join(format!("cleaned_audio/{id}_microphone_cleaned.wav"))
}

fn completed(told: &[Arc<Event>]) -> NoiseReductionCompleted {
    let [event] = told else { panic!("{told:?}") };
    assert_eq!(event.name.as_str(), "noise_reduction.completed");
    serde_json::from_value(event.payload.clone()).unwrap()
}

fn deliver(bench: &Bench, id: &str, tracks: &[Track]) -> NoiseReductionCompleted {
    completed(&bench.deliver(NewEvent::of(RECORDING_ENDED, &ended(id, tracks))).unwrap())
}

/// Delivers what fails, and answers what is then told.
fn refused(bench: &Bench, id: &str, tracks: &[Track]) -> NoiseReductionError {
    bench.deliver(NewEvent::of(RECORDING_ENDED, &ended(id, tracks))).unwrap_err();
    let event = bench.events().pop().unwrap();
    assert_eq!(event.name.as_str(), "noise_reduction.error");
    serde_json::from_value(event.payload.clone()).unwrap()
}

fn deleted(id: &str) -> NewEvent {
    NewEvent::of(RECORDING_DELETED, &RecordingDeleted { recording_id: id.into() })
}

// The bench of these has no recordings: what is done with those is below.
panotti_sdk::conformance!(Case::of(DESCRIPTOR).event(deleted("a")).event(deleted("a.b")));

#[test]
fn w16_what_ships_makes_a_file_and_says_how() {
    let bench = bench();
    let told = deliver(&bench, "a", &both());
    let done = &told.noise_reduction;
    let out = output(&bench, "a");
    assert_eq!(done.output_path.as_deref(), out.to_str());
    assert_eq!(done.files, [out.display().to_string()]);
    assert_eq!(read(&out).1[0].len(), 16_000);
    assert_eq!(done.method, Some(NoiseReductionMethod::FrequencyDomain));
    assert!(done.microphone_audio_path.as_ref().unwrap().ends_with("recordings/mic.wav"));
    assert!(done.system_audio_path.as_ref().unwrap().ends_with("recordings/sys.wav"));
    assert!(done.gain_db.is_some() && done.problem.is_none(), "{:?}", done.problem);
    assert_eq!(serde_json::to_value(&done.config).unwrap(), serde_json::to_value(Config::default()).unwrap());
    assert_eq!((&told.recording_id[..], told.metadata["room"].as_str()), ("a", Some("Blue")));
}

#[test]
fn w16_no_method_still_means_less_noise_and_a_file() {
    let mut bench = bench();
    bench.configure(json!({ "freq_domain_bleed_removal": false })).start().unwrap();
    let done = deliver(&bench, "a", &both()).noise_reduction;
    assert!(output(&bench, "a").exists() && done.method.is_none() && done.gain_db.is_some());
}

#[test]
fn the_example_is_what_the_code_has() {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    let written: Config = serde_json::from_value(bench.configure(json!({})).config().clone()).unwrap();
    assert_eq!(written, Config::default());
}

#[test]
fn w3_what_cannot_be_cleaned_is_told() {
    let mut bench = bench();
    let tracks = [track(TrackSource::Microphone, "gone.wav"), track(TrackSource::System, "gone too.wav")];
    let told = refused(&bench, "a", &tracks);
    let error = &told.noise_reduction.error;
    assert!(error.starts_with("Missing or invalid audio files"), "{error}");
    assert!(error.contains("gone.wav` is missing") && error.contains("gone too.wav` is missing"), "{error}");
    assert_eq!(told.metadata["room"].as_str(), Some("Blue"));
    assert!(refused(&bench, "b", &[]).noise_reduction.error.contains("the recording has no tracks"));
    // A disk that does not take it may take it later: it is tried again, and told at last.
    let file = bench.data_directory().join("file");
    fs::write(&file, b"").unwrap();
    bench.configure(json!({ "output_directory": file })).start().unwrap();
    let told = refused(&bench, "c", &both());
    assert!(told.noise_reduction.error.contains("cannot write"), "{}", told.noise_reduction.error);
}

#[test]
fn w4_one_track_is_enough() {
    let bench = bench();
    let [microphone, system] = both();
    let done = deliver(&bench, "a", &[microphone]).noise_reduction;
    assert!(output(&bench, "a").exists() && done.method.is_none() && done.system_audio_path.is_none());
    let done = deliver(&bench, "b", &[system]).noise_reduction;
    assert_eq!((done.output_path, done.microphone_audio_path, done.method), (None, None, None));
    assert!(done.system_audio_path.is_some() && done.files.is_empty() && !output(&bench, "b").exists());
}

#[test]
fn w5_the_other_track_is_used_when_one_is_missing_or_broken() {
    let bench = bench();
    let folder = bench.data_directory().join("recordings");
    fs::write(folder.join("broken.wav"), b"this is no WAV file at all").unwrap();
    let [microphone, system] = both();
    for name in ["gone.wav", "broken.wav", "no-folder/", "../sys.wav"] {
        let done = deliver(&bench, "a", &[microphone.clone(), track(TrackSource::System, name)]);
        let problem = done.noise_reduction.problem.unwrap();
        assert!(problem.contains(name.trim_end_matches('/')), "{problem}");
        assert!(done.noise_reduction.output_path.is_some());
        let done = deliver(&bench, "b", &[track(TrackSource::Microphone, name), system.clone()]);
        let problem = done.noise_reduction.problem.unwrap();
        assert!(problem.contains(name.trim_end_matches('/')), "{problem}");
        assert!(
            done.noise_reduction.output_path.is_none() && done.noise_reduction.system_audio_path.is_some()
        );
    }
}

#[test]
fn w24_ids_with_dots_name_different_files() {
    let bench = bench();
    for id in ["2025.01.02", "2025.01.03", "2025.01"] {
        deliver(&bench, id, &both());
        assert!(output(&bench, id).exists());
    }
    assert_eq!(fs::read_dir(bench.data_directory().join("cleaned_audio")).unwrap().count(), 3);
}

#[test]
fn w27_ids_that_are_paths_are_refused() {
    let bench = bench();
    for id in ["", "../x", "a/b", "/etc/x", ".a"] {
        let told = refused(&bench, id, &both());
        assert!(told.noise_reduction.error.contains("cannot name a file"), "{}", told.noise_reduction.error);
        assert!(bench.deliver(deleted(id)).is_err());
    }
    assert!(!bench.data_directory().join("cleaned_audio").exists());
}

#[test]
fn the_box_own_recording_is_cleaned_channel_by_channel() {
    let bench = bench();
    let folder = bench.data_directory().join("recordings/own");
    let (left, right) = (voice(RATE, 8_000, 1), voice(RATE, 8_000, 2));
    write(&folder.join("audio-0000.wav"), RATE, &[&left, &right]);
    write(&folder.join("audio-0001.wav"), RATE, &[&left, &right]);
    let labels = vec!["Anna".to_owned(), "Ben".to_owned()];
    let own = Track { channel_labels: labels, ..track(TrackSource::Microphone, "own/") };
    let done = deliver(&bench, "own", &[own]).noise_reduction;
    assert!(done.microphone_audio_path.unwrap().ends_with("recordings/own/"));
    let channels = read(&output(&bench, "own")).1;
    assert_eq!((channels.len(), channels[0].len()), (2, 16_000));
}

#[test]
fn asking_again_does_it_again_and_a_repeated_delivery_does_nothing_else() {
    let bench = bench();
    let event = bench.publish(NewEvent::of(RECORDING_ENDED, &ended("a", &both())));
    bench.handle(&event).unwrap();
    let once = fs::read(output(&bench, "a")).unwrap();
    // The plugin is given up in the middle; the next delivery does not meet the old one at the file.
    for polls in 1..4 {
        bench.cancel(&event, polls).unwrap();
    }
    completed(&bench.redeliver(&event).unwrap());
    assert_eq!(fs::read(output(&bench, "a")).unwrap(), once);
    fs::remove_file(output(&bench, "a")).unwrap();
    let again = NewEvent::of(TRANSCRIPTION_REQUESTED, &ended("a", &both()));
    completed(&bench.deliver(again).unwrap());
    assert_eq!(fs::read(output(&bench, "a")).unwrap(), once);
    assert_eq!(fs::read_dir(output(&bench, "a").parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_deleted_recording_leaves_nothing_behind_and_others_stay() {
    let mut bench = bench();
    for id in ["a", "a.b", "ab"] {
        deliver(&bench, id, &both());
    }
    let first = output(&bench, "a");
    bench.configure(json!({ "output_directory": "elsewhere" })).start().unwrap();
    let second = PathBuf::from(deliver(&bench, "a", &both()).noise_reduction.output_path.unwrap());
    assert!(first.exists() && second.exists() && first != second);
    let part = second.with_file_name(".a_microphone_cleaned.wav.part");
    fs::write(&part, b"left by a power cut").unwrap();
    assert!(bench.deliver(deleted("a")).unwrap().is_empty());
    assert!(!first.exists() && !second.exists() && !part.exists());
    assert!(output(&bench, "a.b").exists() && output(&bench, "ab").exists());
    assert_eq!(bench.state().keys().collect::<Vec<_>>(), ["a.b", "ab"]);
    assert!(bench.deliver(deleted("never seen")).is_err());
    assert!(bench.deliver(deleted("never-seen")).unwrap().is_empty());
}
