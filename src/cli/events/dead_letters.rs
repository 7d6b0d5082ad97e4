//! `panotti events dead-letters`: what could not be handled, and what to do with it. Owns how it looks.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    list, replay,
    show::{Output, short_time, shortened},
};
use crate::cli::client::Client;

/// Most characters of an error that are shown to people.
const ERROR: usize = 160;

/// What to do with them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List them, those of the oldest events first (what is done when nothing is said).
    List {
        /// Only those of this subscription (a plugin's name)
        #[arg(long, value_name = "NAME")]
        subscription: Option<String>,
        /// Only events of this name; `*` stands for one word, `**` for the rest
        #[arg(long, value_name = "TOPIC")]
        name: Option<String>,
        /// Most that are listed
        #[arg(long, short = 'n', default_value_t = 50, value_name = "NUMBER")]
        limit: usize,
    },
    /// Forget one for good; its event stays in the log.
    Drop(One),
    /// Deliver one again, once.
    Replay(One),
}

#[derive(Debug, clap::Args)]
struct One {
    /// Whose it is, as listed
    subscription: String,
    /// Its event's number, as listed
    seq: u64,
}

impl One {
    fn path(&self) -> anyhow::Result<String> {
        let Self { subscription, seq } = self;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        anyhow::ensure!(
            !subscription.is_empty() && subscription.bytes().all(is_name),
            "`{subscription}` is no subscription: `panotti events dead-letters` lists them"
        );
        Ok(format!("/events/dead-letters/{subscription}/{seq}"))
    }
}

/// Does what was asked for.
pub(super) fn run(args: &Args, client: &Client, out: &mut Output) -> anyhow::Result<ExitCode> {
    match &args.action {
        None => print(client, out, &[], 50),
        Some(Action::List { subscription, name, limit }) => {
            let query: Vec<_> = [("subscription", subscription), ("name", name)]
                .into_iter()
                .filter_map(|(field, value)| Some((field, value.clone()?)))
                .collect();
            print(client, out, &query, *limit)
        }
        Some(Action::Drop(one)) => {
            client.delete(&one.path()?)?;
            if out.is_json() {
                out.json(&json!({ "subscription": one.subscription, "seq": one.seq, "dropped": true }))?;
            } else {
                out.line(&format!("Event {} is no longer a dead letter of {}.", one.seq, one.subscription))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Action::Replay(one)) => {
            let interrupted = replay::interrupted()?;
            let (_, begun) = client.post(&format!("{}/replay", one.path()?), &[], &json!({}))?;
            replay::follow(begun, client, out, &interrupted)
        }
    }
}

fn print(
    client: &Client,
    out: &mut Output,
    query: &[(&str, String)],
    limit: usize,
) -> anyhow::Result<ExitCode> {
    let shown = list::each(client, "/events/dead-letters", query, limit, |letter| Ok(show(letter, out)?))?;
    if shown == 0 && !out.is_json() {
        out.line("There are no dead letters.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(letter: &Value, out: &mut Output) -> std::io::Result<()> {
    if out.is_json() {
        return out.json(letter);
    }
    let event = &letter["event"];
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let errors = letter["errors"].as_array().into_iter().flatten();
    let errors: Vec<_> = errors.filter_map(Value::as_str).collect();
    out.line(&format!(
        "{}  {:>8}  {:<20}  {:<30}  {} attempts: {}",
        short_time(&letter["tried_at"]),
        event["seq"],
        text(&letter["subscription"]),
        text(&event["name"]),
        letter["attempts"],
        shortened(&errors.join(": "), ERROR),
    ))
}
