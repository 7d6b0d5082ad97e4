//! Recordings against a real log, with a pipeline that only answers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{audio::SampleFormat, speech::Segment};
use jiff::Timestamp;
use panotti_sdk::{Filter, NewEvent};
use uuid::Uuid;

const FORMAT: StreamFormat = StreamFormat { sample: SampleFormat::S16Le, rate_hz: 48_000, channels: 2 };

mod names;
mod stages;

struct Bench {
    dir: tempfile::TempDir,
    log: EventLog,
    recordings: Recordings,
    /// Whether starts succeed.
    microphone: Arc<AtomicBool>,
    asked_to_transcribe: std::sync::mpsc::Receiver<String>,
}

fn open(dir: tempfile::TempDir) -> Bench {
    open_with(dir, Box::new(|| false))
}

fn open_with(dir: tempfile::TempDir, left_to_plugin: LeftToPlugin) -> Bench {
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    let (recordings, mut commands) =
        Recordings::open(log.clone(), &dir.path().join("recordings"), vec!["Anna".into()], left_to_plugin)
            .unwrap();
    let microphone = Arc::new(AtomicBool::new(true));
    let (asked, asked_to_transcribe) = std::sync::mpsc::channel();
    let there = microphone.clone();
    std::thread::spawn(move || {
        while let Some(command) = commands.blocking_recv() {
            match command {
                Command::Start { reply, .. } => {
                    let there = there.load(Ordering::Relaxed);
                    drop(reply.send(if there { Ok(FORMAT) } else { Err("no microphone".into()) }));
                }
                Command::Pause { reply } | Command::Resume { reply } | Command::Stop { reply } => {
                    drop(reply.send(Ok(1500)));
                }
                Command::Transcribe { id } => drop(asked.send(id)),
                Command::Forget { .. } => {}
            }
        }
    });
    Bench { dir, log, recordings, microphone, asked_to_transcribe }
}

fn bench() -> Bench {
    open(tempfile::tempdir().unwrap())
}

impl Bench {
    fn event_names(&self) -> Vec<String> {
        let events = self.log.read(0, 1000, &Filter::default()).unwrap();
        events.into_iter().map(|it| it.name.to_string()).collect()
    }
}

fn said(text: &str) -> Segment {
    Segment { start_ms: 0, end_ms: 900, speaker: None, text: text.into(), words: Vec::new(), confidence: 0.9 }
}

#[tokio::test]
async fn a_life() {
    let it = bench();
    let new =
        NewRecording { title: " Weekly ".into(), attendees: vec!["Bo".into()], ..NewRecording::default() };
    let started = it.recordings.start(new).await.unwrap();
    assert_eq!((started.state, started.title.as_str()), (State::Recording, "Weekly"));
    assert_eq!(started.labels, ["Anna"]);
    assert_eq!(it.recordings.active().unwrap().unwrap().id, started.id);
    let second = it.recordings.start(NewRecording::default()).await;
    assert!(matches!(second, Err(Error::Conflict(_))), "{second:?}");

    it.recordings.caption(&started.id, &said("Hello.")).unwrap();
    assert_eq!(it.recordings.transcript(&started.id).unwrap().unwrap().segments, [said("Hello.")]);
    assert_eq!(it.recordings.pause(&started.id).await.unwrap().state, State::Paused);
    assert!(matches!(it.recordings.pause(&started.id).await, Err(Error::Conflict(_))));
    assert_eq!(it.recordings.resume(&started.id).await.unwrap().state, State::Recording);
    let stopped = it.recordings.stop(&started.id).await.unwrap();
    assert_eq!((stopped.state, stopped.duration_ms), (State::Transcribing, 1500));
    assert_eq!(it.asked_to_transcribe.recv().unwrap(), started.id);
    assert!(matches!(it.recordings.stop(&started.id).await, Err(Error::Conflict(_))));

    let transcript =
        Transcript { segments: vec![said("Hello, all.")], duration_ms: 1500, ..Transcript::default() };
    it.recordings.written_down(&started.id, &transcript, None).unwrap();
    assert_eq!(it.recordings.get(&started.id).unwrap().state, State::Done);
    assert_eq!(it.recordings.transcript(&started.id).unwrap(), Some(transcript));
    assert_eq!(
        it.event_names(),
        [
            "recording.started",
            "caption.published",
            "recording.paused",
            "recording.resumed",
            "recording.ended",
            "transcription_local.completed"
        ]
    );
    let events = it.log.read(0, 100, &Filter::default()).unwrap();
    assert!(events.iter().all(|event| event.context.correlation_id == started.correlation_id));

    it.recordings.delete(&started.id).await.unwrap();
    assert!(matches!(it.recordings.get(&started.id), Err(Error::Unknown { .. })));
    assert_eq!(std::fs::read_dir(it.dir.path().join("recordings")).unwrap().count(), 0);
}

