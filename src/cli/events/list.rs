//! `panotti events list`: what happened. Owns its options; leaves pages to the API.

use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::Value;

use super::{Selection, moment, show::Output};
use crate::cli::client::Client;

/// Events of one request.
const PAGE: usize = 200;

/// Which events.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Accepted then or later: a time, or how long ago (10m, 2h, 7d)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Accepted before
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// Only events of this status
    #[arg(long, value_name = "pending|processed|failed", value_parser = ["pending", "processed", "failed"])]
    status: Option<String>,
    /// Most events that are listed
    #[arg(long, short = 'n', default_value_t = 50, value_name = "NUMBER")]
    limit: usize,
    /// Oldest first
    #[arg(long)]
    oldest_first: bool,
}

/// Prints them.
pub(super) fn run(args: &Args, client: &Client, out: &mut Output) -> anyhow::Result<ExitCode> {
    let mut query = args.selection.query();
    query.extend(args.since.map(|time| ("from", time.to_string())));
    query.extend(args.until.map(|time| ("to", time.to_string())));
    query.extend(args.status.clone().map(|status| ("status", status)));
    query.push(("order", if args.oldest_first { "asc" } else { "desc" }.to_owned()));
    each(client, "/events", &query, args.limit, |event| Ok(out.event(event)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Hands at most `limit` items of a list to `show`, page by page.
pub(super) fn each(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    limit: usize,
    mut show: impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let (mut left, mut cursor) = (limit, None);
    while left > 0 {
        let mut query = query.to_vec();
        query.push(("limit", left.min(PAGE).to_string()));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.get(path, &query)?;
        for item in page["items"].as_array().into_iter().flatten() {
            show(item)?;
            left = left.saturating_sub(1);
        }
        // A page may be empty with more to come.
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = Some(next.to_owned());
    }
    Ok(limit - left)
}
