//! What is known of one meeting's notes until people are told. Owns when everything is there, and what is
//! said then; leaves keeping it and saying it to `lib`.

use std::collections::BTreeMap;

use panotti_sdk::{
    Event, HandlerError,
    jiff::Timestamp,
    names,
    payloads::{
        MeetingNotesCompleted, MeetingNotesError, Notification, NotificationChannel, NotificationCompleted,
        NotificationConfig, Urgency,
    },
    serde_json::{Map, Value},
    uuid::Uuid,
};
use serde::{Deserialize, Serialize};

use crate::message::Message;

/// The plugins that write notes, those of this box first, and what people call them.
pub(crate) const WRITERS: [(&str, &str); 2] =
    [("meeting_notes_local", "this box"), ("meeting_notes_remote", "the service elsewhere")];

/// What came of one plugin's notes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// They are there.
    Written {
        /// Their file.
        path: String,
        /// What was not as configured.
        problem: Option<String>,
    },
    /// They are not; why.
    Failed(String),
}

/// One meeting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meeting {
    pub(crate) recording_id: String,
    /// What came of its notes, by plugin.
    outcomes: BTreeMap<String, Outcome>,
    /// Of the last outcome: what a message about it is known by.
    key: String,
    timestamp: Timestamp,
    correlation_id: Uuid,
    cause: Uuid,
    /// Whatever is known of the meeting.
    metadata: Map<String, Value>,
    /// Whether people were told of it.
    #[serde(default)]
    pub(crate) told: bool,
}

impl Meeting {
    /// The meeting after `event`, delivered as `key`, told what came of one plugin's notes. Notes of a plugin
    /// that come again begin a new run; the same delivery that comes again does not.
    pub(crate) fn after(
        before: Option<Self>,
        event: &Event,
        key: String,
        outcome: Outcome,
        recording_id: &str,
        metadata: Map<String, Value>,
    ) -> Self {
        let writer = event.name.as_str().split('.').next().unwrap_or_default();
        let run = before.filter(|it| it.key == key || !it.outcomes.contains_key(writer));
        let mut outcomes = run.map(|it| it.outcomes).unwrap_or_default();
        outcomes.insert(writer.to_owned(), outcome);
        Self {
            recording_id: recording_id.to_owned(),
            outcomes,
            key,
            timestamp: event.context.timestamp,
            correlation_id: event.context.correlation_id,
            cause: event.id,
            metadata,
            told: false,
        }
    }

    /// Whether people were told because of the delivery `key`, or after it.
    pub(crate) fn was_told(&self, key: &str) -> bool {
        self.told && self.key == key
    }

    /// Whether the notes of some plugin are still to come; `expected` says which plugins run.
    pub(crate) fn waits(&self, expected: impl Fn(&str) -> bool) -> bool {
        WRITERS.iter().any(|(writer, _)| expected(writer) && !self.outcomes.contains_key(*writer))
    }

    /// The first notes that were written, those of this box before others.
    fn notes_path(&self) -> Option<&String> {
        WRITERS.iter().find_map(|(writer, _)| match self.outcomes.get(*writer)? {
            Outcome::Written { path, .. } => Some(path),
            Outcome::Failed(_) => None,
        })
    }

    /// What people are told.
    pub(crate) fn message(&self) -> Message {
        let (mut written, mut words) = (Vec::new(), Vec::new());
        for (writer, who) in WRITERS {
            match self.outcomes.get(writer) {
                Some(Outcome::Written { problem, .. }) => {
                    written.push(who);
                    words.extend(problem.as_ref().map(|it| format!("Those of {who}: {it}.")));
                }
                Some(Outcome::Failed(error)) => {
                    words.push(format!("Those of {who} could not be written: {error}."));
                }
                None => {}
            }
        }
        let what = title(&self.metadata, &self.recording_id);
        let text = if written.is_empty() {
            format!("There are no notes of {what}.")
        } else {
            format!("The notes of {what} are ready, written by {}.", written.join(" and by "))
        };
        words.insert(0, text);
        let (title, urgency) = match (written.is_empty(), written.len() == self.outcomes.len()) {
            (true, _) => ("Notes could not be written", Urgency::Error),
            (false, true) => ("Notes are ready", Urgency::Info),
            (false, false) => ("Notes are ready in part", Urgency::Warning),
        };
        Message {
            key: self.key.clone(),
            title: title.to_owned(),
            text: words.join(" ").replace("..", "."),
            urgency,
            recording_id: Some(self.recording_id.clone()),
            opens: self.notes_path().cloned(),
            timestamp: self.timestamp,
            correlation_id: self.correlation_id,
            cause: self.cause,
        }
    }

    /// What is published when people were told that there are notes; `None` when there are none.
    pub(crate) fn completed(
        &self,
        auto_open: bool,
        channels: Vec<NotificationChannel>,
    ) -> Option<NotificationCompleted> {
        let notes_path = self.notes_path()?.clone();
        let notification = Notification {
            status: Default::default(),
            timestamp: self.timestamp,
            recording_id: self.recording_id.clone(),
            notes_path,
            notification_sent: channels.iter().any(|it| it.sent),
            config: NotificationConfig { auto_open },
            problem: problem(&channels),
            channels,
        };
        Some(NotificationCompleted {
            recording_id: self.recording_id.clone(),
            desktop_notification: notification,
            metadata: self.metadata.clone(),
        })
    }

    /// The chain of events that it belongs to, and the last of them.
    pub(crate) fn chain(&self) -> (Uuid, Uuid) {
        (self.correlation_id, self.cause)
    }
}

impl Outcome {
    /// What an event about notes says: recording, outcome, what is known of the meeting.
    ///
    /// # Errors
    /// [`HandlerError::Permanent`] when it carries something else than its name says.
    pub(crate) fn of(
        delivery: &panotti_sdk::Delivery,
    ) -> Result<(String, Self, Map<String, Value>), HandlerError> {
        let name = delivery.event.name.as_str();
        let failed = [names::MEETING_NOTES_LOCAL_ERROR, names::MEETING_NOTES_REMOTE_ERROR];
        if failed.iter().any(|it| it.as_str() == name) {
            let it: MeetingNotesError = delivery.payload()?;
            return Ok((it.recording_id, Self::Failed(it.meeting_notes.error), it.metadata));
        }
        let MeetingNotesCompleted { recording_id, meeting_notes, metadata } = delivery.payload()?;
        let written = Self::Written { path: meeting_notes.notes_path, problem: meeting_notes.problem };
        Ok((recording_id, written, metadata))
    }
}

/// What a meeting is called, for people.
pub(crate) fn title(metadata: &Map<String, Value>, recording_id: &str) -> String {
    let of = |key: &str| metadata.get(key)?.as_str().map(str::trim).filter(|it| !it.is_empty());
    let named = of("title").or_else(|| of("eventTitle"));
    named.map_or_else(|| format!("the recording {recording_id}"), |it| format!("\u{201c}{it}\u{201d}"))
}

/// Which ways did not take a message, and why.
fn problem(channels: &[NotificationChannel]) -> Option<String> {
    let failed = channels.iter().filter_map(|it| Some(format!("{}: {}", it.channel, it.error.as_deref()?)));
    Some(failed.collect::<Vec<_>>().join("; ")).filter(|it| !it.is_empty())
}
