//! `panotti check-config`: shows what the configuration comes to and where each value is from, or
//! everything that is wrong with it.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use serde_json::{Value, json};

use super::{Cli, Command};
use crate::{
    config::{KEYS, Loaded, Origin, Problems},
    features::built_with,
    speech::model::{By, chosen},
};

/// The exit code of a wrong command line or configuration.
const WRONG: u8 = 2;

/// What `panotti check-config` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object: file, board, config, origins, warnings, problems.
    #[arg(long)]
    pub json: bool,
}

/// Prints the resolved configuration.
///
/// # Errors
/// When the configuration cannot be written out.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "speaks to the terminal")]
pub fn run(args: &Args, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let warnings: Vec<_> = loaded.warnings.iter().cloned().chain(surroundings(loaded)).collect();
    if args.json {
        let report = json!({
            "file": loaded.file, "board": loaded.board.map(|it| it.name), "config": loaded.config, "origins": loaded.origins,
            "warnings": warnings, "problems": [],
            "model": chosen(&loaded.config.transcription, &loaded.config.storage.models_dir()),
        });
        println!("{report:#}");
    } else {
        print!("{}", annotated(loaded)?);
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is wrong, for any subcommand.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "speaks to the terminal")]
pub fn report_problems(cli: &Cli, problems: &Problems) -> ExitCode {
    if matches!(&cli.command, Command::CheckConfig(Args { json: true })) {
        println!("{:#}", json!({ "problems": problems }));
    } else {
        eprintln!("{problems}");
        let count = problems.0.len();
        eprintln!("panotti: the configuration has {count} problem{}", if count == 1 { "" } else { "s" });
    }
    ExitCode::from(WRONG)
}

/// The configuration as YAML that loads again, each value with a comment that says where it is from.
fn annotated(loaded: &Loaded) -> anyhow::Result<String> {
    // Through text, where 0.1 of 32 bits is still written 0.1.
    let tree: Value = serde_json::to_string(&loaded.config)
        .and_then(|it| serde_json::from_str(&it))
        .context("cannot write the configuration out")?;
    let (mut yaml, mut open) = (String::new(), "");
    if let Some(board) = loaded.board {
        let origin = loaded.origins.get("board").unwrap_or(&Origin::Default);
        yaml.push_str(&format!("board: {}  # {origin}\n", board.name));
    }
    for key in KEYS {
        let (section, name) = key.split();
        if section != open {
            yaml.push_str(&format!("{section}:\n"));
            open = section;
        }
        // JSON on one line is YAML, and its quotes keep `no` and `1` the texts they are.
        let value = tree[section][name].to_string();
        let origin = loaded.origins.get(key.path).unwrap_or(&Origin::Default);
        yaml.push_str(&format!("  {name}: {value}  # {origin}\n"));
    }
    Ok(yaml)
}

/// What only this machine can tell: a warning, since the file may be checked on another one.
fn surroundings(loaded: &Loaded) -> Vec<String> {
    let config = &loaded.config;
    let mut warnings = lacking(loaded);
    if let Some(choice) = chosen(&config.transcription, &config.storage.models_dir()) {
        let name = &choice.name;
        if choice.by == By::Use && config.transcription.model.as_ref().is_some_and(|it| it != name) {
            warnings.push(format!(
                "transcription.model: it is not used, since `panotti model use` chose {name}; \
                 `panotti model use --configured` goes back to it"
            ));
        }
        if !choice.path.exists() {
            let what = if choice.by == By::Use { "panotti model use" } else { "transcription.model" };
            warnings.push(format!(
                "{what}: there is no {}; get it with `panotti model fetch`, or put a model there",
                choice.path.display()
            ));
        }
    }
    if let Some(model) = config.vad.silero_model.as_ref().filter(|it| !it.exists()) {
        warnings.push(format!("vad.silero_model: there is no {}; put the model there", model.display()));
    }
    let data = &config.storage.data_dir;
    let nearest = data.ancestors().find(|it| it.exists()).unwrap_or(Path::new("."));
    let nearest = if nearest.as_os_str().is_empty() { Path::new(".") } else { nearest };
    if rustix::fs::access(nearest, rustix::fs::Access::WRITE_OK).is_err() {
        warnings.push(format!(
            "storage.data_dir: {} cannot be written by this user; run as the service's user or set another",
            data.display()
        ));
    }
    warnings
}

/// What the board can do and this build cannot.
fn lacking(loaded: &Loaded) -> Vec<String> {
    let Some(board) = loaded.board else { return Vec::new() };
    match board.facts() {
        Ok(facts) => {
            let built = built_with();
            let missing = facts.build.features.into_iter().filter(|it| !built.contains(&it.as_str()));
            let told = |it| {
                format!(
                    "board {}: this program was built without the feature {it}, which the board has the hardware for; build it with --features {it}",
                    board.name
                )
            };
            missing.map(told).collect()
        }
        Err(error) => vec![format!("board {}: its file cannot be read: {error}", board.name)],
    }
}
