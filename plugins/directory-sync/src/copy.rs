//! Copying one file so that whoever looks at the copy sees the old one or the whole new one. Owns that, and
//! removing copies; leaves which files to `mirror`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use sha2::{Digest, Sha256};

use crate::tree::Stamp;

/// What is read at once, bytes; between two reads it looks whether it is to stop.
const CHUNK: usize = 256 << 10;

/// How copying went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    Yes,
    /// The file changed meanwhile, or it is to stop: the old copy is still there.
    NotNow,
}

/// Why there is no copy, or why it is still there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// It cannot be read, or its copy not written.
    #[error("{} cannot be copied to {}", from.display(), to.display())]
    Copy {
        from: PathBuf,
        to: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It cannot be removed.
    #[error("{} cannot be removed", path.display())]
    Remove {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Copies `from`, which looks like `stamp`, to `below` in `root`. Folders are made below `root`, never `root`
/// itself: it may be the place of a share that was unmounted just now.
///
/// # Errors
/// [`CopyError::Copy`]; the old copy is then still there.
pub(crate) fn copy(
    from: &Path,
    stamp: Stamp,
    root: &Path,
    below: &Path,
    stop: &AtomicBool,
) -> Result<Copied, CopyError> {
    let to = root.join(below);
    let part = part_of(&to);
    let copied = make_folders(root, below).and_then(|()| copy_by(from, stamp, &part, &to, stop));
    if !matches!(copied, Ok(Copied::Yes)) {
        // The reason that counts is the first one.
        fs::remove_file(&part).ok();
    }
    copied.map_err(|source| CopyError::Copy { from: from.to_owned(), to, source })
}

fn copy_by(from: &Path, stamp: Stamp, part: &Path, to: &Path, stop: &AtomicBool) -> io::Result<Copied> {
    let mut source = File::open(from)?;
    let opened = source.metadata()?;
    // Between the look and the opening it may have become a link.
    let looked = fs::symlink_metadata(from)?;
    if (opened.dev(), opened.ino()) != (looked.dev(), looked.ino()) {
        return Ok(Copied::NotNow);
    }
    if !fill(&mut source, part, stop)? || Stamp::of(&source.metadata()?)? != stamp {
        return Ok(Copied::NotNow);
    }
    publish(part, to, &opened).map(|()| Copied::Yes)
}

fn make_folders(root: &Path, below: &Path) -> io::Result<()> {
    let mut folder = root.to_owned();
    for name in below.parent().into_iter().flat_map(Path::iter) {
        folder.push(name);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Hidden, of a length that every file system takes, and the same the next time, so that what a power cut
/// left is written over.
fn part_of(to: &Path) -> PathBuf {
    let hash = Sha256::digest(to.file_name().unwrap_or_default().as_encoded_bytes());
    let name: String = hash.iter().take(8).map(|it| format!("{it:02x}")).collect();
    to.with_file_name(format!(".panotti-{name}.part"))
}

/// Writes what `source` has; answers whether that was all, or it was to stop.
fn fill(source: &mut File, part: &Path, stop: &AtomicBool) -> io::Result<bool> {
    // Not opened but made: a link of that name would lead elsewhere.
    panotti_sdk::files::remove(part)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(part)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let read = source.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        file.write_all(&chunk[..read])?;
    }
    Ok(true)
}

/// Puts the whole part in the copy's place.
fn publish(part: &Path, to: &Path, original: &fs::Metadata) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(part)?;
    // Shares of other systems know no modes, and some no times: then the content is compared instead.
    file.set_permissions(original.permissions()).ok();
    file.set_modified(original.modified()?).ok();
    match file.sync_all() {
        Err(error) if !is_unsupported(&error) => return Err(error),
        _ => drop(file),
    }
    if let Err(error) = fs::rename(part, to) {
        // Some shares rename only to a name that is free. A folder of that name stays.
        if !fs::symlink_metadata(to).is_ok_and(|it| it.is_file()) {
            return Err(error);
        }
        fs::remove_file(to)?;
        fs::rename(part, to)?;
    }
    // What a file system cannot promise is not an error of the copy.
    to.parent().map(|folder| File::open(folder).and_then(|it| it.sync_all()).ok());
    Ok(())
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

/// Whether two files have the same content.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn same_content(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (io::BufReader::new(File::open(a)?), io::BufReader::new(File::open(b)?));
    let (mut of_a, mut of_b) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let read = a.read(&mut of_a)?;
        if read == 0 {
            return Ok(b.read(&mut of_b)? == 0);
        }
        match b.read_exact(&mut of_b[..read]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        if of_a[..read] != of_b[..read] {
            return Ok(false);
        }
    }
}

/// Removes a copy and the folders below `root` that are empty then. One that is gone is removed.
///
/// # Errors
/// [`CopyError::Remove`].
pub(crate) fn remove(root: &Path, below: &Path) -> Result<(), CopyError> {
    let path = root.join(below);
    if let Err(source) = panotti_sdk::files::remove(&path) {
        return Err(CopyError::Remove { path, source });
    }
    let folders = below.ancestors().skip(1).take_while(|it| !it.as_os_str().is_empty());
    for folder in folders {
        // One with something in it stays, and so do those above it.
        if fs::remove_dir(root.join(folder)).is_err() {
            break;
        }
    }
    Ok(())
}
