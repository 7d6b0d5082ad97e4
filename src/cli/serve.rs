//! `panotti serve`: not in this build.

use std::process::ExitCode;

use crate::config::Config;

/// What `panotti serve` is told.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Always: there is nothing to run.
pub fn run(_args: &Args, _config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`panotti serve` is not in this build")
}
