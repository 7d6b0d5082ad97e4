//! The registry against the examples, and its two ways of checking against each other: the types, and the
//! schemas that people are given, as an independent validator understands them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde::Deserialize;
use serde_json::{Map, json};

use super::{examples::examples, *};
use crate::NewEvent;

/// The schemas as people are given them, compiled by somebody else.
struct Judge {
    schemas: Schemas,
    by_name: BTreeMap<EventName, SchemaIndex>,
}

impl Judge {
    fn new(registry: &Registry) -> Self {
        let (mut schemas, mut by_name) = (Schemas::new(), BTreeMap::new());
        for schema in registry.schemas() {
            let mut compiler = Compiler::new();
            compiler.set_default_draft(Draft::V2020_12);
            compiler.enable_format_assertions();
            let place = format!("http://example.com/{}", schema.name);
            compiler.add_resource(&place, schema.json_schema()).unwrap();
            let index = compiler.compile(&place, &mut schemas);
            by_name.insert(schema.name.clone(), index.unwrap_or_else(|e| panic!("{}: {e}", schema.name)));
        }
        Self { schemas, by_name }
    }

    fn takes(&self, name: &EventName, payload: &Value) -> bool {
        self.schemas.validate(payload, self.by_name[name]).is_ok()
    }
}

fn name(text: &str) -> EventName {
    text.parse().unwrap()
}

#[test]
fn every_event_has_an_example_that_keeps_its_form() {
    let registry = Registry::core();
    let judge = Judge::new(&registry);
    for (event, payload) in examples() {
        registry.validate(&name(event), &payload).unwrap();
        assert!(judge.takes(&name(event), &payload), "{event}");
        let again = (registry.schemas[&name(event)].reread)(&payload).ok().unwrap();
        assert_eq!(again, payload, "{event}: what is published today has another form");
    }
    let shown: Vec<_> = examples().into_iter().map(|it| it.0).collect();
    let without: Vec<_> = registry.known_names().filter(|it| !shown.contains(it)).collect();
    assert!(without.is_empty(), "write an example of {without:?}");
}

/// Each place of `value` with its path, and the value without it and with other things there.
fn broken(path: &str, value: &Value) -> Vec<(String, Value)> {
    let others =
        [json!(null), json!(true), json!(-1), json!(1.5), json!("x"), json!([]), json!([1]), json!({})];
    let mut found = Vec::new();
    let mut inside = |place: String, inner: &Value, put: &dyn Fn(Value) -> Value| {
        found.extend(others.iter().map(|it| (place.clone(), put(it.clone()))));
        found.extend(broken(&place, inner).into_iter().map(|(place, it)| (place, put(it))));
    };
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let put = |it| [fields.clone(), Map::from_iter([(key.clone(), it)])].into_iter().flatten();
                inside(format!("{path}.{key}"), inner, &|it| Value::Object(put(it).collect()));
            }
            for key in fields.keys() {
                let left = fields.iter().filter(|it| it.0 != key).map(|(key, it)| (key.clone(), it.clone()));
                found.push((format!("{path}.{key}"), Value::Object(left.collect())));
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                let put = |it| {
                    let mut items = items.clone();
                    items[at] = it;
                    Value::Array(items)
                };
                inside(format!("{path}[{at}]"), inner, &put);
            }
        }
        _ => {}
    }
    found
}

#[test]
fn a_broken_field_is_refused_at_its_place_by_types_and_schemas_alike() {
    let registry = Registry::core();
    let judge = Judge::new(&registry);
    let (mut refused, mut taken) = (0, 0);
    for (event, payload) in examples() {
        let event = name(event);
        for (place, payload) in broken("payload", &payload) {
            let by_type = registry.validate(&event, &payload);
            assert_eq!(by_type.is_ok(), judge.takes(&event, &payload), "{event} {payload}: {by_type:?}");
            match by_type {
                Ok(()) => taken += 1,
                Err(invalid) => {
                    refused += 1;
                    assert!(invalid.path.starts_with(&place), "{place}: {invalid}");
                    assert_eq!(invalid.name, event);
                }
            }
        }
    }
    assert!(refused > 1000 && taken > 100, "{refused} {taken}");
}

