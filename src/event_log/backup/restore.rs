//! Putting a backup in the log's place. Owns the order in which that is done.
//!
//! The copy is written to `events.restoring` beside the log and synced. What is there gets a second name, a
//! hard link in `events.replaced-<time>`, also synced. Then one rename puts the copy over
//! `events/data.mdb`: before it the old log is whole, after it the new one, at every instant one of them.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
use sha2::{Digest as _, Sha256};

use super::{
    super::store::create_dir,
    Backup, DATA, Error, Progress,
    create::{Sink, hand_over, hex, new_file, owner},
    manifest, remove_own, room, sync_dir,
};

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The newest event that is there now.
    pub last_seq: u64,
    /// Where the log that was replaced lies, if there was one.
    pub replaced: Option<PathBuf>,
}

impl Backup {
    /// Puts this backup in the place of the log in `dir`, and looks it over before unless `verify` is
    /// false. The caller holds the lock of the data directory, so that no service runs on it.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Newer`], [`Error::InUse`], [`Error::NoRoom`], [`Error::Full`],
    /// [`Error::Io`]: the log is then what it was.
    pub fn restore(
        &self,
        dir: &Path,
        verify: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Restored, Error> {
        self.not_newer()?;
        let manifest = self.manifest()?;
        if verify {
            let faults = self.verify(progress)?.faults;
            self.whole(faults)?;
        }
        not_open(dir)?;
        create_dir(dir).map_err(Error::io("make the directory", dir))?;
        let restoring = beside(dir, "restoring");
        if restoring.exists() {
            remove_own(&restoring).map_err(Error::io("remove", &restoring))?;
        }
        room(dir, manifest.bytes)?;
        let mut put = || -> Result<Option<PathBuf>, Error> {
            DirBuilder::new().mode(0o700).create(&restoring).map_err(Error::io("make", &restoring))?;
            let copy = restoring.join(DATA);
            let sha256 = self.copy(&copy, manifest.bytes, progress)?;
            if verify && sha256 != manifest.sha256 {
                self.whole(vec![format!("`{DATA}` changed while it was read")])?;
            }
            if let Some(owner) = owner(dir) {
                hand_over(&copy, owner)?;
            }
            let replaced = keep(dir)?;
            fs::rename(&copy, dir.join(DATA)).map_err(Error::io("put in the log's place", &copy))?;
            sync_dir(dir)?;
            Ok(replaced)
        };
        let replaced = put();
        remove_own(&restoring).ok();
        Ok(Restored { last_seq: manifest.last_seq, replaced: replaced? })
    }

    fn whole(&self, faults: Vec<String>) -> Result<(), Error> {
        if faults.is_empty() { Ok(()) } else { Err(Error::Damaged { name: self.name.clone(), faults }) }
    }

    /// Copies `data.mdb` to `to` and syncs it; its SHA-256.
    fn copy(&self, to: &Path, total: u64, progress: &mut dyn FnMut(Progress)) -> Result<String, Error> {
        let path = self.path.join(DATA);
        let mut from = File::open(&path).map_err(Error::io("open", &path))?;
        let mut file = new_file(to)?;
        let mut sink = Sink { to: &mut file, path: to, hash: Sha256::new(), bytes: 0 };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let length = from.read(&mut buffer).map_err(Error::io("read", &path))?;
            if length == 0 {
                break;
            }
            sink.take(&buffer[..length])?;
            progress(Progress { step: "restore", done: sink.bytes, total });
        }
        let sha256 = hex(&sink.hash.finalize());
        file.sync_all().map_err(Error::io("sync", to))?;
        Ok(sha256)
    }
}

/// Gives the data file in `dir` a second name that lasts; the directory it is in.
fn keep(dir: &Path) -> Result<Option<PathBuf>, Error> {
    let data = dir.join(DATA);
    if !data.exists() {
        return Ok(None);
    }
    let mut kept = beside(dir, &format!("replaced-{}", manifest::name(Timestamp::now())));
    while kept.exists() {
        kept.as_mut_os_string().push("-again");
    }
    DirBuilder::new().mode(0o700).create(&kept).map_err(Error::io("make", &kept))?;
    fs::hard_link(&data, kept.join(DATA)).map_err(Error::io("keep the present log in", &kept))?;
    if let Some(owner) = owner(dir) {
        hand_over(&kept, owner)?;
    }
    sync_dir(&kept)?;
    kept.parent().map_or(Ok(()), sync_dir)?;
    Ok(Some(kept))
}

/// `events.<what>` beside `events`.
fn beside(dir: &Path, what: &str) -> PathBuf {
    let mut path = dir.to_owned();
    path.as_mut_os_string().push(format!(".{what}"));
    path
}

/// Whoever has the environment open holds LMDB's lock on the first byte of the lock file. This process has
/// not: closing the file here would take it away.
fn not_open(dir: &Path) -> Result<(), Error> {
    let path = dir.join("lock.mdb");
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(Error::io("open", &path))?,
    };
    let wanted = Flock {
        start: 0,
        length: 1,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    match fcntl_getlk(&file, &wanted) {
        Ok(None) => Ok(()),
        Ok(Some(held)) => {
            let pid = held.pid.map_or(0, |pid| pid.as_raw_nonzero().get());
            Err(Error::InUse { path: dir.to_owned(), pid })
        }
        Err(error) => Err(Error::io("ask for the lock of", &path)(error.into())),
    }
}
