//! `panotti events`: see, follow, publish and repeat events of a running service. Owns the options that its
//! parts share; each part has a file of its own, and all of them speak to the service through `client`.

mod dead_letters;
mod list;
mod publish;
mod replay;
mod show;
mod stats;
mod tail;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use jiff::{SpanRelativeTo, Timestamp};
use uuid::Uuid;

use super::client::Connection;
use crate::config::Config;

/// See, follow, publish and repeat events of a running service.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    connection: Connection,
    /// Print JSON: lists and streams one object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List what happened, newest first.
    List(list::Args),
    /// Follow what happens, across interruptions.
    Tail(tail::Args),
    /// Publish an event.
    Publish(publish::Args),
    /// Deliver events again. Ctrl-C stops it.
    Replay(replay::Args),
    /// List, drop or repeat what could not be handled.
    DeadLetters(dead_letters::Args),
    /// Show how the log and its subscriptions do.
    Stats,
}

/// Which events. All that is given must hold.
#[derive(Debug, clap::Args)]
struct Selection {
    /// Name; `*` stands for one word, `**` for the rest: recording.*
    #[arg(long, value_name = "TOPIC")]
    name: Option<String>,
    /// Named filter of the service
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Meeting
    #[arg(long, value_name = "UUID")]
    correlation_id: Option<Uuid>,
    /// At least this urgent: low, normal, high or critical
    #[arg(long)]
    priority: Option<String>,
    /// Published by this plugin or part
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Condition on the event's fields: 'payload.duration_ms > 60000'
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
}

impl Selection {
    /// As the API's parameters.
    fn query(&self) -> Vec<(&'static str, String)> {
        [
            ("name", self.name.clone()),
            ("filter", self.filter.clone()),
            ("correlation_id", self.correlation_id.map(|id| id.to_string())),
            ("priority", self.priority.clone()),
            ("source", self.source.clone()),
            ("where", self.condition.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// A time, or how long ago it was.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = text.parse::<jiff::Span>().ok().filter(|span| !span.is_negative());
    ago.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .and_then(|ago| Timestamp::now().checked_sub(ago).ok())
        .ok_or_else(|| {
            "use a time such as 2026-01-31T09:00:00Z, or how long ago: 90s, 10m, 2h, 7d".to_owned()
        })
}

/// Does what was asked for.
///
/// # Errors
/// Whatever the service refuses, or that there is none.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let client = args.connection.client(config)?;
    let mut out = show::Output::new(args.json);
    let done = match &args.action {
        Action::List(list) => list::run(list, &client, &mut out),
        Action::Tail(tail) => tail::run(tail, &client, &mut out),
        Action::Publish(publish) => publish::run(publish, &client, &mut out),
        Action::Replay(replay) => replay::run(replay, &client, &mut out),
        Action::DeadLetters(letters) => dead_letters::run(letters, &client, &mut out),
        Action::Stats => stats::run(&client, &mut out),
    };
    let done = done.and_then(|code| Ok(out.flush().map(|()| code)?));
    match done {
        // `| head` has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        done => done,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |it: &io::Error| it.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref::<io::Error>().is_some_and(broken)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::moment;

    #[test]
    fn moments() {
        assert_eq!(moment("2026-01-31T09:00:00+01:00"), Ok("2026-01-31T08:00:00Z".parse().unwrap()));
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 7 * 86_400), ("1h30m", 5400)]
        {
            let expected = Timestamp::now() - SignedDuration::from_secs(seconds);
            let found = moment(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(expected.duration_until(found).abs() < SignedDuration::from_mins(1), "{text}: {found}");
        }
        for text in ["", "yesterday", "-5m", "10", "2026-13-01T00:00:00Z"] {
            assert!(moment(text).unwrap_err().contains("how long ago"), "{text}");
        }
    }
}