#[test]
fn what_is_wrong_is_said() {
    let registry = Registry::core();
    let says =
        |event: &str, payload: Value| registry.validate(&name(event), &payload).unwrap_err().to_string();
    let (_, mut caption) = examples().into_iter().find(|it| it.0 == "caption.published").unwrap();
    caption["segment"]["start_ms"] = "soon".into();
    assert_eq!(
        says("caption.published", caption),
        "the payload does not fit the schema of `caption.published`: `payload.segment.start_ms`: \
         invalid type: string \"soon\", expected u64"
    );
    assert!(
        says("recording.paused", json!({ "at_ms": 1 })).ends_with("`payload.recording_id`: it is missing")
    );
    let long = json!({ "recording_id": 1, "at_ms": "x".repeat(10_000) });
    assert!(says("recording.paused", long).len() < 400);
    for not_an_object in [json!([]), json!(null), json!("x"), json!(1)] {
        for event in ["recording.deleted", "system.stopped", "my.own"] {
            assert!(says(event, not_an_object.clone()).ends_with("where an object is expected"));
        }
    }
    // Of an event that nobody registered, nothing else is known.
    registry.validate(&name("my.own"), &json!({ "anything": [1] })).unwrap();
    // What a newer publisher adds does not hurt.
    registry.validate(&name("system.stopped"), &json!({ "reason": "update" })).unwrap();
}

#[test]
fn schemas_tell_people_what_a_field_is() {
    fn undescribed(path: &str, schema: &Value, found: &mut Vec<String>) {
        for (key, field) in schema["properties"].as_object().into_iter().flatten() {
            if !field["description"].is_string() {
                found.push(format!("{path}.{key}"));
            }
        }
        for (key, inner) in schema["$defs"].as_object().into_iter().flatten() {
            undescribed(&format!("{path}/{key}"), inner, found);
        }
    }
    let mut found = Vec::new();
    for it in Registry::core().schemas() {
        let schema = it.json_schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(
            (schema["title"].as_str(), schema["type"].as_str()),
            (Some(it.name.as_str()), Some("object"))
        );
        assert!(it.description.ends_with('.') && !it.description.contains("  "), "{}", it.description);
        undescribed(it.name.as_str(), &schema, &mut found);
    }
    assert!(found.is_empty(), "say what these are: {found:#?}");
}

#[test]
fn a_domain_has_one_owner() {
    let registry = Registry::core();
    for schema in registry.schemas() {
        assert_eq!(registry.owner_of(schema.name.as_str()), Some(schema.owner), "{}", schema.name);
    }
    assert_eq!(registry.owner_of("recording.invented"), Some("core"));
    assert_eq!(registry.owner_of("noise_reduction.begun"), Some("noise_reduction"));
    assert_eq!(registry.owner_of("desktop_notification.completed"), Some("desktop_notifier"));
    assert_eq!(registry.owner_of("recordings.ended"), None);
}

#[test]
fn topics_that_fit_nothing_are_helped() {
    let registry = Registry::core();
    let help = |topic: &str| registry.topic_help(&topic.parse().unwrap());
    for fits in [
        "recording.ended",
        "recording.*",
        "**",
        "*.completed",
        "noise_reduction.**",
        "my.own",
        "*.x",
        "keyring.x",
    ] {
        assert_eq!(help(fits), None, "{fits}");
    }
    for (topic, meant) in [
        ("recording.endet", "`recording.ended`"),
        ("recordings.ended", "`recording.ended`"),
        ("recodring.*", "`recording.*`"),
        ("kay.created", "`key.created`"),
        ("transcription_lokal.completed", "`transcription_local.completed`"),
        ("recording.*.ended", "`recording."),
    ] {
        let help = help(topic).unwrap_or_else(|| panic!("{topic}"));
        assert!(help.contains(&format!("did you mean {meant}")), "{topic}: {help}");
    }
}

#[test]
fn plugins_bring_their_own() {
    #[derive(Debug, serde::Serialize, Deserialize, schemars::JsonSchema)]
    struct Counted {
        people: u8,
    }
    const COUNTED: EventType<Counted> = EventType::new("head_count.counted");
    let registry = Registry::core().with(Schema::of(COUNTED, "head_count", "People were counted."));
    assert_eq!(registry.owner_of("head_count.x"), Some("head_count"));
    registry.validate(&COUNTED.into(), NewEvent::of(COUNTED, &Counted { people: 3 }).payload()).unwrap();
    let invalid = registry.validate(&COUNTED.into(), &json!({ "people": 300 })).unwrap_err();
    assert_eq!(invalid.path, "payload.people");
    assert_eq!(Judge::new(&registry).by_name.len(), registry.known_names().count());
}

#[test]
fn only_what_its_type_made_is_typed() {
    let stopped = NewEvent::of(names::SYSTEM_STOPPED, &crate::payloads::Nothing {});
    assert!(stopped.is_typed() && !NewEvent::new(names::SYSTEM_STOPPED.into(), json!({})).is_typed());
    // Neither of these can be written as a JSON object: the log has to refuse them.
    const TEXT: EventType<String> = EventType::new("my.text");
    const MAP: EventType<BTreeMap<(u8, u8), u8>> = EventType::new("my.map");
    for bad in [NewEvent::of(TEXT, &String::new()), NewEvent::of(MAP, &BTreeMap::from([((1, 2), 3)]))] {
        assert!(!bad.is_typed());
        Registry::core().validate(bad.name(), bad.payload()).unwrap_err();
    }
}
