//! Making a backup. Owns the way of the bytes: LMDB writes its copy into a pipe, so that it is hashed and
//! counted on the way, and can be stopped between two reads.

use std::{
    fs::{self, DirBuilder, File},
    io::{PipeReader, Read as _, Write as _},
    ops::ControlFlow,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
    thread,
};

use jiff::{SignedDuration, Timestamp};
use rustix::{
    fs::{Gid, Uid},
    process::geteuid,
};
use sha2::{Digest as _, Sha256};

use super::{
    super::store::{Reader, give},
    Backup, Backups, DATA, Error, MANIFEST, Manifest, Progress, Source,
    manifest::{self, FORMAT},
    remove_own, room, sync_dir,
};

/// Bytes between two syncs: more at once would make the log's own commits wait for them.
const SYNC_BYTES: u64 = 16 << 20;

impl Backups {
    /// Makes a backup of one instant of `source`, of everything that was acknowledged before this was
    /// called. `keep_free` bytes stay free on the disk. `progress` hears of bytes, and stops it by
    /// [`ControlFlow::Break`].
    ///
    /// # Errors
    /// [`Error::NoRoom`], [`Error::Full`], [`Error::Busy`], [`Error::Stopped`], [`Error::Io`],
    /// [`Error::Log`]: nothing is left behind then.
    pub fn create(
        &self,
        source: &Source,
        keep_free: u64,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Backup, Error> {
        let _lock = self.lock()?;
        self.remove_partial()?;
        let needed = source.0.bytes()?;
        room(&self.dir, needed.saturating_add(keep_free))?;
        let mut at = Timestamp::now();
        while self.dir.join(manifest::name(at)).exists() {
            at = at.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        }
        let name = manifest::name(at);
        let (partial, path) = (self.partial(&name), self.dir.join(&name));
        let mut count = |done| progress(Progress { step: "copy", done, total: needed.max(done) });
        let made = fill(&partial, &source.0, at, &mut count)
            .and_then(|manifest| {
                fs::rename(&partial, &path).map_err(Error::io("rename", &partial))?;
                Ok(Backup { name, path, manifest: Ok(manifest) })
            })
            .inspect_err(|_| {
                // What went wrong is told; what stays is removed next time.
                remove_own(&partial).ok();
            })?;
        sync_dir(&self.dir)?;
        Ok(made)
    }

    /// Removes what a crash left. Only under the lock: nobody is writing it.
    fn remove_partial(&self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.dir).map_err(Error::io("read the directory", &self.dir))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = name.strip_prefix('.').and_then(|it| it.strip_suffix(".partial"));
            if ours.and_then(manifest::time).is_some() {
                remove_own(&entry.path()).map_err(Error::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }
}

/// Writes the whole backup to `dir`, synced.
fn fill(
    dir: &Path,
    log: &Reader,
    created_at: Timestamp,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Manifest, Error> {
    DirBuilder::new().mode(0o700).create(dir).map_err(Error::io("make the directory", dir))?;
    let data = dir.join(DATA);
    let mut file = new_file(&data)?;
    let (bytes, sha256) = stream(log, &mut file, &data, progress)?;
    file.sync_all().map_err(Error::io("sync", &data))?;
    // It can be opened, and says itself what is in it.
    let extent = Reader::open_copy(dir)?.extent()?;
    let manifest = Manifest {
        format: FORMAT,
        created_at,
        panotti: env!("CARGO_PKG_VERSION").to_owned(),
        schema: extent.schema,
        first_seq: extent.first_seq,
        last_seq: extent.last_seq,
        bytes,
        sha256,
    };
    let path = dir.join(MANIFEST);
    manifest
        .to_json()
        .and_then(|text| {
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(&text)?;
            file.sync_all()
        })
        .map_err(Error::io("write", &path))?;
    if let Some(owner) = owner(log.path()) {
        for path in [&data, &path, dir] {
            hand_over(path, owner)?;
        }
    }
    sync_dir(dir)?;
    Ok(manifest)
}

pub(super) fn new_file(path: &Path) -> Result<File, Error> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(Error::io("write", path))
}

/// Whom the service's files belong to, when root works in their directory.
pub(super) fn owner(dir: &Path) -> Option<(Uid, Gid)> {
    let dir = fs::metadata(dir).ok().filter(|it| it.uid() != 0 && geteuid().is_root())?;
    Some((Uid::from_raw(dir.uid()), Gid::from_raw(dir.gid())))
}

/// Gives `path` away. A file system without owners keeps it as it is.
pub(super) fn hand_over(path: &Path, owner: (Uid, Gid)) -> Result<(), Error> {
    match give(path, owner) {
        Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => {
            Err(Error::io("give to its owner", path)(error))
        }
        _ => Ok(()),
    }
}

/// Has LMDB copy `log` into `to`, called `path`; length and SHA-256 of the copy.
fn stream(
    log: &Reader,
    to: &mut File,
    path: &Path,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(u64, String), Error> {
    let (out, into) = std::io::pipe().map_err(Error::io("make a pipe for", path))?;
    thread::scope(|scope| {
        let copier = thread::Builder::new()
            .name("backup".into())
            .spawn_scoped(scope, move || log.copy(&mut File::from(OwnedFd::from(into))))
            .map_err(Error::io("start a thread for", path))?;
        let mut sink = Sink { to, path, hash: Sha256::new(), bytes: 0 };
        // Takes the pipe's end with it: LMDB stops when nobody reads.
        let taken = drain(out, &mut sink, path, progress);
        match copier.join() {
            Ok(copied) => taken.and(copied.map_err(Into::into))?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok((sink.bytes, hex(&sink.hash.finalize())))
    })
}

fn drain(
    mut out: PipeReader,
    sink: &mut Sink<'_>,
    path: &Path,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = out.read(&mut buffer).map_err(Error::io("copy the log to", path))?;
        if length == 0 {
            return Ok(());
        }
        sink.take(&buffer[..length])?;
        if progress(sink.bytes).is_break() {
            return Err(Error::Stopped);
        }
    }
}

/// Where bytes are written, hashed and counted.
pub(super) struct Sink<'a> {
    pub(super) to: &'a mut File,
    pub(super) path: &'a Path,
    pub(super) hash: Sha256,
    pub(super) bytes: u64,
}

impl Sink<'_> {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.to.write_all(bytes).map_err(Error::io("write", self.path))?;
        self.hash.update(bytes);
        let before = self.bytes;
        self.bytes += bytes.len() as u64;
        if before / SYNC_BYTES != self.bytes / SYNC_BYTES {
            self.to.sync_data().map_err(Error::io("sync", self.path))?;
        }
        Ok(())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
