//! Cleans the audio of noise and of the far end before it is written down.

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Outbox, Plugin, PluginError, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Cleans the audio of noise and of the far end before it is written down.",
    ..Descriptor::of::<NoiseReduction>(
        "noise_reduction",
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
pub struct NoiseReduction {}

impl Configured for NoiseReduction {
    type Config = Config;

    fn new(_: Config, _: Context) -> Result<Self, PluginError> {
        Ok(Self {})
    }
}

#[async_trait]
impl Plugin for NoiseReduction {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }
}
