//! `panotti backup`: make, list, check and restore copies of the event log. Owns how that looks on the
//! terminal; leaves the copies to `event_log::backup`.

use std::{
    io::{IsTerminal as _, Write as _},
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    config::Config,
    data_dir::{Lock, restore_advice},
    event_log::backup::{Backup, Backups, Progress, Report, Source},
};

/// Make, list, check and restore backups of the event log: events, keys, what is known of recordings. Audio
/// files are not in them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a backup, whether the service runs or not.
    Create {
        /// Put it below this directory instead of `backup.dir`; older ones there are not removed.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// List all backups, newest first.
    List,
    /// Read all of a backup and say what is wrong with it.
    Verify {
        /// Its name as listed, `latest`, the path of one that lies elsewhere, or `live` for the log itself.
        #[arg(value_name = "NAME|latest|live|PATH")]
        name: String,
    },
    /// Put a backup in the place of the event log, while the service does not run. What is there now is
    /// kept.
    Restore {
        /// Its name as listed, `latest`, or the path of one that lies elsewhere.
        #[arg(value_name = "NAME|latest|PATH")]
        name: String,
        /// Do not look the backup over before.
        #[arg(long)]
        no_verify: bool,
    },
}

/// Does what was asked for. Only the result goes to standard output.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let backups = Backups::new(config.backup_dir());
    let say = Say { json: args.json };
    match &args.action {
        Action::Create { to } => create(&say, config, &backups, to.clone()),
        Action::List => list(&say, &backups),
        Action::Verify { name } => verify(&say, config, &backups, name),
        Action::Restore { name, no_verify } => restore(&say, config, &backups, name, !no_verify),
    }
}

fn create(say: &Say, config: &Config, backups: &Backups, to: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let source = Source::open(&config.storage.events_dir())?;
    let mut bar = Bar::new();
    let mut show = |it| {
        bar.show(it);
        ControlFlow::Continue(())
    };
    let (made, removed) = match to {
        // Another disk is not the recordings'.
        Some(dir) => (Backups::new(dir).create(&source, 0, &mut show)?, Vec::new()),
        None => {
            let made = backups.create(&source, config.storage.min_free_mib << 20, &mut show)?;
            let keep = usize::try_from(config.backup.keep).unwrap_or(usize::MAX);
            let removed = backups.prune(keep, &made.name)?;
            (made, removed)
        }
    };
    drop(bar);
    let mut value = to_json(&made);
    value["removed"] = removed.clone().into();
    say.done(&value, || {
        let older =
            if removed.is_empty() { String::new() } else { format!("\nRemoved: {}", removed.join(", ")) };
        format!("{}: {}{older}", made.path.display(), summary(&made))
    })
}

fn list(say: &Say, backups: &Backups) -> anyhow::Result<ExitCode> {
    let list = backups.list()?;
    let value = list.iter().map(to_json).collect();
    say.done(&value, || {
        if list.is_empty() {
            let dir = backups.dir().display();
            return format!("There is no backup in `{dir}`. `panotti backup create` makes one.");
        }
        let mut lines =
            vec![format!("{:<18}{:>7}{:>12}{:>11}{:>8}  STATE", "NAME", "AGE", "SIZE", "EVENTS", "SCHEMA")];
        for it in &list {
            let age = age(it.age(Timestamp::now()).as_secs());
            lines.push(match &it.manifest {
                Ok(manifest) => format!(
                    "{:<18}{age:>7}{:>12}{:>11}{:>8}  size is right",
                    it.name,
                    size(manifest.bytes),
                    manifest.events(),
                    manifest.schema
                ),
                Err(fault) => {
                    format!("{:<18}{age:>7}{:>12}{:>11}{:>8}  damaged: {fault}", it.name, "", "", "")
                }
            });
        }
        lines.join("\n")
    })
}

