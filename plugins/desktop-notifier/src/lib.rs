//! Tells people that notes are ready, and that something went wrong. Owns what is told once and what is kept
//! until it is; leaves the words to `meeting` and `alert`, and the sending to `channels`.

mod alert;
mod channels;
mod config;
mod meeting;
mod message;
mod state;
#[cfg(test)]
mod tests;

use panotti_sdk::{
    Configured, Context, ContextError, Delivery, Descriptor, Event, Filter, HandlerError, NewEvent, Outbox,
    Permissions, Plugin, PluginError, Service, async_trait, files, names,
    payloads::{
        NotificationChannel, NotificationError, PluginStateChanged, RecordingDeleted, RecordingEnded,
        StageError, Urgency,
    },
};
use tokio::sync::Mutex;

use self::{
    alert::{Alert, recording_of},
    channels::{Channel, session_bus},
    meeting::{Meeting, Outcome, WRITERS, title},
    message::Message,
};
pub use config::Config;

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Tells people that notes are ready, and that something went wrong.",
    topics: &[
        "meeting_notes_local.completed",
        "meeting_notes_local.error",
        "meeting_notes_remote.completed",
        "meeting_notes_remote.error",
        "recording.ended",
        "recording.transcription_requested",
        "recording.deleted",
        "transcription_local.error",
        "noise_reduction.error",
        "cleanup_files.error",
        "directory_sync.error",
        "subscription.dead_lettered",
        "plugin.state_changed",
        "capture.lost",
        "retention.forced",
        "backup.failed",
        "model.failed",
    ],
    permissions: Permissions {
        publish: &["desktop_notification.*"],
        services: &[Service::Secrets, Service::Events],
        hosts: &["config:channels.webhook.url", "config:channels.email.host", "config:channels.ntfy.url"],
        ..Permissions::NONE
    },
    given_up: Some(given_up),
    ..Descriptor::of::<DesktopNotifier>(
        "desktop_notifier",
        env!("CARGO_PKG_VERSION"),
        include_str!("../plugin.yaml.example"),
    )
};

/// What the page's way is called in events, and what is known of it: no more than that.
const PAGE: (&str, &str) =
    ("page", "it was offered to whoever has the page open; whether somebody saw it is not known");

/// The plugin.
#[derive(Debug)]
pub struct DesktopNotifier {
    config: Config,
    context: Context,
    /// Held from looking at what is known of a meeting until what follows is kept: handlers run at the same
    /// time, and a plugin that goes away says so several times.
    telling: Mutex<()>,
}

impl Configured for DesktopNotifier {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        config.check()?;
        Ok(Self { config, context, telling: Mutex::default() })
    }
}

/// Every way that is set was tried, and none took the message.
#[derive(Debug, thiserror::Error)]
#[error("nobody could be told: {0}")]
struct NobodyTold(String);

#[async_trait]
impl Plugin for DesktopNotifier {
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let name = delivery.event.name.as_str();
        let is = |event: &str| name == event;
        if name.starts_with("meeting_notes_") {
            return self.notes(delivery).await;
        }
        if is(names::RECORDING_DELETED.as_str()) {
            return self.deleted(&delivery.payload::<RecordingDeleted>()?.recording_id).await;
        }
        if is(names::RECORDING_ENDED.as_str()) || is(names::TRANSCRIPTION_REQUESTED.as_str()) {
            return self.begun(delivery).await;
        }
        if is(names::PLUGIN_STATE_CHANGED.as_str()) {
            let it: PluginStateChanged = delivery.payload()?;
            if WRITERS.iter().any(|(writer, _)| *writer == it.plugin) {
                self.no_longer_waited_for().await?;
            }
        }
        match Alert::of(delivery)?.filter(|_| self.config.alerts) {
            Some(alert) => self.alert(delivery, alert).await,
            None => Ok(Outbox::new()),
        }
    }
}

