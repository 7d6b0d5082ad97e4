//! The bus against a real log in a temporary directory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
