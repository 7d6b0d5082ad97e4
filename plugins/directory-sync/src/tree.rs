//! The files below a folder, and which of them are not being written any more. Owns looking; leaves copying
//! to `copy`.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use panotti_sdk::jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a file looks like from outside: when it is the same, so is the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Size, bytes.
    pub(crate) bytes: u64,
    /// Last change, UTC.
    pub(crate) changed: Timestamp,
}

impl Stamp {
    /// Of a file that was looked at.
    ///
    /// # Errors
    /// When its disk does not know when it was changed.
    pub(crate) fn of(metadata: &fs::Metadata) -> io::Result<Self> {
        let changed = Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?;
        Ok(Self { bytes: metadata.len(), changed })
    }
}

/// Regular files below a folder, by their path below it. Hidden ones are not: part files and what programs
/// keep for themselves. Symbolic links are not followed: they could lead anywhere.
///
/// # Errors
/// When a folder cannot be read: what is in it is then unknown, not gone.
pub(crate) fn files(root: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            // A name that is no text is none of ours.
            let Some(name) = entry.file_name().to_str().filter(|it| !it.starts_with('.')).map(str::to_owned)
            else {
                continue;
            };
            let below = folder.join(name);
            // Of the entry itself, not of what a link leads to.
            match entry.metadata() {
                Ok(it) if it.is_dir() => folders.push(below),
                Ok(it) if it.is_file() => drop(found.insert(below, Stamp::of(&it)?)),
                Ok(_) => {}
                // It went while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// Which files have come to rest.
#[derive(Debug)]
pub(crate) struct Settling {
    rest: Duration,
    /// Since when a file has looked as it does.
    seen: HashMap<PathBuf, (Stamp, Instant)>,
}

impl Settling {
    /// Files rest when they have not changed for `rest`.
    pub(crate) fn new(rest: Duration) -> Self {
        Self { rest, seen: HashMap::new() }
    }

    /// Whether a file that looks like `stamp` at `wall` (by the clock of files) and `now` has come to rest.
    /// Its own time of change says so where it is not in the future; else it must have been seen so before.
    pub(crate) fn is_settled(&mut self, path: &Path, stamp: Stamp, wall: SystemTime, now: Instant) -> bool {
        let age = wall.duration_since(SystemTime::from(stamp.changed));
        if age.is_ok_and(|it| it >= self.rest) {
            self.seen.remove(path);
            return true;
        }
        let seen = self.seen.entry(path.to_owned()).or_insert((stamp, now));
        if seen.0 != stamp {
            *seen = (stamp, now);
        }
        now.duration_since(seen.1) >= self.rest
    }

    /// Forgets files that are gone.
    pub(crate) fn retain(&mut self, files: &BTreeMap<PathBuf, Stamp>) {
        self.seen.retain(|path, _| files.contains_key(path));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn w34_a_file_that_still_grows_is_not_at_rest() {
        let rest = Duration::from_secs(2);
        let (mut settling, path) = (Settling::new(rest), Path::new("a.md"));
        let (wall, now) = (SystemTime::now(), Instant::now());
        let at = |bytes, changed: SystemTime| Stamp { bytes, changed: changed.try_into().unwrap() };
        // Old enough at first sight.
        assert!(settling.is_settled(path, at(1, wall - rest), wall, now));
        assert!(!settling.is_settled(path, at(2, wall), wall, now));
        // A time in the future says nothing: it has to be seen twice, unchanged.
        let future = wall + Duration::from_secs(3600);
        assert!(!settling.is_settled(path, at(3, future), wall, now));
        assert!(!settling.is_settled(path, at(3, future), wall, now + rest / 2));
        assert!(!settling.is_settled(path, at(4, future), wall, now + rest));
        assert!(settling.is_settled(path, at(4, future), wall, now + rest * 2));
        settling.retain(&BTreeMap::new());
        assert!(!settling.is_settled(path, at(4, future), wall, now + rest * 2));
    }
}
