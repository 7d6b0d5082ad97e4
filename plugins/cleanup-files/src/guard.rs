//! Which files may be removed. Owns that decision, made on the path as it really is at that moment; leaves
//! which files are asked for to `manifest`.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use panotti_sdk::{Context, ContextError};

use crate::config::Config;

/// The places that count.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    include: Vec<PathBuf>,
    exclude: Vec<PathBuf>,
    /// Where recordings lie, each in a folder of its own; what lies beside is a client's.
    recordings: PathBuf,
}

/// Why a file stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// There is none.
    #[error("it is gone")]
    Gone,
    /// It is a directory, a symbolic link, a device.
    #[error("it is no regular file")]
    NoFile,
    /// It is not, or not without symbolic links or `..`, below a directory that may be cleaned.
    #[error("it is not below `include_dirs`, or only by way of `..` or a symbolic link")]
    Outside,
    /// It is below a directory that stays.
    #[error("it is below `exclude_dirs`")]
    Excluded,
    /// It lies among the recordings and not in this one's folder.
    #[error("it is a client's own file, or another recording's")]
    Foreign,
    /// The path cannot be looked at, or the file not removed.
    #[error("it cannot be removed")]
    Io(#[source] io::Error),
}

impl Guard {
    /// The places that the settings name.
    ///
    /// # Errors
    /// [`ContextError::Path`] when one cannot be used, and others when the host cannot say where
    /// recordings lie.
    pub(crate) fn new(context: &Context, config: &Config) -> Result<Self, ContextError> {
        let all = |dirs: &[String]| dirs.iter().map(|it| context.resolve(it)).collect::<Result<Vec<_>, _>>();
        let (include, exclude) = (all(&config.include_dirs)?, all(&config.exclude_dirs)?);
        Ok(Self { include, exclude, recordings: context.recordings()? })
    }

    /// The size of a file of a recording that may be removed, bytes.
    ///
    /// # Errors
    /// [`Refused`] says why it may not.
    pub(crate) fn check(&self, path: &Path, recording_id: &str) -> Result<u64, Refused> {
        if !path.is_absolute() || path.components().any(|it| matches!(it, Component::ParentDir)) {
            return Err(Refused::Outside);
        }
        let found = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refused::Gone,
            _ => Refused::Io(error),
        };
        let metadata = fs::symlink_metadata(path).map_err(found)?;
        if !metadata.is_file() {
            return Err(Refused::NoFile);
        }
        let real = path.canonicalize().map_err(found)?;
        if !self.include.iter().any(|dir| leads_to(dir, path, &real)) {
            return Err(Refused::Outside);
        }
        if self.exclude.iter().any(|dir| real.starts_with(true_path(dir)) || path.starts_with(dir)) {
            return Err(Refused::Excluded);
        }
        match real.strip_prefix(true_path(&self.recordings)) {
            Ok(below) if !below.starts_with(recording_id) => Err(Refused::Foreign),
            _ => Ok(metadata.len()),
        }
    }

    /// Removes a file of a recording, if it may be. One that is gone is removed.
    ///
    /// # Errors
    /// [`Refused`] says why it stays.
    pub(crate) fn remove(&self, path: &Path, recording_id: &str) -> Result<(), Refused> {
        match self.check(path, recording_id) {
            Err(Refused::Gone) => Ok(()),
            Err(refused) => Err(refused),
            Ok(_) => panotti_sdk::files::remove(path).map(drop).map_err(Refused::Io),
        }
    }
}

/// Whether `path` lies below `dir` and no symbolic link below `dir` leads elsewhere. `dir` itself may be
/// reached by links, and be named with them or without.
fn leads_to(dir: &Path, path: &Path, real: &Path) -> bool {
    let root = true_path(dir);
    let below = path.strip_prefix(dir).or_else(|_| path.strip_prefix(&root));
    below.is_ok_and(|below| root.join(below) == real)
}

/// The path without symbolic links; as it is where it does not exist.
fn true_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
