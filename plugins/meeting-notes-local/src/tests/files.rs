//! Files, what is remembered of a recording, and the routes.

use panotti_sdk::{HandlerError, Request};

use super::*;

fn extracting() -> Bench {
    bench(json!({ "writer": "extract" }))
}

fn get(bench: &Bench, id: &str) -> (u16, String) {
    let answer = bench.call(Request::new("GET", &format!("/notes/{id}"))).unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

fn files(bench: &Bench) -> Vec<String> {
    let folder = fs::read_dir(bench.data_directory().join("meeting_notes_local")).unwrap();
    let mut files: Vec<_> = folder.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

#[test]
fn w24_ids_with_dots_name_files_of_their_own() {
    let bench = extracting();
    for id in ["2025.01.01_a", "2025.01.01_b", "2025.01"] {
        let (told, _) = notes(&bench, id, SAID);
        assert!(told.meeting_notes.notes_path.ends_with(&format!("/{id}_meeting_notes.md")));
    }
    let names =
        ["2025.01.01_a_meeting_notes.md", "2025.01.01_b_meeting_notes.md", "2025.01_meeting_notes.md"];
    assert_eq!(files(&bench), names);
}

#[test]
fn w27_ids_that_are_paths_are_refused() {
    let bench = extracting();
    for id in ["../../etc/x", "", "/etc/passwd", "a/b", ".."] {
        let event = completed(&bench.data_directory(), id, SAID);
        let error = bench.deliver(event).unwrap_err();
        assert!(matches!(error, HandlerError::Permanent(_)), "{id}: {error}");
        assert!(error.to_string().contains("is no recording id"), "{error}");
        bench.deliver(deleted(id)).unwrap();
    }
    assert!(!bench.data_directory().join("meeting_notes_local").exists());
    assert!(bench.state().is_empty());
}

#[test]
fn a_deleted_recording_leaves_nothing_behind() {
    let mut bench = extracting();
    let (first, _) = notes(&bench, "a", SAID);
    let (other, _) = notes(&bench, "a.b", SAID);
    // The directory is changed, and the notes are written again: both files are known.
    bench.configure(json!({ "output_directory": "data/elsewhere" })).start().unwrap();
    let (second, _) = notes(&bench, "a", SAID);
    assert!(second.meeting_notes.notes_path.ends_with("/elsewhere/a_meeting_notes.md"));
    assert!(bench.deliver(deleted("a")).unwrap().is_empty());
    for gone in [first.meeting_notes.notes_path, second.meeting_notes.notes_path] {
        assert!(!Path::new(&gone).exists(), "{gone}");
    }
    assert!(Path::new(&other.meeting_notes.notes_path).exists(), "nothing else is removed");
    assert_eq!(bench.state().into_keys().collect::<Vec<_>>(), ["a.b"]);
    assert_eq!(get(&bench, "a").0, 404);
}

#[test]
fn notes_of_a_lost_commit_are_removed_too() {
    let mut bench = extracting();
    let event = bench.publish(completed(&bench.data_directory(), "a", SAID));
    bench.handle(&event).unwrap();
    bench.start().unwrap();
    assert_eq!(files(&bench), ["a_meeting_notes.md"]);
    bench.deliver(deleted("a")).unwrap();
    assert_eq!(files(&bench), Vec::<String>::new());
}

#[test]
fn w03_what_cannot_be_read_is_told() {
    let bench = extracting();
    let file = bench.data_directory().join("r.json");
    for (text, why) in
        [(None, "is gone: have the recording written down again"), (Some("# Merged"), "is not understood")]
    {
        let event = completed(&bench.data_directory(), "r", SAID);
        fs::remove_file(&file).unwrap();
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        let error = bench.deliver(event).unwrap_err();
        assert!(matches!(error, HandlerError::Permanent(_)) && error.to_string().contains(why), "{error}");
        let told = bench.events().last().unwrap().clone();
        assert_eq!(told.name.as_str(), "meeting_notes_local.error");
        assert_eq!(told.payload["metadata"]["eventTitle"], "Weekly");
    }
}

#[test]
fn w09_what_follows_from_a_meeting_belongs_to_it() {
    let bench = extracting();
    notes(&bench, "r", SAID);
    bench.deliver(completed(&bench.data_directory(), "../r", SAID)).unwrap_err();
    let events = bench.events();
    for (cause, told) in [(&events[0], &events[1]), (&events[2], &events[3])] {
        assert_eq!(told.context.correlation_id, cause.context.correlation_id, "{}", told.name);
        assert_eq!(told.context.causation_id, Some(cause.id));
    }
}

#[test]
fn a_disk_that_takes_nothing_is_tried_again() {
    let bench = extracting();
    // A file stands where the directory is to be.
    fs::write(bench.data_directory().join("meeting_notes_local"), "x").unwrap();
    let error = bench.deliver(completed(&bench.data_directory(), "r", SAID)).unwrap_err();
    assert!(matches!(error, HandlerError::Retryable(_)), "{error}");
    assert!(error.to_string().contains("cannot be written: is the disk full?"), "{error}");
}

#[test]
fn silence_has_notes_that_say_so_and_asks_nobody() {
    let (bench, server) = with_server("", json!({}), |_| chat(GOOD));
    let (told, page) = notes_of_silence(&bench);
    assert_eq!((told.written_by, told.problem), (Some(NotesWriter::Extract), None));
    assert!(page.contains("Nothing was said, or nothing was understood."), "{page}");
    assert!(server.asked().is_empty());
}

fn notes_of_silence(bench: &Bench) -> (panotti_sdk::payloads::MeetingNotes, String) {
    let told = bench.deliver(completed(&bench.data_directory(), "r", &[("Room", " ")])).unwrap();
    let told: MeetingNotesCompleted = serde_json::from_value(told[0].payload.clone()).unwrap();
    let page = fs::read_to_string(&told.meeting_notes.notes_path).unwrap();
    (told.meeting_notes, page)
}

#[test]
fn notes_are_read_and_written_again_by_the_routes() {
    let mut bench = extracting();
    assert_eq!(get(&bench, "r").0, 404);
    let post = |bench: &Bench, id: &str| bench.call(Request::new("POST", &format!("/notes/{id}"))).unwrap();
    assert_eq!(post(&bench, "r").status, 404, "nothing is known of it");
    let (_, page) = notes(&bench, "r", SAID);
    assert_eq!(get(&bench, "r"), (200, page.clone()));

    // Somebody installs Ollama.
    let server = Server::start(|_| chat(GOOD)).unwrap();
    bench.configure(json!({ "ollama_url": server.url(), "writer": "auto" })).start().unwrap();
    let first = bench.events()[0].clone();
    let answer = post(&bench, "r");
    assert_eq!(answer.status, 202);
    let asked = bench.events().last().unwrap().clone();
    assert_eq!(asked.name.as_str(), "meeting_notes_local.requested");
    assert_eq!(asked.context.correlation_id, first.context.correlation_id, "it belongs to the meeting");
    assert_eq!(asked.context.causation_id, Some(first.id));
    let told = bench.redeliver(&asked).unwrap();
    assert_eq!(told[0].payload["meeting_notes"]["written_by"], "language_model");
    assert_eq!(told[0].payload["metadata"]["eventTitle"], "Weekly");
    let again = get(&bench, "r").1;
    assert!(again.contains("> Written by the language model") && again != page, "{again}");
    assert_eq!(files(&bench), ["r_meeting_notes.md"]);
    assert!(bench.audit().is_empty());
}

#[test]
fn notes_that_failed_can_be_asked_for() {
    let (bench, _server) =
        with_server("", json!({ "writer": "model" }), |_| Answer::Say(404, "model 'x' not found".into()));
    bench.deliver(completed(&bench.data_directory(), "r", SAID)).unwrap_err();
    assert_eq!(get(&bench, "r").0, 404);
    assert_eq!(bench.call(Request::new("POST", "/notes/r")).unwrap().status, 202);
}
