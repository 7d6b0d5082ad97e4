//! The reference plugin: counts meetings and tells of each. Owns the example; how to write another is in the
//! SDK's `README.md`.

use panotti_sdk::{
    Configured, Context, ContextError, Delivery, Descriptor, EventName, HandlerError, NewEvent, Outbox,
    Permissions, Plugin, PluginError, Request, Response, Route, async_trait,
    jiff::Timestamp,
    schemars::{self, JsonSchema},
    serde_json::{Map, Value, json},
};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

const COMPLETED: EventName = EventName::from_static("example.completed");
const ERROR: EventName = EventName::from_static("example.error");

/// In the plugin's state each meeting has a key of its own: two that end at the same time do not write over
/// each other, and one that is replayed is not counted twice.
const MEETING: &str = "meeting/";

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Counts meetings: the reference for authors of plugins.",
    topics: &["recording.ended"],
    permissions: Permissions { publish: &["example.*"], ..Permissions::NONE },
    routes: &[Route {
        method: "GET",
        path: "/count",
        role: "viewer",
        description: "How many meetings were counted.",
    }],
    ..Descriptor::of::<Example>("example", env!("CARGO_PKG_VERSION"), include_str!("../plugin.yaml.example"))
};

/// Settings of the example.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A text that stands in every event that the plugin publishes.
    #[schemars(length(min = 1, max = 200))]
    pub example_setting: String,
    /// Whether these events say more: the delivery's key, and which attempt it was.
    pub debug_mode: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { example_setting: "value".into(), debug_mode: false }
    }
}

/// The part of `recording.ended` that matters here.
#[derive(Debug, Deserialize)]
struct Ended {
    #[serde(default)]
    recording_id: String,
}

/// The plugin.
#[derive(Debug)]
pub struct Example {
    config: Config,
    context: Context,
}

impl Configured for Example {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        Ok(Self { config, context })
    }
}

#[async_trait]
impl Plugin for Example {
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let ended: Ended = delivery.payload()?;
        // The time of the event, not of the handling: a repetition says the same.
        let timestamp = delivery.event.context.timestamp;
        if ended.recording_id.is_empty() {
            return Ok(Outbox::new().publish(failed(timestamp, "the recording has no id: tell its client")));
        }
        let mut metadata = Map::from_iter([("example_setting".into(), json!(self.config.example_setting))]);
        if self.config.debug_mode {
            metadata.insert("key".into(), delivery.key().into());
            metadata.insert("attempt".into(), delivery.attempt.into());
        }
        let completed = completed(timestamp, &ended.recording_id, &metadata);
        let key = format!("{MEETING}{}", ended.recording_id);
        Ok(Outbox::new().put_json(&key, &timestamp)?.publish(completed))
    }

    async fn call(&self, request: Request) -> Response {
        match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["count"]) => match self.meetings() {
                Ok(meetings) => Response::json(&json!({ "meetings": meetings })),
                Err(error) => Response::problem(500, &error.to_string()),
            },
            _ => Response::not_found(&format!("there is nothing at {}: ask for /count", request.path)),
        }
    }
}

impl Example {
    fn meetings(&self) -> Result<usize, ContextError> {
        let (mut count, mut last) = (0, None);
        loop {
            let keys = self.context.state_keys(MEETING, last.as_deref())?;
            count += keys.len();
            match keys.into_iter().next_back() {
                Some(key) => last = Some(key),
                None => return Ok(count),
            }
        }
    }
}

fn completed(timestamp: Timestamp, recording_id: &str, metadata: &Map<String, Value>) -> NewEvent {
    let result = json!({ "status": "completed", "timestamp": timestamp, "recording_id": recording_id });
    let payload = json!({ "recording_id": recording_id, "example": result, "metadata": metadata });
    NewEvent::new(COMPLETED, payload)
}

fn failed(timestamp: Timestamp, error: &str) -> NewEvent {
    let result = json!({ "status": "error", "timestamp": timestamp, "error": error });
    NewEvent::new(ERROR, json!({ "recording_id": "", "example": result }))
}
