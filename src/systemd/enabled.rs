//! The calls to libsystemd, and log events as journal entries.

use std::{fmt, os::linux::fs::MetadataExt, time::Duration};

use systemd::{daemon, journal};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// Says that the service works, and how it is.
pub fn notify_ready(status: &str) {
    notify(&[(daemon::STATE_READY, "1"), (daemon::STATE_STATUS, status)]);
}

/// Says how the service is: one line for `systemctl status`.
pub fn notify_status(status: &str) {
    notify(&[(daemon::STATE_STATUS, status)]);
}

/// Says that the service is stopping, and what it waits for.
pub fn notify_stopping(status: &str) {
    notify(&[(daemon::STATE_STOPPING, "1"), (daemon::STATE_STATUS, status)]);
}

/// Feeds the watchdog. To be called at least twice per [`watchdog_interval`].
pub fn notify_watchdog() {
    notify(&[(daemon::STATE_WATCHDOG, "1")]);
}

/// After how long without [`notify_watchdog`] systemd kills the service; nothing when it does not watch
/// this process.
pub fn watchdog_interval() -> Option<Duration> {
    daemon::watchdog_enabled().ok().filter(|it| *it > 0).map(Duration::from_micros)
}

/// A notification that does not arrive is no reason to stop: systemd itself notices what it misses.
fn notify(state: &[(&str, &str)]) {
    if let Err(error) = daemon::notify(state.iter()) {
        tracing::debug!(%error, "Cannot notify systemd.");
    }
}

/// Sends log events to journald, when standard error is connected to it.
pub fn journal_layer() -> Option<Journal> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let stderr = std::fs::metadata("/proc/self/fd/2").ok()?;
    is_stream(&stream, stderr.st_dev(), stderr.st_ino()).then_some(Journal)
}

/// `JOURNAL_STREAM` is `device:inode` of the stream that systemd connected; whoever redirects standard
/// error elsewhere still inherits the variable (systemd.exec(5)).
fn is_stream(variable: &str, device: u64, inode: u64) -> bool {
    variable == format!("{device}:{inode}")
}

/// Log events as journal entries, with their fields as `PANOTTI_…`.
#[derive(Debug)]
pub struct Journal;

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let entry = entry(event);
        let fields: Vec<_> = entry.iter().map(String::as_str).collect();
        // A log that cannot be written has nowhere to say so.
        drop(journal::send(&fields));
    }
}

fn entry(event: &Event<'_>) -> Vec<String> {
    let meta = event.metadata();
    // syslog(3): the journal's own scale.
    let priority = match *meta.level() {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    };
    let mut entry = vec![
        format!("PRIORITY={priority}"),
        "SYSLOG_IDENTIFIER=panotti".to_owned(),
        format!("TARGET={}", meta.target()),
    ];
    let place = [
        ("CODE_MODULE", meta.module_path().map(str::to_owned)),
        ("CODE_FILE", meta.file().map(str::to_owned)),
        ("CODE_LINE", meta.line().map(|it| it.to_string())),
    ];
    entry.extend(place.into_iter().filter_map(|(name, value)| value.map(|it| format!("{name}={it}"))));
    event.record(&mut Fields(&mut entry));
    entry
}

struct Fields<'a>(&'a mut Vec<String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(it) = source {
            chain.push_str(&format!(": {it}"));
            source = it.source();
        }
        self.record_debug(field, &format_args!("{chain}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = match field.name() {
            "message" => "MESSAGE".to_owned(),
            // Journal fields are capital letters, digits and underscores (systemd.journal-fields(7)).
            name => {
                let letters =
                    |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
                format!("PANOTTI_{}", name.chars().map(letters).collect::<String>())
            }
        };
        self.0.push(format!("{name}={value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    struct Kept(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
            self.0.lock().unwrap().extend(entry(event));
        }
    }

    #[test]
    fn an_event_becomes_an_entry_with_its_fields() {
        let kept = Arc::default();
        let subscriber = tracing_subscriber::registry().with(Kept(Arc::clone(&kept)));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "room", device = "hw:1", audio.lost = 3, "Lost frames.");
        });
        let entry = kept.lock().unwrap().clone();
        for field in [
            "PRIORITY=4",
            "MESSAGE=Lost frames.",
            "TARGET=room",
            "PANOTTI_DEVICE=hw:1",
            "PANOTTI_AUDIO_LOST=3",
        ] {
            assert!(entry.iter().any(|it| it == field), "{field} is missing in {entry:?}");
        }
        assert!(entry.iter().any(|it| it.starts_with("CODE_LINE=")), "{entry:?}");
    }

    #[test]
    fn only_the_stream_itself_is_the_journal() {
        assert!(is_stream("8:123", 8, 123));
        assert!(!is_stream("8:123", 8, 124));
        assert!(!is_stream("", 8, 123));
    }
}
