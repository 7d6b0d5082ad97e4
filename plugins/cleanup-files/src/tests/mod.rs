//! What every plugin passes, and what this one does: only exact files, only when nothing needs them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod paths;
mod plugins;
mod removal;
mod short;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use panotti_sdk::{conformance::Case, files, serde_json, testing::Bench};

use super::*;

const AT: &str = "2026-01-17T22:55:32Z";

/// An event as the plugin of its stage publishes it.
fn event(name: &str, payload: Value) -> NewEvent {
    let source = match name.split_once('.').unwrap().0 {
        "transcription_local" => "audio_transcription_local",
        "desktop_notification" => "desktop_notifier",
        "recording" | "plugin" => "core",
        stage => stage,
    };
    NewEvent::new(name.parse().unwrap(), payload).from_source(source)
}

fn ended(id: &str, origin: &str, track: &str) -> NewEvent {
    let payload = json!({
        "recording_id": id, "title": "Weekly", "attendees": [], "timestamp": AT, "origin": origin,
        "duration_ms": 0, "interrupted": false, "problem": null, "tracks": [{ "label": null, "path": track }],
        "metadata": {},
    });
    event("recording.ended", payload)
}

fn cleaned(id: &str, path: &Path) -> NewEvent {
    let result = json!({
        "status": "completed", "timestamp": AT, "recording_id": id, "output_path": path,
        "system_audio_path": null, "microphone_audio_path": "mic.wav", "method": null, "config": {},
        "files": [path],
    });
    event(
        "noise_reduction.completed",
        json!({ "recording_id": id, "noise_reduction": result, "metadata": {} }),
    )
}

fn transcribed(id: &str, path: &Path) -> NewEvent {
    let payload = json!({
        "recording_id": id, "status": "completed", "timestamp": AT, "output_file": path, "segments": 1,
        "duration_ms": 1, "config": { "model": "m", "language": "en" }, "metadata": { "eventTitle": "Weekly" },
    });
    event("transcription_local.completed", payload)
}

fn noted(writer: &str, id: &str, path: &Path) -> NewEvent {
    let notes = json!({
        "status": "completed", "timestamp": AT, "recording_id": id, "notes_path": path,
        "input_paths": { "transcript": "x.md" }, "config": {},
    });
    let payload =
        json!({ "recording_id": id, "meeting_notes": notes, "metadata": { "eventTitle": "Weekly" } });
    event(&format!("{writer}.completed"), payload)
}

fn not_noted(writer: &str, id: &str) -> NewEvent {
    let notes = json!({ "status": "error", "timestamp": AT, "error": "no answer" });
    event(&format!("{writer}.error"), json!({ "recording_id": id, "meeting_notes": notes, "metadata": {} }))
}

fn notified(id: &str) -> NewEvent {
    let told = json!({
        "status": "completed", "timestamp": AT, "recording_id": id, "notes_path": "n.md",
        "notification_sent": false, "config": { "auto_open": false },
    });
    let payload = json!({ "recording_id": id, "desktop_notification": told, "metadata": {} });
    event("desktop_notification.completed", payload)
}

fn deleted(id: &str) -> NewEvent {
    event("recording.deleted", json!({ "recording_id": id }))
}

/// A box with files of one recording, `a`: cleaned audio, transcript, notes.
struct House {
    bench: Bench,
    data: PathBuf,
}

impl House {
    fn new(config: Value) -> Self {
        let mut bench = Bench::new(DESCRIPTOR).unwrap();
        bench.configure(json!({ "cleanup_delay": 0, "min_free_mib": 0, "check_interval_s": 1 }));
        bench.configure(config).start().unwrap();
        let data = bench.data_directory();
        Self { bench, data }
    }

    fn file(&self, path: &str) -> PathBuf {
        let path = self.data.join(path);
        files::write(&path, b"0123456789").unwrap();
        path
    }

    fn deliver(&self, event: NewEvent) {
        self.bench.deliver(event).unwrap();
    }

    fn named(&self, name: &str) -> Vec<Arc<Event>> {
        self.bench.events().into_iter().filter(|it| it.name.as_str() == name).collect()
    }

    fn completed(&self) -> Vec<Value> {
        let events = self.named("cleanup_files.completed");
        events.iter().map(|it| it.payload["cleanup_files"].clone()).collect()
    }

    /// Waits for so many recordings to be cleaned.
    fn wait(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} cleanups"), || Some(self.completed()).filter(|it| it.len() >= count))
    }

    fn due(&self) -> usize {
        self.bench.state().keys().filter(|it| it.starts_with("due/")).count()
    }

    fn plan(&self) -> Value {
        let answer = self.bench.call(Request::new("GET", "/plan")).unwrap();
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }
}

/// Waits until there is something: the worker goes its own way.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

