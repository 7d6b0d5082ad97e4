//! The command line. Owns the options all subcommands share, and choosing the subcommand; each subcommand
//! has a file of its own.

pub mod backup;
pub mod check_config;
mod client;
#[cfg(feature = "demo")]
pub mod demo;
pub mod devices;
pub mod events;
pub mod key;
pub mod model;
pub mod plugins;
pub mod serve;
pub mod transcribe;

use std::{path::PathBuf, process::ExitCode, sync::LazyLock};

use clap::{Parser, Subcommand};

use crate::{
    config::{self, Loaded, Override, Problems, Sources},
    features::built_with,
};

/// Writes down what is said in a meeting room, on the box, and nowhere else.
#[derive(Debug, Parser)]
#[command(name = "panotti", version = VERSION.as_str(), max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Configuration file [default: /etc/panotti/panotti.yaml, where there is one].
    #[arg(long, global = true, value_name = "FILE", env = "PANOTTI_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// The board this runs on, such as raspberrypi5: its settings lie below those of the file [env:
    /// PANOTTI_BOARD] [file: `board`].
    #[arg(long, global = true, value_name = "NAME")]
    pub board: Option<String>,
    /// Where the event log, recordings and models are kept (`storage.data_dir`).
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,panotti::audio=debug`
    /// (`logging.level`).
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Listen to the room: record, transcribe, and serve the page and the API.
    Serve(serve::Args),
    /// Show the whole job on a bundled meeting, with no microphone and no network.
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Write down what is said in audio files.
    Transcribe(transcribe::Args),
    /// List the sound devices, what they can do, and how loud they are.
    Devices(devices::Args),
    /// Check the configuration, and show what it comes to and where each value is from.
    CheckConfig(check_config::Args),
    /// See, fetch, check, choose and remove the models that write speech down.
    Model(model::Args),
    /// Make, list and revoke API keys.
    Key(key::Args),
    /// Make, list, check and restore backups of the event log.
    Backup(backup::Args),
    /// See, follow, publish and repeat events of a running service.
    Events(events::Args),
    /// See and manage the plugins of a running service.
    Plugins(plugins::Args),
}

impl Command {
    /// The log level of commands that say themselves what happens.
    fn quiet(&self) -> Option<&'static str> {
        match self {
            #[cfg(feature = "demo")]
            Self::Demo(_) => Some("warn"),
            Self::Devices(_) | Self::Events(_) | Self::Model(_) | Self::Plugins(_) => Some("error"),
            _ => None,
        }
    }
}

/// Version, and the features this binary was built with.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let features = built_with();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    format!("{} (features: {features})", env!("CARGO_PKG_VERSION"))
});

const EXAMPLES: &str = "\
Examples:
  panotti demo                                     see it work, on a bundled meeting
  panotti devices                                  find the microphone's name
  panotti serve --device hw:1 --model base.en-q5_1 listen to the room
  panotti model fetch base.en-q5_1                 get a model that writes speech down
  panotti transcribe --format srt talk.wav         write subtitles for a file
  panotti backup create                            copy the event log while it runs
  panotti events tail                              follow what happens on a running service
  panotti plugins list                             see which plugins there are, and how they are
  panotti check-config --config site.yaml          find every mistake in a configuration
  panotti check-config --board raspberrypi5        see what a board's own settings come to

Exit codes: 0 done, 1 failed, 2 wrong command line or configuration.";

impl Cli {
    /// The configuration this command line asks for.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn load(&self) -> Result<Loaded, Problems> {
        let mut overrides = Vec::new();
        if let Some(board) = &self.board {
            overrides.push(Override::new("--board", "board", board));
        }
        if let Some(dir) = &self.data_dir {
            overrides.push(Override::new("--data-dir", "storage.data_dir", dir.to_string_lossy()));
        }
        if let Some(level) = self.log_level.as_deref().or(self.command.quiet()) {
            overrides.push(Override::new("--log-level", "logging.level", level));
        }
        config::load(&Sources { file: self.config.clone(), env: Sources::process_env(), overrides })
    }

    /// Runs the subcommand.
    ///
    /// # Errors
    /// Whatever stopped it, for `main` to print.
    pub fn run(&self, loaded: &Loaded) -> anyhow::Result<ExitCode> {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let config = &loaded.config;
        match &self.command {
            Command::Serve(args) => serve::run(args, config),
            #[cfg(feature = "demo")]
            Command::Demo(args) => demo::run(args, config),
            Command::Transcribe(args) => transcribe::run(args, config),
            Command::Devices(args) => devices::run(args, config),
            Command::CheckConfig(args) => check_config::run(args, loaded),
            Command::Model(args) => model::run(args, config),
            Command::Key(args) => key::run(args, config),
            Command::Backup(args) => backup::run(args, config),
            Command::Events(args) => events::run(args, config),
            Command::Plugins(args) => plugins::run(args, config),
        }
    }
}
