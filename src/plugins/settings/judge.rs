//! Whether values fit a schema. Owns the walk, which finds everything that is wrong and fills in defaults;
//! pure, it knows no file.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::{
    schema::{
        self, Schema, admits, alternatives, both, is_secret, others, resolve, short, type_of, types, words,
    },
    tree::{Path, Step},
    wording::{expected, expected_words, show, suggestion},
};

/// In the schema of a secret that need not be there.
const MAY_BE_MISSING: &str = "x-may-be-missing";

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Misfit {
    pub(super) path: Path,
    /// Whether the key is meant and not its value.
    pub(super) key: bool,
    pub(super) what: String,
    pub(super) instead: String,
}

/// Why there is no secret of that name: what is wrong, and what to do.
pub(super) type SecretCheck<'a> = &'a dyn Fn(&str) -> Result<(), (String, String)>;

/// Holds `value` to `schema`: the value with every default, and everything that is wrong.
pub(super) fn judge(schema: &Value, value: &Value, secret: SecretCheck<'_>) -> (Value, Vec<Misfit>) {
    let mut judge = Judge { root: schema, secret, misfits: Vec::new() };
    let complete = judge.value(&resolve(schema, schema), value, &Path::default());
    (complete, judge.misfits)
}

struct Judge<'a> {
    root: &'a Value,
    secret: SecretCheck<'a>,
    misfits: Vec<Misfit>,
}