panotti_sdk::conformance!(
    Case::of(DESCRIPTOR)
        .config(json!({ "cleanup_delay": 3600, "min_free_mib": 0 }))
        .event(ended("a", "device", "a/"))
        .event(cleaned("a", Path::new("data/cleaned_audio/a.wav")))
        .event(transcribed("a", Path::new("data/transcripts_local/a.json")))
        .event(noted("meeting_notes_local", "a", Path::new("data/meeting_notes_local/a.md")))
        .event(not_noted("meeting_notes_remote", "a"))
        .event(notified("a"))
        .event(deleted("a"))
);

#[test]
fn what_was_only_needed_on_the_way_goes_and_the_rest_stays() {
    let mut house = House::new(json!({}));
    house.bench.neighbour("meeting_notes_local", true).neighbour("desktop_notifier", true);
    let wav = house.file("cleaned_audio/a.wav");
    let stays = [
        house.file("transcripts_local/a_merged.md"),
        house.file("meeting_notes_local/a.md"),
        house.file("recordings/a/audio-0000.wav"),
        house.file("recordings/client.wav"),
    ];
    house.deliver(ended("a", "device", "a/"));
    house.deliver(cleaned("a", &wav));
    house.deliver(transcribed("a", &stays[0]));
    house.deliver(noted("meeting_notes_local", "a", &stays[1]));
    assert_eq!(house.due(), 0, "people are not told yet");
    house.deliver(notified("a"));
    let told = house.wait(1)[0].clone();
    assert_eq!((&told["cleaned_files"], &told["bytes"]), (&json!([wav]), &json!(10)));
    assert_eq!(told["config"]["include_dirs"], json!(["data"]));
    assert!(!wav.exists() && stays.iter().all(|it| it.exists()));
}

#[test]
fn what_goes_is_a_matter_of_settings() {
    let house = House::new(
        json!({ "keep_audio": false, "keep_transcripts": false, "keep_notes": false, "exclude_dirs": ["data/kept"] }),
    );
    let goes = [
        house.file("recordings/a/audio-0000.wav"),
        house.file("cleaned_audio/a.wav"),
        house.file("notes/a.md"),
        house.file("recordings/a/transcript.json"),
    ];
    let kept = house.file("kept/a.md");
    house.deliver(ended("a", "device", "a/"));
    house.deliver(cleaned("a", &goes[1]));
    house.deliver(noted("meeting_notes_local", "a", &goes[2]));
    house.deliver(noted("meeting_notes_remote", "a", &kept));
    house.deliver(transcribed("a", &goes[3]));
    assert_eq!(house.wait(1)[0]["cleaned_files"], json!(goes));
    assert!(goes.iter().all(|it| !it.exists()) && kept.exists());
}

#[test]
fn w13_nothing_goes_while_a_stage_still_works() {
    let mut house = House::new(json!({ "cleanup_delay": 3600 }));
    for plugin in ["noise_reduction", "meeting_notes_local", "meeting_notes_remote", "desktop_notifier"] {
        house.bench.neighbour(plugin, true);
    }
    let path = Path::new("data/x");
    for (event, due) in [
        (ended("a", "client", "mic.wav"), 0),
        (transcribed("a", path), 0),
        (noted("meeting_notes_local", "a", path), 0),
        (notified("a"), 0),
        (cleaned("a", path), 0),
        (noted("meeting_notes_remote", "a", path), 1),
        (notified("a"), 1),
        // Somebody wants it written down again.
        (event("recording.transcription_requested", ended("a", "client", "mic.wav").payload().clone()), 0),
        (transcribed("a", path), 0),
        (not_noted("meeting_notes_local", "a"), 0),
        (not_noted("meeting_notes_remote", "a"), 0),
        (notified("a"), 0),
        (noted("meeting_notes_remote", "a", path), 1),
    ] {
        let what = event.name().to_string();
        house.deliver(event);
        assert_eq!(house.due(), due, "after {what}");
    }
}

#[test]
fn w13_cleaned_audio_stays_until_it_is_written_down() {
    let mut house = House::new(json!({ "cleanup_delay": 3600 }));
    house.bench.neighbour("noise_reduction", true).neighbour("audio_transcription_local", true);
    house.deliver(ended("a", "device", "a/"));
    house.deliver(cleaned("a", Path::new("data/a.wav")));
    assert_eq!(house.due(), 0);
    house.deliver(transcribed("a", Path::new("data/a.md")));
    assert_eq!(house.due(), 1);
}

#[test]
fn w13_two_notifications_are_one_cleanup() {
    let house = House::new(json!({ "cleanup_delay": 1 }));
    let wav = house.file("cleaned_audio/a.wav");
    house.deliver(cleaned("a", &wav));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    house.deliver(notified("a"));
    house.deliver(notified("a"));
    house.deliver(ended("b", "client", "mic.wav"));
    house.deliver(transcribed("b", Path::new("data/b.md")));
    let of = |id: &str, all: &[Value]| all.iter().filter(|it| it["recording_id"] == id).count();
    // What belongs to `b` comes after all that belongs to `a`.
    let all = until("b", || Some(house.completed()).filter(|it| of("b", it) == 1));
    assert_eq!(of("a", &all), 1);
}

