//! Everything together, from outside: one binary, a module for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod browser;
mod config;
mod crash;
mod harness;
#[cfg(feature = "systemd")]
mod notify;
mod page;
mod pipeline;
mod room;
mod tidy;
