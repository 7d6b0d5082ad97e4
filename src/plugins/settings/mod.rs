//! A plugin's settings file, `plugins.d/{name}.yaml`. Owns its form, what overlays it, judging it against
//! the schema and keeping changes; leaves what the settings mean to the plugin.
//!
//! ```yaml
//! name: example            # which plugin
//! version: "1.0.0"         # of the plugin that wrote this file
//! enabled: true
//! dependencies: []         # more than the plugin needs by itself
//! config:                  # the plugin's own settings, and those every plugin has
//!   max_concurrent_tasks: 4
//! ```

use std::num::NonZeroUsize;

use serde::Serialize;
use serde_json::Value;

/// Settings that fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether it is to run.
    pub enabled: bool,
    /// Names of further plugins that must run before it.
    pub dependencies: Vec<String>,
    /// Most deliveries at once.
    pub max_concurrent_tasks: NonZeroUsize,
    /// Longest that one delivery may take, s.
    pub timeout_s: u32,
    /// Memory it may hold, MiB.
    pub memory_limit_mib: u32,
    /// The plugin's own settings, with every default.
    pub config: Value,
}

/// One thing that is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingsProblem {
    /// The file or the environment variable; `None` for what came by the API.
    pub source: Option<String>,
    /// From 1; `None` where there is no line.
    pub line: Option<u64>,
    /// From 1.
    pub column: Option<u64>,
    /// Path of the key, `config.ollama_url`.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}