impl DesktopNotifier {
    /// One plugin's notes are there, or will not be: people are told when that holds for all.
    async fn notes(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let (id, outcome, metadata) = Outcome::of(delivery)?;
        if !files::valid_id(&id) {
            return Err(HandlerError::permanent(format!("`{id}` is no id of a recording")));
        }
        let _telling = self.telling.lock().await;
        let before = self.context.state_json::<Meeting>(&state::meeting(&id))?;
        if before.as_ref().is_some_and(|it| it.was_told(&delivery.key())) {
            return Ok(Outbox::new());
        }
        let meeting = Meeting::after(before, &delivery.event, delivery.key(), outcome, &id, metadata);
        self.judge(meeting).await?;
        Ok(Outbox::new())
    }

    /// Meetings that waited for notes of a plugin that does not run any more.
    async fn no_longer_waited_for(&self) -> Result<(), HandlerError> {
        for id in state::waiting(&self.context)? {
            let _telling = self.telling.lock().await;
            if let Some(meeting) = state::still_waiting(&self.context, &id)? {
                self.judge(meeting).await?;
            }
        }
        Ok(())
    }

    /// A recording is deleted: nothing is kept of it.
    async fn deleted(&self, recording_id: &str) -> Result<Outbox, HandlerError> {
        if files::valid_id(recording_id) {
            let _telling = self.telling.lock().await;
            self.context.commit(state::forget(recording_id)).await?;
        }
        Ok(Outbox::new())
    }

    /// Tells people of a meeting when nothing more is to come, and keeps what is known of it. Called while
    /// `telling` is held.
    async fn judge(&self, meeting: Meeting) -> Result<(), HandlerError> {
        let outbox = if self.is_deleted(&meeting)? {
            state::forget(&meeting.recording_id)
        } else if meeting.waits(|plugin| self.context.expects(plugin)) {
            state::keep_waiting(&meeting)?
        } else {
            self.tell(meeting).await?
        };
        self.context.commit(outbox).await?;
        Ok(())
    }

    /// Whether the recording of a meeting was deleted: notes that were being written then come nevertheless.
    fn is_deleted(&self, meeting: &Meeting) -> Result<bool, ContextError> {
        let (correlation_id, _) = meeting.chain();
        let deleted = Filter::topic(names::RECORDING_DELETED.into()).correlated(correlation_id);
        Ok(!self.context.events(0, 1, &deleted)?.is_empty())
    }

    /// Tells people what came of a meeting's notes, once.
    async fn tell(&self, mut meeting: Meeting) -> Result<Outbox, HandlerError> {
        let message = meeting.message();
        // Without alerts, what went wrong is told only along with what did not.
        let (channels, mut outbox) = if message.opens.is_some() || self.config.alerts {
            self.send(&message).await?
        } else {
            (Vec::new(), Outbox::new())
        };
        if let Some(payload) = meeting.completed(self.config.auto_open_notes, channels) {
            let (correlation_id, cause) = meeting.chain();
            let told = NewEvent::of(names::DESKTOP_NOTIFICATION_COMPLETED, &payload);
            outbox = outbox.publish(told.correlated(correlation_id).because_of(Some(cause)));
        }
        meeting.told = true;
        Ok(state::keep_told(outbox, &meeting)?)
    }

    /// A recording is being written down.
    async fn begun(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        if !self.config.status_updates {
            return Ok(Outbox::new());
        }
        let it: RecordingEnded = delivery.payload()?;
        let mut known = it.metadata;
        known.insert("title".into(), it.title.into());
        let text = format!("{} has ended and is being written down.", title(&known, &it.recording_id));
        let message = Message {
            recording_id: Some(it.recording_id),
            ..about(delivery, "A recording is being written down", text, Urgency::Info)
        };
        Ok(self.send(&message).await?.1)
    }

