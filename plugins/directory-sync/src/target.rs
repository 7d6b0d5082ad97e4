//! Whether a destination is there. Owns not mistaking the empty folder of an unmounted share for it.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::config::{Route, overlap};

/// Why nothing can be copied now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Away {
    /// Its share is not mounted.
    #[error("nothing is mounted at {}: it is copied when the share is there again", .0.display())]
    NotMounted(PathBuf),
    /// It was there before and is gone.
    #[error("{} is gone: mount its share, or make the folder again if it is to be filled anew", .0.display())]
    Gone(PathBuf),
    /// Neither it nor the folder that it would lie in is there.
    #[error("there is neither {} nor the folder that it would lie in: make it, or mount it", .0.display())]
    Missing(PathBuf),
    /// Something else is there.
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    /// A link leads from one to the other.
    #[error("{} and the source are the same place by way of a symbolic link", .0.display())]
    Overlap(PathBuf),
    /// It cannot be looked at or made.
    #[error("{} cannot be reached", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Sees to it that the destination is there, and makes it the first time; `known` says that there are copies
/// in it.
///
/// # Errors
/// [`Away`] says why it cannot be used.
pub(crate) fn ready(route: &Route, known: bool) -> Result<(), Away> {
    let path = &route.destination;
    let failed = |source: io::Error| Away::Io { path: path.clone(), source };
    if let Some(mount_point) = &route.mount_point
        && !is_mounted(mount_point).map_err(failed)?
    {
        return Err(Away::NotMounted(mount_point.clone()));
    }
    match fs::metadata(path) {
        Ok(it) if it.is_dir() => {}
        Ok(_) => return Err(Away::NoFolder(path.clone())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if known {
                return Err(Away::Gone(path.clone()));
            }
            if !path.parent().is_some_and(Path::is_dir) {
                return Err(Away::Missing(path.clone()));
            }
            fs::create_dir(path).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    // A source that is not there yet leads nowhere.
    let real = route.source.canonicalize().unwrap_or_else(|_| route.source.clone());
    match overlap(&real, &path.canonicalize().map_err(failed)?) {
        true => Err(Away::Overlap(path.clone())),
        false => Ok(()),
    }
}

/// Whether something is mounted right at `path`: the fifth field of a line, proc_pid_mountinfo(5).
fn is_mounted(path: &Path) -> io::Result<bool> {
    let Ok(path) = path.canonicalize() else { return Ok(false) };
    let mounts = fs::read("/proc/self/mountinfo")?;
    let mut points = mounts.split(|it| *it == b'\n').filter_map(|line| line.split(|it| *it == b' ').nth(4));
    Ok(points.any(|it| unescaped(it) == path.as_os_str().as_bytes()))
}

/// Space, tab, newline and backslash are written as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::with_capacity(field.len()), field);
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\').and_then(|it| std::str::from_utf8(it).ok());
        match digits.and_then(|it| u8::from_str_radix(it, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn mounts() {
        assert!(is_mounted(Path::new("/proc")).unwrap());
        assert!(!is_mounted(Path::new("/proc/self")).unwrap());
        assert!(!is_mounted(Path::new("/there/is/nothing")).unwrap());
        assert_eq!(unescaped(br"/mnt/a\040b\134c\9"), br"/mnt/a b\c\9");
    }
}