fn verify(say: &Say, config: &Config, backups: &Backups, name: &str) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let mut bar = Bar::new();
    let mut show = |it| bar.show(it);
    let (what, report, instead) = if name == "live" {
        let source = Source::open(&config.storage.events_dir())?;
        ("the event log".to_owned(), source.verify(&mut show), Some(restore_advice(config)))
    } else {
        let backup = backups.find(name)?;
        let other = backups.newest_whole(Some(&backup.name));
        let instead = other.map(|it| format!("`panotti backup verify {}` looks at another one", it.name));
        (format!("the backup `{}`", backup.name), backup.verify(&mut show)?, instead)
    };
    drop(bar);
    let Report { events, faults } = report;
    let value = json!({
        "name": name,
        "ok": faults.is_empty(),
        "events": events,
        "faults": faults,
        "seconds": began.elapsed().as_secs_f64(),
    });
    if faults.is_empty() {
        return say.done(&value, || format!("OK: {what} has {events} events, all as they were stored."));
    }
    if say.json {
        say.done(&value, String::new)?;
        return Ok(ExitCode::FAILURE);
    }
    let instead = instead.unwrap_or_else(|| "there is no other backup".into());
    anyhow::bail!("{what} is damaged: {}; {instead}", faults.join("; "))
}

fn restore(
    say: &Say,
    config: &Config,
    backups: &Backups,
    name: &str,
    verify: bool,
) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let dir = config.storage.events_dir();
    let backup = backups.find(name)?;
    let _lock = Lock::take(&config.storage.data_dir)?;
    let mut bar = Bar::new();
    let restored = backup.restore(&dir, verify, &mut |it| bar.show(it)).with_context(|| {
        let other = backups.newest_whole(Some(&backup.name));
        let other = other.map_or(String::new(), |it| format!(" (another backup is {})", it.name));
        format!("cannot restore the backup `{}`{other}", backup.name)
    })?;
    drop(bar);
    let value = json!({
        "name": backup.name,
        "last_seq": restored.last_seq,
        "replaced": restored.replaced,
        "seconds": began.elapsed().as_secs_f64(),
    });
    say.done(&value, || {
        let undo = restored.replaced.as_ref().map_or(String::new(), |replaced| {
            format!(
                "\nWhat was there is in `{}`. To undo, before the service starts:\n  mv {} {}",
                replaced.display(),
                replaced.join("data.mdb").display(),
                dir.join("data.mdb").display()
            )
        });
        format!("The event log is that of {}, up to event {}.{undo}", backup.name, restored.last_seq)
    })
}

/// Where the result goes.
struct Say {
    json: bool,
}

impl Say {
    fn done(&self, value: &Value, text: impl FnOnce() -> String) -> anyhow::Result<ExitCode> {
        let text = if self.json { value.to_string() } else { text() };
        writeln!(std::io::stdout().lock(), "{text}").context("cannot write to the terminal")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn to_json(it: &Backup) -> Value {
    let mut value = json!({
        "name": it.name,
        "path": it.path,
        "age_seconds": it.age(Timestamp::now()).as_secs(),
        "ok": it.manifest.is_ok(),
    });
    match &it.manifest {
        Ok(manifest) => {
            value["events"] = manifest.events().into();
            if let (Ok(Value::Object(fields)), Some(value)) =
                (serde_json::to_value(manifest), value.as_object_mut())
            {
                value.extend(fields);
            }
        }
        Err(fault) => value["fault"] = fault.clone().into(),
    }
    value
}

fn summary(it: &Backup) -> String {
    it.manifest.as_ref().map_or_else(Clone::clone, |manifest| {
        format!("{} events up to {}, {}", manifest.events(), manifest.last_seq, size(manifest.bytes))
    })
}

/// A number of bytes as people read it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

fn age(seconds: i64) -> String {
    match seconds {
        ..0 => "future".into(),
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A bar with the time left where a person looks; nothing where none does, for the result says enough in a
/// log.
struct Bar {
    bar: ProgressBar,
    step: &'static str,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {elapsed} left {eta}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, step: "" }
    }

    fn show(&mut self, it: Progress) {
        if self.step != it.step {
            self.step = it.step;
            self.bar.reset();
            self.bar.set_message(it.step);
        }
        self.bar.set_length(it.total);
        self.bar.set_position(it.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
