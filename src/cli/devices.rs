//! `panotti devices`: which microphones there are, what they can do and how loud it is at them right now.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{Arc, mpsc::RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::Serialize;

use crate::{
    audio::{
        Capture, Notice, StreamFormat,
        alsa::{self, Device},
    },
    config::{self, Config},
    status::{Level, Status},
};

/// How long is listened to each device.
const LISTEN: Duration = Duration::from_millis(300);
/// How long a device may take to open.
const OPEN: Duration = Duration::from_secs(5);
/// Levels are read as often as sound cards usually deliver.
const READ: Duration = Duration::from_millis(20);
/// How often the live meter is drawn.
const DRAW: Duration = Duration::from_millis(100);
/// Quietest level the meter shows, dBFS.
const METER_FLOOR: f32 = -60.0;

/// Lists microphones with what they can do and a live level
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this one: an ALSA name (`hw:1`, `default`), `wav:FILE` or `wav-fast:FILE`
    device: Option<String>,
    /// Shows a live meter in dBFS until Ctrl-C
    #[arg(long, requires = "device")]
    watch: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What is told about a device.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    device: Device,
    /// What was heard, when it was listened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    heard: Option<Heard>,
}

/// What was heard from a device.
#[derive(Debug, Serialize)]
struct Heard {
    format: StreamFormat,
    /// Loudest level of each channel.
    levels: Vec<Level>,
}

/// Runs the subcommand. The code is 1 only when a device was named and cannot be used.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    match &args.device {
        Some(name) if args.watch => watch(&settings(name, config), args.json),
        Some(name) => one(name, config, args.json),
        None => all(config, args.json),
    }
}

