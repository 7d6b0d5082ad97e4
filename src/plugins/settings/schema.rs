//! JSON Schema as `schemars` writes it. Owns reading it, the settings every plugin has, and the schema of a
//! whole settings file; leaves holding values to it to `judge`.
//!
//! The `jsonschema` crate would bring 25 others for what a struct never needs, and its words are those of
//! the standard and not of a person who edits a file.

use panotti_sdk::{Descriptor, HOST_SETTINGS};
use serde_json::{Map, Number, Value, json};

/// A schema, resolved: without `$ref` and `allOf`.
pub(super) type Schema = Map<String, Value>;

/// Everything of JSON Schema that is understood. What is not here would be passed over in silence, so that
/// a plugin that uses it is refused ([`faults`]); `x-` is free, of which `x-unit` is shown.
const KEYWORDS: &str = "$schema $id $ref $defs title description default examples deprecated readOnly \
    writeOnly type enum const oneOf anyOf allOf properties required additionalProperties \
    unevaluatedProperties items prefixItems minItems maxItems uniqueItems minLength maxLength pattern \
    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minProperties maxProperties format";

/// Deepest chain of references; schemas refer to themselves where types do.
const DEEPEST: usize = 32;

/// The settings every plugin has.
pub(super) fn common() -> Value {
    json!({
        "max_concurrent_tasks": {
            "description": "Most events handled at once.",
            "type": "integer", "minimum": 1, "maximum": 64, "default": 4
        },
        "timeout_s": {
            "description": "Longest that handling one event may take.",
            "type": "integer", "minimum": 1, "maximum": 86_400, "default": 300, "x-unit": "s"
        },
        "event_filter": {
            "description": "Named filter of the service: only events that pass it too are delivered.",
            "type": ["string", "null"], "minLength": 1, "maxLength": 64, "default": null
        },
        "memory_limit_mib": {
            "description": "Memory it may hold; with more it is stopped.",
            "type": "integer", "minimum": 16, "maximum": 65_536, "default": 256, "x-unit": "MiB"
        }
    })
}

/// The schema of `config`: the plugin's own settings and those every plugin has.
pub(crate) fn schema(descriptor: &Descriptor) -> Value {
    let own = (descriptor.config_schema)();
    let mut whole = match own {
        // The unit type: no settings of its own.
        Value::Object(map) if map.get("type") == Some(&json!("null")) => Map::new(),
        Value::Object(map) => map,
        _ => Map::new(),
    };
    whole.insert("type".into(), "object".into());
    let mut properties = common();
    // A plugin's own defaults of these stand in its example: how long one event may take, for instance.
    let example: Option<Value> = serde_saphyr::from_str(descriptor.example).ok();
    let example = example.as_ref().and_then(|it| it.get("config"));
    for key in HOST_SETTINGS {
        if let (Some(own), Some(property)) = (example.and_then(|it| it.get(*key)), properties.get_mut(*key)) {
            property["default"] = own.clone();
        }
    }
    if let (Some(Value::Object(own)), Value::Object(all)) = (whole.remove("properties"), &mut properties) {
        all.extend(own);
    }
    whole.insert("properties".into(), properties);
    Value::Object(whole)
}

/// The schema of the whole file.
pub(super) fn of_file(descriptor: &Descriptor) -> Value {
    let mut config = schema(descriptor);
    let defs = config.as_object_mut().and_then(|it| it.remove("$defs")).unwrap_or_else(|| json!({}));
    let config_default = json!({});
    if let Some(it) = config.as_object_mut() {
        it.insert("default".into(), config_default);
    }
    json!({
        "$defs": defs,
        "type": "object",
        "required": ["name", "version"],
        "properties": {
            "name": { "type": "string" },
            "version": { "type": "string" },
            "enabled": { "type": "boolean", "default": true },
            "dependencies": { "type": "array", "items": { "type": "string" }, "default": [] },
            "config": config
        }
    })
}

/// Whether the plugin has settings of its own; without, it is built from `null`.
pub(super) fn is_unit(descriptor: &Descriptor) -> bool {
    (descriptor.config_schema)().get("type") == Some(&json!("null"))
}

/// What is wrong with the plugin's own schema, which its author has to change.
pub(super) fn faults(descriptor: &Descriptor) -> Vec<String> {
    let own = (descriptor.config_schema)();
    let mut faults = Vec::new();
    if !is_unit(descriptor) {
        let root = resolve(&own, &own);
        if types(&root) != ["object"] || root.contains_key("oneOf") || root.contains_key("anyOf") {
            faults.push("the configuration has to be a struct".to_owned());
        }
        let own = root.get("properties").and_then(Value::as_object);
        let common = common();
        let taken = |it: &&String| common.get(it.as_str()).is_some();
        faults.extend(own.into_iter().flat_map(Map::keys).filter(taken).map(|it| {
            format!("`{it}` is a setting that every plugin has: leave it out of the struct, or rename it")
        }));
    }
    unknown_keywords(&own, &mut faults);
    faults
}

