//! `plugin.yaml.example`, read. Owns its form as a plugin's tests see it; leaves files, overlays and
//! judging a configuration to the host.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What a settings file says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Which plugin.
    pub name: String,
    /// Of the plugin that the file is for.
    pub version: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// More than the plugin needs by itself.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// The plugin's own settings, and those every plugin has.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// The text is no settings file.
#[derive(Debug, thiserror::Error)]
#[error("plugin.yaml.example is not `name, version, enabled, dependencies, config`: {0}")]
pub struct InvalidExample(String);

impl Example {
    /// Reads it.
    ///
    /// # Errors
    /// [`InvalidExample`] says where it goes wrong.
    pub fn read(text: &str) -> Result<Self, InvalidExample> {
        serde_saphyr::from_str(text).map_err(|error| InvalidExample(error.to_string()))
    }
}