fn all(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let mut reports = Vec::new();
    for device in alsa::list()? {
        let listen = device.hardware && device.capabilities.is_some();
        reports.push(if listen { listen_to(device, config) } else { Report { device, heard: None } });
    }
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &reports)?;
        writeln!(out)?;
    } else if reports.is_empty() {
        writeln!(
            out,
            "There is no microphone: ALSA knows no sound card on this machine.\n\
             - Plug one in and run `panotti devices` again; `cat /proc/asound/cards` is what the kernel sees.\n\
             - In a container, pass the cards through: `--device /dev/snd`.\n\
             - To try everything without one, play a file: `panotti serve --device wav:FILE`."
        )?;
    } else {
        for report in &reports {
            print(&mut out, report)?;
        }
        writeln!(
            out,
            "Use one with `panotti serve --device NAME`, or as `audio.device` in the configuration."
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn one(name: &str, config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let is_file = name.starts_with("wav:") || name.starts_with("wav-fast:");
    let device = Device {
        name: name.to_owned(),
        description: String::new(),
        hardware: name.starts_with("hw:"),
        // Why it does not open is what listening says.
        capabilities: if is_file { None } else { alsa::probe(name).ok() },
        problem: None,
    };
    let report = listen_to(device, config);
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(if report.device.problem.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The configured settings for the configured device, and the defaults for any other.
fn settings(name: &str, config: &Config) -> config::Audio {
    let audio = if config.audio.device == name { config.audio.clone() } else { config::Audio::default() };
    config::Audio { device: name.to_owned(), realtime_priority: 0, ..audio }
}

fn listen_to(mut device: Device, config: &Config) -> Report {
    match hear(&settings(&device.name, config)) {
        Ok(heard) => Report { device, heard: Some(heard) },
        Err(problem) => {
            device.problem = Some(format!("{problem:#}"));
            Report { device, heard: None }
        }
    }
}

/// Opens the device; only levels are wanted, so both streams are let go.
fn open(audio: &config::Audio) -> anyhow::Result<(crate::audio::CaptureHandle, Arc<Status>, StreamFormat)> {
    let status = Arc::new(Status::default());
    let Capture { record, listen, notices, handle } = Capture::start(audio, status.clone())?;
    drop((record, listen));
    loop {
        match notices.recv_timeout(OPEN) {
            Ok(Notice::Opened { format, .. }) => return Ok((handle, status, format)),
            Ok(Notice::Lost { reason }) => anyhow::bail!(reason),
            Ok(Notice::Overrun { .. } | Notice::Ended) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                anyhow::bail!("the device did not open within {} s", OPEN.as_secs())
            }
        }
    }
}

fn hear(audio: &config::Audio) -> anyhow::Result<Heard> {
    let (_handle, status, format) = open(audio)?;
    Ok(Heard { format, levels: loudest(&status, format, LISTEN) })
}

/// The loudest level of each channel during `time`.
fn loudest(status: &Status, format: StreamFormat, time: Duration) -> Vec<Level> {
    let channels = usize::from(format.channels);
    let until = Instant::now() + time;
    let mut loudest: Option<Vec<Level>> = None;
    while Instant::now() < until {
        thread::sleep(READ);
        let now = status.levels(channels);
        loudest = Some(match loudest {
            None => now,
            Some(before) => before.into_iter().zip(now).map(|(a, b)| louder(a, b)).collect(),
        });
    }
    loudest.unwrap_or_default()
}

fn louder(a: Level, b: Level) -> Level {
    Level { rms_dbfs: a.rms_dbfs.max(b.rms_dbfs), peak_dbfs: a.peak_dbfs.max(b.peak_dbfs) }
}

/// Draws until Ctrl-C ends the program.
fn watch(audio: &config::Audio, json: bool) -> anyhow::Result<ExitCode> {
    let (_handle, status, format) =
        open(audio).with_context(|| format!("cannot listen to `{}`", audio.device))?;
    let live = io::stdout().is_terminal() && !json;
    loop {
        let heard = Heard { format, levels: loudest(&status, format, DRAW) };
        let mut out = io::stdout().lock();
        let line = if json { serde_json::to_string(&heard)? } else { meters(&heard.levels) };
        let ended = if live { write!(out, "\r{line}\x1b[K") } else { writeln!(out, "{line}") };
        if ended.and_then(|()| out.flush()).is_err() {
            // Whoever looked at it has gone.
            return Ok(ExitCode::SUCCESS);
        }
        match status.facts().capture {
            crate::status::CaptureState::Lost { reason } => anyhow::bail!(reason),
            crate::status::CaptureState::Ended => return Ok(ExitCode::SUCCESS),
            _ => {}
        }
    }
}

fn meters(levels: &[Level]) -> String {
    const WIDTH: usize = 30;
    let bar = |level: &Level| {
        let share = 1.0 - (level.rms_dbfs / METER_FLOOR).clamp(0.0, 1.0);
        let full = (share * WIDTH as f32).round() as usize;
        format!("{}{} {:6.1} dBFS", "#".repeat(full), "-".repeat(WIDTH - full), level.rms_dbfs)
    };
    // Two meters fit a line of 80 characters; more channels share the line as numbers.
    if levels.len() <= 2 {
        levels.iter().map(bar).collect::<Vec<_>>().join("  ")
    } else {
        let numbers: Vec<String> = levels.iter().map(|it| format!("{:.0}", it.rms_dbfs)).collect();
        format!("{} dBFS", numbers.join(" "))
    }
}

fn print(out: &mut impl Write, Report { device, heard }: &Report) -> io::Result<()> {
    writeln!(out, "{}", device.name)?;
    if !device.description.is_empty() {
        writeln!(out, "    {}", device.description)?;
    }
    if let Some(capabilities) = &device.capabilities {
        writeln!(out, "    has      {capabilities}")?;
    }
    if let Some(heard) = heard {
        writeln!(out, "    opens as {}", heard.format)?;
        for (channel, level) in heard.levels.iter().enumerate() {
            writeln!(
                out,
                "    level    {:.1} dBFS, peak {:.1} dBFS (channel {})",
                level.rms_dbfs,
                level.peak_dbfs,
                channel + 1
            )?;
        }
    }
    if let Some(problem) = &device.problem {
        writeln!(out, "    {problem}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_spans_its_floor_to_full_scale() {
        let level = |rms_dbfs| Level { rms_dbfs, peak_dbfs: rms_dbfs };
        for (rms, full) in [(-120.0, 0), (-60.0, 0), (-30.0, 15), (0.0, 30)] {
            assert_eq!(meters(&[level(rms)]).matches('#').count(), full, "{rms}");
        }
        assert_eq!(meters(&[level(-10.0), level(-20.0), level(-30.4)]), "-10 -20 -30 dBFS");
    }

    #[test]
    fn configured_settings_are_for_the_configured_device_only() {
        let mut config = Config::default();
        config.audio.device = "hw:1".into();
        config.audio.rate_hz = Some(16_000);
        assert_eq!(settings("hw:1", &config).rate_hz, Some(16_000));
        assert_eq!(settings("hw:2", &config).rate_hz, None);
    }
}
