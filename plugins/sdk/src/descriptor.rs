//! What a plugin says about itself before it runs. Owns the form; leaves holding plugins to it to the host.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Context, Event, NewEvent, Plugin, PluginError};

/// Everything the host knows about a plugin before it is built.
///
/// Written by an author over [`Descriptor::of`], which asks for nothing; the crate's `README.md` shows one
/// whole.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// Its name: 1 to 64 of `a-z`, `0-9` and `_`. Also its subscription, the domain of its events, its
    /// folder of state and its part of the API.
    pub name: &'static str,
    /// Its version, semver.
    pub version: &'static str,
    /// The SDK it was built with, semver.
    pub sdk: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// Plugins that must run before it.
    pub dependencies: &'static [Dependency],
    /// Topics of the events it gets; none when it only serves routes or works by itself.
    pub topics: &'static [&'static str],
    /// What it may do beyond handling events.
    pub permissions: Permissions,
    /// What to publish when an event is given up, so that no failure is silent: whichever way its last
    /// attempt failed, also by taking too long or by a panic. Gets the event and the errors in one line.
    pub given_up: Option<GivenUp>,
    /// Its part of the API, below `/plugins/{name}`.
    pub routes: &'static [Route],
    /// `plugin.yaml.example`: written as `plugins.d/{name}.yaml` at the first start.
    pub example: &'static str,
    /// JSON Schema of its configuration.
    pub config_schema: fn() -> Value,
    /// The configuration with every default written out, or the first key that does not fit.
    pub complete: fn(Value) -> Result<Value, PluginError>,
    /// Makes it from a configuration that fits the schema. It does no I/O: that is for
    /// [`Plugin::start`].
    pub build: fn(Value, Context) -> Result<Box<dyn Plugin>, PluginError>,
}

/// See [`Descriptor::given_up`].
pub type GivenUp = fn(&Event, &str) -> Option<NewEvent>;

/// Keys of `config` that every plugin has: the host takes them out before the plugin is built, so that a
/// plugin's own settings have none of these names.
pub const HOST_SETTINGS: &[&str] = &["max_concurrent_tasks", "timeout_s", "event_filter", "memory_limit_mib"];

/// What an author writes: how a configuration becomes a plugin.
pub trait Configured: Plugin + Sized {
    /// Its own settings. Doc comments become the manual, `#[serde(default)]` the defaults.
    type Config: DeserializeOwned + Serialize + JsonSchema;

    /// Makes it. No I/O here.
    ///
    /// # Errors
    /// [`PluginError::Config`] for values that fit the schema and still cannot be used.
    fn new(config: Self::Config, context: Context) -> Result<Self, PluginError>;
}

impl Descriptor {
    /// A descriptor that needs nothing and may do nothing.
    pub const fn of<P: Configured>(name: &'static str, version: &'static str, example: &'static str) -> Self {
        Self {
            name,
            version,
            sdk: env!("CARGO_PKG_VERSION"),
            description: "",
            dependencies: &[],
            topics: &[],
            permissions: Permissions::NONE,
            given_up: None,
            routes: &[],
            example,
            config_schema: config_schema::<P>,
            complete: complete::<P>,
            build: build::<P>,
        }
    }
}

fn config_schema<P: Configured>() -> Value {
    schemars::schema_for!(P::Config).to_value()
}

fn read<P: Configured>(config: Value) -> Result<P::Config, PluginError> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        let key = error.path().to_string();
        PluginError::Config { key, reason: error.into_inner().to_string() }
    })
}

fn complete<P: Configured>(config: Value) -> Result<Value, PluginError> {
    serde_json::to_value(read::<P>(config)?).map_err(PluginError::permanent)
}

fn build<P: Configured>(config: Value, context: Context) -> Result<Box<dyn Plugin>, PluginError> {
    Ok(Box::new(P::new(read::<P>(config)?, context)?))
}

/// A plugin that another needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Its name.
    pub name: &'static str,
    /// Which versions will do: a semver requirement such as `^1.2`.
    pub version: &'static str,
}

/// What a plugin may do beyond handling events. What it publishes is held against this; the rest is
/// declared for the people who decide whether to enable it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// Topics it may publish.
    pub publish: &'static [&'static str],
    /// Services of the host that it uses.
    pub services: &'static [Service],
    /// Hosts it speaks to; `config:KEY` stands for one that a setting names. Empty: nothing leaves the box.
    pub hosts: &'static [&'static str],
    /// Directories it reads or writes outside its own; `config:KEY` stands for one that a setting names.
    pub directories: &'static [&'static str],
}

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self { publish: &[], services: &[], hosts: &[], directories: &[] };
}

/// What the host does for plugins that ask for it. Asking without the permission is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Reading the event log.
    Events,
    /// Reading secrets by name.
    Secrets,
    /// Recordings' files.
    Recordings,
    /// The core's transcriber.
    Transcriber,
}

/// One of a plugin's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Route {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Below `/plugins/{name}`, beginning with `/`; `{id}` stands for one segment.
    pub path: &'static str,
    /// Who may: `viewer`, `operator` or `admin`.
    pub role: &'static str,
    /// One sentence for the documentation.
    pub description: &'static str,
}

impl Route {
    /// Whether a request is for this route; `path` is decoded, below `/plugins/{name}`.
    pub fn fits(&self, method: &str, path: &str) -> bool {
        let is_name = |it: &str| it.starts_with('{') && it.ends_with('}');
        let mut pattern = self.path.split('/');
        let mut path = path.split('/');
        self.method == method
            && pattern.all(|expected| {
                path.next().is_some_and(|word| expected == word || (is_name(expected) && !word.is_empty()))
            })
            && path.next().is_none()
    }
}
