//! Everything together, from outside: one binary, a module for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]
#![cfg_attr(
    not(all(feature = "whisper", feature = "plugin-example")),
    allow(dead_code, unused_imports, reason = "a lean build has fewer tests")
)]

#[cfg(feature = "alsa")]
mod alsa;
mod backup;
mod bad_input;
mod browser;
#[cfg(all(feature = "whisper", feature = "plugins"))]
mod chain;
mod clients;
mod config;
mod crash;
mod crash_bus;
#[cfg(all(feature = "whisper", feature = "plugins"))]
mod defects;
mod event_log;
mod events;
mod events_cli;
mod fuzz;
mod harness;
mod keys;
mod killed;
#[cfg(feature = "whisper")]
mod live_captions;
#[cfg(not(feature = "plugin-example"))]
mod no_plugins;
#[cfg(feature = "systemd")]
mod notify;
#[cfg(all(feature = "whisper", feature = "plugins"))]
mod ollama;
mod original;
mod page;
mod pipeline;
#[cfg(feature = "plugin-example")]
mod plugins;
#[cfg(feature = "plugin-example")]
mod plugins_cli;
#[cfg(feature = "plugin-example")]
mod plugins_killed;
mod room;
mod template;
mod tidy;
#[cfg(feature = "whisper")]
mod transcribe;
