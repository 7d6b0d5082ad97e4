//! What is expected where, in words for people. Owns the wording; pure.

use serde_json::{Map, Number, Value};

use super::{
    schema::{Schema, admits, alternatives, is_secret, properties, resolve, short, types, words},
    tree::{Path, Step},
};
use crate::config::nearest;

/// Most keys or words that are listed.
const LISTED: usize = 12;

/// What fits `schema`, to follow "write".
pub(super) fn expected(root: &Value, schema: &Schema) -> String {
    let branches = alternatives(root, schema);
    if !branches.is_empty() {
        let mut forms: Vec<_> = branches.iter().filter(|it| types(it) != ["null"]).collect();
        let listed: Option<Vec<_>> = forms.iter().map(|it| words(it)).collect();
        if let Some(words) = listed {
            return one_of(&words.concat());
        }
        forms.truncate(LISTED);
        return forms.into_iter().map(|it| expected(root, it)).collect::<Vec<_>>().join(", or ");
    }
    if let Some(words) = words(schema) {
        return one_of(&words);
    }
    let kinds: Vec<_> = types(schema).into_iter().filter(|it| *it != "null").collect();
    let words = kinds.iter().map(|kind| match *kind {
        "integer" => with_unit(schema, format!("a whole number{}", range(schema))),
        "number" => with_unit(schema, format!("a number{}", range(schema))),
        "boolean" => "true or false".into(),
        "string" => text(schema),
        "array" => list(root, schema),
        _ if is_secret(schema) => "the name of a secret, as `{ secret: NAME }`".into(),
        _ => section(root, schema),
    });
    let words = words.collect::<Vec<_>>().join(", or ");
    if words.is_empty() { "a value".into() } else { words }
}

fn with_unit(schema: &Schema, text: String) -> String {
    match schema.get("x-unit").and_then(Value::as_str) {
        Some(unit) => format!("{text} {unit}"),
        None => text,
    }
}

fn range(schema: &Schema) -> String {
    // `range(min = 0.0)` is written as 0.0.
    let plain =
        |it: &Number| it.as_f64().filter(|_| it.is_f64()).map_or_else(|| it.to_string(), |it| it.to_string());
    let limit = |word: &str| schema.get(word).and_then(Value::as_number).map(plain);
    let most = limit("maximum").or_else(|| {
        let most: u64 = match schema.get("format")?.as_str()? {
            "uint8" => u8::MAX.into(),
            "uint16" => u16::MAX.into(),
            "uint32" => u32::MAX.into(),
            _ => return None,
        };
        Some(most.to_string())
    });
    let least = match (limit("minimum"), limit("exclusiveMinimum")) {
        (Some(least), _) => Some(format!("from {least}")),
        (None, Some(least)) => Some(format!("above {least}")),
        (None, None) => None,
    };
    let most = match (most, limit("exclusiveMaximum")) {
        (Some(most), _) if least.is_some() => Some(format!("to {most}")),
        (Some(most), _) => Some(format!("up to {most}")),
        (None, Some(most)) => Some(format!("below {most}")),
        (None, None) => None,
    };
    let step = limit("multipleOf").map(|it| format!("in steps of {it}"));
    [least, most, step].into_iter().flatten().map(|it| format!(" {it}")).collect()
}

fn text(schema: &Schema) -> String {
    let limit = |word: &str| schema.get(word).and_then(Value::as_u64);
    let plain = match schema.get("format").and_then(Value::as_str) {
        Some("uri" | "url") => "an address such as http://127.0.0.1:11434",
        Some("uuid") => "a UUID",
        Some("date-time") => "a time such as 2026-01-31T12:00:00Z",
        Some("ip" | "ipv4" | "ipv6") => "an IP address",
        Some("email") => "an e-mail address",
        Some("char") => "one character",
        _ => "text",
    };
    let length = match (limit("minLength"), limit("maxLength")) {
        (Some(least), Some(most)) => format!(" of {least} to {most} characters"),
        (None, Some(most)) => format!(" of at most {most} characters"),
        (Some(1), None) => " that is not empty".into(),
        (Some(least), None) => format!(" of at least {least} characters"),
        (None, None) => String::new(),
    };
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let example = schema.get("examples").and_then(|it| it.get(0)).filter(|_| plain == "text");
    let pattern = pattern.map_or_else(String::new, |it| format!(" that matches {it}"));
    let example = example.map_or_else(String::new, |it| format!(" such as {}", show(it)));
    format!("{plain}{length}{pattern}{example}")
}

