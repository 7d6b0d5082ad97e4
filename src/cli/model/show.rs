//! How models look on the terminal.

use std::{
    io::{self, IsTerminal as _, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::super::backup::size;
use crate::speech::model::Progress;

/// Where nobody looks, a line is written this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How far a fetch is: a bar where a person looks, now and then a line where none does. Standard error.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Shown {
    pub(super) fn new() -> Self {
        Self { bar: None, told: Instant::now() }
    }

    #[expect(clippy::print_stderr, reason = "speaks to the terminal")]
    pub(super) fn progress(&mut self, name: &str, it: &Progress) {
        let line = line(name, it);
        if io::stderr().is_terminal() {
            let bar = self.bar.get_or_insert_with(bar);
            bar.set_length(it.total_bytes.unwrap_or(it.done_bytes).max(1));
            bar.set_position(it.done_bytes);
            bar.set_message(line);
        } else if self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            eprintln!("{line}");
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent:>3} %  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn line(name: &str, it: &Progress) -> String {
    let all = it.total_bytes.map_or(String::new(), |all| format!(" of {}", size(all)));
    let speed = if it.bytes_per_s > 0 { format!(", {}/s", size(it.bytes_per_s)) } else { String::new() };
    let left = it.left_s.map_or(String::new(), |it| format!(", {} left", time(it)));
    format!("{name}: {}{all}{speed}{left}", size(it.done_bytes))
}

fn time(seconds: u64) -> String {
    match seconds {
        0..100 => format!("{seconds} s"),
        100..6000 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

pub(super) fn list(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    writeln!(out, "  {:<24} {:>10} {:>9}  {:<12}  here", "model", "size", "memory", "language")?;
    for model in answer["items"].as_array().into_iter().flatten() {
        let installed = model["installed_bytes"].as_u64();
        let published = model["published_size"].as_str().unwrap_or("-");
        let bytes = installed.map_or_else(|| published.to_owned(), size);
        let memory = model["memory_mb"].as_u64().map_or_else(|| "-".to_owned(), |it| format!("{it} MB"));
        let language = match (text(model, "kind"), model["multilingual"].as_bool()) {
            ("vad", _) => "finds speech",
            (_, Some(true)) => "many",
            (_, Some(false)) => "English",
            (_, None) => "-",
        };
        let mark = if model["in_use"] == true { '*' } else { ' ' };
        let name = text(model, "name");
        writeln!(out, "{mark} {name:<24} {bytes:>10} {memory:>9}  {language:<12}  {}", state(model))?;
    }
    let name = |it: &Value| it["name"].as_str().map(str::to_owned);
    match name(&answer["chosen"]) {
        None => writeln!(
            out,
            "\nNo model is in use: `panotti model fetch base.en-q5_1`, then `panotti model use base.en-q5_1`."
        )?,
        Some(chosen) => {
            let by = match text(&answer["chosen"], "by") {
                "use" => "with `panotti model use`",
                "command_line" => "with --model",
                _ => "as configured (transcription.model)",
            };
            let instead = answer["configured"].as_str().map_or_else(String::new, |it| {
                format!("; transcription.model is {it}, `panotti model use --configured` goes back to that")
            });
            writeln!(out, "\nChosen: {chosen}, {by}{instead}.")?;
        }
    }
    if let Some(loaded) = answer["loaded"].as_str() {
        writeln!(out, "Loaded: {loaded}.")?;
    }
    if let Some(memory) = answer["memory_mb"].as_u64() {
        writeln!(out, "Memory is the most that a model of that size takes; this machine has {memory} MB.")?;
    }
    writeln!(out, "Models come from {}.", text(answer, "url"))
}

fn state(model: &Value) -> String {
    let fetch = &model["fetch"];
    let here = match (model["installed_bytes"].is_u64(), model["in_use"] == true) {
        (true, true) => "yes, in use",
        (true, false) => "yes",
        (false, true) => "in use, but its file is gone",
        (false, false) if model["fits"] == false => "no; needs more memory than there is",
        (false, false) => "no",
    };
    match text(fetch, "state") {
        "running" => {
            let (done, total) = (fetch["done_bytes"].as_u64(), fetch["total_bytes"].as_u64());
            let of = total.map_or_else(String::new, |it| format!(" of {}", size(it)));
            format!("being fetched: {}{of}", size(done.unwrap_or_default()))
        }
        "checking" => "being checked".into(),
        "failed" => format!("{here}; could not be fetched: {}", text(fetch, "reason")),
        _ => here.into(),
    }
}

pub(super) fn fetched(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let (name, bytes) = (text(answer, "name"), size(answer["bytes"].as_u64().unwrap_or_default()));
    let how = if answer["fetched"] == true { "is here and whole" } else { "was here already, and is whole" };
    writeln!(out, "{name} {how}: {bytes}, SHA-256 {}.", answer["sha256"].as_str().unwrap_or("not recorded"))?;
    if !name.starts_with("silero") {
        writeln!(out, "`panotti model use {name}` uses it.")?;
    }
    Ok(())
}

pub(super) fn verified(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return writeln!(out, "There are no models here: `panotti model list` shows which can be fetched.");
    }
    for it in items {
        let name = text(it, "name");
        if it["ok"] == true {
            let sums: Vec<_> = it["found"]["compared_with"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let sums = match sums.as_slice() {
                [] => "its structure; no checksum of it is known".to_owned(),
                sums => format!("its structure and its {}", sums.join(" and its ")),
            };
            let bytes = size(it["found"]["bytes"].as_u64().unwrap_or_default());
            writeln!(out, "OK       {name}: {bytes}, compared with {sums}")?;
        } else {
            writeln!(out, "DAMAGED  {name}: {}", text(it, "problem"))?;
        }
    }
    Ok(())
}

pub(super) fn chosen(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let Some(name) = answer["name"].as_str() else {
        return writeln!(out, "No model is configured: from the next start on nothing is written down.");
    };
    if answer["now"] == true {
        writeln!(out, "{name} is in use.")
    } else {
        writeln!(out, "{name} is used from the next start of the service on.")
    }
}