impl Judge<'_> {
    fn misfit(&mut self, path: &Path, what: impl Into<String>, instead: impl Into<String>) {
        self.misfits.push(Misfit {
            path: path.clone(),
            key: false,
            what: what.into(),
            instead: instead.into(),
        });
    }

    fn value(&mut self, schema: &Schema, value: &Value, path: &Path) -> Value {
        let branches = alternatives(self.root, schema);
        let of_secret = is_secret(schema) || branches.iter().any(is_secret);
        if of_secret && !matches!(value, Value::Object(_) | Value::Null) {
            // It may be the secret itself.
            let instead = "write `{ secret: NAME }`, and the secret itself into the file secrets/NAME in the data directory";
            self.misfit(path, "a secret is only named here", instead);
            return Value::Null;
        }
        if !branches.is_empty() {
            return self.choice(schema, &branches, value, path);
        }
        if let Some(words) = words(schema) {
            if !words.contains(&value) {
                let instead = expected_words(&words, value);
                self.misfit(path, format!("{} is not known here", show(value)), instead);
            }
            return value.clone();
        }
        let kind = type_of(value);
        let types = types(schema);
        let fits =
            types.is_empty() || types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
        match value {
            // `section:` with nothing below, or only comments.
            Value::Null if types == ["object"] => self.section(schema, &Map::new(), path),
            _ if !fits => {
                let (what, instead) = self.wrong_type(schema, value);
                self.misfit(path, what, instead);
                value.clone()
            }
            Value::Number(it) => self.number(schema, it, path),
            Value::String(it) => self.text(schema, it, path),
            Value::Array(it) => self.list(schema, it, path),
            Value::Object(it) => self.section(schema, it, path),
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn wrong_type(&self, schema: &Schema, value: &Value) -> (String, String) {
        let instead = format!("write {}", expected(self.root, schema));
        let scalar = matches!(value, Value::Number(_) | Value::Bool(_));
        let kinds = types(schema);
        let what = match value {
            _ if scalar && kinds.contains(&"string") => {
                let kind = if value.is_boolean() { "true or false" } else { "a number" };
                let what = format!("{} is {kind}, not text", show(value));
                return (what, format!("put it in quotes: \"{}\"", show(value)));
            }
            Value::Null => "there is no value".to_owned(),
            Value::Array(_) => "a list does not fit here".to_owned(),
            Value::Object(_) => "a section does not fit here".to_owned(),
            _ if kinds.contains(&"integer") => format!("{} is not a whole number", show(value)),
            _ if kinds.contains(&"number") => format!("{} is not a number", show(value)),
            _ if kinds.contains(&"boolean") => format!("{} is neither true nor false", show(value)),
            _ if kinds.contains(&"array") => format!("{} is not a list", show(value)),
            _ => format!("{} is no section with keys", show(value)),
        };
        (what, instead)
    }

    fn number(&mut self, schema: &Schema, value: &Number, path: &Path) -> Value {
        let holds = |word: &str, allowed: &[Ordering]| {
            let limit = schema.get(word).and_then(Value::as_number);
            limit.is_none_or(|it| compare(value, it).is_none_or(|it| allowed.contains(&it)))
        };
        let step = schema.get("multipleOf").and_then(Value::as_f64).zip(value.as_f64());
        let fits = holds("minimum", &[Ordering::Greater, Ordering::Equal])
            && holds("maximum", &[Ordering::Less, Ordering::Equal])
            && holds("exclusiveMinimum", &[Ordering::Greater])
            && holds("exclusiveMaximum", &[Ordering::Less])
            && step.is_none_or(|(step, it)| (it / step - (it / step).round()).abs() < 1e-9)
            && in_format(schema, value);
        if !fits {
            let instead = format!("write {}", expected(self.root, schema));
            self.misfit(path, format!("{value} is out of range"), instead);
        }
        short(schema, &Value::Number(value.clone()))
    }

    fn text(&mut self, schema: &Schema, value: &str, path: &Path) -> Value {
        let length = value.chars().count() as u64;
        let limit = |word: &str| schema.get(word).and_then(Value::as_u64);
        let too_short = limit("minLength").is_some_and(|it| length < it);
        let too_long = limit("maxLength").is_some_and(|it| length > it);
        let pattern = schema.get("pattern").and_then(Value::as_str);
        let pattern = pattern.and_then(|it| regex_lite::Regex::new(it).ok());
        let other = pattern.is_some_and(|it| !it.is_match(value)) || !has_format(schema, value);
        if too_short || too_long || other {
            let shown = show(&value.into());
            let what = match () {
                () if value.is_empty() => "the text is empty".to_owned(),
                () if too_short => format!("{shown} is too short"),
                () if too_long => format!("{length} characters are too many"),
                () => format!("{shown} does not fit"),
            };
            self.misfit(path, what, format!("write {}", expected(self.root, schema)));
        }
        value.into()
    }

    fn list(&mut self, schema: &Schema, items: &[Value], path: &Path) -> Value {
        let length = items.len() as u64;
        let limit = |word: &str| schema.get(word).and_then(Value::as_u64);
        if limit("minItems").is_some_and(|it| length < it) || limit("maxItems").is_some_and(|it| length > it)
        {
            let what = if length == 1 { "1 item does".to_owned() } else { format!("{length} items do") };
            self.misfit(path, format!("{what} not fit"), format!("write {}", expected(self.root, schema)));
        }
        let first = schema.get("prefixItems").and_then(Value::as_array);
        let rest = schema.get("items").unwrap_or(&Value::Bool(true));
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let mut complete = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = path.with(Step::Index(index));
            if unique && items[..index].contains(item) {
                self.misfit(&path, format!("{} is there twice", show(item)), "take one away");
            }
            let schema = first.and_then(|it| it.get(index)).unwrap_or(rest);
            complete.push(self.value(&resolve(self.root, schema), item, &path));
        }
        Value::Array(complete)
    }

    fn section(&mut self, schema: &Schema, value: &Map<String, Value>, path: &Path) -> Value {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let others = others(schema);
        let before = self.misfits.len();
        let mut complete = Map::new();
        for (key, value) in value {
            let path = path.key(key);
            match known.get(key).or(others) {
                Some(schema) => {
                    let value = self.value(&resolve(self.root, schema), value, &path);
                    complete.insert(key.clone(), value);
                }
                None => {
                    let instead = suggestion(self.root, &path, known);
                    let what = "there is no such key".to_owned();
                    self.misfits.push(Misfit { path, key: true, what, instead });
                }
            }
        }
        let size = complete.len() as u64;
        let limit = |word: &str| schema.get(word).and_then(Value::as_u64);
        if limit("minProperties").is_some_and(|it| size < it)
            || limit("maxProperties").is_some_and(|it| size > it)
        {
            self.misfit(
                path,
                format!("{size} keys do not fit"),
                format!("write {}", expected(self.root, schema)),
            );
        }
        let required = schema.get("required").and_then(Value::as_array);
        for (key, inner) in known.iter().filter(|it| !value.contains_key(it.0)) {
            let inner = resolve(self.root, inner);
            let path = path.key(key);
            if let Some(default) = inner.get("default") {
                let default = self.value(&inner, default, &path);
                complete.insert(key.clone(), default);
            } else if required.is_some_and(|it| it.iter().any(|it| it == key)) {
                let instead = format!("write `{key}:` and {}", expected(self.root, &inner));
                self.misfit(&path, "it is missing", instead);
            } else if admits(self.root, &inner, "null") {
                complete.insert(key.clone(), Value::Null);
            }
        }
        // The plugin may know a setting by which it does without.
        let needed = is_secret(schema) && schema.get(MAY_BE_MISSING) != Some(&Value::Bool(true));
        let name = value.get("secret").and_then(Value::as_str).filter(|_| needed);
        if let Some(name) = name.filter(|_| self.misfits.len() == before)
            && let Err((what, instead)) = (self.secret)(name)
        {
            self.misfit(&path.key("secret"), what, instead);
        }
        Value::Object(complete)
    }

    /// One of several forms: the one that is probably meant is held to.
    fn choice(&mut self, schema: &Schema, branches: &[Schema], value: &Value, path: &Path) -> Value {
        let listed: Option<Vec<_>> = branches.iter().map(words).collect();
        if let Some(words) = listed {
            let words: Vec<_> = words.into_iter().flatten().collect();
            if !words.contains(&value) {
                let instead = expected_words(&words, value);
                self.misfit(path, format!("{} is not known here", show(value)), instead);
            }
            return value.clone();
        }
        if let (Some((tag, words)), Value::Object(map)) = (tag(branches), value) {
            let found = map.get(&tag);
            if !found.is_some_and(|it| words.contains(&it)) {
                let what =
                    found.map_or("it is missing".into(), |it| format!("{} is not known here", show(it)));
                let instead = expected_words(&words, found.unwrap_or(&Value::Null));
                self.misfit(&path.key(&tag), what, instead);
                return value.clone();
            }
        }
        let tried = branches.iter().filter(|it| plausible(self.root, it, value)).map(|branch| {
            let mut judge = Judge { root: self.root, secret: self.secret, misfits: Vec::new() };
            let complete = judge.value(branch, value, path);
            (complete, judge.misfits)
        });
        match tried.min_by_key(|it| it.1.len()) {
            Some((complete, misfits)) => {
                self.misfits.extend(misfits);
                complete
            }
            None => {
                // What is no form's type is worded by the only form there is beside `null`.
                let mut forms = branches.iter().filter(|it| types(it) != ["null"]);
                let only = forms.next().filter(|_| forms.next().is_none());
                let or_null = if admits(self.root, schema, "null") { ", or leave the key out" } else { "" };
                let (what, instead) = match only.map(|it| both(self.root, it, &Value::Null)) {
                    Some(it) if alternatives(self.root, &it).is_empty() => self.wrong_type(&it, value),
                    _ => (
                        format!("{} does not fit here", show(value)),
                        format!("write {}", expected(self.root, schema)),
                    ),
                };
                self.misfit(path, what, instead + or_null);
                value.clone()
            }
        }
    }
}

