//! The data directory as one service's own. Owns the lock that says so, and opening the log in it: when
//! that is damaged, a person is told which backup to restore.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::{
    fs::{FlockOperation, Gid, Mode, OFlags, Uid, fchown, flock, openat},
    process::geteuid,
};

use crate::{
    config::{Config, Storage},
    event_log::{self, EventLog, Settings, backup::Backups},
};

/// What went wrong with the data directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there and cannot be made.
    #[error("cannot create `{path}`: choose a directory with --data-dir or storage.data_dir")]
    Create {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The lock's file does not let us.
    #[error("cannot {what} `{path}`")]
    Lock {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A service runs on it.
    #[error("panotti already runs on `{path}` (process {process}): stop it first, or use another --data-dir")]
    Running {
        /// The directory.
        path: PathBuf,
        /// Its id, as the service wrote it.
        process: String,
    },
    /// The log cannot be opened, for a reason that a backup does not help against.
    #[error("cannot open the event log")]
    Log(#[source] event_log::Error),
    /// The log is damaged.
    #[error("cannot open the event log; {advice}")]
    Damaged {
        /// The command that helps, if one does.
        advice: String,
        /// How it is damaged.
        #[source]
        source: event_log::Error,
    },
    /// The last start ended while it read the log, and so does every other reading of it.
    #[error("the event log in `{path}` is damaged so that reading it ends the program; {advice}")]
    Deadly {
        /// Its directory.
        path: PathBuf,
        /// The command that helps.
        advice: String,
    },
    /// The log's file is empty although there are backups.
    #[error(
        "cannot open the event log, its file `{path}` is empty; {advice}. To begin an empty log, remove the file"
    )]
    Emptied {
        /// The file.
        path: PathBuf,
        /// The command that helps.
        advice: String,
    },
}

/// Held while a service runs on a data directory, or something else that must not meet one.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `dir`, which is created when missing.
    ///
    /// # Errors
    /// [`Error::Running`] when a service has it, [`Error::Create`], [`Error::Lock`].
    pub fn take(dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(|source| Error::Create { path: dir.to_owned(), source })?;
        let path = dir.join("lock");
        let failed = |what| {
            let path = path.clone();
            move |source| Error::Lock { what, path, source }
        };
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        options.custom_flags(OFlags::NOFOLLOW.bits() as i32);
        let mut file = options.open(&path).map_err(failed("open"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut process = String::new();
                // Without the number, the rest is still true.
                file.read_to_string(&mut process).ok();
                let process = process.trim().to_owned();
                return Err(Error::Running { path: dir.to_owned(), process });
            }
            Err(error) => return Err(failed("lock")(error.into())),
        }
        let note = |mut file: &File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())?;
            give(file, dir)
        };
        note(&file).map_err(failed("write"))?;
        Ok(Self { _file: file })
    }
}

/// What root made in the folder `dir` of somebody else's data directory becomes theirs, as it does when the
/// service makes it.
///
/// # Errors
/// What cannot be read or given away.
pub fn hand_over(data_dir: &Path, dir: &Path) -> io::Result<()> {
    // Not where a link leads: that is another's.
    if !fs::symlink_metadata(dir)?.is_dir() {
        return Ok(());
    }
    // Whose user it is may put links in the place of what was looked at: only what is open is given away.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = File::options().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(dir)?;
    give(&opened, data_dir)?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            give(&openat(&opened, entry.file_name(), flags, Mode::empty())?.into(), data_dir)?;
        }
    }
    Ok(())
}

/// What root makes in somebody else's directory has to be theirs: the service could not open it.
fn give(file: &File, dir: &Path) -> io::Result<()> {
    let (dir, it) = (fs::metadata(dir)?, file.metadata()?);
    // A file of several names may be another's too.
    let is_ours = it.is_dir() || (it.is_file() && it.nlink() == 1);
    if !geteuid().is_root() || dir.uid() == 0 || !is_ours {
        return Ok(());
    }
    Ok(fchown(file, Some(Uid::from_raw(dir.uid())), Some(Gid::from_raw(dir.gid())))?)
}

/// Says on disk that a start is under way. LMDB has no checksums: a page damaged in the middle of its file
/// can end the process that reads it. Then this is left behind, and the next start has the log looked over
/// by another process before it reads it itself.
#[derive(Debug)]
pub struct Opening {
    marker: PathBuf,
}

