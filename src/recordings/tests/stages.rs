//! What plugins make of a recording, through a real bus.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{bus::Bus, event_log::Batch};

/// Far more than anything here takes; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

const AT: &str = "2025-01-17T22:55:32Z";

struct Followed {
    bench: Bench,
    plugin: Arc<AtomicBool>,
    bus: Bus,
    _following: crate::bus::Running,
}

async fn followed() -> Followed {
    let plugin = Arc::new(AtomicBool::new(true));
    let asked = plugin.clone();
    let left = Box::new(move || asked.load(Ordering::Relaxed));
    let bench = open_with(tempfile::tempdir().unwrap(), left);
    let bus = Bus::start(bench.log.clone(), tokio::runtime::Handle::current()).unwrap();
    let following = bench.recordings.follow(&bus).await.unwrap();
    Followed { bench, plugin, bus, _following: following }
}

impl Followed {
    async fn ended(&self) -> String {
        let id = self.bench.recordings.start(NewRecording::default()).await.unwrap().id;
        self.bench.recordings.stop(&id).await.unwrap();
        id
    }

    /// Publishes what a plugin says, and waits until it was looked at.
    async fn told(&self, name: &str, source: &str, payload: Value) {
        let event = NewEvent::new(name.parse().unwrap(), payload).from_source(source);
        let seq =
            self.bench.log.append(Batch { events: vec![event], ..Batch::default() }).await.unwrap()[0].seq;
        let looked_at = async {
            loop {
                let status = self.bus.subscriptions().unwrap();
                if status.iter().any(|it| it.name == "recordings" && it.cursor >= seq) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, looked_at).await.expect("the event is looked at");
    }

    fn get(&self, id: &str) -> Recording {
        self.bench.recordings.get(id).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_writes_a_recording_down() {
    let it = followed().await;
    let id = it.ended().await;
    assert_eq!(it.get(&id).state, State::Transcribing);
    assert!(it.bench.asked_to_transcribe.try_recv().is_err(), "it is left to the plugin");
    let file = it.bench.dir.path().join("x_merged.json");
    let transcript = Transcript { duration_ms: 9000, segments: vec![said("Hi.")], ..Transcript::default() };
    std::fs::write(&file, serde_json::to_vec(&transcript).unwrap()).unwrap();
    let payload = json!({
        "recording_id": id, "status": "completed", "timestamp": AT, "output_file": file, "segments": 1,
        "duration_ms": 9000, "config": { "model": "m", "language": "en" }, "metadata": {},
        "files": [file, "x_merged.srt"],
    });
    it.told("transcription_local.completed", "audio_transcription_local", payload.clone()).await;
    let recording = it.get(&id);
    assert_eq!((recording.state, recording.duration_ms), (State::Done, 9000));
    assert_eq!(it.bench.recordings.transcript(&id).unwrap().unwrap().text(), "Hi.");
    let stage = &recording.stages["transcription_local"];
    assert_eq!((stage.outcome, stage.files.len()), (Outcome::Completed, 2));

    // Again: somebody asks the plugin.
    it.bench.recordings.transcribe_again(&id).await.unwrap();
    assert!(it.bench.asked_to_transcribe.try_recv().is_err());
    assert!(it.bench.event_names().contains(&"recording.transcription_requested".to_owned()));
    let failed =
        json!({ "recording_id": id, "status": "error", "timestamp": AT, "error": "no model is set" });
    it.told("transcription_local.error", "audio_transcription_local", failed).await;
    let recording = it.get(&id);
    assert_eq!((recording.state, recording.error.as_deref()), (State::Failed, Some("no model is set")));
    assert_eq!(recording.stages["transcription_local"].outcome, Outcome::Error);

    // What failed is replayed, and goes well.
    it.told("transcription_local.completed", "audio_transcription_local", payload).await;
    let recording = it.get(&id);
    assert_eq!((recording.state, recording.error), (State::Done, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_are_found_and_other_events_passed_over() {
    let it = followed().await;
    let id = it.ended().await;
    assert_eq!(it.bench.recordings.notes(&id, None).unwrap(), None);
    for (by, text) in [("local", "# Local"), ("remote", "# Remote")] {
        let file = it.bench.dir.path().join(by);
        std::fs::write(&file, text).unwrap();
        let notes = json!({
            "status": "completed", "timestamp": AT, "recording_id": id, "notes_path": file,
            "input_paths": { "transcript": "x" }, "config": {}, "problem": "no Ollama",
        });
        let name = format!("meeting_notes_{by}");
        let payload = json!({ "recording_id": id, "meeting_notes": notes, "metadata": { "status": 1 } });
        it.told(&format!("{name}.completed"), &name, payload).await;
    }
    let notes = |by| it.bench.recordings.notes(&id, by).unwrap();
    assert_eq!(notes(None).as_deref(), Some("# Remote"), "the newest");
    assert_eq!(notes(Some("meeting_notes_local")).as_deref(), Some("# Local"));
    assert_eq!(notes(Some("nobody")), None);
    assert_eq!(it.get(&id).stages["meeting_notes_local"].problem.as_deref(), Some("no Ollama"));
    // A client's words about its meeting are no word of a stage, and no other stage's file is read.
    let secret = it.bench.dir.path().join("secret");
    std::fs::write(&secret, "s3cret").unwrap();
    let cleaned = json!({
        "status": "completed", "timestamp": AT, "recording_id": id, "output_path": secret,
        "system_audio_path": null, "microphone_audio_path": null, "method": null, "config": {},
    });
    let metadata = json!({ "status": "completed", "notes_path": secret, "files": [secret] });
    let payload = json!({ "recording_id": id, "noise_reduction": cleaned, "metadata": metadata });
    it.told("noise_reduction.completed", "noise_reduction", payload).await;
    let stage = &it.get(&id).stages["noise_reduction"];
    assert!(stage.files.is_empty() && stage.output.as_deref() == secret.to_str());
    assert_eq!(notes(Some("noise_reduction")), None);
    let payload = json!({ "recording_id": id, "metadata": metadata });
    it.told("meeting_notes_other.completed", "meeting_notes_other", payload).await;
    assert_eq!(notes(Some("meeting_notes_other")), None);
    std::fs::remove_file(it.bench.dir.path().join("remote")).unwrap();
    assert_eq!(notes(None), None, "the file is gone");
    for (name, source, payload) in [
        ("x.completed", "x", json!({ "recording_id": "nobody" })),
        ("x.completed", "x", json!({ "recording_id": 7 })),
        ("x.completed", "x", json!({ "recording_id": "../../etc" })),
        ("x.completed", "api", json!({ "recording_id": id })),
    ] {
        it.told(name, source, payload).await;
    }
    assert_eq!(it.get(&id).stages.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_core_does_what_a_plugin_that_goes_leaves() {
    let it = followed().await;
    let id = it.ended().await;
    let stopped = |plugin: &str| json!({ "plugin": plugin, "from": "running", "to": "failed", "reason": "" });
    it.told("plugin.state_changed", "core", stopped(WRITER)).await;
    assert!(it.bench.asked_to_transcribe.try_recv().is_err(), "it comes back");
    it.plugin.store(false, Ordering::Relaxed);
    it.told("plugin.state_changed", "core", stopped("another")).await;
    assert!(it.bench.asked_to_transcribe.try_recv().is_err());
    it.told("plugin.state_changed", "core", stopped(WRITER)).await;
    assert_eq!(it.bench.asked_to_transcribe.recv_timeout(PATIENCE).unwrap(), id);
    // And from now on by itself.
    let next = it.ended().await;
    assert_eq!(it.bench.asked_to_transcribe.recv_timeout(PATIENCE).unwrap(), next);
}
