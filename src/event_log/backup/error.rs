//! What can go wrong with copies of the log, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::super::Error as LogError;

/// What went wrong with a backup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log or a copy of it cannot be opened or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// There is nothing to copy.
    #[error("there is no event log in `{path}` yet, so there is nothing to back up")]
    NoLog {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or directory does not let us.
    #[error("cannot {what} `{path}`")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is too little room. Nothing was left half done.
    #[error(
        "there is not enough room in `{path}`: {needed_mib} MiB are needed, {free_mib} MiB are free; free some disk space, for example by deleting recordings, or choose another disk"
    )]
    NoRoom {
        /// The directory.
        path: PathBuf,
        /// With what has to stay free, MiB.
        needed_mib: u64,
        /// MiB.
        free_mib: u64,
    },
    /// The disk got full meanwhile. Nothing was left half done.
    #[error("the disk with `{path}` is full: free some space, or choose another disk")]
    Full {
        /// What was written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else makes a backup.
    #[error("another backup is just being made in `{path}`: try again when it is done")]
    Busy {
        /// Where.
        path: PathBuf,
    },
    /// Who asked for it no longer wants it.
    #[error("the backup was stopped")]
    Stopped,
    /// No backup is called that.
    #[error("there is no backup `{name}` in `{path}`: `panotti backup list` shows all")]
    Unknown {
        /// As asked for.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is none at all.
    #[error("there is no backup in `{path}`: `panotti backup create` makes one")]
    None {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The copy is not what was written.
    #[error("the backup `{name}` is damaged: {}", .faults.join("; "))]
    Damaged {
        /// Which.
        name: String,
        /// What is wrong.
        faults: Vec<String>,
    },
    /// Made by a newer program.
    #[error(
        "the backup `{name}` has schema {found}, this program knows {supported}: install the newer panotti that made it, or use an older backup"
    )]
    Newer {
        /// Which.
        name: String,
        /// Its schema.
        found: u64,
        /// The newest schema known here.
        supported: u64,
    },
    /// Another process has the log open.
    #[error("process {pid} has the event log in `{path}` open: end it first")]
    InUse {
        /// The log's directory.
        path: PathBuf,
        /// Which process.
        pid: i32,
    },
}

impl Error {
    /// For `map_err`.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Io { what, path, source },
        }
    }
}
