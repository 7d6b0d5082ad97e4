//! Settings as the text of a file. Owns its form: each key with its manual above it, those that are not set
//! as comments; what is read back is what was written, a property test holds.

use panotti_sdk::Descriptor;
use serde_json::{Map, Value};

use super::{
    schema::{Schema, is_secret_value, properties, resolve, short},
    wording::note,
};
use crate::config::yaml;

/// Words that some readers of YAML take for something else than text.
const AMBIGUOUS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// The text of `file` (`name`, `version`, `enabled`, `dependencies`, `config` and whatever else it has).
pub(super) fn render(descriptor: &Descriptor, root: &Value, file: &Map<String, Value>) -> String {
    let mut lines = vec![format!("# Settings of the plugin {}.", descriptor.name)];
    lines.extend(comment(descriptor.description));
    let order = ["name", "version", "enabled", "dependencies"];
    let others = file.keys().map(String::as_str).filter(|it| !order.contains(it) && *it != "config");
    for key in order.into_iter().chain(others) {
        if let Some(value) = file.get(key) {
            lines.extend(entry(key, value));
        }
    }
    lines.push("config:".into());
    let schema = resolve(root, properties(root, &resolve(root, root)).get("config").unwrap_or(&Value::Null));
    let none = Map::new();
    let config = file.get("config").and_then(Value::as_object).unwrap_or(&none);
    lines.extend(indented(section(root, Some(&schema), config)));
    lines.push(String::new());
    lines.join("\n")
}

/// The lines of a section's keys.
fn section(root: &Value, schema: Option<&Schema>, map: &Map<String, Value>) -> Vec<String> {
    let known = schema.map(|it| properties(root, it)).unwrap_or_default();
    let mut lines = Vec::new();
    for (key, schema) in &known {
        let schema = resolve(root, schema);
        let manual = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        lines.extend(comment(manual));
        lines.extend(comment(&note(root, &schema)));
        match (map.get(key), schema.get("default")) {
            (Some(Value::Object(inner)), _) if !inner.is_empty() && !is_secret_value(inner) => {
                lines.push(format!("{}:", scalar(key)));
                lines.extend(indented(section(root, Some(&schema), inner)));
            }
            (Some(value), _) => lines.extend(entry(key, value)),
            (None, default) => {
                let default = entry(key, &short(&schema, default.unwrap_or(&Value::Null)));
                lines.extend(default.into_iter().map(|it| format!("# {it}")));
            }
        }
    }
    for (key, value) in map.iter().filter(|it| !known.contains_key(it.0)) {
        lines.extend(entry(key, value));
    }
    lines
}

/// The lines of `key: value`.
fn entry(key: &str, value: &Value) -> Vec<String> {
    match on_one_line(value) {
        Some(it) => vec![format!("{}: {it}", scalar(key))],
        None => [vec![format!("{}:", scalar(key))], indented(block(value))].concat(),
    }
}

/// The lines of a list or a section that is not empty.
fn block(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map.iter().flat_map(|(key, value)| entry(key, value)).collect(),
        Value::Array(items) => items.iter().flat_map(item).collect(),
        other => vec![on_one_line(other).unwrap_or_default()],
    }
}

fn item(value: &Value) -> Vec<String> {
    let lines = on_one_line(value).map_or_else(|| block(value), |it| vec![it]);
    let mark = |(index, line): (usize, String)| format!("{}{line}", if index == 0 { "- " } else { "  " });
    lines.into_iter().enumerate().map(mark).collect()
}

fn on_one_line(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "null".into(),
        Value::Bool(it) => it.to_string(),
        // 1e300 in full would be read as a whole number.
        Value::Number(it) => match it.as_f64().filter(|_| it.is_f64()) {
            Some(float) => format!("{float:?}"),
            None => it.to_string(),
        },
        Value::String(it) => scalar(it),
        Value::Array(it) if it.is_empty() => "[]".into(),
        Value::Object(it) if it.is_empty() => "{}".into(),
        Value::Object(it) if is_secret_value(it) => {
            format!("{{ secret: {} }}", scalar(it.get("secret")?.as_str()?))
        }
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// Text as it is where every reader takes it for that text, in quotes elsewhere.
fn scalar(text: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "_-./ ".contains(it);
    let clear = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '/' || it == '_')
        && !text.ends_with(' ')
        && text.chars().all(plain)
        && !AMBIGUOUS.contains(&text.to_lowercase().as_str())
        && yaml::parse(text).is_ok_and(|it| it.value == yaml::Value::Text(text.to_owned()));
    if clear { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for it in text.chars() {
        match it {
            '"' | '\\' => quoted.extend(['\\', it]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // What YAML takes for an end of line or for nothing, and what cannot be seen.
            it if it.is_control() || !it.is_ascii() && !it.is_alphanumeric() => {
                quoted.push_str(&format!("\\U{:08X}", u32::from(it)));
            }
            it => quoted.push(it),
        }
    }
    quoted.push('"');
    quoted
}

fn comment(text: &str) -> impl Iterator<Item = String> {
    // Whatever ends a line for YAML ends the comment too.
    let lines = text.split(|it: char| it != '\t' && it.is_control() || matches!(it, '\u{2028}' | '\u{2029}'));
    lines.map(|it| format!("# {}", it.trim_end())).filter(|it| it != "# ").collect::<Vec<_>>().into_iter()
}

fn indented(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|it| format!("  {it}")).collect()
}
