//! What every plugin passes, and what this one does. The transcriber is the bench's; the real one is in the
//! tests of the whole box.

use std::fs;

use panotti_sdk::{
    conformance::Case,
    payloads::{NoiseReduction, Origin, Segment, StageError, Transcript, TranscriptionCompleted, Word},
    serde_json::{self, Map, json},
    testing::Bench,
};

use super::*;

fn track(source: TrackSource, label: Option<&str>, path: &str) -> Track {
    Track { label: label.map(Into::into), path: path.into(), source, channel_labels: Vec::new() }
}

fn both() -> Vec<Track> {
    let microphone = track(TrackSource::Microphone, Some("Todd"), "m.wav");
    vec![microphone, track(TrackSource::System, Some("Participants"), "s.wav")]
}

fn ended(id: &str, tracks: Vec<Track>) -> RecordingEnded {
    RecordingEnded {
        recording_id: id.into(),
        title: "Weekly".into(),
        attendees: vec!["Todd".into()],
        timestamp: "2025-01-17T23:00:00Z".parse().unwrap(),
        origin: Origin::Client,
        duration_ms: 0,
        interrupted: false,
        problem: None,
        tracks,
        metadata: Map::from_iter([("eventTitle".into(), json!("Weekly json sync ```"))]),
        started_at: Some("2025-01-17T22:00:00Z".parse().unwrap()),
    }
}

fn event(id: &str) -> NewEvent {
    NewEvent::of(names::RECORDING_ENDED, &ended(id, both()))
}

fn said(start_ms: u64, speaker: Option<&str>, text: &str) -> Segment {
    let word = |text: &str| Word { start_ms, end_ms: start_ms + 500, text: text.into(), confidence: 0.5 };
    Segment {
        start_ms,
        end_ms: start_ms + 500,
        speaker: speaker.map(Into::into),
        text: text.into(),
        words: text.split_whitespace().map(word).collect(),
        confidence: 0.5,
    }
}

fn transcript(segments: Vec<Segment>) -> Transcript {
    Transcript { language: "en".into(), duration_ms: 60_000, model: "demo".into(), segments }
}

fn bench() -> Bench {
    Bench::new(DESCRIPTOR).unwrap()
}

/// Two tracks that take turns.
fn talking() -> Bench {
    let mut bench = bench();
    bench
        .transcript(Ok(transcript(vec![
            said(0, Some("Todd"), "Um, System: hello NASA."),
            said(4000, Some("Todd"), "Bye."),
        ])))
        .transcript(Ok(transcript(vec![said(2000, Some("Participants"), "Hi Todd: go.")])))
        .start()
        .unwrap();
    bench
}

fn completed(told: &[std::sync::Arc<Event>]) -> TranscriptionCompleted {
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].name.as_str(), "transcription_local.completed");
    serde_json::from_value(told[0].payload.clone()).unwrap()
}

fn text(bench: &Bench, name: &str) -> String {
    fs::read_to_string(bench.data_directory().join("transcripts_local").join(name)).unwrap()
}

fn cleaned(id: &str, path: Option<&str>) -> NewEvent {
    let payload = NoiseReductionCompleted {
        recording_id: id.into(),
        noise_reduction: NoiseReduction {
            status: panotti_sdk::payloads::Completed::Completed,
            timestamp: "2025-01-17T23:00:00Z".parse().unwrap(),
            recording_id: id.into(),
            output_path: path.map(Into::into),
            system_audio_path: None,
            microphone_audio_path: None,
            method: None,
            config: Map::new(),
            gain_db: None,
            files: Vec::new(),
            problem: None,
        },
        metadata: Map::new(),
    };
    NewEvent::of(names::NOISE_REDUCTION_COMPLETED, &payload)
}

mod conforms {
    use super::*;

    panotti_sdk::conformance!(
        Case::of(DESCRIPTOR)
            .transcript(transcript(vec![said(0, None, "Hello.")]))
            .event(event("a"))
            .event(event("b.c"))
            .event(cleaned("a", None))
            .event(NewEvent::of(names::RECORDING_DELETED, &RecordingDeleted { recording_id: "a".into() }))
    );
}

