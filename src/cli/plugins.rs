//! `panotti plugins`: seeing and managing the plugins of a running service. Owns how they are shown;
//! leaves doing to the service.

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use super::client::{Client, Connection};
use crate::{config::Config, plugins::KNOWN};

/// `panotti plugins`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Print what the service answers, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// All plugins and how they are, also those that this build leaves out
    List,
    /// One plugin: what it may do, its settings and what is wrong with them, its last transitions
    Show {
        /// Its name
        name: String,
    },
    /// Enable a plugin for good and start it
    Enable {
        /// Its name
        name: String,
    },
    /// Disable a plugin for good; it keeps its place in the log
    Disable {
        /// Its name
        name: String,
    },
    /// Show a plugin's settings, or change them
    Config {
        /// Its name
        name: String,
        /// Settings to change: `key=value`, nested keys with dots; values as in JSON, text without quotes
        #[arg(value_name = "KEY=VALUE", conflicts_with = "file")]
        set: Vec<String>,
        /// Take all settings from a JSON file; `-` reads standard input
        #[arg(long, value_name = "FILE")]
        file: Option<String>,
    },
}

/// Runs it.
///
/// # Errors
/// Whatever the service refuses, and a service that does not answer.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let client = args.connection.client(config)?;
    let answer = match &args.command {
        Command::List => client.get("/plugins", &[])?,
        Command::Show { name } => client.get(&of(name, "")?, &[])?,
        Command::Enable { name } => client.post(&of(name, "/enable")?, &[], &json!({}))?.1,
        Command::Disable { name } => client.post(&of(name, "/disable")?, &[], &json!({}))?.1,
        Command::Config { name, set, file } => match (set.as_slice(), file) {
            ([], None) => client.get(&of(name, "")?, &[])?["config"].take(),
            ([], Some(file)) => configure(&client, name, &read(file)?)?,
            (set, _) => {
                let mut config = client.get(&of(name, "")?, &[])?["config"].take();
                for it in set {
                    change(&mut config, it)?;
                }
                configure(&client, name, &config)?
            }
        },
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{answer}")?;
        return Ok(ExitCode::SUCCESS);
    }
    match &args.command {
        Command::List => list(&mut out, &answer)?,
        Command::Show { .. } => show(&mut out, &answer)?,
        Command::Enable { .. } | Command::Disable { .. } => line(&mut out, &answer)?,
        Command::Config { set, file, .. } if set.is_empty() && file.is_none() => {
            writeln!(out, "{answer:#}")?;
        }
        Command::Config { .. } => {
            let changed = answer["changed"].as_array().cloned().unwrap_or_default();
            let changed: Vec<_> = changed.iter().filter_map(Value::as_str).collect();
            let what = if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
            writeln!(out, "changed: {what}")?;
            line(&mut out, &answer["status"])?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The path of a plugin. A name that is none never gets into it.
fn of(name: &str, rest: &str) -> anyhow::Result<String> {
    let fits =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fits {
        return Ok(format!("/plugins/{name}{rest}"));
    }
    let known: Vec<_> = KNOWN.iter().map(|it| it.name).collect();
    Err(anyhow!("`{name}` is no plugin's name: use a-z, 0-9 and _, such as {}", known.join(", ")))
}

fn read(file: &str) -> anyhow::Result<Value> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{file}`"))?;
    }
    serde_json::from_str(&text).with_context(|| format!("`{file}` is no JSON"))
}

fn configure(client: &Client, name: &str, config: &Value) -> anyhow::Result<Value> {
    client.put(&of(name, "/config")?, &json!({ "config": config }))
}

/// Changes what `set` (`a.b=value`) names.
fn change(config: &mut Value, set: &str) -> anyhow::Result<()> {
    let (path, text) =
        set.split_once('=').ok_or_else(|| anyhow!("`{set}` changes nothing: write KEY=VALUE"))?;
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let mut place = config;
    for key in path.split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[key];
    }
    *place = value;
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn line(out: &mut impl std::io::Write, plugin: &Value) -> std::io::Result<()> {
    let reason = text(plugin, "reason");
    let reason = if reason.is_empty() { String::new() } else { format!("  {reason}") };
    writeln!(
        out,
        "{:<28} {:<9} {:<10}{reason}",
        text(plugin, "name"),
        text(plugin, "version"),
        text(plugin, "state")
    )
}

fn list(out: &mut impl std::io::Write, answer: &Value) -> std::io::Result<()> {
    for plugin in answer["items"].as_array().into_iter().flatten() {
        line(out, plugin)?;
    }
    for plugin in answer["not_compiled_in"].as_array().into_iter().flatten() {
        let feature = text(plugin, "feature");
        writeln!(out, "{:<28} {:<9} not in this build; cargo feature {feature}", text(plugin, "name"), "-")?;
    }
    Ok(())
}

/// `file:line:column: key: what; instead`
fn placed(problem: &Value) -> String {
    let number = |key: &str| problem[key].as_u64().map_or_else(String::new, |it| format!(":{it}"));
    let place = format!("{}{}{}", text(problem, "source"), number("line"), number("column"));
    let parts = [place.as_str(), text(problem, "key"), text(problem, "what")];
    let parts: Vec<_> = parts.into_iter().filter(|it| !it.is_empty()).collect();
    format!("{}; {}", parts.join(": "), text(problem, "instead"))
}

fn show(out: &mut impl std::io::Write, plugin: &Value) -> std::io::Result<()> {
    line(out, plugin)?;
    writeln!(out, "  {}", text(plugin, "description"))?;
    for (title, key) in [("permissions", "permissions"), ("routes", "routes"), ("settings", "config")] {
        writeln!(out, "{title}: {:#}", plugin[key])?;
    }
    let problems = plugin["problems"].as_array().into_iter().flatten();
    for (index, problem) in problems.enumerate() {
        if index == 0 {
            writeln!(out, "wrong with its settings:")?;
        }
        writeln!(out, "  {}", placed(problem))?;
    }
    writeln!(out, "last transitions:")?;
    for step in plugin["history"].as_array().into_iter().flatten().take(10) {
        let [at, from, to, reason] = ["at", "from", "to", "reason"].map(|key| text(step, key));
        writeln!(out, "  {at}  {from} -> {to}  {reason}")?;
    }
    Ok(())
}
