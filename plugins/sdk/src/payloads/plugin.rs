//! What the events of plugins' lives carry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A plugin went from one state to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginStateChanged {
    /// The plugin.
    pub plugin: String,
    /// Its state before.
    pub from: String,
    /// Its state now.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// A plugin was configured anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginConfigChanged {
    /// The plugin.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
    /// The keys whose values changed; the values are in no event.
    pub changed: Vec<String>,
}

/// A plugin was refused something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginPermissionDenied {
    /// The plugin.
    pub plugin: String,
    /// The permission that it lacks.
    pub permission: String,
    /// What it wanted: a topic, a host, a directory, a service.
    pub what: String,
}
