//! What can go wrong with the log, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use panotti_sdk::schema;

use super::envelope;

/// A disk with less room than this is full, bytes: the largest page LMDB writes.
const NEARLY_NOTHING: u64 = 64 << 10;

/// What went wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory is not there and cannot be made.
    #[error(
        "cannot create the directory `{path}` for the event log: set `storage.data_dir` to one that this user may write to"
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The environment cannot be opened.
    #[error("cannot open the event log in `{path}`: {advice}")]
    Open {
        /// Its directory.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
        /// Why.
        #[source]
        source: heed::Error,
    },
    /// The file is shorter than what was stored in it.
    #[error(
        "the event log's file `{path}` is cut short, it has {length} of {needed} bytes: restore a backup"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length, bytes.
        length: u64,
        /// The least length that it had when it was last written, bytes.
        needed: u64,
    },
    /// Written by a newer program.
    #[error(
        "the event log in `{path}` has schema {found}, this program knows {supported}: install the newer panotti again, or restore a backup made before it"
    )]
    Newer {
        /// Its directory.
        path: PathBuf,
        /// The file's version.
        found: u64,
        /// The newest version known here.
        supported: u64,
    },
    /// No thread could be started.
    #[error("cannot start the event log's writer thread")]
    Thread(#[source] io::Error),
    /// A part of the batch is larger than may be.
    #[error("the {what} has {bytes} bytes, the limit is {limit}{advice}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
        /// Which setting raises it, if one does.
        advice: &'static str,
    },
    /// The batch can never be stored.
    #[error("{0}")]
    Invalid(String),
    /// An event carries what events of its name do not.
    #[error(transparent)]
    Schema(#[from] schema::Invalid),
    /// The queue stayed full.
    #[error("the event log is too busy to take more, try again in some seconds")]
    Backpressure,
    /// There is no room. What was stored before can still be read.
    #[error("the event log in `{path}` is full: free some disk space, for example by deleting recordings")]
    Full {
        /// Its directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: heed::Error,
    },
    /// A commit failed; nothing of it is stored.
    #[error("cannot write to the event log in `{path}`")]
    Write {
        /// Its directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: heed::Error,
    },
    /// Writing the file's first pages failed, after which LMDB does nothing more with it until it is opened
    /// anew. What was acknowledged is stored.
    #[error(
        "the event log in `{path}` could not be written to and is out of use until panotti starts again: look at the disk"
    )]
    OutOfUse {
        /// Its directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: heed::Error,
    },
    /// Reading failed.
    #[error("cannot read the event log in `{path}`")]
    Read {
        /// Its directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: heed::Error,
    },
    /// An event is not what was stored.
    #[error(
        "event {seq} of the event log in `{path}` is damaged: `panotti backup verify live` says what else is, `panotti backup restore latest` goes back to the newest backup"
    )]
    Corrupt {
        /// The log's directory.
        path: PathBuf,
        /// Which event.
        seq: u64,
        /// Why.
        #[source]
        source: envelope::Error,
    },
    /// The writer is gone.
    #[error("the event log is closed")]
    Closed,
}

impl Error {
    /// Whether what is stored is damaged, so that only a backup helps.
    pub fn is_damage(&self) -> bool {
        use heed::MdbError::{Corrupted, Invalid, NotFound, PageNotFound, VersionMismatch};
        match self {
            Self::Truncated { .. } | Self::Corrupt { .. } => true,
            Self::Open { source, .. } => matches!(
                source,
                heed::Error::Mdb(Corrupted | Invalid | NotFound | PageNotFound | VersionMismatch)
            ),
            _ => false,
        }
    }

    /// An opening that failed, with advice by its cause.
    pub(super) fn open(path: &Path, source: heed::Error) -> Self {
        use heed::MdbError;
        if is_full(path, &source) {
            return Self::Full { path: path.to_owned(), source };
        }
        let advice = match &source {
            heed::Error::EnvAlreadyOpened => "this process has it open already",
            heed::Error::Io(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                "run as the user that owns it (`sudo -u panotti`), or give it to the user that runs panotti"
            }
            heed::Error::Io(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                "it lies on a file system that is mounted read-only"
            }
            heed::Error::Io(e) if e.kind() == io::ErrorKind::NotADirectory => {
                "it has to be a directory: set `storage.data_dir` to another place"
            }
            heed::Error::Mdb(
                MdbError::Invalid | MdbError::Corrupted | MdbError::PageNotFound | MdbError::NotFound,
            ) => "the file `data.mdb` there is damaged: restore a backup",
            heed::Error::Mdb(MdbError::VersionMismatch) => {
                "the file `data.mdb` there is of another LMDB version: restore a backup"
            }
            _ => "look at the cause",
        };
        Self::Open { path: path.to_owned(), advice, source }
    }

    /// A commit that failed.
    pub(super) fn write(path: &Path, source: heed::Error) -> Self {
        let path = path.to_owned();
        match &source {
            heed::Error::Mdb(heed::MdbError::Panic) => Self::OutOfUse { path, source },
            source_ if is_full(&path, source_) => Self::Full { path, source },
            _ => Self::Write { path, source },
        }
    }
}

/// A write that found room only for a part is an input/output error to LMDB: then the disk is asked.
fn is_full(path: &Path, error: &heed::Error) -> bool {
    match error {
        heed::Error::Mdb(error) => *error == heed::MdbError::MapFull,
        heed::Error::Io(error) if error.raw_os_error() == Some(libc::EIO) => rustix::fs::statvfs(path)
            .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < NEARLY_NOTHING),
        heed::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        }
        _ => false,
    }
}
