//! `panotti events replay`: events are delivered again. Owns showing how far it is, and asking the service
//! to stop at Ctrl-C; the replay itself runs in the service.

use std::{
    io::IsTerminal as _,
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Selection, moment, show::Output};
use crate::cli::client::Client;

/// How often progress is asked for.
const PERIOD: Duration = Duration::from_millis(300);

/// What to deliver again.
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
    /// Only what could not be handled, each to whom it belongs
    #[arg(long)]
    dead_letters: bool,
    /// Only to this subscription (a plugin's name)
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Events of one batch
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    batch_size: u32,
    /// Pause between batches, ms
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    interval_ms: u32,
    /// Do not wait for its end
    #[arg(long)]
    detach: bool,
}

impl Args {
    fn order(&self) -> Value {
        let mut order: Map<_, _> =
            self.selection.query().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        order.extend(self.since.map(|time| ("from".into(), time.to_string().into())));
        order.extend(self.until.map(|time| ("to".into(), time.to_string().into())));
        order.extend(self.plugin.clone().map(|plugin| ("plugin".into(), plugin.into())));
        order.insert("dead_letters".into(), self.dead_letters.into());
        order.insert("batch_size".into(), self.batch_size.into());
        order.insert("interval_ms".into(), self.interval_ms.into());
        Value::Object(order)
    }
}

/// Begins it and follows it to its end: 0 when all deliveries went well.
pub(super) fn run(args: &Args, client: &Client, out: &mut Output) -> anyhow::Result<ExitCode> {
    let interrupted = interrupted()?;
    let (_, begun) = client.post("/events/replay", &[], &args.order())?;
    if args.detach {
        if out.is_json() {
            out.json(&begun)?;
        } else {
            out.line(&format!("The replay {} has begun.", id(&begun)))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    follow(begun, client, out, &interrupted)
}

/// Shows the progress of a replay until it ends.
pub(super) fn follow(
    mut replay: Value,
    client: &Client,
    out: &mut Output,
    interrupted: &mpsc::Receiver<()>,
) -> anyhow::Result<ExitCode> {
    let path = format!("/events/replay/{}", id(&replay));
    let bar = bar();
    while replay["state"] == "running" {
        bar.set_length(replay["until"].as_u64().unwrap_or(0));
        bar.set_position(replay["cursor"].as_u64().unwrap_or(0));
        bar.set_message(format!("{} delivered, {} failed", replay["delivered"], replay["failed"]));
        replay = match interrupted.recv_timeout(PERIOD) {
            Err(RecvTimeoutError::Timeout) => client.get(&path, &[])?,
            _ => client.post(&format!("{path}/stop"), &[], &json!({}))?.1,
        };
    }
    bar.finish_and_clear();
    if out.is_json() {
        out.json(&replay)?;
    } else {
        let state = replay["state"].as_str().unwrap_or("?");
        out.line(&format!("{state}: {} delivered, {} failed", replay["delivered"], replay["failed"]))?;
        if replay["delivered"] == 0 && replay["failed"] == 0 && state == "completed" {
            out.line("No running subscription wanted any of the chosen events (`panotti events stats` lists them).")?;
        }
    }
    let well = replay["state"] == "completed" && replay["failed"] == 0;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn id(replay: &Value) -> &str {
    replay["id"].as_str().unwrap_or_default()
}

/// Where a person looks.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent:>3} % {msg}  Ctrl-C stops it") {
        bar.set_style(style);
    }
    bar
}

/// Hears of Ctrl-C, which from here on ends nothing by itself.
pub(super) fn interrupted() -> anyhow::Result<mpsc::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (sender, receiver) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    thread::Builder::new().name("interrupt".into()).spawn(move || {
        runtime.block_on(async {
            let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
            // Whoever is gone no longer wants to hear of it.
            match signal {
                Ok(mut signal) => {
                    ready.send(Ok(())).ok();
                    while signal.recv().await.is_some() && sender.send(()).is_ok() {}
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    })?;
    is_ready.recv().context("cannot wait for Ctrl-C")?.context("cannot wait for Ctrl-C")?;
    Ok(receiver)
}
