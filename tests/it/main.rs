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
#[cfg(feature = "whisper")]
mod batch;
mod boards;
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
mod exports;
#[cfg(feature = "whisper")]
mod formats;
mod fuzz;
mod harness;
mod keys;
mod killed;
mod live;
#[cfg(feature = "whisper")]
mod live_captions;
mod live_page;
mod mirror;
#[cfg(feature = "whisper")]
mod models;
#[cfg(feature = "whisper")]
mod models_live;
#[cfg(not(feature = "plugin-example"))]
mod no_plugins;
#[cfg(feature = "systemd")]
mod notify;
#[cfg(all(feature = "whisper", feature = "plugins"))]
mod ollama;
#[cfg(feature = "whisper")]
mod openai;
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
#[cfg(all(feature = "whisper", feature = "plugins"))]
mod wyoming;