#[test]
fn w21_tracks_are_merged_as_data_with_labels_ends_and_words() {
    let bench = talking();
    let told = completed(&bench.deliver(event("20250117225532_4AFEA8B6")).unwrap());
    let merged: Transcript = serde_json::from_slice(&fs::read(&told.output_file).unwrap()).unwrap();
    let lines: Vec<_> = merged.segments.iter().map(|it| (it.start_ms, it.end_ms, &*it.text)).collect();
    // What was said stays, also where it looks like a label.
    assert_eq!(lines, [(0, 500, "System: hello NASA."), (2000, 2500, "Hi Todd: go."), (4000, 4500, "Bye.")]);
    assert_eq!(merged.segments[1].words.len(), 3);
    let markdown = text(&bench, "20250117225532_4AFEA8B6_merged.md");
    assert!(
        markdown.ends_with("[00:00.00] Todd: System: hello NASA.\n[00:02.00] Participants: Hi Todd: go.\n[00:04.00] Todd: Bye.\n"),
        "{markdown}"
    );
    // The metadata came through unharmed and inside its fence (W-22).
    assert!(markdown.contains("\"eventTitle\": \"Weekly json sync ```\""), "{markdown}");
    assert!(text(&bench, "20250117225532_4AFEA8B6_merged.srt").contains("00:00:02,000 --> 00:00:02,500"));
    assert!(text(&bench, "20250117225532_4AFEA8B6_merged.vtt").contains("<v Participants>Hi Todd: go."));
    assert_eq!(told.files.len(), 6);
    assert_eq!((told.title.as_str(), told.segments, told.duration_ms), ("Weekly", 3, 60_000));
    assert_eq!(told.started_at.unwrap().to_string(), "2025-01-17T22:00:00Z");
}

#[test]
fn w18_each_track_is_heard_once() {
    let bench = talking();
    bench.deliver(event("a")).unwrap();
    let asked = bench.asked_of_transcriber();
    let heard: Vec<_> = asked.iter().flat_map(|it| &it.1.tracks).flat_map(|it| &it.files).collect();
    let recordings = bench.data_directory().join("recordings");
    assert_eq!(heard, [&recordings.join("m.wav"), &recordings.join("s.wav")]);
}

#[test]
fn w19_labels_that_are_missing_are_not_none() {
    let mut bench = bench();
    bench.transcript(Ok(transcript(vec![said(0, None, "Hello.")]))).start().unwrap();
    let tracks =
        vec![track(TrackSource::Microphone, None, "m.wav"), track(TrackSource::System, Some(" "), "s.wav")];
    bench.deliver(NewEvent::of(names::RECORDING_ENDED, &ended("a", tracks))).unwrap();
    let (microphone, system) = (text(&bench, "a_microphone.md"), text(&bench, "a_system.md"));
    assert!(microphone.contains("Speaker: Microphone\n"), "{microphone}");
    assert!(system.ends_with("[00:00.00 -> 00:00.50] System: Hello.\n"), "{system}");
    assert!(!format!("{microphone}{system}{}", text(&bench, "a_merged.md")).contains("None"));
}

#[test]
fn voices_of_two_tracks_without_a_label_are_not_taken_for_the_same() {
    let bench = talking();
    let tracks = vec![
        track(TrackSource::Microphone, None, "m.wav"),
        track(TrackSource::Microphone, Some(" "), "n.wav"),
        track(TrackSource::System, Some("Remote"), "s.wav"),
    ];
    bench.deliver(NewEvent::of(names::RECORDING_ENDED, &ended("a", tracks))).unwrap();
    let asked = bench.asked_of_transcriber();
    let labels: Vec<_> = asked.iter().flat_map(|it| &it.1.tracks).map(|it| it.label.as_deref()).collect();
    assert_eq!(labels, [None, Some("Microphone"), Some("Remote")]);
}

#[test]
fn w4_one_track_is_enough() {
    for only in both() {
        let mut bench = bench();
        bench.transcript(Ok(transcript(vec![said(0, None, "Hello.")]))).start().unwrap();
        let told =
            completed(&bench.deliver(NewEvent::of(names::RECORDING_ENDED, &ended("a", vec![only]))).unwrap());
        assert_eq!((told.segments, told.files.len()), (1, 5));
    }
}