impl Opening {
    /// Begins a start.
    ///
    /// # Errors
    /// [`Error::Deadly`] names the backup to restore; [`Error::Lock`] when the marker cannot be written.
    pub fn begin(config: &Config) -> Result<Self, Error> {
        let marker = config.storage.data_dir.join("events.opening");
        if marker.exists() && config.storage.events_dir().join("data.mdb").exists() && !is_readable(config) {
            let (path, advice) = (config.storage.events_dir(), restore_advice(config));
            return Err(Error::Deadly { path, advice });
        }
        File::create(&marker).map_err(|source| Error::Lock {
            what: "write",
            path: marker.clone(),
            source,
        })?;
        Ok(Self { marker })
    }
}

impl Drop for Opening {
    /// The start is over, well or not: only the end of the process leaves the marker.
    fn drop(&mut self) {
        fs::remove_file(&self.marker).ok();
    }
}

/// Whether another process can read the whole log. Where none can be started, it is taken to be.
fn is_readable(config: &Config) -> bool {
    let Ok(program) = std::env::current_exe() else { return true };
    let checked = Command::new(program)
        .args(["backup", "verify", "live", "--data-dir"])
        .arg(&config.storage.data_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    checked.map_or(true, |status| status.success())
}

/// Opens the log that `config` names.
///
/// # Errors
/// [`Error::Log`]; [`Error::Damaged`] and [`Error::Emptied`] name the backup to restore.
pub fn open_log(config: &Config) -> Result<EventLog, Error> {
    let dir = config.storage.events_dir();
    let path = dir.join("data.mdb");
    // LMDB takes an empty file for a new log. So it is after a power cut in the first second; later, it is
    // one that a file system has lost.
    let length = fs::metadata(&path).map_or(0, |it| it.len());
    if length == 0 && Backups::new(config.backup_dir()).newest_whole(None).is_some() {
        let advice = restore_advice(config);
        if path.exists() {
            return Err(Error::Emptied { path, advice });
        }
        tracing::warn!("There is no event log, a new one begins; {advice}.");
    }
    EventLog::open_with(&dir, Settings::from(&config.events)).map_err(|source| match source.is_damage() {
        true => Error::Damaged { advice: restore_advice(config), source },
        false => Error::Log(source),
    })
}

/// The command that goes back to the newest backup, as a part of a sentence.
pub fn restore_advice(config: &Config) -> String {
    let dir = config.backup_dir();
    match Backups::new(&dir).newest_whole(None) {
        Some(newest) => {
            let place = match config.storage.data_dir {
                ref it if *it == Storage::default().data_dir => String::new(),
                ref it => format!(" --data-dir {}", quoted(it)),
            };
            format!("`panotti backup restore {}{place}` goes back to the newest backup", newest.name)
        }
        None => format!(
            "there is no backup of it in `{}`; to begin an empty log, move `{}` away",
            dir.display(),
            config.storage.events_dir().display()
        ),
    }
}

/// As a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |it: char| it.is_alphanumeric() || "/._-+:@%".contains(it);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn only_what_is_ours_is_handed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (data, other) = (dir.path().join("data"), dir.path().join("other"));
        let models = data.join("models");
        fs::create_dir_all(&models).unwrap();
        fs::create_dir(&other).unwrap();
        for path in [models.join("ggml-x.bin"), other.join("secret")] {
            fs::write(path, "x").unwrap();
        }
        if chown(&data, Some(4242), Some(4242)).is_err() {
            println!("skipped: not root");
            return;
        }
        fs::hard_link(other.join("secret"), models.join("ggml-hard.bin")).unwrap();
        symlink(other.join("secret"), models.join("ggml-soft.bin")).unwrap();
        let user = |path: PathBuf| fs::metadata(path).unwrap().uid();
        hand_over(&data, &models).unwrap();
        assert_eq!((user(models.clone()), user(models.join("ggml-x.bin"))), (4242, 4242));
        assert_eq!(user(other.join("secret")), 0);
        symlink(&other, data.join("elsewhere")).unwrap();
        hand_over(&data, &data.join("elsewhere")).unwrap();
        assert_eq!((user(other.clone()), user(other.join("secret"))), (0, 0));
        // So is the lock.
        symlink(other.join("secret"), data.join("lock")).unwrap();
        assert!(matches!(Lock::take(&data), Err(Error::Lock { what: "open", .. })));
        assert_eq!(fs::read_to_string(other.join("secret")).unwrap(), "x");
    }
}
