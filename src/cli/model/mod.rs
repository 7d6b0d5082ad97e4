//! `panotti model`: seeing, fetching, checking, choosing and removing models. Owns whom it asks (a running
//! service over its API, otherwise the data directory itself) and the command line; how that looks is in `show`,
//! the directory in `local`, the service in `remote`.

mod local;
mod remote;
mod show;

use std::{io::Write as _, process::ExitCode};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::client::{Client, Connection};
use crate::{
    config::Config,
    data_dir::{self, Lock},
    speech::model::Wanted,
};

/// `panotti model`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// All models that can be fetched and all that are here: size, memory, language, which one is in use
    List,
    /// Fetch a model; one that broke off goes on where it was
    Fetch {
        /// A name of the list, such as base.en-q5_1, or the address of a model file
        #[arg(value_name = "NAME|URL")]
        model: String,
        /// Take it from this mirror instead of `models.url`: what comes before `/ggml-NAME.bin`; `{repository}`
        /// stands for the collection, such as ggerganov/whisper.cpp
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// What to call a model that is fetched by its address
        #[arg(long)]
        name: Option<String>,
        /// SHA-256 that its file must have
        #[arg(long, value_name = "HEX", value_parser = sha256)]
        sha256: Option<String>,
    },
    /// Read models from end to end and compare them with their checksums; exit code 1 when one is damaged
    Verify {
        /// Its name; all that are here when not given
        name: Option<String>,
    },
    /// Use a model from now on, also after restarts; a recording that runs goes on with it
    Use {
        /// Its name
        #[arg(required_unless_present = "configured", conflicts_with = "configured")]
        name: Option<String>,
        /// Go back to the one that the configuration names
        #[arg(long)]
        configured: bool,
    },
    /// Remove a model
    Remove {
        /// Its name
        name: String,
        /// Also when it is in use
        #[arg(long)]
        force: bool,
    },
}

fn sha256(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if fits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("write 64 hex digits, as `sha256sum` prints them".into())
    }
}

/// Who is asked.
enum Place {
    /// The directory of models; no service runs on it while the lock is held.
    Directory(Option<Lock>),
    Service(Client),
}

/// Does what was asked for. Only the result goes to standard output.
///
/// # Errors
/// Whatever keeps it from being done; each says what to do.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let place = place(args, config)?;
    let answer = match &args.command {
        Command::List => match &place {
            Place::Directory(_) => local::list(config)?,
            Place::Service(client) => client.get("/models", &[])?,
        },
        Command::Fetch { model, from, name, sha256 } => {
            let mut shown = show::Shown::new();
            let wanted = wanted(config, model, from.as_deref(), name.as_deref(), sha256.clone())?;
            match place {
                Place::Directory(lock) => {
                    // A service may start meanwhile: what comes is its own file under another name.
                    drop(lock);
                    local::fetch(config, &wanted, &mut shown)?
                }
                Place::Service(client) => {
                    // By its name, the service looks where it is configured to.
                    let here = from.is_some() || wanted.name != *model;
                    remote::fetch(&client, &wanted, here, &mut shown)?
                }
            }
        }
        Command::Verify { name } => match &place {
            Place::Directory(_) => local::verify(config, name.as_deref())?,
            Place::Service(client) => remote::verify(client, name.as_deref())?,
        },
        Command::Use { name, .. } => match &place {
            Place::Directory(_) => local::choose(config, name.as_deref())?,
            Place::Service(client) => remote::choose(client, name.as_deref())?,
        },
        Command::Remove { name, force } => match &place {
            Place::Directory(_) => local::remove(config, name, *force)?,
            Place::Service(client) => remote::remove(client, name, *force)?,
        },
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{answer}")?;
    } else {
        match &args.command {
            Command::List => show::list(&mut out, &answer)?,
            Command::Fetch { .. } => show::fetched(&mut out, &answer)?,
            Command::Verify { .. } => show::verified(&mut out, &answer)?,
            Command::Use { .. } => show::chosen(&mut out, &answer)?,
            Command::Remove { name, .. } => writeln!(out, "{name} is removed.")?,
        }
    }
    let damaged = |it: &Value| it["ok"] == false;
    let failed = answer["items"].as_array().is_some_and(|it| it.iter().any(damaged));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The service where one is named or runs on the data directory, otherwise the directory.
fn place(args: &Args, config: &Config) -> anyhow::Result<Place> {
    let client = || Ok(Place::Service(args.connection.client(config)?));
    if args.connection.is_named() {
        return client();
    }
    let dir = &config.storage.data_dir;
    let reads = matches!(args.command, Command::List | Command::Verify { .. });
    if reads && !dir.exists() {
        return Ok(Place::Directory(None));
    }
    match Lock::take(dir) {
        Ok(lock) => Ok(Place::Directory(Some(lock))),
        Err(data_dir::Error::Running { .. }) => client(),
        // Not this user's; but somebody who only looks needs no lock.
        Err(_) if reads && std::fs::read_dir(config.storage.models_dir()).is_ok() => Ok(Place::Directory(None)),
        Err(error) => Err(error).context("cannot work on the data directory: run this as the service's user, or name the service with --server"),
    }
}

fn wanted(
    config: &Config,
    model: &str,
    from: Option<&str>,
    name: Option<&str>,
    sha256: Option<String>,
) -> anyhow::Result<Wanted> {
    let base = from.unwrap_or(&config.models.url);
    let is_address = model.contains("://");
    let wanted = match name {
        Some(_) if !is_address => bail!("--name is for a model that is fetched by its address"),
        Some(name) => Wanted::at(name, model)?,
        None => Wanted::typed(model, base)?,
    };
    if is_address && from.is_some() {
        bail!("--from is for a model that is fetched by its name; the address says already where it is");
    }
    Ok(Wanted { sha256, ..wanted })
}