#[test]
fn w5_a_track_that_cannot_be_read_is_left_out_and_named() {
    let mut bench = bench();
    bench
        .transcript(Err("`m.wav` is no WAV file".into()))
        .transcript(Ok(transcript(vec![said(0, Some("Participants"), "Hello.")])))
        .start()
        .unwrap();
    let told = completed(&bench.deliver(event("a")).unwrap());
    assert_eq!(told.segments, 1);
    let problem = told.problem.unwrap();
    assert!(problem.contains("Todd") && problem.contains("m.wav"), "{problem}");
}

#[test]
fn w3_a_failure_is_an_event() {
    let mut bench = bench();
    bench.transcript(Err("no model is set: set transcription.model".into())).start().unwrap();
    bench.deliver(event("a")).unwrap_err();
    let events = bench.events();
    let last = events.last().unwrap();
    assert_eq!(last.name.as_str(), "transcription_local.error");
    assert_eq!(last.context.correlation_id, events[0].context.correlation_id);
    let error = last.payload["error"].as_str().unwrap();
    assert!(error.contains("set transcription.model"), "{error}");
    assert!(!bench.data_directory().join("transcripts_local").exists(), "no file that pretends");
}

#[test]
fn w24_ids_with_dots_are_not_cut() {
    let bench = talking();
    let told = completed(&bench.deliver(event("2025.01.17")).unwrap());
    assert!(told.output_file.ends_with("/2025.01.17_merged.json"), "{}", told.output_file);
}

#[test]
fn w27_ids_that_are_paths_are_refused() {
    let bench = talking();
    for bad in ["../../etc/x", "", "a/b", ".."] {
        assert!(matches!(bench.deliver(event(bad)), Err(HandlerError::Permanent(_))), "{bad}");
    }
    assert!(!bench.data_directory().join("transcripts_local").exists());
}

#[test]
fn cleaned_audio_is_waited_for_and_used() {
    let mut bench = talking();
    bench.neighbour("noise_reduction", true);
    assert!(bench.deliver(event("a")).unwrap().is_empty());
    assert!(bench.asked_of_transcriber().is_empty());
    completed(&bench.deliver(cleaned("a", Some("/cleaned.wav"))).unwrap());
    let heard: Vec<_> = bench.asked_of_transcriber().into_iter().flat_map(|it| it.1.tracks).collect();
    assert_eq!(heard[0].files, [PathBuf::from("/cleaned.wav")]);
    assert!(heard[1].files[0].ends_with("s.wav"));
    // It is done: another word about it changes nothing.
    assert!(bench.deliver(cleaned("a", Some("/cleaned.wav"))).unwrap().is_empty());
    // Unless it is set otherwise.
    bench.configure(json!({ "use_cleaned_audio": false })).start().unwrap();
    completed(&bench.deliver(event("b")).unwrap());
}

#[test]
fn w3_audio_that_could_not_be_cleaned_is_written_down_as_it_is() {
    let mut bench = talking();
    bench.neighbour("noise_reduction", true);
    bench.deliver(event("a")).unwrap();
    let stage = StageError {
        status: Failed::Error,
        timestamp: Timestamp::UNIX_EPOCH,
        error: "no disk".into(),
        config: Map::new(),
    };
    let failed =
        NoiseReductionError { recording_id: "a".into(), noise_reduction: stage, metadata: Map::new() };
    completed(&bench.deliver(NewEvent::of(names::NOISE_REDUCTION_ERROR, &failed)).unwrap());
    assert!(bench.asked_of_transcriber()[0].1.tracks[0].files[0].ends_with("m.wav"));
}