fn list(root: &Value, schema: &Schema) -> String {
    let limit = |word: &str| schema.get(word).and_then(Value::as_u64);
    let size = match (limit("minItems"), limit("maxItems")) {
        (Some(least), Some(most)) if least == most => format!(" of {most}"),
        (Some(least), Some(most)) => format!(" of {least} to {most}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, None) => String::new(),
    };
    let items = schema.get("items").filter(|it| it.is_object()).map(|it| resolve(root, it));
    let items = items.map_or_else(String::new, |it| format!(", each {}", expected(root, &it)));
    format!("a list{size} such as [a, b]{items}")
}

fn section(root: &Value, schema: &Schema) -> String {
    let keys: Vec<_> = properties(root, schema).into_iter().map(|it| it.0).collect();
    match keys.len() {
        0 => "keys below it, indented, as `name: value`".into(),
        _ => format!("keys below it, indented: {}", some(&keys)),
    }
}

/// The words that fit; the nearest to what was written is named.
pub(super) fn expected_words(words: &[&Value], written: &Value) -> String {
    let texts = words.iter().filter_map(|it| it.as_str());
    match written.as_str().and_then(|it| nearest(it, texts)) {
        Some(near) => format!("write {}; did you mean {near}?", one_of(words)),
        None => format!("write {}", one_of(words)),
    }
}

fn one_of(words: &[&Value]) -> String {
    let word = |it: &&Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    let words: Vec<_> = words.iter().map(word).collect();
    if words.len() == 1 { words.concat() } else { format!("one of {}", some(&words)) }
}

/// What to write instead of a key that there is not.
pub(super) fn suggestion(root: &Value, path: &Path, known: &Map<String, Value>) -> String {
    let Some(Step::Key(key)) = path.0.last() else { return "take it away".into() };
    let config = root.pointer("/properties/config/properties");
    if path.0.len() == 1 && config.is_some_and(|it| it.get(key).is_some()) {
        return "it belongs to the section config".into();
    }
    if let Some(near) = nearest(key, known.keys().map(String::as_str)) {
        let mut path = path.clone();
        path.0.pop();
        return format!("did you mean {}?", path.key(near));
    }
    let known: Vec<_> = known.keys().cloned().collect();
    if known.is_empty() { "take it away".into() } else { format!("known are {}", some(&known)) }
}

fn some(words: &[String]) -> String {
    let more = if words.len() > LISTED { " and others" } else { "" };
    format!("{}{more}", words[..words.len().min(LISTED)].join(", "))
}

/// A value in a sentence.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a section".into(),
        Value::String(it) if it.chars().count() > 64 => {
            format!("{:?}…", it.chars().take(64).collect::<String>())
        }
        Value::String(it) => format!("{it:?}"),
        other => other.to_string(),
    }
}

/// One line for a key in a settings file: what fits, and what counts without it.
pub(super) fn note(root: &Value, schema: &Schema) -> String {
    let expected = expected(root, schema);
    let mut letters = expected.chars();
    let first = letters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
    let null = if admits(root, schema, "null") { ", or null" } else { "" };
    let default = schema.get("default").filter(|it| !it.is_object() && !it.is_null());
    let default = default.map(|it| short(schema, it));
    let default = default.map_or_else(String::new, |it| format!("; {it} when left out"));
    format!("{first}{}{null}{default}.", letters.as_str())
}
