//! Each field of a filter, and its form as JSON.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use serde_json::{Map, json};

use super::*;
use crate::EventContext;

fn event() -> Event {
    Event {
        seq: 1,
        id: Uuid::from_u128(1),
        name: "recording.ended".parse().unwrap(),
        payload: json!({ "n": 3 }),
        context: EventContext {
            correlation_id: Uuid::from_u128(2),
            causation_id: None,
            timestamp: "2026-01-01T12:00:00Z".parse().unwrap(),
            source_plugin: Some("api".into()),
            metadata: Map::new(),
        },
        priority: Priority::Normal,
    }
}

#[test]
fn each_field_narrows() {
    let event = event();
    let correlation = |n| Uuid::from_u128(n).to_string();
    for (filter, wanted) in [
        (json!({}), true),
        (json!({ "topics": ["caption.*", "recording.*"] }), true),
        (json!({ "topics": ["caption.*", "recording.started"] }), false),
        (json!({ "correlation_id": correlation(2) }), true),
        (json!({ "correlation_id": correlation(1) }), false),
        (json!({ "from": "2026-01-01T12:00:00Z" }), true),
        (json!({ "from": "2026-01-01T12:00:00.000000001Z" }), false),
        (json!({ "to": "2026-01-01T12:00:00Z" }), false),
        (json!({ "to": "2026-01-01T12:00:00.000000001Z" }), true),
        (json!({ "priority": "low" }), true),
        (json!({ "priority": "normal" }), true),
        (json!({ "priority": "high" }), false),
        (json!({ "source": "api" }), true),
        (json!({ "source": "core" }), false),
        (json!({ "where": "payload.n == 3" }), true),
        (json!({ "where": "payload.n == 4" }), false),
        (json!({ "topics": ["recording.*"], "where": "payload.n == 4" }), false),
    ] {
        let read: Filter = serde_json::from_value(filter.clone()).unwrap();
        assert_eq!(read.wants(&event), wanted, "{filter}");
        assert_eq!(serde_json::to_value(&read).unwrap(), filter);
    }
    let unnamed = Event { context: EventContext { source_plugin: None, ..event.context.clone() }, ..event };
    assert!(!Filter { source: Some("api".into()), ..Filter::default() }.wants(&unnamed));
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let many = json!({ "topics": vec!["a.*"; 65] });
    for (filter, reason) in [
        (json!({ "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }), "before `to`"),
        (json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z" }), "before `to`"),
        (many, "65 topics"),
        (json!({ "topics": ["A.*"] }), "at byte 0"),
        (json!({ "where": "payload.n = 3" }), "at byte 10, expected a comparison such as =="),
        (json!({ "priority": "urgent" }), "urgent"),
        (json!({ "name": "a.b" }), "unknown field `name`"),
    ] {
        match serde_json::from_value::<Filter>(filter.clone()) {
            Err(error) => assert!(error.to_string().contains(reason), "{error}"),
            Ok(_) => panic!("{filter} is none"),
        }
    }
}
