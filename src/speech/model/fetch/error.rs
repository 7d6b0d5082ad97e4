//! What can go wrong between an address and a model, with what to do about it. Events and viewers tell of it:
//! each `url` is as `shown` gives it, and nothing of an answer is in it.

use std::{io, path::PathBuf};

use super::super::{Error, StoreError};

/// A model cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is no name and no address of a model.
    #[error("{0}")]
    Wanted(String),
    /// The models directory does not let us.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk does not let us.
    #[error("cannot {what} `{path}`")]
    Disk {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk would be too full.
    #[error(
        "there is no room for {url}: it needs {needed_mib} MiB more, and of the {free_mib} MiB free in {dir} \
         {kept_mib} are kept for recordings (storage.min_free_mib): delete recordings, or `panotti model remove` \
         one that is not used"
    )]
    Room {
        /// Its address.
        url: String,
        /// What is missing, MiB.
        needed_mib: u64,
        /// What is free, MiB.
        free_mib: u64,
        /// What must stay free, MiB.
        kept_mib: u64,
        /// The models directory.
        dir: PathBuf,
    },
    /// Another process fetches it.
    #[error("{path} is being fetched already: wait for that, `panotti model list` shows how far it is")]
    Busy {
        /// What has come so far.
        path: PathBuf,
    },
    /// The server is not reached, or does not go on.
    #[error(
        "cannot fetch {url}: is this box allowed out, or does it need a mirror (models.url, --from) or a proxy (HTTPS_PROXY)? What has come is kept: the next fetch goes on there"
    )]
    Connection {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The connection ended before the file did.
    #[error(
        "{url} broke off after {done} of {total} bytes; what has come is kept: fetch it again to go on there"
    )]
    Short {
        /// Its address.
        url: String,
        /// What has come, bytes.
        done: u64,
        /// All of it, bytes.
        total: u64,
    },
    /// The server says no.
    #[error("{url} answers {status}: {advice}")]
    Refused {
        /// Its address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What to do.
        advice: &'static str,
    },
    /// It is something else, as its first bytes say.
    #[error(
        "{url} is no model but {found}: is the address right, or does a sign-in page answer in its place?"
    )]
    NotModel {
        /// Its address.
        url: String,
        /// What it is, as far as anyone may know.
        found: &'static str,
    },
    /// It leads from https to http, where anyone on the way could read or change it.
    #[error("{url} leads to an address without https, which is not followed: ask for another address")]
    Insecure {
        /// Its address.
        url: String,
    },
    /// It has another length than what was published.
    #[error(
        "{url} has {found} bytes, but the model is published as {expected}: the address gives another file"
    )]
    Size {
        /// Its address.
        url: String,
        /// As published.
        expected: &'static str,
        /// What there is, bytes.
        found: u64,
    },
    /// It is another file than what was published or asked for.
    #[error(
        "what came from {url} is damaged or another file: its {what} is {found}, not {expected}; nothing of it was kept. Fetch it again, or from another place with --from"
    )]
    Checksum {
        /// Its address.
        url: String,
        /// Which sum.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// It is no whole and sane model.
    #[error("what came from {url} cannot be used; nothing of it was kept")]
    Structure {
        /// Its address.
        url: String,
        /// What is wrong.
        #[source]
        source: Error,
    },
    /// Whoever asked for it wants it no longer.
    #[error("the fetch was stopped; what has come is kept: fetch it again to go on there")]
    Cancelled,
}

impl FetchError {
    /// Whether the disk took no more.
    pub fn is_disk_full(&self) -> bool {
        let full =
            |it: &io::Error| matches!(it.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        match self {
            Self::Room { .. } => true,
            Self::Disk { source, .. } | Self::Store(StoreError::Io { source, .. }) => full(source),
            _ => false,
        }
    }
}
