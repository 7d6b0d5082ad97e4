//! Opening the environment. Owns what LMDB leaves to its callers: that neither a full disk nor a file cut
//! short ends the process by a signal, and that what root makes belongs to whom the directory belongs to.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use heed::{Env, EnvFlags, EnvOpenOptions, WithoutTls};
use rustix::{
    fs::{AtFlags, CWD, FallocateFlags, Gid, Uid, chownat, fallocate},
    process::geteuid,
};

use super::super::Error;
use crate::config::Durability;

/// Address space for the file, which is as long as what is in it: LMDB maps it once, so nothing has to
/// stop for it to grow. Both are multiples of 64 KiB, the largest page size of any kernel.
#[cfg(target_pointer_width = "64")]
pub(in super::super) const MAP_SIZE: usize = 16 << 30;
/// Where addresses are scarce, Whisper and the libraries need the rest.
#[cfg(not(target_pointer_width = "64"))]
pub(in super::super) const MAP_SIZE: usize = 512 << 20;

/// Readers at a time, in all processes: more than tokio has threads for blocking calls (512).
pub(super) const READERS: u32 = 1022;
/// Length of the lock file with so many: 64 bytes for each and 128 in front, in LMDB 0.9 and master.
const LOCK_BYTES: u64 = 64 * READERS as u64 + 128;

/// Opens or creates the environment at `dir`, with at most `databases` in it.
pub(super) fn environment(
    dir: &Path,
    databases: u32,
    durability: Durability,
) -> Result<Env<WithoutTls>, Error> {
    // Closing any descriptor of the lock file takes LMDB's locks away from this process, so that it must
    // not be touched while the same environment is open or opening.
    static OPENING: Mutex<()> = Mutex::new(());
    let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);

    let owner = create(dir).map_err(|source| Error::Directory { path: dir.to_owned(), source })?;
    let failed = |source| Error::open(dir, source);
    let real = fs::canonicalize(dir).map_err(|source| failed(source.into()))?;
    if heed::env_closing_event(&real).is_some() {
        return Err(failed(heed::Error::EnvAlreadyOpened));
    }
    reserve_lock_file(&real).map_err(|source| failed(source.into()))?;
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(MAP_SIZE).max_dbs(databases).max_readers(READERS);
    if durability == Durability::LastCommitAtRisk {
        #[expect(unsafe_code, reason = "heed calls all flags unsafe that leave out a sync")]
        // SAFETY: with this one a commit still syncs its pages, and leaves only the meta page that makes them
        // valid to the next commit's sync. A power cut finds the meta page of the commit before, none of
        // whose pages are used again so soon: LMDB promises integrity, and that one commit may be undone.
        unsafe {
            options.flags(EnvFlags::NO_META_SYNC)
        };
    }
    #[expect(unsafe_code, reason = "heed asks the caller to keep the memory map sound")]
    // SAFETY: the file is changed through LMDB alone, here and in other processes (`panotti key`), all with
    // the same map size and with LMDB's lock file; heed refuses a second environment on the same path in
    // this process. The directory is the service's own. That the file is as long as what LMDB will read of
    // it is looked at below, before anything but its two first pages is.
    let env = unsafe { options.open(&real) }.map_err(failed)?;
    if let Some(owner) = owner {
        for file in ["data.mdb", "lock.mdb"] {
            give(&real.join(file), owner).map_err(|source| failed(source.into()))?;
        }
    }
    let (length, needed) = lengths(&env).map_err(failed)?;
    if length < needed {
        return Err(Error::Truncated { path: dir.join("data.mdb"), length, needed });
    }
    env.clear_stale_readers().map_err(failed)?;
    Ok(env)
}

/// Length of the data file, and how long it has to be for its last page to be in it, bytes.
pub(super) fn lengths(env: &Env<WithoutTls>) -> heed::Result<(u64, u64)> {
    let needed = (env.info().last_page_number as u64 + 1) * u64::from(env.stat().page_size);
    Ok((env.real_disk_size()?, needed))
}

/// Makes the data file longer than the transaction about to be committed can make it need, with a hole.
///
/// A transaction may take pages at the end and free them again; LMDB counts them and never writes them, so
/// that [`environment`] would take the file for one cut short. Done before the commit, whose fdatasync
/// stores the length too, there is no instant at which the file is too short.
pub(super) fn reach(env: &Env<WithoutTls>, growth: u64) -> heed::Result<()> {
    let (length, needed) = lengths(env)?;
    if length < needed + growth {
        // Twice, so that it is not done each time.
        env.try_clone_inner_file()?.set_len(needed + 2 * growth)?;
    }
    Ok(())
}

/// Has the disk give the lock file its room now. LMDB makes it sparse and writes to it through memory:
/// were there no room then, the process would be killed by SIGBUS.
pub(super) fn reserve_lock_file(dir: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(dir.join("lock.mdb"))?;
    match fallocate(&file, FallocateFlags::empty(), 0, LOCK_BYTES) {
        // A file system that cannot promise room: LMDB does as it always does.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        reserved => Ok(reserved?),
    }
}

/// Creates `dir` and what is above it. For root, in a directory of somebody else, the new ones are given
/// to that user, and it is returned who that is: the service could not open root's files.
pub(in super::super) fn create(dir: &Path) -> io::Result<Option<(Uid, Gid)>> {
    let dir = std::path::absolute(dir)?;
    let made: Vec<PathBuf> = dir.ancestors().take_while(|it| !it.exists()).map(Path::to_owned).collect();
    fs::create_dir_all(&dir)?;
    if !geteuid().is_root() {
        return Ok(None);
    }
    let old = dir.ancestors().nth(made.len()).unwrap_or(&dir).metadata()?;
    let owner = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
    if owner.0.is_root() {
        return Ok(None);
    }
    for dir in made {
        give(&dir, owner)?;
    }
    Ok(Some(owner))
}

/// A link is not followed: in a directory of somebody else it may lead anywhere.
pub(in super::super) fn give(path: &Path, (user, group): (Uid, Gid)) -> io::Result<()> {
    Ok(chownat(CWD, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
}
