//! `panotti events stats`: how the log and its subscriptions do, on one screen. Owns how it looks.

use std::process::ExitCode;

use serde_json::Value;

use super::show::{Output, short_time};
use crate::cli::client::Client;

/// Prints it.
pub(super) fn run(client: &Client, out: &mut Output) -> anyhow::Result<ExitCode> {
    let status = client.get("/events/status", &[])?;
    if out.is_json() {
        out.json(&status)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in summary(&status) {
        out.line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(status: &Value) -> Vec<String> {
    let (log, retention, letters) = (&status["log"], &status["retention"], &status["dead_letters"]);
    let mib = |bytes: &Value| format!("{:.1} MiB", bytes.as_f64().unwrap_or(0.0) / f64::from(1 << 20));
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let mut lines = vec![
        format!("events        {} to {}", log["first_seq"], log["last_seq"]),
        format!(
            "rate          {:.1} /s in the last minute; {} since the start, in {} commits",
            number(&log["events_per_second"]),
            log["events"],
            log["commits"]
        ),
        format!(
            "last commit   {}, {:.1} ms ({})",
            short_time(&log["last_commit"]),
            number(&log["last_commit_ms"]),
            log["durability"].as_str().unwrap_or("?")
        ),
        format!("queue         {} of {}", log["queue_depth"], log["queue_limit"]),
        format!(
            "size          {} used, file {}; events are kept {} days, {} ({} at most)",
            mib(&log["bytes_used"]),
            mib(&log["bytes_file"]),
            retention["days"],
            mib(&retention["bytes"]),
            mib(&retention["hard_limit_bytes"])
        ),
        format!("last backup   {}", short_time(&status["last_backup"])),
        match letters["oldest_age_s"].as_i64() {
            None => format!("dead letters  {}", letters["count"]),
            Some(age) => format!("dead letters  {}, the oldest {} old", letters["count"], age_text(age)),
        },
        format!("replays       {} running", status["replays_running"]),
    ];
    let subscriptions = status["subscriptions"].as_array().map_or(&[][..], Vec::as_slice);
    if !subscriptions.is_empty() {
        lines.push(String::new());
        lines.push(format!(
            "{:<24}{:>8}{:>10}{:>10}{:>10}{:>10}{:>8}{:>8}",
            "SUBSCRIPTION", "STATE", "LAG", "WAITING", "RUNNING", "HANDLED", "DEAD", "MISSED"
        ));
    }
    for it in subscriptions {
        let state = if it["running"] == true { "on" } else { "off" };
        lines.push(format!(
            "{:<24}{state:>8}{:>10}{:>10}{:>10}{:>10}{:>8}{:>8}",
            it["name"].as_str().unwrap_or("?"),
            it["lag"],
            it["waiting"],
            it["running_tasks"],
            it["handled"],
            it["dead_letters"],
            it["missed"]
        ));
    }
    lines
}

fn age_text(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        for (seconds, expected) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days")]
        {
            assert_eq!(age_text(seconds), expected);
        }
    }
}
