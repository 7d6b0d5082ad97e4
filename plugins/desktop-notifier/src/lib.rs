//! Tells people that notes are ready, and that something went wrong.

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Outbox, Plugin, PluginError, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Tells people that notes are ready, and that something went wrong.",
    ..Descriptor::of::<DesktopNotifier>(
        "desktop_notifier",
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
pub struct DesktopNotifier {}

impl Configured for DesktopNotifier {
    type Config = Config;

    fn new(_: Config, _: Context) -> Result<Self, PluginError> {
        Ok(Self {})
    }
}

#[async_trait]
impl Plugin for DesktopNotifier {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }
}