/// The key that tells the alternatives apart, and its values.
fn tag(branches: &[Schema]) -> Option<(String, Vec<&Value>)> {
    let properties =
        |it: &'_ Schema| -> Option<Map<String, Value>> { it.get("properties")?.as_object().cloned() };
    let first = properties(branches.first()?)?;
    let names = first.iter().filter(|it| it.1.get("const").is_some()).map(|it| it.0.clone());
    names.into_iter().find_map(|name| {
        let word = |it: &'_ Schema| it.get("properties").and_then(|it| it.get(&name)?.get("const")).is_some();
        if !branches.iter().all(word) {
            return None;
        }
        let words = branches.iter().filter_map(|it| it.get("properties")?.get(&name)?.get("const"));
        Some((name.clone(), words.collect()))
    })
}

/// Whether a form can be the one that is meant.
fn plausible(root: &Value, branch: &Schema, value: &Value) -> bool {
    let kind = type_of(value);
    if !(admits(root, branch, kind) || kind == "integer" && admits(root, branch, "number")) {
        return false;
    }
    let (Value::Object(map), Some(Value::Object(own))) = (value, branch.get("properties")) else {
        return true;
    };
    let same = |(key, schema): (&String, &Value)| {
        schema.get("const").is_none_or(|word| map.get(key).is_none_or(|it| it == word))
    };
    // A form with one key that has to be there is told by it.
    let needed =
        branch.get("required").and_then(Value::as_array).filter(|it| it.len() == 1 && own.len() == 1);
    let named = needed.is_none_or(|it| {
        map.is_empty() || it.iter().filter_map(Value::as_str).any(|it| map.contains_key(it))
    });
    own.iter().all(same) && (named || is_secret(branch))
}

fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// Whether the Rust type behind the schema can hold the number.
fn in_format(schema: &Schema, value: &Number) -> bool {
    let Some(format) = schema.get("format").and_then(Value::as_str) else { return true };
    let whole = |least: i128, most: i128| value.as_i128().is_none_or(|it| (least..=most).contains(&it));
    match format {
        "int8" => whole(i8::MIN.into(), i8::MAX.into()),
        "int16" => whole(i16::MIN.into(), i16::MAX.into()),
        "int32" => whole(i32::MIN.into(), i32::MAX.into()),
        "int64" | "int" => whole(i64::MIN.into(), i64::MAX.into()),
        "uint8" => whole(0, u8::MAX.into()),
        "uint16" => whole(0, u16::MAX.into()),
        "uint32" => whole(0, u32::MAX.into()),
        "uint64" | "uint" => whole(0, u64::MAX.into()),
        "float" => value.as_f64().is_none_or(|it| it.abs() <= f32::MAX.into()),
        _ => true,
    }
}

/// Whether text has the format that is asked for; those that are not known say nothing.
fn has_format(schema: &Schema, text: &str) -> bool {
    match schema.get("format").and_then(Value::as_str) {
        Some("uri" | "url") => text.split_once("://").is_some_and(|(scheme, rest)| {
            let word = |it: u8| it.is_ascii_alphanumeric() || b"+-.".contains(&it);
            scheme.starts_with(|it: char| it.is_ascii_alphabetic())
                && scheme.bytes().all(word)
                && !rest.is_empty()
                && !rest.starts_with('/')
                && !rest.contains(char::is_whitespace)
        }),
        Some("uuid") => text.parse::<uuid::Uuid>().is_ok(),
        Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
        Some("ip") => text.parse::<std::net::IpAddr>().is_ok(),
        Some("ipv4") => text.parse::<std::net::Ipv4Addr>().is_ok(),
        Some("ipv6") => text.parse::<std::net::Ipv6Addr>().is_ok(),
        Some("email") => {
            text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        }
        Some("char") => text.chars().count() == 1,
        _ => true,
    }
}

/// Paths below `path` at which two values differ.
pub(super) fn differences(old: &Value, new: &Value, path: &Path, into: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if !schema::is_secret_value(new) => {
            let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let none = Value::Null;
                let (old, new) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
                differences(old, new, &path.key(key), into);
            }
        }
        // 80 and 80.0 are the same setting.
        (Value::Number(old), Value::Number(new)) if old.as_f64() == new.as_f64() => {}
        (old, new) if old != new => into.push(path.to_string()),
        _ => {}
    }
}
