//! `panotti events publish`: a person or a script publishes. Owns reading what was typed.

use std::{io::Read as _, process::ExitCode};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::show::Output;
use crate::cli::client::Client;

/// What to publish.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the event: door.opened
    name: String,
    /// Payload, a JSON object; - reads it from standard input
    #[arg(default_value = "{}", value_name = "PAYLOAD|-", value_parser = payload)]
    payload: Payload,
    /// Meeting that it belongs to
    #[arg(long, value_name = "UUID")]
    correlation_id: Option<Uuid>,
    /// Event that led to it
    #[arg(long, value_name = "UUID")]
    causation_id: Option<Uuid>,
    /// How urgent it is: low, normal, high or critical
    #[arg(long, value_parser = ["low", "normal", "high", "critical"])]
    priority: Option<String>,
    /// The same text for every attempt at this event: it is published once
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,
}

#[derive(Debug, Clone)]
enum Payload {
    StandardInput,
    Given(Map<String, Value>),
}

fn payload(text: &str) -> Result<Payload, String> {
    if text == "-" {
        return Ok(Payload::StandardInput);
    }
    serde_json::from_str(text).map(Payload::Given).map_err(|error| format!("not a JSON object: {error}"))
}

/// Publishes it and prints what it became.
pub(super) fn run(args: &Args, client: &Client, out: &mut Output) -> anyhow::Result<ExitCode> {
    let payload = match &args.payload {
        Payload::Given(payload) => payload.clone(),
        Payload::StandardInput => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
            serde_json::from_str(&text).context("standard input is not a JSON object")?
        }
    };
    let mut body = json!({ "name": args.name, "payload": payload });
    for (field, value) in [
        ("correlation_id", args.correlation_id.map(|id| id.to_string())),
        ("causation_id", args.causation_id.map(|id| id.to_string())),
        ("priority", args.priority.clone()),
    ] {
        if let Some(value) = value {
            body[field] = value.into();
        }
    }
    let headers: Vec<_> = args.idempotency_key.iter().map(|key| ("Idempotency-Key", key.as_str())).collect();
    let (status, mut accepted) = client.post("/events", &headers, &body)?;
    // 201 is a new one, 200 one that was there.
    let repeated = status.as_u16() == 200;
    if out.is_json() {
        accepted["repeated"] = repeated.into();
        out.json(&accepted)?;
    } else {
        let (seq, id) = (&accepted["seq"], accepted["id"].as_str().unwrap_or_default());
        let what = if repeated { "was published before" } else { "is published" };
        out.line(&format!("{} {what}: {seq}  {id}", args.name))?;
    }
    Ok(ExitCode::SUCCESS)
}
