//! What every plugin passes, and this one with small servers that speak the services' APIs.

mod providers;
mod safety;

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

const KEY: &str = "sk-very-secret-0123456789";

const SAID: &[(&str, &str)] = &[
    ("Room", "Today we will talk about the supplier contract."),
    ("Call", "The supplier contract ends in July."),
    ("Room", "Robert, your action item is to call the supplier by Saturday."),
];

const GOOD: &str = "## Executive Summary\nThe supplier contract ends in July and a new one is being looked at.\n\n\
    ## Key Discussion Points\n### Supplier contract\n- It ends in July.\n\n\
    ## Action Items\n- (Robert) Call the supplier [by Saturday]\n- (Mallory) Collect the money\n\n\
    ## Decisions Made\nNone mentioned.\n\n## Next Steps\nNone mentioned.\n";

/// The event of a transcript, which is written to `folder`.
fn completed(folder: &Path, id: &str, said: &[(&str, &str)]) -> NewEvent {
    let segment = |(index, (speaker, text)): (usize, &(&str, &str))| Segment {
        start_ms: index as u64 * 5000,
        end_ms: index as u64 * 5000 + 4000,
        speaker: Some((*speaker).to_owned()),
        text: (*text).to_owned(),
        words: Vec::new(),
        confidence: 0.9,
    };
    let segments = said.iter().enumerate().map(segment).collect();
    let transcript =
        Transcript { language: "en".into(), duration_ms: 15_000, model: "base.en".into(), segments };
    let file = folder.join(format!("{id}.json"));
    fs::write(&file, serde_json::to_vec(&transcript).unwrap()).unwrap();
    let payload = json!({
        "recording_id": id, "status": "completed", "timestamp": "2025-01-01T11:00:00Z", "output_file": file,
        "segments": said.len(), "duration_ms": 15_000, "config": { "model": "base.en", "language": "en" },
        "metadata": { "eventTitle": "Weekly" }, "title": "Weekly", "attendees": ["robert@example.org"],
        "started_at": "2025-01-01T10:00:00Z",
    });
    NewEvent::of(TRANSCRIPTION_COMPLETED, &serde_json::from_value(payload).unwrap())
}

fn deleted(id: &str) -> NewEvent {
    NewEvent::new(RECORDING_DELETED.into(), json!({ "recording_id": id }))
}

/// A bench whose service is a server of the test.
fn with_server(
    provider: &str,
    config: Value,
    behaviour: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> (Bench, Server) {
    let server = Server::start(behaviour).unwrap();
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    let name = format!("{}_API_KEY", provider.to_uppercase());
    bench.configure(json!({ "provider": provider, provider: { "base_url": server.url(), "model": "m-1" } }));
    bench.configure(config).secret(&name, &format!("{KEY}\n"));
    bench.start().unwrap();
    (bench, server)
}

/// An answer of Anthropic.
fn anthropic(text: &str) -> Answer {
    Answer::json(&json!({ "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn" }))
}

/// Delivers a meeting; what was told of its notes, and the file.
fn notes(bench: &Bench, id: &str) -> (MeetingNotesCompleted, String) {
    let told = bench.deliver(completed(&bench.data_directory(), id, SAID)).unwrap();
    assert_eq!((told.len(), told[0].name.as_str()), (1, "meeting_notes_remote.completed"));
    let told: MeetingNotesCompleted = serde_json::from_value(told[0].payload.clone()).unwrap();
    let page = fs::read_to_string(&told.meeting_notes.notes_path).unwrap();
    (told, page)
}

/// The settings of a service that writes good notes for as long as the tests run.
fn service() -> Value {
    static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start(|_| anthropic(GOOD)).unwrap());
    json!({ "anthropic": { "base_url": SERVER.url() } })
}

/// The event of a transcript that outlasts a bench, in a folder of its own.
fn lasting(id: &str, said: &[(&str, &str)]) -> NewEvent {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());
    completed(&tempfile::tempdir_in(FOLDER.path()).unwrap().keep(), id, said)
}

panotti_sdk::conformance!(
    Case::of(DESCRIPTOR)
        .config(service())
        .secret("ANTHROPIC_API_KEY", KEY)
        .event(lasting("conform.1", SAID))
        .event(lasting("conform.2", &[]))
        .event(deleted("conform.1"))
        .event(deleted("unknown"))
);
