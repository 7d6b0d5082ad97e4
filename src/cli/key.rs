//! `panotti key`: make, list and revoke API keys, whether the service runs or not. Owns how that looks on
//! the terminal; leaves the keys to `security`.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use serde_json::json;

use crate::{
    config::Config,
    data_dir,
    security::{Keys, Role},
};

/// Make, list and revoke API keys.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a key and print it: once, it is stored nowhere.
    Create {
        /// What it is for, such as `Door panel`.
        name: String,
        /// What it may do: viewer looks, operator records, admin does everything.
        #[arg(long, default_value = "operator", value_name = "viewer|operator|admin")]
        role: Role,
    },
    /// List all keys.
    List,
    /// Make a key worthless, at once and for good.
    Revoke {
        /// The key's id, as listed.
        id: String,
    },
}

/// Does what was asked for. Only the result goes to standard output, so that a key can be piped.
#[expect(clippy::print_stderr, reason = "a subcommand speaks to the terminal")]
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let log = data_dir::open_log(config)?;
    let keys = Keys::new(log, None);
    let mut out = std::io::stdout().lock();
    match &args.action {
        Action::Create { name, role } => {
            let (principal, key) = keys.create(name, *role)?;
            let shown = if args.json {
                let principal = json!({
                    "key_id": principal.key_id,
                    "name": principal.name,
                    "role": principal.role,
                    "key": key.expose(),
                });
                writeln!(out, "{principal}")
            } else {
                writeln!(out, "{}", key.expose())
            };
            shown.with_context(|| {
                format!("cannot print the key: `panotti key revoke {}` and try again", principal.key_id)
            })?;
            if !args.json {
                eprintln!(
                    "This is the key `{}` ({}, id {}). Keep it now, it is not shown again.\nClients send it as `X-API-Key` or `Authorization: Bearer`.",
                    principal.name, principal.role, principal.key_id
                );
            }
        }
        Action::List => {
            let list = keys.list()?;
            if args.json {
                writeln!(out, "{}", serde_json::to_string(&list)?)?;
            } else if list.is_empty() {
                eprintln!("There are no keys. `panotti key create NAME` makes one.");
            } else {
                writeln!(out, "{:<14}{:<10}{:<22}NAME", "ID", "ROLE", "CREATED")?;
                for key in list {
                    let principal = key.principal;
                    writeln!(
                        out,
                        "{:<14}{:<10}{:<22}{}",
                        principal.key_id,
                        principal.role,
                        format!("{:.0}", key.created_at),
                        principal.name
                    )?;
                }
            }
        }
        Action::Revoke { id } => {
            let principal = keys.revoke(id)?;
            if args.json {
                writeln!(out, "{}", serde_json::to_string(&principal)?)?;
            } else {
                eprintln!("The key `{}` (id {id}) is revoked.", principal.name);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
