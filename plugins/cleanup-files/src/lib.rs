//! Removes files that are no longer needed, and the oldest audio when the disk gets short.

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Outbox, Plugin, PluginError, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Removes files that are no longer needed, and the oldest audio when the disk gets short.",
    ..Descriptor::of::<CleanupFiles>(
        "cleanup_files",
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
pub struct CleanupFiles {}

impl Configured for CleanupFiles {
    type Config = Config;

    fn new(_: Config, _: Context) -> Result<Self, PluginError> {
        Ok(Self {})
    }
}

#[async_trait]
impl Plugin for CleanupFiles {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }
}
