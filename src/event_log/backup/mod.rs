//! Copies of the log in a directory: making, listing, checking, restoring and removing them. Owns their
//! form and that a crash leaves nothing that looks like a backup and is none; leaves when to `upkeep`, what
//! a person sees to `cli`.
//!
//! A backup is a directory `<time>/` with LMDB's own copy `data.mdb` and `backup.json`, written as
//! `.<time>.partial`, synced, then renamed. Nothing but such directories is ever removed.
//!
//! # What is detected
//! The SHA-256 of `backup.json` finds every change of a copy since it was made. The log itself has no
//! checksums, because LMDB has none: damage of its first pages, a file cut short, an event that cannot be
//! decoded and an index that does not lead to its events are found; a changed letter inside an event is
//! not, and a page damaged in the middle can end the process that reads it by a signal. A copy of a log
//! damaged like this is as damaged as the log, so several are kept.

mod create;
mod error;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use self::manifest::{DATA, MANIFEST};
pub use self::{error::Error, manifest::Manifest, restore::Restored, verify::Report};
use super::{
    EventLog,
    store::{Reader, create_dir},
};

/// How far something is, in units of which there are `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: &'static str,
    /// How much of it.
    pub done: u64,
    /// All of it.
    pub total: u64,
}

/// A log to be copied or looked over. Other processes may write to it meanwhile.
#[derive(Debug)]
pub struct Source(Reader);

impl Source {
    /// The log in `dir`, which this process must not have open otherwise. It is neither upgraded nor
    /// written to.
    ///
    /// # Errors
    /// [`Error::NoLog`], and [`Error::Log`] as for [`EventLog::open`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        if fs::metadata(dir.join(DATA)).is_ok_and(|it| it.len() > 0) {
            return Ok(Self(Reader::open_log(dir)?));
        }
        Err(Error::NoLog { path: dir.to_owned() })
    }
}

impl From<&EventLog> for Source {
    fn from(log: &EventLog) -> Self {
        Self(log.inner.store.reader())
    }
}

/// The directory that holds the backups.
#[derive(Debug, Clone)]
pub struct Backups {
    dir: PathBuf,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Backup {
    /// When it was made: `20261120T031500Z`.
    pub name: String,
    /// Its directory.
    pub path: PathBuf,
    /// What it says about itself, or what is seen to be wrong without reading all of it.
    pub manifest: Result<Manifest, String>,
}

impl Backups {
    /// Those in `dir`, which is made when it is needed.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where they lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All, newest first.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory cannot be read. One that is missing has no backups.
    pub fn list(&self) -> Result<Vec<Backup>, Error> {
        let failed = || Error::io("read the directory", &self.dir);
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed())?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A link is none of ours.
            if manifest::time(&name).is_some() && entry.file_type().is_ok_and(|it| it.is_dir()) {
                found.push(Backup::at(name, entry.path()));
            }
        }
        found.sort_by(|a, b| b.name.cmp(&a.name));
        Ok(found)
    }

    /// The one called `name`; `latest` is the newest, and what has a `/` in it is the path of one.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::None`], and as [`Self::list`].
    pub fn find(&self, name: &str) -> Result<Backup, Error> {
        if name == "latest" {
            let newest = self.list()?.into_iter().next();
            return newest.ok_or_else(|| Error::None { path: self.dir.clone() });
        }
        let path = if name.contains('/') { PathBuf::from(name) } else { self.dir.join(name) };
        let called = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !path.is_dir() || (manifest::time(&called).is_none() && !path.join(MANIFEST).is_file()) {
            return Err(Error::Unknown { name: name.to_owned(), path: self.dir.clone() });
        }
        Ok(Backup::at(called, path))
    }

    /// The newest that looks whole, other than `name`: what to restore.
    pub fn newest_whole(&self, other_than: Option<&str>) -> Option<Backup> {
        let mut all = self.list().unwrap_or_default().into_iter();
        all.find(|it| it.manifest.is_ok() && Some(it.name.as_str()) != other_than)
    }

    /// Removes those that are older than the newest `keep` whole ones, never the one called `made`; their
    /// names.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Busy`].
    pub fn prune(&self, keep: usize, made: &str) -> Result<Vec<String>, Error> {
        let _lock = self.lock()?;
        let mut whole = 0;
        let mut removed = Vec::new();
        for backup in self.list()? {
            if whole >= keep.max(1) && backup.name != made {
                // First it stops looking like a backup.
                let partial = self.partial(&backup.name);
                fs::rename(&backup.path, &partial).map_err(Error::io("rename", &backup.path))?;
                remove_own(&partial).map_err(Error::io("remove", &partial))?;
                removed.push(backup.name);
            } else {
                whole += usize::from(backup.manifest.is_ok());
            }
        }
        Ok(removed)
    }

    fn partial(&self, name: &str) -> PathBuf {
        self.dir.join(format!(".{name}.partial"))
    }

    /// Makes the directory and keeps others from changing it.
    fn lock(&self) -> Result<File, Error> {
        create_dir(&self.dir).map_err(Error::io("make the directory", &self.dir))?;
        let dir = File::open(&self.dir).map_err(Error::io("open", &self.dir))?;
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(dir),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Busy { path: self.dir.clone() }),
            Err(error) => Err(Error::io("lock", &self.dir)(error.into())),
        }
    }
}

impl Backup {
    fn at(name: String, path: PathBuf) -> Self {
        let manifest = Manifest::read(&path);
        Self { name, path, manifest }
    }

    /// How long ago it was made; negative when the clock was set back since.
    pub fn age(&self, now: Timestamp) -> jiff::SignedDuration {
        manifest::time(&self.name).map_or(jiff::SignedDuration::MAX, |at| now.duration_since(at))
    }

    fn manifest(&self) -> Result<&Manifest, Error> {
        let damaged =
            |fault: &String| Error::Damaged { name: self.name.clone(), faults: vec![fault.clone()] };
        self.manifest.as_ref().map_err(damaged)
    }
}

/// Removes a directory of our own form; one with anything else in it stays.
fn remove_own(dir: &Path) -> io::Result<()> {
    for file in [MANIFEST, DATA] {
        match fs::remove_file(dir.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir(dir)
}

/// Makes names in `dir` survive a power cut.
fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|it| it.sync_all()).map_err(Error::io("sync", dir))
}

/// Whether `needed` bytes find room in `dir`.
fn room(dir: &Path, needed: u64) -> Result<(), Error> {
    let disk =
        rustix::fs::statvfs(dir).map_err(|error| Error::io("ask for free space in", dir)(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= needed {
        return Ok(());
    }
    let path = dir.to_owned();
    Err(Error::NoRoom { path, needed_mib: needed.div_ceil(1 << 20), free_mib: free >> 20 })
}
