//! The settings files on disk. Owns that one is never half there, belongs to whom its folder belongs to,
//! and is the only thing that is read; leaves its form to `render` and `tree`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use panotti_sdk::Descriptor;
use rustix::{
    fs::{AtFlags, CWD, Gid, RenameFlags, Uid, chownat, renameat_with},
    io::Errno,
    process::geteuid,
};

use super::super::{Error, Site};

/// The longest settings file, bytes.
const LONGEST: u64 = 1 << 20;

/// The settings file of `name`, which has been found to be a plugin's name.
pub(super) fn path(site: &Site, name: &str) -> PathBuf {
    site.settings_dir.join(format!("{name}.yaml"))
}

/// Makes the folder. For root, in a folder of somebody else, it is given to that user.
///
/// # Errors
/// [`Error::Directory`].
pub(crate) fn prepare(site: &Site) -> Result<(), Error> {
    let make = || {
        let dir = std::path::absolute(&site.settings_dir)?;
        let made: Vec<_> = dir.ancestors().take_while(|it| !it.exists()).collect();
        fs::create_dir_all(&dir)?;
        let old = dir.ancestors().nth(made.len()).unwrap_or(&dir);
        made.into_iter().try_for_each(|it| give(it, old))
    };
    make().map_err(|source| Error::Directory { path: site.settings_dir.clone(), source })
}

/// The file's text; written from the example first when there is none. Where that cannot be done, because
/// the folder is read-only, the example counts as if it were there.
pub(super) fn read_or_create(site: &Site, descriptor: &Descriptor) -> io::Result<String> {
    let path = path(site, descriptor.name);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    match put(&path, descriptor.example, RenameFlags::NOREPLACE) {
        // It is there now, or a link that leads nowhere is.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(&path),
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, %error, "cannot create the settings; what the example says counts");
            Ok(descriptor.example.to_owned())
        }
        Ok(()) => Ok(descriptor.example.to_owned()),
    }
}

/// Reads a file, which may be a link as configuration management makes them.
fn read(path: &Path) -> io::Result<String> {
    // A pipe is not waited for.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|it| *it == b'\n').count();
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

/// Replaces the file in one step: whatever happens, the old one or the new one is there.
///
/// # Errors
/// [`Error::Write`].
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Error> {
    put(path, text, RenameFlags::empty()).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn put(path: &Path, text: &str, how: RenameFlags) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let new = path.with_extension("yaml.new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Never through a link: the folder is the service's, and root writes here too.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&new)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))?;
    }
    give(&new, dir)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    match renameat_with(CWD, &new, CWD, path, how) {
        // A file system that cannot look and rename at once.
        Err(Errno::INVAL | Errno::NOSYS) if !how.is_empty() && fs::symlink_metadata(path).is_err() => {
            fs::rename(&new, path)?;
        }
        Err(error) => {
            // What is left would be removed by the next; that it failed is what is told.
            drop(fs::remove_file(&new));
            return Err(error.into());
        }
        Ok(()) => {}
    }
    File::open(dir)?.sync_all()
}

/// Gives what root made to whom `like` belongs; the service could not change root's files.
fn give(path: &Path, like: &Path) -> io::Result<()> {
    let like = fs::metadata(like)?;
    if !geteuid().is_root() || like.uid() == 0 {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(like.uid()), Gid::from_raw(like.gid()));
    Ok(chownat(CWD, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
}