#[test]
fn who_is_not_there_is_not_waited_for() {
    // The notifier is off: when there are notes. No notes either: when there is a transcript.
    let mut house = House::new(json!({ "cleanup_delay": 3600 }));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    assert_eq!(house.due(), 1);
    house.bench.neighbour("meeting_notes_local", true);
    house.deliver(transcribed("b", Path::new("data/b.md")));
    assert_eq!(house.due(), 1);
    house.deliver(noted("meeting_notes_local", "b", Path::new("data/b.md")));
    assert_eq!(house.due(), 2);
    house.bench.neighbour("desktop_notifier", true);
    let failed = json!({ "status": "error", "timestamp": AT, "error": "no server" });
    let failed = json!({ "recording_id": "c", "desktop_notification": failed, "metadata": {} });
    house.deliver(transcribed("c", Path::new("data/c.md")));
    house.deliver(noted("meeting_notes_local", "c", Path::new("data/c.md")));
    assert_eq!(house.due(), 2);
    house.deliver(event("desktop_notification.error", failed));
    assert_eq!(house.due(), 3, "people could not be told, and that is that");
}

#[test]
fn w10_the_delay_holds_nothing_up_and_outlives_a_crash() {
    let mut house = House::new(json!({ "cleanup_delay": 3600 }));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    house.bench.stop().unwrap();
    assert_eq!(house.due(), 1);
    house.bench.configure(json!({ "cleanup_delay": 1 })).start().unwrap();
    let wav = house.file("cleaned_audio/b.wav");
    house.deliver(cleaned("b", &wav));
    house.deliver(transcribed("b", Path::new("data/b.md")));
    house.bench.start().unwrap();
    assert_eq!(house.wait(1)[0]["recording_id"], "b");
    assert!(!wav.exists());
    assert_eq!(house.due(), 1, "the other has an hour");
}

#[test]
fn w9_what_is_told_belongs_to_the_meeting_and_keeps_what_is_known_of_it() {
    let house = House::new(json!({}));
    let written = house.bench.publish(transcribed("a", Path::new("data/a.md")));
    house.bench.redeliver(&written).unwrap();
    house.wait(1);
    let told = &house.named("cleanup_files.completed")[0];
    assert_eq!(told.context.correlation_id, written.context.correlation_id);
    assert_eq!(told.context.causation_id, Some(written.id));
    assert_eq!(told.payload["metadata"], json!({ "eventTitle": "Weekly" }));
}

#[test]
fn a_dry_run_removes_nothing_and_says_what_it_would() {
    let house = House::new(json!({ "dry_run": true }));
    let wav = house.file("cleaned_audio/a.wav");
    house.deliver(cleaned("a", &wav));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    let told = house.wait(1)[0].clone();
    assert_eq!((&told["cleaned_files"], &told["dry_run"]), (&json!([wav]), &json!(true)));
    assert!(wav.exists());
}

#[test]
fn the_plan_says_what_goes_next() {
    let house = House::new(json!({ "cleanup_delay": 3600 }));
    let (wav, audio) = (house.file("cleaned_audio/a.wav"), house.file("recordings/a/audio-0000.wav"));
    house.deliver(ended("a", "device", "a/"));
    house.deliver(cleaned("a", &wav));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    let plan = house.plan();
    assert_eq!(plan["due"][0]["files"], json!([{ "path": wav, "bytes": 10 }]));
    assert!(plan["due"][0]["at"].is_string() && plan["free_bytes"].is_u64());
    assert_eq!(plan["when_short"][0]["bytes"], 20);
    assert_eq!(plan["when_short"][0]["files"][0]["path"], json!(audio));
    assert!(wav.exists() && audio.exists());
}

#[test]
fn a_deleted_recording_is_forgotten() {
    let house = House::new(json!({ "cleanup_delay": 3600 }));
    for id in ["a".to_owned(), "x".repeat(128)] {
        house.deliver(transcribed(&id, Path::new("data/a.md")));
        assert_eq!(house.bench.state().len(), 2);
        house.deliver(deleted(&id));
        assert!(house.bench.state().is_empty());
    }
}

/// The context of a plugin on a bench, taken out of it: its box lasts as long as the tests.
fn context() -> Context {
    context_of(DESCRIPTOR)
}

fn context_of(descriptor: Descriptor) -> Context {
    static TAKEN: Mutex<Option<Context>> = Mutex::new(None);
    fn build(_: Value, context: Context) -> Result<Box<dyn Plugin>, PluginError> {
        *TAKEN.lock().unwrap() = Some(context.clone());
        Ok(Box::new(CleanupFiles::new(Config { min_free_mib: 0, ..Config::default() }, context)?))
    }
    let _one_at_a_time = {
        static LOCK: Mutex<()> = Mutex::new(());
        LOCK.lock().unwrap()
    };
    let mut bench = Bench::new(Descriptor { build, ..descriptor }).unwrap();
    bench.start().unwrap();
    // The folder of the box goes with the last who knows it: the context itself.
    TAKEN.lock().unwrap().take().unwrap()
}
