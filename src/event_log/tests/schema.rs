//! What is published against the registry: whatever was not made from its type.

use panotti_sdk::{NewEvent, names, payloads};
use serde_json::json;

use super::{super::*, event, events};

#[test]
fn what_is_published_has_the_form_of_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path()).unwrap();
    let at = |payload| NewEvent::new(names::RECORDING_PAUSED.into(), payload);
    let good = json!({ "recording_id": "a", "at_ms": 1, "newer": true });
    for (bad, path) in [
        (json!({ "recording_id": "a", "at_ms": "1" }), "payload.at_ms"),
        (json!({ "at_ms": 1 }), "payload.recording_id"),
        (json!(["a", 1]), "payload"),
    ] {
        let error = log.append_blocking(events(vec![at(good.clone()), at(bad)])).unwrap_err();
        assert!(matches!(&error, Error::Schema(invalid) if invalid.path == path), "{error}");
    }
    let unknown = NewEvent::new("test.happened".parse().unwrap(), json!("text"));
    assert!(matches!(log.append_blocking(events(vec![unknown])), Err(Error::Schema(_))));
    assert_eq!(log.last_seq().unwrap(), 0, "nothing of a batch is stored");
    let typed = payloads::RecordingPosition { recording_id: "a".into(), at_ms: 1 };
    let typed = NewEvent::of(names::RECORDING_PAUSED, &typed);
    let stored =
        log.append_blocking(events(vec![typed, at(good.clone()), event("test.happened", 1)])).unwrap();
    assert_eq!(stored[0].payload, json!({ "recording_id": "a", "at_ms": 1 }));
    assert_eq!(stored[1].payload, good, "what was given is kept whole");
}
