//! Conditions against examples.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod properties;

use serde_json::{Map, json};

use super::*;
use crate::EventContext;

fn event(payload: Value) -> Event {
    Event {
        seq: 7,
        id: Uuid::from_u128(1),
        name: "transcription_local.completed".parse().unwrap(),
        payload,
        context: EventContext {
            correlation_id: Uuid::from_u128(2),
            causation_id: None,
            timestamp: "2026-01-01T00:00:00Z".parse().unwrap(),
            source_plugin: Some("core".into()),
            metadata: Map::from_iter([("x-room".to_owned(), json!("Höhle 7"))]),
        },
        priority: Priority::High,
    }
}

#[test]
fn conditions_mean_what_they_say() {
    let event = event(json!({
        "n": 1, "whole": 18_446_744_073_709_551_615_u64, "text": "Größe", "none": null, "on": true,
        "tags": ["a", 2, null], "people": [{ "name": "Ada" }], "not": { "a b": 1.5 }
    }));
    let id = "00000000-0000-0000-0000-000000000002";
    for (text, expected) in [
        (r#"name == "transcription_local.completed""#, true),
        (r#"name starts_with "transcription_" and name ends_with ".error""#, false),
        (r#"name contains "_local""#, true),
        (r#"name in ["a.b", "transcription_local.completed"]"#, true),
        ("seq >= 7 and seq < 7.5", true),
        ("seq in [6, 8]", false),
        (r#"priority >= "high""#, true),
        (r#"priority > "low" and priority < "high""#, false),
        (r#"context.timestamp < "2026-01-01T00:00:00Z""#, false),
        (r#"context.timestamp == "2026-01-01T01:00:00+01:00""#, true),
        (&format!("context.correlation_id == \"{}\"", id.to_uppercase()), true),
        (&format!("context.causation_id == \"{id}\""), false),
        (&format!("context.causation_id != \"{id}\""), true),
        ("exists context.causation_id or not exists context.source_plugin", false),
        (r#"context.metadata.x-room ends_with "7""#, true),
        (r#"context.metadata["x-room"] == "Höhle 7""#, true),
        ("payload.n == 1.0 and payload.n != 2", true),
        ("payload.whole > 18446744073709551614", true),
        (r#"payload.n == "1""#, false),
        (r#"payload.n < "1" or payload.n >= "1""#, false),
        (r#"payload.text > "Gr" and payload.text contains "öß""#, true),
        ("payload.none == null and exists payload.none", true),
        ("payload.gone == null or exists payload.gone", false),
        ("payload.gone != null", true),
        ("payload.gone < 1 or payload.gone >= 1 or payload.gone in [null]", false),
        ("payload.on == true and payload.on != false", true),
        ("payload.tags contains 2.0 and payload.tags contains null", true),
        (r#"payload.tags contains "b" or payload.tags == "a""#, false),
        (r#"payload.people[0].name == "Ada" and not exists payload.people[1]"#, true),
        (r#"payload.not["a b"] == 1.5"#, true),
        // `and` binds closer than `or`, `not` closest.
        ("seq == 7 or seq == 8 and seq == 9", true),
        ("(seq == 7 or seq == 8) and seq == 9", false),
        ("not seq == 8 and seq == 7", true),
        ("not (seq == 7 and seq == 7)", false),
        ("\n( not\tnot seq==7 )\r\n", true),
    ] {
        match Condition::parse(text) {
            Ok(condition) => assert_eq!(condition.holds(&event), expected, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

#[test]
fn what_is_no_condition_says_where_and_what_is_expected() {
    let deep = format!("{}seq == 1{}", "(".repeat(33), ")".repeat(33));
    let many = ["seq == 1"; 65].join(" or ");
    let long = format!("name == \"{}ä\"", "a".repeat(2038));
    for (text, at, part) in [
        ("", 0, "expected a field: `name`, `id`, `seq`"),
        ("payloads.a == 1", 0, "expected a field: `name`, `id`, `seq`"),
        ("name", 4, "expected a comparison such as =="),
        ("name = \"a\"", 5, "expected a comparison such as =="),
        ("name == \"a.b\" seq", 14, "expected `and`, `or` or the end"),
        ("name == 5", 8, "expected a string"),
        ("name == \"a", 10, "expected the `\"`"),
        (r#"name == "\x""#, 8, "as in JSON"),
        ("seq == \"1\"", 7, "expected a number"),
        ("seq == 01", 7, "expected a number as in JSON"),
        ("seq == 1e999", 7, "expected a number as in JSON"),
        ("seq contains 1", 4, "`contains` is for text"),
        ("seq == ", 7, "expected a literal"),
        ("seq in 5", 7, "expected `[`"),
        ("seq in []", 8, "expected a literal"),
        ("seq in [1 2]", 10, "expected `,` or `]`"),
        ("priority >= \"urgent\"", 12, "\"critical\""),
        ("context.timestamp < \"yesterday\"", 20, "expected a time such as"),
        ("context.correlation_id == \"x\"", 26, "expected a UUID"),
        ("context == 1", 8, "`correlation_id`"),
        ("context.name == 1", 8, "expected one of `source_plugin`"),
        ("context.metadata == 1", 17, "the name of a field"),
        ("context.metadata[0] == 1", 16, "the name of a field"),
        ("payload. == 1", 9, "expected the name of a field"),
        ("payload[-1] == 1", 8, "from 0"),
        ("payload[0 == 1", 10, "expected `]`"),
        ("payload.a < null", 12, "only they have an order"),
        ("payload.a starts_with 1", 22, "expected a string"),
        ("(seq == 1", 9, "expected `and`, `or` or the `)`"),
        ("not", 3, "expected a field"),
        ("seq == 1 and", 12, "expected a field"),
        (&deep, 32, "32 at most"),
        (&many, 64 * 12, "64 at most"),
        (&long, 2047, "2048 bytes at most"),
    ] {
        match Condition::parse(text) {
            Err(error) => {
                assert_eq!(error.at, at, "{text}: {error}");
                assert!(error.reason.contains(part), "{text}: {error}");
            }
            Ok(condition) => panic!("{condition} is none"),
        }
    }
    let error = Condition::parse("seq").unwrap_err().to_string();
    assert_eq!(error, "the condition is not understood: at byte 3, expected a comparison such as ==");
    Condition::parse(&deep[1..deep.len() - 1]).unwrap();
    Condition::parse(&["seq == 1"; 64].join(" or ")).unwrap();
}
