//! What can go wrong with plugins.

use std::{io, path::PathBuf};

use panotti_sdk::Descriptor;

use super::{SettingsProblem, State, list::KNOWN};
use crate::{bus, config::nearest, event_log};

/// What went wrong with a plugin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of the settings cannot be used.
    #[error("cannot use the folder `{path}` for the plugins' settings: set `plugins.dir` to another")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no such plugin.
    #[error("there is no plugin `{name}`; {instead}")]
    Unknown {
        /// As asked for.
        name: String,
        /// The one that is probably meant, or those there are.
        instead: String,
    },
    /// It is one of ours, and not in this binary.
    #[error("the plugin `{name}` is not in this binary: build it with the cargo feature `{feature}`")]
    NotCompiledIn {
        /// The plugin.
        name: String,
        /// The feature to build with.
        feature: &'static str,
    },
    /// Settings that cannot be used; all that is wrong with them.
    #[error("the settings of the plugin `{name}` cannot be used")]
    Settings {
        /// The plugin.
        name: String,
        /// Everything that is wrong.
        problems: Vec<SettingsProblem>,
    },
    /// The settings cannot be written.
    #[error(
        "cannot write the settings `{path}`: let this user write to its folder, or set `plugins.dir` to another"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No state follows another like that.
    #[error("a plugin that is {from} cannot become {to}")]
    Transition {
        /// Where it is.
        from: State,
        /// Where it was to go.
        to: State,
    },
    /// The service stops.
    #[error("the service is stopping: try again in a moment")]
    Stopping,
    /// It does not run.
    #[error("the plugin `{name}` does not run: {reason}")]
    NotRunning {
        /// The plugin.
        name: String,
        /// Why.
        reason: String,
    },
    /// It does not answer.
    #[error("the plugin `{0}` does not answer")]
    Hung(String),
    /// The log said no.
    #[error("the event log does not take it")]
    Log(#[from] event_log::Error),
    /// The bus said no.
    #[error("the bus does not take it")]
    Bus(#[from] bus::Error),
}

impl Error {
    /// Why there is no plugin called `name`.
    pub(super) fn unknown(name: &str, descriptors: &[Descriptor]) -> Self {
        match KNOWN.iter().find(|it| it.name == name) {
            Some(known) => Self::NotCompiledIn { name: name.to_owned(), feature: known.feature },
            None => {
                let names = || descriptors.iter().map(|it| it.name).chain(KNOWN.iter().map(|it| it.name));
                let instead = match nearest(name, names()) {
                    Some(near) => format!("did you mean {near}?"),
                    None if descriptors.is_empty() => "this binary has no plugins".to_owned(),
                    None => {
                        let all: Vec<_> = descriptors.iter().map(|it| it.name).collect();
                        format!("there are: {}", all.join(", "))
                    }
                };
                Self::Unknown { name: name.chars().take(64).collect(), instead }
            }
        }
    }
}
