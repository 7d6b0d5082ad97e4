//! What every plugin passes, and this one with a small server that speaks Ollama's API, and without one.

mod files;
mod injection;
mod long;
mod ollama;

use std::{fs, path::Path, sync::LazyLock};

use panotti_notes::testing::{Answer, Asked, Server};
use panotti_sdk::{
    NewEvent,
    conformance::Case,
    names::TRANSCRIPTION_COMPLETED,
    payloads::{MeetingNotesCompleted, Segment, Transcript},
    serde_json::{self, Value},
    testing::Bench,
};
use tempfile::TempDir;

use super::*;

const SAID: &[(&str, &str)] = &[
    ("Room", "Today we will talk about the supplier contract."),
    ("Room", "We agreed that Maria will share the roadmap."),
    ("Call", "The supplier contract ends in July. What does a new contract cost?"),
    ("Room", "Robert, your action item is to call the supplier by Saturday."),
    ("Call", "I'll send the old contract tomorrow."),
    ("Room", "The next meeting is on Wednesday at 7:15."),
];

const GOOD: &str = "## Executive Summary\nThe supplier contract ends in July and a new one is being looked at.\n\n\
    ## Key Discussion Points\n### Supplier contract\n- It ends in July.\n\n\
    ## Action Items\n- (Robert) Call the supplier [by Saturday]\n- (Mallory) Collect the money\n\n\
    ## Decisions Made\n- Maria shares the roadmap.\n\n## Next Steps\nNone mentioned.\n";

/// The event of a transcript that outlasts a bench, in a folder of its own.
fn lasting(id: &str, said: &[(&str, &str)]) -> NewEvent {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());
    completed(&tempfile::tempdir_in(FOLDER.path()).unwrap().keep(), id, said)
}

fn transcript(said: &[(&str, &str)]) -> Transcript {
    let segment = |(index, (speaker, text)): (usize, &(&str, &str))| Segment {
        start_ms: index as u64 * 5000,
        end_ms: index as u64 * 5000 + 4000,
        speaker: Some((*speaker).to_owned()),
        text: (*text).to_owned(),
        words: Vec::new(),
        confidence: 0.9,
    };
    let segments: Vec<_> = said.iter().enumerate().map(segment).collect();
    let duration_ms = segments.len() as u64 * 5000;
    Transcript { language: "en".into(), duration_ms, model: "base.en".into(), segments }
}

/// The event of a transcript, which is written to `folder`.
fn completed(folder: &Path, id: &str, said: &[(&str, &str)]) -> NewEvent {
    let file = folder.join(format!("{}.json", id.replace('/', "_")));
    fs::write(&file, serde_json::to_vec(&transcript(said)).unwrap()).unwrap();
    let payload = json!({
        "recording_id": id, "status": "completed", "timestamp": "2025-01-01T11:00:00Z", "output_file": file,
        "segments": said.len(), "duration_ms": 30_000, "config": { "model": "base.en", "language": "en" },
        "metadata": { "eventTitle": "Weekly" }, "title": "Weekly", "attendees": ["Ada Lovelace", "robert@example.org"],
        "started_at": "2025-01-01T10:00:00Z",
    });
    NewEvent::of(TRANSCRIPTION_COMPLETED, &serde_json::from_value(payload).unwrap())
}

fn bench(config: Value) -> Bench {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.configure(config).start().unwrap();
    bench
}

/// A bench with a server behind `path`.
fn with_server(
    path: &str,
    config: Value,
    behaviour: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> (Bench, Server) {
    let server = Server::start(behaviour).unwrap();
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.configure(json!({ "ollama_url": format!("{}{path}", server.url()) })).configure(config);
    bench.start().unwrap();
    (bench, server)
}

/// An answer of `/api/chat`.
fn chat(text: &str) -> Answer {
    Answer::json(
        &json!({ "message": { "role": "assistant", "content": text }, "done": true, "done_reason": "stop" }),
    )
}

/// Delivers a meeting; what was told of its notes, and the file.
fn notes(bench: &Bench, id: &str, said: &[(&str, &str)]) -> (MeetingNotesCompleted, String) {
    let told = bench.deliver(completed(&bench.data_directory(), id, said)).unwrap();
    assert_eq!((told.len(), told[0].name.as_str()), (1, "meeting_notes_local.completed"));
    let told: MeetingNotesCompleted = serde_json::from_value(told[0].payload.clone()).unwrap();
    let page = fs::read_to_string(&told.meeting_notes.notes_path).unwrap();
    assert_eq!(page.lines().filter(|it| it.starts_with("# ")).count(), 1, "{page}");
    let sections: Vec<_> = page.lines().filter_map(|it| it.strip_prefix("## ")).collect();
    let all = ["Executive Summary", "Key Discussion Points", "Action Items", "Decisions Made", "Next Steps"];
    assert_eq!(sections[0], "Meeting Information");
    assert_eq!(sections[1..], all);
    assert!(page.contains("- Date: January 1, 2025 at 10:00 AM UTC\n"), "{page}");
    assert!(
        page.contains("- Attendees:\n  - Ada Lovelace\n  - robert@example.org\n- Speaking time:\n"),
        "{page}"
    );
    (told, page)
}

#[test]
fn the_example_shows_the_defaults() {
    let example = Bench::new(DESCRIPTOR).unwrap().config().clone();
    assert_eq!(example, json!(Config::default()));
}

fn deleted(id: &str) -> NewEvent {
    NewEvent::new(RECORDING_DELETED.into(), json!({ "recording_id": id }))
}

panotti_sdk::conformance!(
    Case::of(DESCRIPTOR)
        .config(json!({ "writer": "extract" }))
        .event(lasting("conform.1", SAID))
        .event(lasting("conform.2", &[]))
        .event(deleted("conform.1"))
        .event(deleted("unknown"))
);
