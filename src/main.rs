//! The `panotti` program: reads its arguments, starts the log, runs one subcommand, and is the only place
//! that prints an error.
//!
//! Exit codes: 0 done; 1 it failed, and standard error says why; 2 the command line or the configuration
//! is wrong.

use std::process::ExitCode;

use clap::Parser;
use panotti::{cli, logging};

#[expect(clippy::print_stderr, reason = "the one place that prints errors")]
fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let loaded = match cli.load() {
        Ok(it) => it,
        Err(problems) => return cli::check_config::report_problems(&cli, &problems),
    };
    let ran = logging::init(&loaded.config.logging).map_err(Into::into).and_then(|()| cli.run(&loaded));
    ran.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("panotti: {error:#}");
        ExitCode::FAILURE
    })
}