fn unknown_keywords(schema: &Value, faults: &mut Vec<String>) {
    let Value::Object(schema) = schema else { return };
    for (word, value) in schema {
        if !word.starts_with("x-") && !KEYWORDS.split_whitespace().any(|it| it == word) {
            faults.push(format!("its schema says `{word}`, which is not understood here"));
        }
        match (word.as_str(), value) {
            ("properties" | "$defs", Value::Object(inner)) => {
                inner.values().for_each(|it| unknown_keywords(it, faults));
            }
            ("oneOf" | "anyOf" | "allOf" | "prefixItems", Value::Array(inner)) => {
                inner.iter().for_each(|it| unknown_keywords(it, faults));
            }
            ("items" | "additionalProperties" | "unevaluatedProperties", inner) => {
                unknown_keywords(inner, faults);
            }
            ("pattern", Value::String(pattern)) if regex_lite::Regex::new(pattern).is_err() => {
                faults.push(format!("its schema has the pattern `{pattern}`, which is not understood here"));
            }
            _ => {}
        }
    }
}

/// `schema` with what it refers to; what stands beside a reference wins.
pub(super) fn resolve(root: &Value, schema: &Value) -> Schema {
    let mut resolved = Map::new();
    merge(root, schema, &mut resolved, 0);
    resolved
}

/// Both at once, `over` winning.
pub(super) fn both(root: &Value, under: &Schema, over: &Value) -> Schema {
    let mut resolved = under.clone();
    merge(root, over, &mut resolved, 0);
    resolved
}

fn merge(root: &Value, schema: &Value, into: &mut Schema, depth: usize) {
    let Value::Object(schema) = schema else { return };
    if depth > DEEPEST {
        return;
    }
    let referred = schema.get("$ref").and_then(Value::as_str);
    if let Some(target) = referred.and_then(|it| root.pointer(it.strip_prefix('#')?)) {
        merge(root, target, into, depth + 1);
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        merge(root, part, into, depth + 1);
    }
    for (word, value) in schema {
        match (word.as_str(), into.get_mut(word), value) {
            ("$ref" | "allOf" | "$defs" | "$schema", ..) => {}
            ("properties", Some(Value::Object(there)), Value::Object(more)) => {
                there.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            ("required", Some(Value::Array(there)), Value::Array(more)) => there.extend(more.iter().cloned()),
            _ => {
                into.insert(word.clone(), value.clone());
            }
        }
    }
}

/// The alternatives of a schema, each with what is said beside them; none for one without.
pub(super) fn alternatives(root: &Value, schema: &Schema) -> Vec<Schema> {
    let word = ["oneOf", "anyOf"].into_iter().find(|it| schema.contains_key(*it));
    let Some(Value::Array(branches)) = word.and_then(|it| schema.get(it)) else { return Vec::new() };
    let mut beside = schema.clone();
    for word in ["oneOf", "anyOf", "description", "default", "title"] {
        beside.remove(word);
    }
    branches.iter().map(|it| both(root, &beside, it)).collect()
}

/// The types a resolved schema without alternatives admits; none when it admits all.
pub(super) fn types(schema: &Schema) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(it)) => vec![it.as_str()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ if schema.contains_key("properties") => vec!["object"],
        _ => words(schema).into_iter().flatten().map(type_of).collect(),
    }
}

/// The values that are admitted, where they are listed.
pub(super) fn words(schema: &Schema) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(only), _) => Some(vec![only]),
        (None, Some(Value::Array(all))) => Some(all.iter().collect()),
        _ => None,
    }
}

/// Whether `null`, text and so on is admitted.
pub(super) fn admits(root: &Value, schema: &Schema, kind: &str) -> bool {
    let branches = alternatives(root, schema);
    if branches.is_empty() {
        let types = types(schema);
        types.is_empty() || types.contains(&kind)
    } else {
        branches.iter().any(|it| admits(root, it, kind))
    }
}

/// All keys that can be below, whatever the alternative.
pub(super) fn properties(root: &Value, schema: &Schema) -> Map<String, Value> {
    let mut all = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    for branch in alternatives(root, schema) {
        all.extend(properties(root, &branch));
    }
    all
}

/// The schema of the keys that are not named; `None` when there may be none.
pub(super) fn others(schema: &Schema) -> Option<&Value> {
    match schema.get("additionalProperties").or_else(|| schema.get("unevaluatedProperties")) {
        Some(Value::Bool(false)) => None,
        Some(it) => Some(it),
        // A struct without `deny_unknown_fields`: what it does not know is a slip all the same.
        None if types(schema).contains(&"object") => None,
        None => Some(&Value::Bool(true)),
    }
}

/// Whether this is a secret's name and not a section like others.
pub(super) fn is_secret(schema: &Schema) -> bool {
    let own = schema.get("properties").and_then(Value::as_object);
    own.is_some_and(|it| it.len() == 1 && it.contains_key("secret"))
}

/// The type of a value, in the words of JSON Schema.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(it) if it.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a value is a secret's name.
pub(super) fn is_secret_value(value: &Map<String, Value>) -> bool {
    value.len() == 1 && value.get("secret").is_some_and(Value::is_string)
}

/// A number that Rust holds in 32 bits, without the digits that 64 add.
pub(super) fn short(schema: &Schema, value: &Value) -> Value {
    let is_float = schema.get("format").is_some_and(|it| it == "float");
    let number = value.as_f64().filter(|_| is_float && value.is_f64());
    #[expect(clippy::cast_possible_truncation, reason = "the plugin holds it in 32 bits")]
    let number = number.and_then(|it| (it as f32).to_string().parse::<f64>().ok());
    number.and_then(Number::from_f64).map_or_else(|| value.clone(), Value::Number)
}
