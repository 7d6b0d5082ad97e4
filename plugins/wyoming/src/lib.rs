//! Speech to text over the Wyoming protocol. Owns the plugin and its settings.

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Outbox, Permissions, Plugin, PluginError,
    Service, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Speech to text for Home Assistant and others that speak the Wyoming protocol.",
    permissions: Permissions { services: &[Service::Transcriber], ..Permissions::NONE },
    ..Descriptor::of::<Wyoming>("wyoming", env!("CARGO_PKG_VERSION"), include_str!("../plugin.yaml.example"))
};

/// Settings.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port on which clients are served. Wyoming has no passwords: whoever reaches the port may
    /// use it.
    pub listen: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: "0.0.0.0:10300".into() }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Wyoming {}

impl Configured for Wyoming {
    type Config = Config;

    fn new(_: Config, _: Context) -> Result<Self, PluginError> {
        Ok(Self {})
    }
}

#[async_trait]
impl Plugin for Wyoming {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }
}