    /// Something went wrong: people are told, unless they were told the same a short while ago.
    async fn alert(&self, delivery: &Delivery, alert: Alert) -> Result<Outbox, HandlerError> {
        let event = &delivery.event;
        let now = event.context.timestamp;
        let key = state::alert(event.name.as_str(), &alert.subject);
        if state::is_fresh(&self.context, &key, now, self.config.alert_pause_s)? {
            return Ok(Outbox::new());
        }
        let message = Message {
            recording_id: alert.recording_id,
            ..about(delivery, &alert.title, alert.text, alert.urgency)
        };
        let (_, outbox) = self.send(&message).await?;
        let outbox = state::prune(&self.context, outbox, now, self.config.alert_pause_s)?;
        Ok(outbox.put_json(&key, &now)?)
    }

    /// Sends `message` by every way that is set and has not taken it yet. The outbox forgets what was noted
    /// on the way: when it is committed, the event is done.
    ///
    /// Between a server's yes and its note on disk the power may fail: then the message goes there once
    /// more, with the same key.
    async fn send(&self, message: &Message) -> Result<(Vec<NotificationChannel>, Outbox), HandlerError> {
        let (mut told, mut outbox) = (Vec::new(), Outbox::new());
        if self.config.channels.page.enabled {
            let note = state::sent(&message.key, PAGE.0);
            if self.context.state(&note)?.is_none() {
                let offered = Outbox::new().publish(message.offered()).put_json(&note, &message.timestamp)?;
                self.context.commit(offered).await?;
            }
            outbox = outbox.remove(&note);
            told.push(report(PAGE.0, Some(PAGE.1.to_owned())));
        }
        let mut tried = 0;
        for channel in Channel::ALL.into_iter().filter(|it| it.is_set(&self.config)) {
            let bus = match channel {
                Channel::Desktop => session_bus(&self.config.channels.desktop.address),
                _ => Some(String::new()),
            };
            let Some(bus) = bus else {
                told.push(report(channel.name(), Some("there is no desktop session on this box".to_owned())));
                continue;
            };
            tried += 1;
            let note = state::sent(&message.key, channel.name());
            let mut error = None;
            if self.context.state(&note)?.is_none() {
                match channel.send(&self.context, &self.config, &bus, message).await {
                    Ok(()) => {
                        let sent = Outbox::new().put_json(&note, &message.timestamp)?;
                        self.context.commit(sent).await?;
                    }
                    Err(failed) => error = Some(in_words(&failed)),
                }
            }
            outbox = outbox.remove(&note);
            told.push(report(channel.name(), error));
        }
        if tried > 0 && !told.iter().any(|it| it.sent) {
            let why = told.iter().filter(|it| it.channel != PAGE.0);
            let why = why.map(|it| format!("{}: {}", it.channel, it.error.as_deref().unwrap_or_default()));
            return Err(HandlerError::retryable(NobodyTold(why.collect::<Vec<_>>().join("; "))));
        }
        Ok((told, outbox))
    }
}

fn about(delivery: &Delivery, title: &str, text: String, urgency: Urgency) -> Message {
    let event = &delivery.event;
    Message {
        key: delivery.key(),
        title: title.to_owned(),
        text,
        urgency,
        recording_id: None,
        opens: None,
        timestamp: event.context.timestamp,
        correlation_id: event.context.correlation_id,
        cause: event.id,
    }
}

fn report(channel: &str, error: Option<String>) -> NotificationChannel {
    NotificationChannel { channel: channel.to_owned(), sent: error.is_none(), error }
}

/// An error with its causes in one line.
fn in_words(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Nobody could be told.
fn given_up(event: &Event, error: &str) -> Option<NewEvent> {
    let failed = StageError {
        status: Default::default(),
        timestamp: event.context.timestamp,
        error: error.to_owned(),
        config: Default::default(),
    };
    let metadata = event.payload["metadata"].as_object().cloned().unwrap_or_default();
    let payload =
        NotificationError { recording_id: recording_of(event), desktop_notification: failed, metadata };
    Some(NewEvent::of(names::DESKTOP_NOTIFICATION_ERROR, &payload))
}
