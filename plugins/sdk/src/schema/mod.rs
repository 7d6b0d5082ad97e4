//! Which events there are and what they carry. Owns the registry: checking what is published, schemas for
//! people, who owns a name, and help for a topic that fits nothing. The events themselves are in
//! [`crate::names`].
//!
//! A payload is checked by reading it into its type. Fields that the type does not have are passed over, so
//! that an older reader takes what a newer publisher says.

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{EventName, EventType, filter::Topic, names, payloads::Payload};

/// Longest reason that is told, characters: a reason may quote what was published.
const REASON_LIMIT: usize = 200;

/// What one event carries.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The event's name.
    pub name: EventName,
    /// Who publishes it: `core` or a plugin's name.
    pub owner: &'static str,
    /// What it means, for people.
    pub description: &'static str,
    json_schema: fn() -> Value,
    /// What is left of a payload when it went through its type.
    reread: fn(&Value) -> Result<Value, Misfit>,
}

/// A payload is not what its event carries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload does not fit the schema of `{name}`: `{path}`: {reason}")]
pub struct Invalid {
    /// The event's name.
    pub name: EventName,
    /// Where it goes wrong: `payload.segment.start_ms`.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Where a payload goes wrong, and why.
struct Misfit {
    path: String,
    reason: String,
}

impl Schema {
    /// The schema of `event`, which `owner` publishes.
    pub fn of<P: Payload>(event: EventType<P>, owner: &'static str, description: &'static str) -> Self {
        Self { name: event.into(), owner, description, json_schema: json_schema::<P>, reread: reread::<P> }
    }

    /// The payload's form as JSON Schema 2020-12.
    pub fn json_schema(&self) -> Value {
        let mut schema = (self.json_schema)();
        // The type's own are about the type, which several events may share.
        schema["title"] = self.name.as_str().into();
        schema["description"] = self.description.into();
        schema
    }
}

fn json_schema<P: Payload>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<P>().to_value()
}

fn reread<P: Payload>(payload: &Value) -> Result<Value, Misfit> {
    let read: P = serde_path_to_error::deserialize(payload).map_err(|error| {
        let reason = error.inner().to_string();
        let parent = match error.path().to_string() {
            root if root == "." => "payload".to_owned(),
            path => format!("payload.{path}"),
        };
        match reason.strip_prefix("missing field `").and_then(|it| it.strip_suffix('`')) {
            Some(field) => Misfit { path: format!("{parent}.{field}"), reason: "it is missing".into() },
            None => Misfit { path: parent, reason: reason.chars().take(REASON_LIMIT).collect() },
        }
    })?;
    serde_json::to_value(&read).map_err(|error| Misfit { path: "payload".into(), reason: error.to_string() })
}

/// Whether what was given is of the same kinds as what was read from it: serde also reads a struct from an
/// array, and a word from an object.
fn same_kinds(path: &str, given: &Value, read: &Value) -> Result<(), Misfit> {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => read.iter().try_for_each(|(key, read)| {
            given.get(key).map_or(Ok(()), |given| same_kinds(&format!("{path}.{key}"), given, read))
        }),
        (Value::Array(given), Value::Array(read)) => {
            let mut items = given.iter().zip(read).enumerate();
            items.try_for_each(|(at, (given, read))| same_kinds(&format!("{path}[{at}]"), given, read))
        }
        _ if kind(given) == kind(read) => Ok(()),
        _ => Err(Misfit {
            path: path.to_owned(),
            reason: format!("{} where {} is expected", kind(given), kind(read)),
        }),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The events that are known. The first word of a name is its domain; a domain has one owner.
#[derive(Debug, Clone)]
pub struct Registry {
    schemas: BTreeMap<EventName, Schema>,
}

impl Registry {
    /// The events of the core and of the original's plugins.
    pub fn core() -> Self {
        names::schemas().into_iter().fold(Self { schemas: BTreeMap::new() }, Self::with)
    }

    /// With one more; it takes the place of one with the same name.
    #[must_use]
    pub fn with(mut self, schema: Schema) -> Self {
        self.schemas.insert(schema.name.clone(), schema);
        self
    }

    /// All schemas, by name.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        self.schemas.values()
    }

    /// All names, in order.
    pub fn known_names(&self) -> impl Iterator<Item = &str> {
        self.schemas.keys().map(EventName::as_str)
    }

    /// Whether `payload` is what `name` carries. Of a name that is not known only a JSON object is asked.
    ///
    /// # Errors
    /// [`Invalid`] says where and why not.
    pub fn validate(&self, name: &EventName, payload: &Value) -> Result<(), Invalid> {
        let invalid = |it: Misfit| Invalid { name: name.clone(), path: it.path, reason: it.reason };
        if !payload.is_object() {
            let reason = format!("{} where an object is expected", kind(payload));
            return Err(invalid(Misfit { path: "payload".into(), reason }));
        }
        let Some(schema) = self.schemas.get(name) else { return Ok(()) };
        let read = (schema.reread)(payload).map_err(invalid)?;
        same_kinds("payload", payload, &read).map_err(invalid)
    }

    /// Who alone may publish `name`: the owner of its domain. `None` when the domain is free.
    pub fn owner_of(&self, name: &str) -> Option<&'static str> {
        self.schemas().find(|it| domain(it.name.as_str()) == domain(name)).map(|it| it.owner)
    }

    /// What somebody probably meant by a topic that no known event fits: its first word is a known domain
    /// or nearly one. `None` when an event fits, or nobody can know.
    pub fn topic_help(&self, topic: &Topic) -> Option<String> {
        if self.known_names().any(|name| topic.matches(name)) {
            return None;
        }
        let text = topic.to_string();
        let (first, rest) = text.split_once('.')?;
        // One slip in a short word, two in a longer one.
        let slips = if first.len() > 5 { 2 } else { 1 };
        let distance = |name: &str| strsim::osa_distance(domain(name), first);
        let meant = self.known_names().min_by_key(|name| distance(name)).map(domain)?;
        if distance(meant) > slips {
            return None;
        }
        let known: Vec<_> = self.known_names().filter(|name| domain(name) == meant).collect();
        let whole = format!("{meant}.{rest}");
        let nearest = match Topic::parse(&whole) {
            Ok(topic) if known.iter().any(|name| topic.matches(name)) => &whole,
            _ => *known.iter().min_by_key(|name| strsim::osa_distance(name, &whole))?,
        };
        Some(format!("no event fits `{text}`: did you mean `{nearest}`? Known here: {}", known.join(", ")))
    }
}

/// The first word.
fn domain(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