#[tokio::test]
async fn nothing_half_done_without_a_microphone() {
    let it = bench();
    it.microphone.store(false, Ordering::Relaxed);
    let refused = it.recordings.start(NewRecording::default()).await;
    assert!(matches!(&refused, Err(Error::Unavailable(why)) if why == "no microphone"), "{refused:?}");
    assert!(it.recordings.active().unwrap().is_none());
    assert_eq!(std::fs::read_dir(it.dir.path().join("recordings")).unwrap().count(), 0);
    assert!(it.event_names().is_empty());
    it.microphone.store(true, Ordering::Relaxed);
    assert!(it.recordings.start(NewRecording::default()).await.unwrap().title.starts_with("Meeting of "));
}

#[tokio::test]
async fn what_is_not_acceptable() {
    let it = bench();
    let started = it.recordings.start(NewRecording::default()).await.unwrap();
    let long = || Some("x".repeat(301));
    for patch in [
        Patch { title: long(), ..Patch::default() },
        Patch { title: Some(" ".into()), ..Patch::default() },
        Patch { title: Some("two\nlines".into()), ..Patch::default() },
        Patch { attendees: Some(vec![String::new(); 201]), ..Patch::default() },
        Patch {
            metadata: Some([("k".into(), "x".repeat(65_536).into())].into_iter().collect()),
            ..Patch::default()
        },
    ] {
        let refused = it.recordings.update(&started.id, patch.clone()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{patch:?}");
    }
    let patch = Patch { title: Some("שלום <b> 🎤".into()), ..Patch::default() };
    assert_eq!(it.recordings.update(&started.id, patch).await.unwrap().title, "שלום <b> 🎤");
    assert!(matches!(it.recordings.delete(&started.id).await, Err(Error::Conflict(_))), "it runs");
    for id in ["", "..", "../events", "nobody", &"x".repeat(10_000)] {
        assert!(matches!(it.recordings.get(id), Err(Error::Unknown { .. })), "{id}");
        assert!(matches!(it.recordings.stop(id).await, Err(Error::Unknown { .. })), "{id}");
        assert!(matches!(it.recordings.delete(id).await, Err(Error::Unknown { .. })), "{id}");
    }
}

#[tokio::test]
async fn a_crash_is_taken_up() {
    let it = bench();
    let started = it.recordings.start(NewRecording::default()).await.unwrap();
    it.recordings.caption(&started.id, &said("Before.")).unwrap();
    let Bench { dir, log, recordings, .. } = it;
    // Audio of a start whose event the power cut took, and a folder whose removal it cut short.
    for name in ["20250101000000_0000000A", ".deleted-20250101000000_0000000B", "somebody's notes"] {
        std::fs::create_dir(dir.path().join("recordings").join(name)).unwrap();
    }
    drop((log, recordings));
    let again = open(dir);
    assert_eq!(again.asked_to_transcribe.recv().unwrap(), started.id);
    let recording = again.recordings.get(&started.id).unwrap();
    assert_eq!((recording.state, recording.interrupted), (State::Transcribing, true));
    assert_eq!(again.recordings.transcript(&started.id).unwrap().unwrap().segments, [said("Before.")]);
    assert!(again.recordings.active().unwrap().is_none());
    let mut left: Vec<_> = std::fs::read_dir(again.dir.path().join("recordings"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [started.id, "somebody's notes".into()]);
}

#[tokio::test]
async fn lists_newest_first() {
    let it = bench();
    let client = |id: &str, at: &str| ClientStarted {
        recording_id: id.into(),
        timestamp: Some(at.parse().unwrap()),
        ..ClientStarted::default()
    };
    for (id, at) in
        [("zebra", "2025-01-01T00:00:00Z"), ("1", "2025-01-03T00:00:00Z"), ("m", "2025-01-02T00:00:00Z")]
    {
        it.recordings.client_started(client(id, at)).await.unwrap();
    }
    let ids = |before, limit| -> Vec<String> {
        it.recordings.list(before, limit).unwrap().into_iter().map(|it| it.id).collect()
    };
    assert_eq!(ids(None, 2), ["1", "m"]);
    assert_eq!(ids(Some("m"), 2), ["zebra"]);
    assert!(matches!(it.recordings.list(Some("nobody"), 1), Err(Error::Unknown { .. })));
}

#[tokio::test]
async fn a_client_records() {
    let it = bench();
    let wav = it.dir.path().join("recordings/mic.wav");
    std::fs::write(&wav, "").unwrap();
    let metadata =
        serde_json::json!({ "eventTitle": "Sync", "eventAttendees": ["a@x"], "microphoneLabel": "Todd" });
    let started = ClientStarted {
        recording_id: "20250117225532_4AFEA8B6".into(),
        metadata: metadata.as_object().unwrap().clone(),
        ..ClientStarted::default()
    };
    it.recordings.client_started(started.clone()).await.unwrap();
    let again = it.recordings.client_started(started.clone()).await;
    assert!(matches!(again, Err(Error::Conflict(why)) if why == "Recording already started with this ID"));

    let ended = ClientEnded {
        recording_id: started.recording_id.clone(),
        timestamp_text: Some("20250117230000".into()),
        microphone_audio_path: Some(wav.to_str().unwrap().into()),
        system_audio_path: Some(String::new()),
        ..ClientEnded::default()
    };
    let outside = ClientEnded { microphone_audio_path: Some("/etc/passwd".into()), ..ended.clone() };
    assert!(matches!(it.recordings.client_ended(outside).await, Err(Error::Invalid(_))));
    let id = it.recordings.client_ended(ended.clone()).await.unwrap();
    assert_eq!(id, "20250117225532_4AFEA8B6_ended_20250117230000");
    let later = ClientEnded { timestamp_text: Some("later".into()), ..ended.clone() };
    assert_eq!(it.recordings.client_ended(later).await.unwrap(), id, "a repeat");
    assert_eq!(it.event_names(), ["recording.started", "recording.ended"]);
    assert_eq!(it.asked_to_transcribe.try_iter().count(), 1);
    let recording = it.recordings.get(&started.recording_id).unwrap();
    assert_eq!(
        (recording.title.as_str(), recording.attendees.as_slice()),
        ("Sync", ["a@x".to_owned()].as_slice())
    );
    assert_eq!(
        recording.tracks,
        [Track { label: Some("Todd".into()), path: "mic.wav".into(), source: TrackSource::Microphone }]
    );

    let unknown = ClientEnded { recording_id: "lost".into(), ..ClientEnded::default() };
    assert!(matches!(it.recordings.client_ended(unknown).await, Err(Error::Unknown { .. })));
    let lost_start = ClientEnded { recording_id: "lost".into(), ..ended };
    assert!(it.recordings.client_ended(lost_start).await.unwrap().starts_with("lost_ended_"));
    let bad = ClientStarted { recording_id: "../../etc/x".into(), ..ClientStarted::default() };
    assert!(matches!(it.recordings.client_started(bad).await, Err(Error::Invalid(_))));
}

/// The events of one meeting, each with the name of the one that led to it.
fn causes(it: &Bench, meeting: Uuid) -> Vec<(String, Option<String>)> {
    let events = it.log.read(0, 1000, &Filter::default().correlated(meeting)).unwrap();
    let name = |id| events.iter().find(|it| it.id == id).map(|it| it.name.to_string());
    events
        .iter()
        .map(|event| {
            assert!(event.context.source_plugin.is_some(), "{event:?}");
            let cause = event.context.causation_id.map(|id| name(id).expect("of the same meeting"));
            (event.name.to_string(), cause)
        })
        .collect()
}

#[tokio::test]
async fn everything_of_a_meeting_hangs_on_its_start() {
    let it = bench();
    let started = it.recordings.start(NewRecording::default()).await.unwrap();
    let id = started.id.clone();
    it.recordings.caption(&id, &said("Hello.")).unwrap();
    it.recordings.captions_skipped(&id, 900, 30_000).unwrap();
    it.recordings.pause(&id).await.unwrap();
    it.recordings.resume(&id).await.unwrap();
    it.recordings.stop(&id).await.unwrap();
    it.recordings.failed(&id, "no model").unwrap();
    it.recordings.update(&id, Patch { title: Some("Weekly".into()), ..Patch::default() }).await.unwrap();
    it.recordings.transcribe_again(&id).await.unwrap();
    it.recordings.written_down(&id, &Transcript::default(), None).unwrap();
    it.recordings.delete(&id).await.unwrap();
    let (start, end) = ("recording.started", "recording.ended");
    let expected = [
        (start, None),
        ("caption.published", Some(start)),
        ("caption.skipped", Some(start)),
        ("recording.paused", Some(start)),
        ("recording.resumed", Some(start)),
        (end, Some(start)),
        ("transcription_local.error", Some(end)),
        ("recording.updated", Some(start)),
        ("recording.transcription_requested", Some(end)),
        ("transcription_local.completed", Some(end)),
        ("recording.deleted", Some(start)),
    ];
    let expected = expected.map(|(name, cause)| (name.to_owned(), cause.map(str::to_owned)));
    assert_eq!(causes(&it, started.correlation_id), expected);
    assert_eq!(it.event_names().len(), expected.len(), "all are of this meeting");

    let wav = it.dir.path().join("recordings/mic.wav");
    std::fs::write(&wav, "").unwrap();
    let ended = ClientEnded {
        recording_id: "lost".into(),
        microphone_audio_path: Some(wav.to_str().unwrap().into()),
        ..ClientEnded::default()
    };
    it.recordings.client_ended(ended).await.unwrap();
    let lost = it.recordings.get("lost").unwrap().correlation_id;
    assert_eq!(causes(&it, lost), [(start.to_owned(), None), (end.to_owned(), Some(start.to_owned()))]);
}

#[tokio::test]
async fn payloads_keep_their_released_form() {
    let it = bench();
    let metadata = serde_json::json!({ "room": 7 }).as_object().unwrap().clone();
    let new = NewRecording { title: "Weekly".into(), attendees: vec!["Bo".into()], metadata };
    let id = it.recordings.start(new).await.unwrap().id;
    it.recordings.caption(&id, &Segment { confidence: 0.5, ..said("Hi.") }).unwrap();
    it.recordings.captions_skipped(&id, 900, 30_000).unwrap();
    it.recordings.pause(&id).await.unwrap();
    it.recordings.stop(&id).await.unwrap();
    let transcript =
        Transcript { language: "en".into(), model: "m".into(), duration_ms: 1500, ..Transcript::default() };
    it.recordings.written_down(&id, &transcript, None).unwrap();
    it.recordings.update(&id, Patch::default()).await.unwrap();
    it.recordings.delete(&id).await.unwrap();
    let file = it.dir.path().join("recordings").join(&id).join("transcript.json");
    let tracks = serde_json::json!([{ "label": null, "path": format!("{id}/"), "channel_labels": ["Anna"] }]);
    let expected = serde_json::json!([
        { "recording_id": id, "title": "Weekly", "attendees": ["Bo"], "origin": "device", "tracks": tracks,
          "metadata": { "room": 7 }, "format": { "sample": "S16_LE", "rate_hz": 48_000, "channels": 2 } },
        { "recording_id": id, "segment": { "start_ms": 0, "end_ms": 900, "speaker": null, "text": "Hi.",
          "words": [], "confidence": 0.5 } },
        { "recording_id": id, "skipped_ms": 900, "waiting_ms": 30_000 },
        { "recording_id": id, "at_ms": 1500 },
        { "recording_id": id, "title": "Weekly", "attendees": ["Bo"], "origin": "device", "tracks": tracks,
          "metadata": { "room": 7 }, "duration_ms": 1500, "interrupted": false, "problem": null },
        { "recording_id": id, "status": "completed", "output_file": file, "segments": 0,
          "duration_ms": 1500, "config": { "model": "m", "language": "en" }, "metadata": { "room": 7 },
          "title": "Weekly", "attendees": ["Bo"], "files": [file] },
        { "recording_id": id, "title": "Weekly", "attendees": ["Bo"], "metadata": { "room": 7 } },
        { "recording_id": id },
    ]);
    let mut events = it.log.read(0, 100, &Filter::default()).unwrap();
    for (event, expected) in events.iter_mut().zip(expected.as_array().unwrap()) {
        let payload = event.payload.as_object_mut().unwrap();
        // Where there is a time, it is one.
        for key in ["timestamp", "started_at"] {
            if let Some(time) = payload.remove(key) {
                serde_json::from_value::<Timestamp>(time).unwrap();
            }
        }
        assert_eq!(event.payload, *expected, "{}", event.name);
    }
    assert_eq!(events.len(), expected.as_array().unwrap().len());
}
