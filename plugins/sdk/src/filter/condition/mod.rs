//! Conditions: comparisons on an event's fields. Owns their grammar and what they mean; pure.
//!
//! ```text
//! condition  = both { "or" both }
//! both       = single { "and" single }
//! single     = "not" single | "(" condition ")" | "exists" field | field comparison
//! comparison = ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) literal
//!            | "in" "[" literal { "," literal } "]"
//!            | "contains" literal | "starts_with" string | "ends_with" string
//! field      = "name" | "id" | "seq" | "priority" | "payload" path
//!            | "context" "." ( "source_plugin" | "correlation_id" | "causation_id" | "timestamp" )
//!            | "context" "." "metadata" path (of one step at least)
//! path       = { "." word | "[" number "]" | "[" string "]" }
//! word       = 1 or more of a-z, A-Z, 0-9, "_" and "-"
//! literal    = string | number | "true" | "false" | "null", all as in JSON
//! ```
//!
//! For example `payload.confidence < 0.5 and not payload.tags contains "test"`, or
//! `priority >= "high" or payload["room name"] in ["Attic", "Cellar"]`.
//!
//! - `not` binds closest, then `and`, then `or`.
//! - `name` and `source_plugin` are text, and text has the order of its bytes. `priority` is compared by
//!   urgency with `"low"`, `"normal"`, `"high"`, `"critical"`; `timestamp` by time with RFC 3339, as in
//!   `"2026-01-01T00:00:00Z"`; the ids with UUIDs. `seq` is a number.
//! - Below `payload` and `metadata` text is compared with text, numbers with numbers (`1 == 1.0`). Values of
//!   different kinds are not equal, and neither is less than the other.
//! - `contains` asks text for a part, and a list for an element that equals the literal.
//! - A field that is not there fails every comparison but `!=`, which is always the opposite of `==`.
//!   `null` is there: `exists` holds for it. An event without `source_plugin` or `causation_id` lacks it.
//! - At most 2048 bytes, 64 comparisons, and 32 of `not` and parentheses inside each other.

mod evaluate;
mod parse;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Event, Priority};

/// A condition that was understood, with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    text: String,
    expression: Expression,
}

/// The text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the condition is not understood: at byte {at}, {reason}")]
pub struct InvalidCondition {
    /// Where it goes wrong, in bytes from 0; the length of the text when it ends too early.
    pub at: usize,
    /// Why, and what is expected there.
    pub reason: String,
}

/// What a text says.
#[derive(Debug, Clone, PartialEq)]
enum Expression {
    /// One holds; two or more.
    Any(Vec<Expression>),
    /// Each holds; two or more.
    All(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
    /// The field is there.
    Exists(Field),
    /// The field compares so.
    Compare(Field, Comparison),
}

/// What of an event is looked at.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Name,
    Id,
    Seq,
    Priority,
    Source,
    CorrelationId,
    CausationId,
    Timestamp,
    Payload(Vec<Step>),
    Metadata(Vec<Step>),
}

/// One step into JSON.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, PartialEq)]
enum Comparison {
    Is(Relation, Literal),
    In(Vec<Literal>),
    Contains(Literal),
    StartsWith(String),
    EndsWith(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// A value as its field needs it.
#[derive(Debug, Clone, PartialEq)]
enum Literal {
    /// No list and no object.
    Json(Value),
    Priority(Priority),
    Time(Timestamp),
    Id(Uuid),
}

impl Condition {
    /// Understands `text`.
    ///
    /// # Errors
    /// [`InvalidCondition`] says at which byte it stops being a condition.
    pub fn parse(text: &str) -> Result<Self, InvalidCondition> {
        Ok(Self { text: text.to_owned(), expression: parse::parse(text)? })
    }

    /// Whether it holds for `event`.
    pub fn holds(&self, event: &Event) -> bool {
        self.expression.holds(event)
    }
}

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Condition {
    type Error = InvalidCondition;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text
    }
}

impl fmt::Display for Condition {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
