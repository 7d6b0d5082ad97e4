//! Writes notes of a meeting on this box: by a language model, or by itself.

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Outbox, Plugin, PluginError, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Writes notes of a meeting on this box: by a language model, or by itself.",
    ..Descriptor::of::<MeetingNotesLocal>(
        "meeting_notes_local",
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
pub struct MeetingNotesLocal {}

impl Configured for MeetingNotesLocal {
    type Config = Config;

    fn new(_: Config, _: Context) -> Result<Self, PluginError> {
        Ok(Self {})
    }
}

#[async_trait]
impl Plugin for MeetingNotesLocal {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }
}
