//! Writes notes of a meeting by a service elsewhere: text leaves the box.

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Outbox, Plugin, PluginError, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Writes notes of a meeting by a service elsewhere: text leaves the box.",
    ..Descriptor::of::<MeetingNotesRemote>(
        "meeting_notes_remote",
        env!("CARGO_PKG_VERSION"),
        include_str!("../plugin.yaml.example"),
    )
};

/// Its settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The plugin.
#[derive(Debug)]
pub struct MeetingNotesRemote {}

impl Configured for MeetingNotesRemote {
    type Config = Config;

    fn new(_: Config, _: Context) -> Result<Self, PluginError> {
        Ok(Self {})
    }
}

#[async_trait]
impl Plugin for MeetingNotesRemote {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }
}
