//! A message to people. Owns its form; leaves what is in it to `meeting` and `alert`, and sending it to
//! `channels`.

use panotti_sdk::{
    NewEvent,
    jiff::Timestamp,
    names::DESKTOP_NOTIFICATION_OFFERED,
    payloads::{NotificationOffered, Urgency},
    uuid::Uuid,
};

/// A message to people.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The same for every attempt at sending it.
    pub(crate) key: String,
    /// One line.
    pub(crate) title: String,
    /// One or a few sentences.
    pub(crate) text: String,
    /// How much it matters.
    pub(crate) urgency: Urgency,
    /// The recording it is about.
    pub(crate) recording_id: Option<String>,
    /// The file to open on a desktop.
    pub(crate) opens: Option<String>,
    /// When what it tells of happened, UTC.
    pub(crate) timestamp: Timestamp,
    /// The meeting's chain of events.
    pub(crate) correlation_id: Uuid,
    /// The event that it tells of.
    pub(crate) cause: Uuid,
}

impl Message {
    /// The event by which the page gets it.
    pub(crate) fn offered(&self) -> NewEvent {
        let payload = NotificationOffered {
            key: self.key.clone(),
            title: self.title.clone(),
            message: self.text.clone(),
            urgency: self.urgency,
            recording_id: self.recording_id.clone(),
        };
        NewEvent::of(DESKTOP_NOTIFICATION_OFFERED, &payload)
            .correlated(self.correlation_id)
            .because_of(Some(self.cause))
    }
}
