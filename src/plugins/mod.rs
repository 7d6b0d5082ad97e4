//! The plugins compiled in. Owns which there are, their life, supervision, settings and state; leaves
//! delivering events to `bus` and what a plugin does to the plugin.
//!
//! Each plugin runs on a thread of its own with a tokio runtime of its own, so that one that hangs, panics
//! or keeps the processor hurts neither the API nor its neighbours.

mod error;
mod home;
mod host;
mod instance;
mod lifecycle;
mod list;
mod manager;
mod memory;
mod plan;
mod report;
mod roster;
mod secrets;
mod settings;
mod slot;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use panotti_sdk::{Descriptor, Request, Response, Route};
use serde_json::Value;
use tokio::runtime::Handle;

pub use self::{
    error::Error,
    lifecycle::{State, Transition},
    list::{KNOWN, Known, PLUGINS},
    plan::{Plan, Wish, plan},
    report::{PluginDetail, PluginStatus, Reconfigured},
    roster::Roster,
    settings::{Settings, SettingsProblem},
};
use self::{host::Services, manager::Manager};
use crate::{bus::Bus, event_log::EventLog, speech::Desk};

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
    host: Arc<Manager>,
}

impl Plugins {
    /// Reads the settings, works out what may run and begins to start it, dependencies first, on
    /// `runtime`. A plugin that cannot run hurts only those that need it. Audio that plugins want written
    /// down goes to `desk`.
    ///
    /// # Errors
    /// [`Error::Directory`] and [`Error::Log`].
    pub fn start(
        descriptors: &'static [Descriptor],
        site: Site,
        desk: Desk,
        log: &EventLog,
        bus: &Bus,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        settings::prepare(&site)?;
        for problem in settings::strangers(&site, descriptors) {
            tracing::warn!("{problem}");
        }
        let services = Services { site: site.into(), desk, roster: Roster::default() };
        let host = Manager::new(descriptors, services, log, bus, runtime);
        host.foresee();
        let begin = host.clone();
        runtime.spawn(async move { begin.reconcile().await });
        Ok(Self { host })
    }

    /// Which plugins are to be reckoned with, already before they have been started.
    pub fn roster(&self) -> Roster {
        self.host.roster()
    }

    /// Ready when every plugin has been started or cannot be.
    pub async fn settled(&self) {
        self.host.settled().await;
    }

    /// All plugins by name.
    pub fn list(&self) -> Vec<PluginStatus> {
        self.host.list()
    }

    /// One plugin in full.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NotCompiledIn`].
    pub fn get(&self, name: &str) -> Result<PluginDetail, Error> {
        Ok(self.host.detail(self.host.slot(name)?))
    }

    /// Enables a plugin for good and starts it. Enabling one that is enabled tries a failed one again.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NotCompiledIn`], [`Error::Settings`], [`Error::Write`].
    pub async fn enable(&self, name: &str) -> Result<PluginStatus, Error> {
        let name = name.to_owned();
        self.change(|host| async move { host.switch(&name, true).await }).await
    }

    /// Disables a plugin for good: it is stopped, gets no events and keeps its place in the log.
    ///
    /// # Errors
    /// As [`Self::enable`].
    pub async fn disable(&self, name: &str) -> Result<PluginStatus, Error> {
        let name = name.to_owned();
        self.change(|host| async move { host.switch(&name, false).await }).await
    }

    /// Validates a configuration, keeps it, and lets the plugin run with it. No event is lost.
    ///
    /// # Errors
    /// As [`Self::enable`], and [`Error::Settings`] with everything that is wrong.
    pub async fn configure(&self, name: &str, config: Value) -> Result<Reconfigured, Error> {
        let name = name.to_owned();
        self.change(|host| async move { host.configure(&name, config).await }).await
    }

    /// Makes a change to its end, also when whoever asked for it goes away.
    async fn change<T, C, F>(&self, change: C) -> Result<T, Error>
    where
        T: Send + 'static,
        C: FnOnce(Arc<Manager>) -> F,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let changing = self.host.runtime.spawn(change(self.host.clone()));
        changing.await.unwrap_or(Err(Error::Stopping))
    }

    /// The route of a plugin for `method` and `path` (below `/plugins/{name}`), running or not.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NotCompiledIn`].
    pub fn route(&self, name: &str, method: &str, path: &str) -> Result<Option<&'static Route>, Error> {
        Ok(self.host.slot(name)?.descriptor.routes.iter().find(|it| it.fits(method, path)))
    }

    /// Hands a request to the plugin. The caller has looked at the role that the route asks for.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NotRunning`].
    pub async fn call(&self, name: &str, request: Request) -> Result<Response, Error> {
        let slot = self.host.slot(name)?;
        match slot.instance() {
            Some(instance) => Ok(instance.call(request).await),
            None => Err(Error::NotRunning {
                name: name.to_owned(),
                reason: slot.transition().map_or_else(String::new, |it| it.reason),
            }),
        }
    }

    /// Stops all, dependents first; what does not end within `patience` is abandoned with a record.
    pub async fn stop(&self, patience: Duration) {
        self.host.stop(patience).await;
    }
}
