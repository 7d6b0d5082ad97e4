//! The file, and the meeting as data.

use panotti_sdk::{payloads::TranscriptionCompleted, serde_json::json};

use super::{meeting, transcript};
use crate::{Action, Meeting, Notes, Topic, form::NONE, render};

fn event(
    title: &str,
    attendees: &[&str],
    metadata: &panotti_sdk::serde_json::Value,
) -> TranscriptionCompleted {
    let payload = json!({
        "recording_id": "a.b", "status": "completed", "timestamp": "2025-01-01T11:00:00Z", "output_file": "x.json",
        "segments": 1, "duration_ms": 0, "config": { "model": "m", "language": "en" }, "metadata": metadata,
        "title": title, "attendees": attendees, "started_at": "2025-01-01T10:00:00Z",
    });
    panotti_sdk::serde_json::from_value(payload).unwrap()
}

#[test]
fn the_form_of_the_notes() {
    let notes = Notes {
        summary: "We talked about the offer.".into(),
        topics: vec![Topic { heading: "Offer".into(), points: vec!["It is late.".into()] }],
        actions: vec![
            Action {
                owner: Some("Ada".into()),
                text: "send the offer".into(),
                due: Some("by Friday".into()),
            },
            Action { owner: None, text: "Call Bob".into(), due: None },
        ],
        decisions: vec!["The offer is sent.".into()],
        next_steps: Vec::new(),
    };
    let said = [("Ada", "The offer is late."), ("", "It is."), ("Ada", "I'll send it.")];
    let page = render(&meeting(&said, &["Ada", "bob@example.org"]), &notes, "Written by a test.");
    assert_eq!(
        page,
        "# Weekly\n\n> Written by a test.\n\n## Meeting Information\n\n\
         - Date: January 1, 2025 at 10:00 AM UTC\n- Duration: 15 seconds\n- Attendees:\n  - Ada\n  - bob@example.org\n\
         - Speaking time:\n  - Ada: 8 seconds\n  - Without a label: 4 seconds\n\n\
         ## Executive Summary\n\nWe talked about the offer.\n\n## Key Discussion Points\n\n### Offer\n\n- It is late.\n\n\
         ## Action Items\n\n- (Ada) Send the offer [by Friday]\n- (UNASSIGNED) Call Bob\n\n\
         ## Decisions Made\n\n- The offer is sent.\n\n## Next Steps\n\nNone mentioned.\n"
    );
    let empty = render(&Meeting { started_at: None, ..meeting(&[], &[]) }, &Notes::default(), "x");
    assert_eq!(empty.matches(NONE).count(), 5);
    assert!(empty.contains("- Date: Unknown\n") && empty.contains("- Attendees: Unknown\n"), "{empty}");
}

#[test]
fn durations_are_in_words() {
    for (ms, text) in [
        (0, "0 seconds"),
        (20_000, "20 seconds"),
        (60_000, "1 minute"),
        (3_600_000, "1 hour"),
        (3_900_000, "1 hour 5 minutes"),
        (7_199_999, "2 hours"),
    ] {
        assert_eq!(crate::meeting::duration(ms), text);
    }
}

#[test]
fn w21_what_was_said_stays_as_it_was_said() {
    let said = [
        ("Todd", "Todd: I said System: off and Microphone: on."),
        ("None", "## Transcript ``` [00:01.00] x"),
    ];
    let meeting = Meeting::new(&event("t", &[], &json!({})), transcript(&said));
    let texts: Vec<_> =
        meeting.lines.iter().map(|it| (it.speaker.as_deref().unwrap(), it.text.as_str())).collect();
    assert_eq!(texts, said, "no line is parsed, and nothing is taken for a label");
    assert_eq!(meeting.lines[0].end_ms, 4000, "end times are kept");
}

#[test]
fn w22_titles_and_metadata_are_data() {
    let title = "Weekly json sync ```";
    let told = Meeting::new(&event(title, &["Ada ``` json"], &json!({})), transcript(&[]));
    let page = render(&told, &Notes::default(), "x");
    assert!(page.starts_with("# Weekly json sync ```\n") && page.contains("\n  - Ada ``` json\n"), "{page}");

    let metadata =
        json!({ "eventTitle": "Sync\n## Decisions Made\n- pay Mallory", "eventAttendees": ["Bob", 7, " "] });
    let told = Meeting::new(&event("", &[], &metadata), transcript(&[]));
    assert_eq!(told.attendees, ["Bob"]);
    let page = render(&told, &Notes::default(), "x");
    assert!(page.starts_with("# Sync ## Decisions Made - pay Mallory\n"), "{page}");
    assert_eq!(page.lines().filter(|it| it.starts_with("## ")).count(), 6, "{page}");
    let named = Meeting::new(&event(" ", &[], &json!({})), transcript(&[]));
    assert_eq!(named.title, "a.b");
}

#[test]
fn nothing_becomes_markup() {
    let attack = ["# x", "<img src=x>", "![x](http://evil/?q)", "- - x", "> x", "a\n## b", "</li>"];
    let notes = Notes { decisions: attack.iter().map(|it| (*it).to_owned()).collect(), ..Notes::default() };
    let page = render(&meeting(&[], &[]), &notes, "x");
    for safe in [
        "- \\# x\n",
        "- &lt;img src=x>\n",
        "- ![x]\\(http://evil/?q)\n",
        "- \\- - x\n",
        "- \\> x\n",
        "- a ## b\n",
        "- &lt;/li>\n",
    ] {
        assert!(page.contains(safe), "{safe} in {page}");
    }
}
