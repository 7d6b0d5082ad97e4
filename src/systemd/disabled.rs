//! The same calls in a build without systemd: they do nothing.

use std::time::Duration;

/// Does nothing.
pub fn notify_ready(_status: &str) {}

/// Does nothing.
pub fn notify_status(_status: &str) {}

/// Does nothing.
pub fn notify_stopping(_status: &str) {}

/// Does nothing.
pub fn notify_watchdog() {}

/// There is no watchdog.
pub fn watchdog_interval() -> Option<Duration> {
    None
}

/// There is no journal.
pub fn journal_layer() -> Option<tracing_subscriber::layer::Identity> {
    None
}
