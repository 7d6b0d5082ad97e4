//! What is told while files are transcribed: bars where a person looks, lines where none does, JSON for
//! scripts. Owns speed and time left.

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::inputs::Input;
use crate::{audio::decode::AudioFile, speech::Progress};

/// Between lines in a log.
const QUIET: Duration = Duration::from_secs(30);
/// Names of files that were passed over, as many as are told.
const NAMED: usize = 5;

/// What came of a file.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) audio_ms: u64,
    pub(super) written: Vec<PathBuf>,
    pub(super) warnings: Vec<String>,
}

/// Tells how it goes.
#[derive(Debug)]
pub(super) struct Teller {
    json: bool,
    bars: MultiProgress,
    /// Of the file, and of all where there are several.
    bar: ProgressBar,
    overall: Option<ProgressBar>,
    visible: bool,
    began: Instant,
    file_began: Instant,
    last_line: Instant,
    name: String,
    files: usize,
    finished: usize,
    /// All audio of files that are done, and of all files where they say how long they are, ms.
    done_ms: u64,
    total_ms: Option<u64>,
}

impl Teller {
    pub(super) fn new(json: bool, inputs: &[Input]) -> Self {
        let visible = !json && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let bar = bars.add(styled());
        let many = inputs.len() > 1;
        // A file that cannot be opened is told of at its turn.
        let length = |it: &Input| AudioFile::open(&it.path).map_or(Some(0), |it| it.duration_ms());
        let total_ms = if many { inputs.iter().map(length).sum() } else { None };
        let now = Instant::now();
        Self {
            json,
            bar,
            overall: many.then(|| bars.add(styled())),
            bars,
            visible,
            began: now,
            file_began: now,
            last_line: now,
            name: String::new(),
            files: inputs.len(),
            finished: 0,
            done_ms: 0,
            total_ms,
        }
    }

    /// The files in folders that are no audio, all at once.
    pub(super) fn passed_over(&self, files: &[PathBuf]) {
        if self.json || files.is_empty() {
            return;
        }
        let mut names: Vec<_> = files.iter().take(NAMED).map(|it| it.display().to_string()).collect();
        if files.len() > NAMED {
            names.push(format!("{} more", files.len() - NAMED));
        }
        self.line(&format!("No audio, passed over: {}", names.join(", ")));
    }

    pub(super) fn begin(&mut self, input: &Input) {
        self.name = input.place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.file_began = Instant::now();
        self.last_line = self.file_began;
        self.bar.reset();
        self.bar.set_message(self.name.clone());
        self.bar.enable_steady_tick(Duration::from_millis(500));
    }

    pub(super) fn progress(&mut self, it: Progress) {
        let said = pace(it.done_ms, it.total_ms, self.file_began.elapsed());
        show(&self.bar, it.done_ms, it.total_ms, &said);
        if let Some(overall) = &self.overall {
            let done_ms = self.done_ms + it.done_ms;
            overall.set_message(format!("{} of {} files", self.finished + 1, self.files));
            show(overall, done_ms, self.total_ms, &pace(done_ms, self.total_ms, self.began.elapsed()));
        }
        if !self.visible && !self.json && self.last_line.elapsed() >= QUIET {
            self.last_line = Instant::now();
            self.line(&format!("{}: {said}", self.name));
        }
    }

    /// What came of a file; `shown` is what people call it.
    pub(super) fn file(&mut self, shown: &str, done: &anyhow::Result<Done>) -> anyhow::Result<()> {
        self.finished += 1;
        self.done_ms += done.as_ref().map_or(0, |it| it.audio_ms);
        let spent = self.file_began.elapsed();
        if self.json {
            return json_line(shown, spent, done);
        }
        match done {
            Ok(done) => {
                let said = pace(done.audio_ms, None, spent);
                let written: Vec<_> = done.written.iter().map(|it| it.display().to_string()).collect();
                if !written.is_empty() {
                    self.line(&format!("{shown} -> {} ({said})", written.join(", ")));
                } else if self.files > 1 {
                    self.line(&format!("{shown} ({said})"));
                }
                done.warnings.iter().for_each(|it| self.line(&format!("{shown}: warning: {it}")));
            }
            Err(error) => self.line(&format!("{shown}: {error:#}")),
        }
        if self.finished == self.files {
            self.bars.clear().context("cannot write to the terminal")?;
        }
        Ok(())
    }

    /// Somebody asked to stop, after so many files.
    pub(super) fn stopped(&self, finished: usize) {
        self.line(&format!("Stopped: {finished} of {} files are done; nothing is half written.", self.files));
    }

    #[expect(clippy::print_stderr, reason = "a subcommand talks to the terminal")]
    fn line(&self, text: &str) {
        self.bars.suspend(|| eprintln!("{text}"));
    }
}

#[expect(clippy::print_stdout, reason = "a subcommand talks to the terminal")]
fn json_line(shown: &str, spent: Duration, done: &anyhow::Result<Done>) -> anyhow::Result<()> {
    let seconds = spent.as_secs_f64();
    let line = match done {
        Ok(done) => serde_json::json!({
            "file": shown, "ok": true, "seconds": seconds,
            "audio_seconds": done.audio_ms as f64 / 1000.0, "written": done.written,
            "warnings": done.warnings,
        }),
        Err(error) => serde_json::json!({
            "file": shown, "ok": false, "seconds": seconds, "error": format!("{error:#}"),
        }),
    };
    println!("{}", serde_json::to_string(&line).context("cannot write JSON")?);
    Ok(())
}

fn styled() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{msg} {wide_bar} {prefix}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, done_ms: u64, total_ms: Option<u64>, said: &str) {
    if let Some(total_ms) = total_ms {
        bar.set_length(total_ms);
    }
    bar.set_position(done_ms);
    bar.set_prefix(said.to_owned());
}

/// "5:00 of 60:00 (8 %), 12.1 times real time, 4:32 left", as far as it is known.
fn pace(done_ms: u64, total_ms: Option<u64>, spent: Duration) -> String {
    let time = |ms: u64| {
        let s = ms / 1000;
        if s >= 3600 {
            format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
        } else {
            format!("{}:{:02}", s / 60, s % 60)
        }
    };
    let mut said = match total_ms.filter(|it| *it > 0) {
        Some(total) => {
            format!("{} of {} ({} %)", time(done_ms), time(total), (done_ms * 100 / total).min(100))
        }
        None => format!("{} of audio", time(done_ms)),
    };
    let spent_ms = spent.as_millis() as u64;
    if spent_ms > 0 && done_ms > 0 {
        said += &format!(", {:.1} times real time", done_ms as f64 / spent_ms as f64);
        if let Some(rest_ms) = total_ms.map(|it| it.saturating_sub(done_ms)) {
            let left_ms = u128::from(rest_ms) * u128::from(spent_ms) / u128::from(done_ms);
            said += &format!(", {} left", time(left_ms as u64));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_and_time_left() {
        let seconds = Duration::from_secs;
        for (done_s, total_s, spent, want) in [
            (300, Some(3600), seconds(30), "5:00 of 1:00:00 (8 %), 10.0 times real time, 5:30 left"),
            (300, None, seconds(30), "5:00 of audio, 10.0 times real time"),
            (0, Some(60), seconds(0), "0:00 of 1:00 (0 %)"),
            (61, Some(60), seconds(61), "1:01 of 1:00 (100 %), 1.0 times real time, 0:00 left"),
            (0, Some(0), seconds(1), "0:00 of audio"),
        ] {
            assert_eq!(pace(done_s * 1000, total_s.map(|it: u64| it * 1000), spent), want);
        }
    }
}
