//! What goes when the disk is short.

use super::*;

/// More than any disk has.
const FULL: u64 = 1 << 40;

fn ended_at(id: &str, time: &str) -> NewEvent {
    let mut payload = ended(id, "device", &format!("{id}/")).payload().clone();
    payload["timestamp"] = time.into();
    event("recording.ended", payload)
}

#[test]
fn the_oldest_audio_goes_first_and_only_that_of_recordings_that_are_done() {
    let mut house = House::new(json!({}));
    let audio = |id: &str| house.file(&format!("recordings/{id}/audio-0000.wav"));
    let (old, young, running, noting) = (audio("b-old"), audio("a-young"), audio("running"), audio("noting"));
    let (transcript, client) =
        (house.file("recordings/b-old/transcript.json"), house.file("recordings/mic.wav"));
    for (id, time) in [("a-young", "2026-03-01T00:00:00Z"), ("b-old", "2026-01-01T00:00:00Z")] {
        house.deliver(ended_at(id, time));
        house.deliver(transcribed(id, &house.data.join(format!("recordings/{id}/transcript.json"))));
    }
    house.deliver(ended_at("running", "2025-01-01T00:00:00Z"));
    house.deliver(ended("client", "client", "mic.wav"));
    house.deliver(transcribed("client", Path::new("data/c.md")));
    house.bench.neighbour("meeting_notes_local", true);
    house.deliver(ended_at("noting", "2025-02-01T00:00:00Z"));
    house.deliver(transcribed("noting", Path::new("data/n.md")));
    house.deliver(not_noted("meeting_notes_remote", "noting"));
    house.wait(3);
    assert!(young.exists(), "its audio is kept at the end of the work");
    for id in ["a-young", "b-old", "client"] {
        house.deliver(noted("meeting_notes_local", id, Path::new("data/notes.md")));
    }
    house.bench.configure(json!({ "min_free_mib": FULL, "cleanup_delay": 3600 })).start().unwrap();
    let gone = until("both", || {
        let told = house.completed().into_iter().filter(|it| it["reason"].is_string());
        Some(told.collect::<Vec<_>>()).filter(|it| it.len() == 2)
    });
    assert_eq!((&gone[0]["cleaned_files"], &gone[1]["cleaned_files"]), (&json!([old]), &json!([young])));
    assert!(gone[0]["reason"].as_str().unwrap().contains("the oldest audio goes first"), "{}", gone[0]);
    assert!(!old.exists() && !young.exists());
    assert!(running.exists() && noting.exists() && transcript.exists() && client.exists());
    // Nothing is left: that is said once, and stays to be seen.
    until("the error", || house.named("cleanup_files.error").pop());
    until("the health", || matches!(house.bench.health().unwrap(), Health::Degraded(_)).then_some(()));
    house.bench.start().unwrap();
    let problem = until("the health", || match house.bench.health().unwrap() {
        Health::Degraded(problem) => Some(problem),
        Health::Healthy => None,
    });
    assert!(problem.contains("use a larger disk"), "{problem}");
    assert_eq!(house.named("cleanup_files.error").len(), 1);
    house.bench.configure(json!({ "min_free_mib": 0 })).start().unwrap();
    until("to forget it", || (!house.bench.state().contains_key("short")).then_some(()));
}

#[test]
fn a_dry_run_says_once_what_would_go() {
    let mut house = House::new(json!({ "dry_run": true }));
    let wav = house.file("recordings/a/audio-0000.wav");
    house.deliver(ended("a", "device", "a/"));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    house.wait(1);
    house.bench.configure(json!({ "min_free_mib": FULL })).start().unwrap();
    let told = house.wait(2)[1].clone();
    assert_eq!((&told["dry_run"], &told["cleaned_files"]), (&json!(true), &json!([wav])));
    until("the next round", || house.named("cleanup_files.error").pop());
    assert_eq!(house.completed().len(), 2);
    assert!(wav.exists());
}

#[test]
fn what_could_not_be_begun_is_not_passed_over() {
    // Without the permission to publish, no dry run can be told: the commit fails.
    let permissions = Permissions { publish: &[], ..DESCRIPTOR.permissions };
    let context = context_of(Descriptor { permissions, ..DESCRIPTOR });
    files::write(&context.recordings().unwrap().join("a/audio-0000.wav"), b"0123456789").unwrap();
    let manifest = json!({
        "recording_id": "a", "files": {}, "own_audio": true, "ended_at": null, "cleaned": false,
        "transcribed": true, "notes": {}, "notified": false, "due": null, "metadata": {},
        "correlation_id": "01947662-4e4d-7000-8000-000000000000",
        "cause": "01947662-4e4d-7000-8000-000000000000",
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let row = Outbox::new().put_json(&state::meeting("a"), &manifest).unwrap();
    runtime.block_on(context.commit(row)).unwrap();
    let config = Config { min_free_mib: FULL, dry_run: true, ..Config::default() };
    let worker = Worker::new(config, context);
    runtime.block_on(worker.make_room()).unwrap_err();
    assert_eq!(runtime.block_on(worker.done_with_audio(None)).unwrap().len(), 1);
}
