//! Whether a value fits a JSON Schema, for what `schemars` writes: types, references, alternatives, keys,
//! lengths and ranges. Patterns and formats are left to the host.

use serde_json::{Map, Value};

/// `schema`, or what it refers to.
pub(super) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
    let found = reference.and_then(|it| root.pointer(it));
    // A circle of nothing but references is no schema.
    found.filter(|it| it["$ref"].is_null()).unwrap_or(schema)
}

/// The keys that an object described by `schema` may have, also where it is one of several alternatives.
pub(super) fn properties<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Map<String, Value>> {
    let schema = resolve(root, schema);
    schema["properties"].as_object().or_else(|| {
        ["anyOf", "oneOf", "allOf"]
            .iter()
            .filter_map(|it| schema[*it].as_array())
            .flatten()
            .find_map(|it| properties(root, it))
    })
}

/// Where `value` does not fit, and why.
pub(super) fn misfits(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    if let Some(all) = schema.as_bool() {
        return if all { Vec::new() } else { vec![format!("`{path}` is not allowed")] };
    }
    let mut found = Vec::new();
    let target = resolve(root, schema);
    if !std::ptr::eq(target, schema) {
        found.extend(misfits(root, target, value, path));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        found.extend(misfits(root, part, value, path));
    }
    for word in ["anyOf", "oneOf"] {
        let Some(parts) = schema[word].as_array() else { continue };
        if !parts.iter().any(|it| misfits(root, it, value, path).is_empty()) {
            found.push(format!("`{path}` fits none of the alternatives"));
        }
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|it| is(it, value)) {
        found.push(format!("`{path}` is not of the type {}", types.join(" or ")));
    }
    let choices = schema["enum"].as_array();
    if choices.is_some_and(|it| !it.contains(value)) || schema.get("const").is_some_and(|it| it != value) {
        found.push(format!("`{path}` is none of the values that it may have"));
    }
    if out_of_range(schema, value) {
        found.push(format!("`{path}` is out of range"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = schema.get("items") {
            found.extend(misfits(root, schema, item, &format!("{path}[{at}]")));
        }
    }
    if let Some(object) = value.as_object() {
        found.extend(keys(root, schema, object, path));
    }
    found
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|it| it.fract() == 0.0),
        _ => false,
    }
}

fn out_of_range(schema: &Value, value: &Value) -> bool {
    let limit = |word: &str| schema[word].as_f64();
    let count = |it: usize| f64::from(u32::try_from(it).unwrap_or(u32::MAX));
    let (size, least, most) = match value {
        Value::Number(it) => (it.as_f64().unwrap_or(f64::NAN), "minimum", "maximum"),
        Value::String(text) => (count(text.chars().count()), "minLength", "maxLength"),
        Value::Array(items) => (count(items.len()), "minItems", "maxItems"),
        _ => return false,
    };
    limit(least).is_some_and(|it| size < it)
        || limit(most).is_some_and(|it| size > it)
        || value.is_number()
            && (limit("exclusiveMinimum").is_some_and(|it| size <= it)
                || limit("exclusiveMaximum").is_some_and(|it| size >= it))
}

fn keys(root: &Value, schema: &Value, object: &Map<String, Value>, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    found.extend(
        required.filter(|it| !object.contains_key(*it)).map(|it| format!("`{path}.{it}` is missing")),
    );
    for (key, value) in object {
        let path = format!("{path}.{key}");
        match (schema["properties"].get(key), schema.get("additionalProperties")) {
            (Some(schema), _) | (None, Some(schema)) => found.extend(misfits(root, schema, value, &path)),
            (None, None) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let schema = json!({
            "type": "object",
            "properties": {
                "n": { "type": "integer", "minimum": 1, "maximum": 9 },
                "x": { "type": "number", "exclusiveMinimum": 0 },
                "s": { "type": ["string", "null"], "minLength": 2 },
                "e": { "enum": ["a", "b"] },
                "l": { "type": "array", "items": { "$ref": "#/$defs/it" }, "maxItems": 2 },
                "o": { "anyOf": [{ "$ref": "#/$defs/it" }, { "type": "null" }] },
            },
            "required": ["n"],
            "additionalProperties": false,
            "$defs": { "it": {
                "type": "object",
                "properties": { "k": { "const": 1 } },
                "required": ["k"],
            } },
        });
        let fits = |value: Value| misfits(&schema, &schema, &value, "config");
        for good in [
            json!({ "n": 1 }),
            json!({ "n": 9.0, "x": 0.1, "s": null, "e": "a", "l": [{ "k": 1 }], "o": null }),
            json!({ "n": 2, "s": "ää", "o": { "k": 1, "more": true } }),
        ] {
            assert_eq!(fits(good.clone()), Vec::<String>::new(), "{good}");
        }
        for (bad, path) in [
            (json!([]), "`config`"),
            (json!({}), "`config.n`"),
            (json!({ "n": 0 }), "`config.n`"),
            (json!({ "n": 10 }), "`config.n`"),
            (json!({ "n": 1.5 }), "`config.n`"),
            (json!({ "n": 1, "x": 0 }), "`config.x`"),
            (json!({ "n": 1, "s": "a" }), "`config.s`"),
            (json!({ "n": 1, "s": false }), "`config.s`"),
            (json!({ "n": 1, "e": "c" }), "`config.e`"),
            (json!({ "n": 1, "l": [{ "k": 1 }, { "k": 2 }] }), "`config.l[1].k`"),
            (json!({ "n": 1, "l": [{ "k": 1 }, { "k": 1 }, { "k": 1 }] }), "`config.l`"),
            (json!({ "n": 1, "o": {} }), "`config.o`"),
            (json!({ "n": 1, "z": 1 }), "`config.z`"),
        ] {
            let found = fits(bad.clone());
            assert!(found.len() == 1 && found[0].contains(path), "{bad}: {found:?}");
        }
    }
}