#[test]
fn when_the_cleaner_goes_what_waits_is_written_down() {
    let mut bench = talking();
    bench.neighbour("noise_reduction", true);
    let meeting = bench.publish(event("a"));
    bench.redeliver(&meeting).unwrap();
    let stopped = |to: &str| {
        let payload = PluginStateChanged {
            plugin: "noise_reduction".into(),
            from: "running".into(),
            to: to.into(),
            reason: String::new(),
        };
        NewEvent::of(names::PLUGIN_STATE_CHANGED, &payload)
    };
    assert!(bench.deliver(stopped("failed")).unwrap().is_empty(), "it is started again");
    bench.neighbour("noise_reduction", false);
    assert!(bench.deliver(stopped("stopping")).unwrap().is_empty(), "it still may end what it does");
    // Told more than once, as the host does: stopped, disabled.
    let wanted =
        [bench.deliver(stopped("disabled")).unwrap(), bench.deliver(stopped("failed")).unwrap()].concat();
    assert_eq!(wanted.len(), 2);
    for it in &wanted {
        assert_eq!(it.name.as_str(), "audio_transcription_local.requested");
        assert_eq!(
            it.context.correlation_id, meeting.context.correlation_id,
            "the meeting's, not the plugin's"
        );
    }
    completed(&bench.redeliver(&wanted[0]).unwrap());
    assert!(bench.redeliver(&wanted[1]).unwrap().is_empty(), "once");
}

#[test]
fn without_a_model_nobody_waits_for_a_transcript() {
    let mut bench = bench();
    bench.start().unwrap();
    assert!(bench.deliver(event("a")).unwrap().is_empty());
    assert_eq!(bench.events().len(), 1, "and nobody is alarmed");
}

#[test]
fn files_of_an_earlier_time_and_those_that_were_never_noted_go_with_the_recording() {
    let bench = talking();
    bench.deliver(event("a")).unwrap();
    let one = ended("a", both().into_iter().take(1).collect());
    bench.deliver(NewEvent::of(names::TRANSCRIPTION_REQUESTED, &one)).unwrap();
    let folder = bench.data_directory().join("transcripts_local");
    fs::write(folder.join(".a_merged.json.part"), "half").unwrap();
    // Written, and the power went before it was noted.
    bench.handle(&bench.publish(event("b"))).unwrap();
    for id in ["a", "b"] {
        let deleted = RecordingDeleted { recording_id: id.into() };
        bench.deliver(NewEvent::of(names::RECORDING_DELETED, &deleted)).unwrap();
    }
    let left: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_was_cleaned_and_is_gone_is_replaced_by_the_original() {
    let mut bench = bench();
    bench
        .transcript(Err("there is no file".into()))
        .transcript(Ok(transcript(vec![said(0, None, "Hello.")])))
        .neighbour("noise_reduction", true)
        .start()
        .unwrap();
    let only = ended("a", vec![track(TrackSource::Microphone, None, "m.wav")]);
    bench.deliver(NewEvent::of(names::RECORDING_ENDED, &only)).unwrap();
    let told = completed(&bench.deliver(cleaned("a", Some("/gone.wav"))).unwrap());
    assert_eq!((told.segments, told.problem), (1, None));
}

#[test]
fn a_recording_that_is_deleted_leaves_no_file() {
    let bench = talking();
    bench.deliver(event("a")).unwrap();
    bench.deliver(event("ab")).unwrap();
    bench
        .deliver(NewEvent::of(names::RECORDING_DELETED, &RecordingDeleted { recording_id: "a".into() }))
        .unwrap();
    let left = fs::read_dir(bench.data_directory().join("transcripts_local")).unwrap();
    let left: Vec<_> = left.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.len() == 6 && left.iter().all(|it| it.starts_with("ab_")), "{left:?}");
    assert_eq!(bench.state().keys().collect::<Vec<_>>(), ["files/ab"]);
}

#[test]
fn what_the_core_wrote_down_meanwhile_is_not_written_down_again() {
    let bench = talking();
    let meeting = bench.publish(event("a"));
    let other = bench.publish(event("b"));
    let told = bench.redeliver(&other).unwrap();
    let done: TranscriptionCompleted = serde_json::from_value(told[0].payload.clone()).unwrap();
    let done = TranscriptionCompleted { recording_id: "a".into(), ..done };
    let by_core = NewEvent::of(names::TRANSCRIPTION_COMPLETED, &done);
    bench.publish(by_core.correlated(meeting.context.correlation_id));
    assert!(bench.redeliver(&meeting).unwrap().is_empty());
    assert_eq!(bench.replay(&meeting).unwrap().len(), 1, "asked for");
    let again = NewEvent::of(names::TRANSCRIPTION_REQUESTED, &ended("a", both()));
    completed(&bench.deliver(again.correlated(meeting.context.correlation_id)).unwrap());
}
