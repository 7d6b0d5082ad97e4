//! Greets every meeting: a plugin to begin with.

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, EventName, HandlerError, NewEvent, Outbox, Permissions,
    Plugin, PluginError, async_trait,
    schemars::{self, JsonSchema},
    serde_json::json,
};
use serde::{Deserialize, Serialize};

const GREETED: EventName = EventName::from_static("greeter.completed");

/// What the host knows of this plugin: name it in `src/plugins/list.rs`.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Greets every meeting.",
    topics: &["recording.started"],
    permissions: Permissions { publish: &["greeter.*"], ..Permissions::NONE },
    ..Descriptor::of::<Greeter>("greeter", env!("CARGO_PKG_VERSION"), include_str!("../plugin.yaml.example"))
};

/// Settings of the greeter.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is said before the meeting's title.
    #[schemars(length(min = 1, max = 80))]
    pub greeting: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { greeting: "Hello".into() }
    }
}

/// The part of the event that matters here.
#[derive(Debug, Deserialize)]
struct Started {
    title: String,
}

/// The plugin.
#[derive(Debug)]
pub struct Greeter {
    config: Config,
}

impl Configured for Greeter {
    type Config = Config;

    fn new(config: Config, _context: Context) -> Result<Self, PluginError> {
        Ok(Self { config })
    }
}

#[async_trait]
impl Plugin for Greeter {
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let started: Started = delivery.payload()?;
        let text = format!("{}, {}!", self.config.greeting, started.title);
        Ok(Outbox::new().publish(NewEvent::new(GREETED, json!({ "text": text }))))
    }
}

#[cfg(test)]
mod tests {
    use panotti_sdk::{conformance::Case, testing::Bench};

    use super::*;

    fn started() -> NewEvent {
        NewEvent::new(EventName::from_static("recording.started"), json!({ "title": "Weekly" }))
    }

    panotti_sdk::conformance!(Case::of(DESCRIPTOR).event(started()));

    #[test]
    fn a_meeting_is_greeted() {
        let mut bench = Bench::new(DESCRIPTOR).unwrap();
        bench.configure(json!({ "greeting": "Welcome" })).start().unwrap();
        let published = bench.deliver(started()).unwrap();
        assert_eq!(published[0].payload, json!({ "text": "Welcome, Weekly!" }));
    }
}
