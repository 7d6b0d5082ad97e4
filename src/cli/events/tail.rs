//! `panotti events tail`: what happens, as it happens. Owns staying connected: after an interruption it
//! goes on behind the last event it has shown, and nothing is missed but what retention has removed.

use std::{
    io::{BufRead, Write as _},
    process::ExitCode,
    thread,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{Selection, moment, show::Output};
use crate::cli::client::{Client, Refused};

/// Wait after the first interruption; it doubles until the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Which events.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Begin with those accepted then: a time, or how long ago (10m, 2h, 7d)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// End after this many
    #[arg(long, value_name = "NUMBER")]
    count: Option<usize>,
}

/// What a stream brings.
#[derive(Debug, PartialEq)]
struct Message {
    kind: String,
    data: Value,
}

/// Prints them until `count` is reached, or without end.
pub(super) fn run(args: &Args, client: &Client, out: &mut Output) -> anyhow::Result<ExitCode> {
    let query = args.selection.query();
    let mut seen = beginning(args, client)?;
    let (mut left, mut wait) = (args.count, FIRST_WAIT);
    while left != Some(0) {
        match client.stream(&query, seen) {
            Ok(mut stream) => {
                while let Some(message) = read(&mut stream) {
                    wait = FIRST_WAIT;
                    if message.kind == "gap" {
                        let (from, to) = (&message.data["from"], &message.data["to"]);
                        tell(&format!(
                            "events {from} to {to} were removed by retention before they were shown"
                        ));
                        seen = to.as_u64().unwrap_or(seen).max(seen);
                        continue;
                    }
                    out.event(&message.data)?;
                    out.flush()?;
                    seen = message.data["seq"].as_u64().unwrap_or(seen);
                    left = left.map(|left| left - 1);
                    if left == Some(0) {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                tell("the stream was interrupted; connecting again");
            }
            // What the service refuses for good is not asked again.
            Err(error) if error.downcast_ref::<Refused>().is_some_and(|it| !it.may_pass()) => {
                return Err(error);
            }
            Err(error) => tell(&format!("{error:#}; trying again in {} s", wait.as_secs_f32())),
        }
        thread::sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    Ok(ExitCode::SUCCESS)
}

/// The `seq` behind which it begins. Known before the stream is, so that an interruption loses nothing.
fn beginning(args: &Args, client: &Client) -> anyhow::Result<u64> {
    let first = |query: &[(&str, String)]| -> anyhow::Result<Option<u64>> {
        let page = client.get("/events", query)?;
        Ok(page["items"].get(0).and_then(|event| event["seq"].as_u64()))
    };
    let one = ("limit", "1".to_owned());
    if let Some(since) = args.since {
        let query = [one.clone(), ("order", "asc".to_owned()), ("from", since.to_string())];
        if let Some(seq) = first(&query)? {
            return Ok(seq.saturating_sub(1));
        }
    }
    Ok(first(&[one])?.unwrap_or(0))
}

/// The next message (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), `None` when the
/// stream ends or breaks.
fn read(stream: &mut impl BufRead) -> Option<Message> {
    let (mut kind, mut data) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() && !data.is_empty() {
            return Some(Message { kind, data: serde_json::from_str(&data).ok()? });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut kind),
            "data" => data.push_str(value),
            _ => {}
        }
    }
}

/// To the terminal, apart from the events.
#[expect(clippy::print_stderr, reason = "a subcommand speaks to the terminal")]
fn tell(what: &str) {
    eprintln!("panotti: {what}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_read_across_comments_and_line_ends() {
        let text =
            ":\n\nid: 7\nevent: a.b\ndata: {\"seq\":7}\n\n: beat\r\nevent: gap\r\ndata:{}\r\n\r\ndata: cut";
        let mut stream = text.as_bytes();
        assert_eq!(read(&mut stream), Some(Message { kind: "a.b".into(), data: json!({ "seq": 7 }) }));
        assert_eq!(read(&mut stream), Some(Message { kind: "gap".into(), data: json!({}) }));
        assert_eq!(read(&mut stream), None);
    }
}
