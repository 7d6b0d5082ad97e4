//! Copies of files of a recording, which go when it is deleted.

use super::*;

#[test]
fn w9_copies_of_one_recording_belong_to_its_meeting_and_go_with_it() {
    let mut house = House::new(json!({}));
    let path = house.notes.join("a.md");
    house.start();
    let notes = house.bench.publish(noted("a", &path));
    house.bench.redeliver(&notes).unwrap();
    house.file("a.md", "one");
    house.wait("a.md", "one");
    house.told(1);
    let told = house.completed()[0].clone();
    assert_eq!(told.payload["recording_id"], "a");
    assert_eq!(told.context.correlation_id, notes.context.correlation_id);
    house.file("nobody.md", "two");
    house.wait("nobody.md", "two");
    house.told(2);
    assert_eq!(house.completed()[1].payload["recording_id"], "");
    // Copies go with their recording, also where deleted files keep theirs.
    house.bench.deliver(deleted("a")).unwrap();
    fs::remove_file(&path).unwrap();
    house.wait_gone("a.md");
    until("the row to go", || {
        (!house.bench.state().keys().any(|it| it.starts_with("gone/") || it.starts_with("file")))
            .then_some(())
    });
    let told = house.completed().pop().unwrap();
    assert_eq!(
        (&told.payload["recording_id"], &told.payload["directory_sync"]["removed"]),
        (&json!("a"), &json!(1))
    );
    assert!(house.copies.join("nobody.md").exists());
}

#[test]
fn a_copy_of_a_deleted_recording_goes_before_its_file_does() {
    let mut house = House::new(json!({}));
    let path = house.file("a.md", "one");
    house.start();
    house.bench.deliver(noted("a", &path)).unwrap();
    house.wait("a.md", "one");
    house.told(1);
    house.bench.deliver(deleted("a")).unwrap();
    house.wait_gone("a.md");
    house.file("b.md", "two");
    house.wait("b.md", "two");
    assert!(!house.copies.join("a.md").exists(), "it is not copied again");
}

#[test]
fn copies_of_what_lay_in_the_recordings_own_folder_go_with_it() {
    let mut house = House::new(json!({ "source": "data/recordings" }));
    house.notes = house.bench.data_directory().join("recordings");
    let (audio, other) = (house.file("a/audio-0000.wav", "audio"), house.file("ab/audio-0000.wav", "other"));
    house.file("a/deep/transcript.json", "{}");
    house.start().told(3);
    house.bench.deliver(deleted("a")).unwrap();
    house.wait_gone("a");
    assert!(audio.exists(), "the core removes it");
    fs::remove_dir_all(house.notes.join("a")).unwrap();
    until("the row to go", || (!house.bench.state().keys().any(|it| it.starts_with("gone/"))).then_some(()));
    let told = house.completed();
    let told = told.iter().find(|it| it.payload["directory_sync"]["removed"] == 2).unwrap();
    assert_eq!(told.payload["recording_id"], "a");
    assert!(other.exists() && house.copies.join("ab/audio-0000.wav").exists());
}

#[test]
fn only_the_plugin_of_a_stage_says_whose_files_are_whose() {
    let mut house = House::new(json!({}));
    let theirs = house.file("theirs.md", "one");
    house.start().wait("theirs.md", "one");
    let transcript = |source: &str| {
        let payload = json!({
            "recording_id": "a", "status": "completed", "timestamp": AT, "output_file": theirs, "segments": 1,
            "duration_ms": 1, "config": { "model": "m", "language": "en" }, "metadata": {},
        });
        event("transcription_local.completed", payload).from_source(source)
    };
    house.bench.deliver(noted("a", &theirs).from_source("api")).unwrap();
    // The core writes into the recording's own folder alone.
    for source in ["api", "core", "meeting_notes_local"] {
        house.bench.deliver(transcript(source)).unwrap();
    }
    assert!(!house.bench.state().keys().any(|it| it.starts_with("file")));
    house.bench.deliver(transcript("audio_transcription_local")).unwrap();
    assert!(house.bench.state().keys().any(|it| it.starts_with("file")));
}
