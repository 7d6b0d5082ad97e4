//! Talking to the service manager: READY, STATUS, STOPPING, the watchdog, and journald. Owns nothing but
//! the wire; the daemon says when. Without the feature, or outside systemd, every call does nothing.

#[cfg_attr(feature = "systemd", path = "enabled.rs")]
#[cfg_attr(not(feature = "systemd"), path = "disabled.rs")]
mod wire;

pub use wire::{
    journal_layer, notify_ready, notify_status, notify_stopping, notify_watchdog, watchdog_interval,
};
