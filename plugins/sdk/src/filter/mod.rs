//! Which events somebody wants. Owns what can be asked for and whether an event is it; leaves finding the
//! events to the log.

mod condition;
mod topic;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    condition::{Condition, InvalidCondition},
    topic::{InvalidTopic, Topic},
};
use crate::{Event, Priority};

/// Which events somebody wants: those that pass everything that is set. Empty wants all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
}

impl Filter {
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
    }
}
