//! What every plugin passes, and what this one does: `sound` holds cleaned files against what went in,
//! `files` reads what clients leave behind, `plugin` looks at events and files. Sounds for all of them are
//! in `signals`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod files;
mod plugin;
pub(crate) mod signals;
mod sound;
