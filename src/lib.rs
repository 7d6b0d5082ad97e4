//! Panotti: a meeting-room transcription appliance.
//!
//! # Code map
//! In reading order; each module names only those above it (a test in `tests/it/tidy.rs` holds this).
//!
//! | module | owns |
//! |---|---|
//! | `config` | what can be set, and reading it |
//! | `features` | what this binary was built with |
//! | `logging` | where log lines go |
//! | `systemd` | telling the service manager how we are |
//! | `error_chain` | an error and its causes in one line |
//! | `status` | counters and gauges anyone may read |
//! | `live` | captions that still change |
//! | `audio` | sound in (ALSA, WAV files), rings, resampling, sound to disk |
//! | `speech` | finding speech, writing it down, forms of a transcript |
//! | `event_log` | the durable log in LMDB |
//! | `fuzzing` | what has to be true of any bytes; called by tests alone |
//! | `data_dir` | the lock on a data directory, and opening the log in it |
//! | `bus` | delivering events to subscriptions: order, retries, dead letters, replay |
//! | `upkeep` | removing old events, and copies of the log, in time |
//! | `plugins` | the plugins compiled in: life, supervision, settings |
//! | `security` | keys and roles |
//! | `recordings` | the life of a recording |
//! | `pipeline` | the threads from capture to transcript, and what happens when one is behind |
//! | `models` | fetching and choosing models while the service runs |
//! | `http` | the API and the page |
//! | `daemon` | starting all parts in order, stopping them in reverse, systemd |
//! | `cli` | a file per subcommand |
//!
//! # Invariants
//! - The capture thread takes no lock, allocates nothing and never waits for anybody.
//! - An event that was acknowledged is on disk. Only the thread "log" writes to LMDB.
//! - A final caption waits for at most one encoder pass of a partial one; no caption ever costs audio.
//! - `pipeline` and `http` never name each other: they meet in `recordings`, `event_log` and `status`.
//! - tokio runs HTTP and the event bus; audio and speech run on threads of their own.
//! - Nothing leaves the box unless its owner turns that on; where to is in the permissions of a plugin.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests"))]

pub mod audio;
pub mod bus;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod data_dir;
mod error_chain;
pub mod event_log;
pub mod features;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod live;
pub mod logging;
pub mod models;
pub mod pipeline;
pub mod plugins;
pub mod recordings;
pub mod security;
pub mod speech;
pub mod status;
pub mod systemd;
pub mod upkeep;
