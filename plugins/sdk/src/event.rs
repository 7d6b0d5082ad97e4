//! The event: what happened, to whom it belongs and what caused it. Owns the types and the rules for
//! names; leaves sequence numbers and durability to the event log.

use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::payloads::Payload;

/// How urgent an event is. Higher is delivered first; within one correlation id order wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Housekeeping.
    Low,
    /// Everything else.
    #[default]
    Normal,
    /// Somebody waits for it.
    High,
    /// The box is in danger.
    Critical,
}

/// A name of the form `domain.happening`, in the past tense: `recording.ended`.
///
/// Matches `[a-z0-9_]+(\.[a-z0-9_]+)+` and is at most 128 bytes long.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventName(Cow<'static, str>);

/// The text is not an event name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an event name: use two or more words of a-z, 0-9 and _ joined by dots, such as `recording.ended`"
)]
pub struct InvalidEventName(String);

impl EventName {
    /// A name known when the program is built; anything else does not compile in a `const`.
    pub const fn from_static(text: &'static str) -> Self {
        let (bytes, mut place, mut words, mut length) = (text.as_bytes(), 0, 1, 0);
        while place < bytes.len() {
            if bytes[place] == b'.' {
                assert!(length > 0, "an event name has an empty word");
                (words, length) = (words + 1, 0);
            } else {
                assert!(
                    matches!(bytes[place], b'a'..=b'z' | b'0'..=b'9' | b'_'),
                    "an event name has a character outside a-z, 0-9, _ and ."
                );
                length += 1;
            }
            place += 1;
        }
        assert!(
            words > 1 && length > 0 && bytes.len() <= 128,
            "an event name is two or more words joined by dots"
        );
        Self(Cow::Borrowed(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventName {
    type Err = InvalidEventName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        if text.len() <= 128 && text.contains('.') && text.split('.').all(word) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(InvalidEventName(text.chars().take(128).collect()))
        }
    }
}

impl TryFrom<String> for EventName {
    type Error = InvalidEventName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.0.into_owned()
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an event together with the type of what it carries.
#[derive(Debug, Clone)]
pub struct EventType<P> {
    name: EventName,
    payload: PhantomData<fn() -> P>,
}

impl<P> EventType<P> {
    /// The events called `name` carry a `P`. Anything that is no name does not compile in a `const`.
    pub const fn new(name: &'static str) -> Self {
        Self { name: EventName::from_static(name), payload: PhantomData }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.name.as_str()
    }
}

impl<P> From<EventType<P>> for EventName {
    fn from(event: EventType<P>) -> Self {
        event.name
    }
}

impl<P> fmt::Display for EventType<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// Where an event belongs and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventContext {
    /// The same for everything that follows from one meeting.
    pub correlation_id: Uuid,
    /// The event that led to this one.
    pub causation_id: Option<Uuid>,
    /// When it was accepted, UTC.
    pub timestamp: Timestamp,
    /// The plugin or part that published it: `core`, `api`, or a plugin's name.
    pub source_plugin: Option<String>,
    /// Anything else a publisher wants to hand on.
    pub metadata: Map<String, Value>,
}

/// Something that happened, as stored in the log and as everyone reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the log, from 1, without gaps, never used twice.
    pub seq: u64,
    /// UUIDv7.
    pub id: Uuid,
    /// `domain.happening`.
    pub name: EventName,
    /// What happened; a JSON object whose form follows from the name.
    pub payload: Value,
    /// Where it belongs.
    pub context: EventContext,
    /// How urgent it is.
    pub priority: Priority,
}

/// An event before the log has accepted it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Fixed together with `typed`.
    name: EventName,
    /// Fixed together with `typed`.
    payload: Value,
    /// Whether the payload was made from the type that belongs to the name.
    typed: bool,
    /// The meeting it belongs to; a fresh id when `None`.
    pub correlation_id: Option<Uuid>,
    /// The event that led to it.
    pub causation_id: Option<Uuid>,
    /// Who publishes.
    pub source_plugin: Option<String>,
    /// Anything else.
    pub metadata: Map<String, Value>,
    /// How urgent it is.
    pub priority: Priority,
}

impl NewEvent {
    /// An event of normal priority that begins a chain of its own. The log looks its payload over; where
    /// the type is known, [`Self::of`] says it better.
    pub fn new(name: EventName, payload: Value) -> Self {
        Self {
            name,
            payload,
            typed: false,
            correlation_id: None,
            causation_id: None,
            source_plugin: None,
            metadata: Map::new(),
            priority: Priority::Normal,
        }
    }

    /// An event that carries what its type says, of normal priority, that begins a chain of its own. Its
    /// payload needs no looking over.
    pub fn of<P: Payload>(event: EventType<P>, payload: &P) -> Self {
        match serde_json::to_value(payload) {
            Ok(payload) => Self { typed: payload.is_object(), ..Self::new(event.name, payload) },
            // Only a type that cannot be written as JSON at all comes here: the log refuses the null.
            Err(_) => Self::new(event.name, Value::Null),
        }
    }

    /// `domain.happening`.
    pub fn name(&self) -> &EventName {
        &self.name
    }

    /// What happened.
    pub fn payload(&self) -> &Value {
        &self.payload
    }

    /// Whether the payload was made from its type, by [`Self::of`].
    pub fn is_typed(&self) -> bool {
        self.typed
    }

    /// The event that it becomes when it is accepted, with a fresh id.
    pub fn accepted(self, seq: u64, timestamp: Timestamp) -> Event {
        Event {
            seq,
            id: Uuid::now_v7(),
            name: self.name,
            payload: self.payload,
            context: EventContext {
                correlation_id: self.correlation_id.unwrap_or_else(Uuid::now_v7),
                causation_id: self.causation_id,
                timestamp,
                source_plugin: self.source_plugin,
                metadata: self.metadata,
            },
            priority: self.priority,
        }
    }

    /// Makes it a child of `parent`: same correlation id, caused by it.
    #[must_use]
    pub fn caused_by(mut self, parent: &Event) -> Self {
        self.correlation_id = Some(parent.context.correlation_id);
        self.causation_id = Some(parent.id);
        self
    }

    /// Puts it into the chain of one meeting.
    #[must_use]
    pub fn correlated(mut self, correlation_id: Uuid) -> Self {
        self.correlation_id = Some(correlation_id);
        self
    }

    /// Says which event led to it.
    #[must_use]
    pub fn because_of(mut self, cause: Option<Uuid>) -> Self {
        self.causation_id = cause;
        self
    }

    /// Says who publishes it.
    #[must_use]
    pub fn from_source(mut self, source: &str) -> Self {
        self.source_plugin = Some(source.to_owned());
        self
    }

    /// Sets the priority.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a.b", "recording.ended", "transcription_local.completed", "a.b.c", "0.1"] {
            assert_eq!(good.parse::<EventName>().map(String::from).as_deref(), Ok(good));
        }
        for bad in
            ["", "a", ".", "a.", ".a", "A.b", "a..b", "a.b c", "a.ä", &format!("a.{}", "b".repeat(127))]
        {
            assert!(bad.parse::<EventName>().is_err(), "{bad}");
        }
    }
}
