//! Which events somebody wants. Owns what can be asked for and whether an event is it; leaves finding the
//! events to the log.
//!
//! As JSON, where everything may be left out:
//!
//! ```json
//! {
//!   "topics": ["recording.*", "*.error"],
//!   "correlation_id": "0199f3a0-8c1e-7c3a-9d5e-2f6b8a1c4d70",
//!   "from": "2026-01-01T00:00:00Z",
//!   "to": "2026-02-01T00:00:00Z",
//!   "priority": "high",
//!   "source": "api",
//!   "where": "payload.attempts > 3"
//! }
//! ```

pub mod condition;
#[cfg(test)]
mod tests;
mod topic;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

pub use self::{
    condition::{Condition, InvalidCondition},
    topic::{InvalidTopic, Topic},
};
use crate::{Event, Priority};

/// Most topics of one filter.
const MOST_TOPICS: usize = 64;

/// Which events somebody wants: those that pass everything that is set. Empty wants all.
// `remote` makes serde's own functions inherent ones, for the two below to call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct Filter {
    /// Only events whose name fits one of these; empty is any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<Topic>,
    /// Only this meeting's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Uuid>,
    /// Only those accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only those accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Only those at least this urgent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Only those published by this plugin or part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Only those for which this holds.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Only those that pass this one too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<Box<Filter>>,
}

/// No event can pass, or looking would take too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// The time ends before it begins.
    #[error("`from` has to be before `to`")]
    Time,
    /// Each event would be held against all of them.
    #[error("there are {0} topics, a filter has at most {MOST_TOPICS}")]
    Topics(usize),
}

impl Filter {
    /// Whether it makes sense. One that was deserialized does.
    ///
    /// # Errors
    /// [`InvalidFilter`] says what does not.
    pub fn validate(&self) -> Result<(), InvalidFilter> {
        if self.topics.len() > MOST_TOPICS {
            return Err(InvalidFilter::Topics(self.topics.len()));
        }
        match (self.from, self.to) {
            (Some(from), Some(to)) if from >= to => Err(InvalidFilter::Time),
            _ => Ok(()),
        }
    }

    /// Events of one topic.
    pub fn topic(topic: Topic) -> Self {
        Self { topics: vec![topic], ..Self::default() }
    }

    /// Only those of one meeting.
    #[must_use]
    pub fn correlated(mut self, correlation_id: Uuid) -> Self {
        self.correlation_id = Some(correlation_id);
        self
    }

    /// Whether `event` is wanted.
    pub fn wants(&self, event: &Event) -> bool {
        let context = &event.context;
        (self.topics.is_empty() || self.topics.iter().any(|topic| topic.matches(event.name.as_str())))
            && self.correlation_id.is_none_or(|id| id == context.correlation_id)
            && self.from.is_none_or(|from| context.timestamp >= from)
            && self.to.is_none_or(|to| context.timestamp < to)
            && self.priority.is_none_or(|priority| event.priority >= priority)
            && self.source.as_ref().is_none_or(|source| context.source_plugin.as_ref() == Some(source))
            && self.condition.as_ref().is_none_or(|condition| condition.holds(event))
            && self.also.as_ref().is_none_or(|also| also.wants(event))
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let filter = Self::deserialize(deserializer)?;
        filter.validate().map_err(D::Error::custom)?;
        Ok(filter)
    }
}
