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

mod files;
mod judge;
mod overlay;
mod render;
mod schema;
mod strangers;
mod tree;
mod wording;
mod written;

use std::{fmt, num::NonZeroUsize, path::PathBuf};

use panotti_sdk::Descriptor;
use serde::Serialize;
use serde_json::Value;

pub(super) use self::{files::prepare, schema::schema, strangers::strangers};
use self::{judge::differences, tree::Path, written::Written};
use super::{Error, Site};

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
    /// Named filter that its events have to pass.
    pub event_filter: Option<String>,
    /// Memory it may hold, MiB.
    pub memory_limit_mib: u32,
    /// The plugin's own settings, with every default: what it is built from.
    pub config: Value,
    /// As people see it: its own settings and those every plugin has; secrets only by name.
    pub shown: Value,
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

/// Settings that do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unusable {
    /// Whether the plugin was to run; what cannot be read is taken to say so.
    pub(super) enabled: bool,
    /// Everything that is wrong, in the order of the file; never empty.
    pub(super) problems: Vec<SettingsProblem>,
}

/// A configuration that fits and is not kept yet.
#[derive(Debug)]
pub(super) struct Revision {
    /// The settings with it.
    pub(super) settings: Settings,
    /// Paths below `config` of the keys that have another value than now.
    pub(super) changed: Vec<String>,
    path: PathBuf,
    text: String,
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}")?;
            if let (Some(line), Some(column)) = (self.line, self.column) {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.what, self.instead)
    }
}

impl fmt::Display for Unusable {
    /// The first problem, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.problems.first() {
            write!(f, "{first}")?;
        }
        match self.problems.len() {
            0 | 1 => Ok(()),
            more => write!(f, " (and {} more)", more - 1),
        }
    }
}

/// Reads the settings of a plugin: its file, created from the example when there is none, overlaid by the
/// environment, held to the schema.
///
/// # Errors
/// Everything that is wrong, at once.
pub(super) fn load(site: &Site, descriptor: &Descriptor) -> Result<Settings, Unusable> {
    Written::read(site, descriptor).map_err(|problems| Unusable { enabled: true, problems })?.judged()
}

/// Keeps whether a plugin is to run. Settings that do not fit can be disabled and not enabled.
///
/// # Errors
/// [`Error::Settings`], also when the environment says otherwise, and [`Error::Write`].
pub(super) fn set_enabled(site: &Site, descriptor: &Descriptor, enabled: bool) -> Result<(), Error> {
    let refused = |problems| Error::Settings { name: descriptor.name.to_owned(), problems };
    let mut written = Written::read(site, descriptor).map_err(refused)?;
    let key = Path::default().key("enabled");
    if let Some(it) = written.overlays.iter().find(|it| it.path == key && it.value != Value::Bool(enabled)) {
        return Err(refused(vec![written.problem(it.into(), false)]));
    }
    key.set(&mut written.file.value, Some(enabled.into()));
    if enabled {
        written.judged().map_err(|it| refused(it.problems))?;
    }
    let text = written.text().map_err(refused)?;
    files::replace(&files::path(site, descriptor.name), &text)
}

/// Judges another configuration, which replaces the whole of `config`; `current` is the one as it is
/// [shown](Settings::shown) now. What the environment sets stays as it is, in the file too.
///
/// # Errors
/// [`Error::Settings`] with everything that is wrong.
pub(super) fn revise(
    site: &Site,
    descriptor: &Descriptor,
    current: &Value,
    mut config: Value,
) -> Result<Revision, Error> {
    let refused = |problems| Error::Settings { name: descriptor.name.to_owned(), problems };
    let mut written = Written::read(site, descriptor).map_err(refused)?;
    let mut overruled = Vec::new();
    for it in &written.overlays {
        let Some(below) = it.path.0.get(1..).map(|it| Path(it.to_vec())).filter(|it| !it.0.is_empty()) else {
            continue;
        };
        match below.of(&config) {
            Some(given) if *given == it.value || Some(given) == below.of(current) => {
                below.set(&mut config, it.path.of(&written.file.value).cloned());
            }
            Some(_) => overruled.push(written.problem(it.into(), true)),
            None => {}
        }
    }
    let key = Path::default().key("config");
    key.set(&mut written.file.value, Some(config));
    // The lines of the old configuration are none of this one's.
    written.file.places.retain(|path, _| !path.0.starts_with(&key.0));
    written.file.nameless.clear();
    written.given = true;
    let settings = match written.judged() {
        Ok(settings) if overruled.is_empty() => settings,
        Ok(_) => return Err(refused(overruled)),
        Err(it) => return Err(refused([overruled, it.problems].concat())),
    };
    let text = written.text().map_err(refused)?;
    // Settings that did not fit had no values: every key has another one now.
    let nothing = Value::Object(serde_json::Map::new());
    let before = if current.is_null() { &nothing } else { current };
    let mut changed = Vec::new();
    differences(before, &settings.shown, &Path::default(), &mut changed);
    Ok(Revision { settings, changed, path: files::path(site, descriptor.name), text })
}

impl Revision {
    /// Keeps it; on disk when it returns.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(super) fn write(&self) -> Result<(), Error> {
        files::replace(&self.path, &self.text)
    }
}

#[cfg(test)]
mod tests;
