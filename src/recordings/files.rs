//! Where recordings lie on disk. Owns ids, folders, the check of paths a client names, and removing for
//! good; leaves what the files hold to `audio` and `speech`.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};
pub(super) use panotti_sdk::files::valid_id;

use super::{Error, Recording, error::at};
use crate::speech::Transcript;

/// Folders below `recordings_dir`: `<id>/audio-0000.wav …`, `<id>/transcript.json`.
#[derive(Debug, Clone)]
pub(super) struct Files {
    dir: PathBuf,
}

/// Prefix of a folder that waits to be removed.
const DELETED: &str = ".deleted-";

impl Files {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(at("create", dir))?;
        // Symbolic links are resolved once, so that a client's path can be compared with ours.
        let dir = dir.canonicalize().map_err(at("open", dir))?;
        Ok(Self { dir })
    }

    pub(super) fn folder(&self, id: &str) -> PathBuf {
        self.dir.join(id)
    }

    pub(super) fn create(&self, id: &str) -> Result<PathBuf, Error> {
        let folder = self.folder(id);
        fs::create_dir(&folder).map_err(at("create", &folder))?;
        Ok(folder)
    }

    /// Audio files of each track; a track's own folder gives its segments in order.
    pub(super) fn audio(&self, recording: &Recording) -> Result<Vec<Vec<PathBuf>>, Error> {
        recording
            .tracks
            .iter()
            .map(|track| match track.path.strip_suffix('/') {
                Some(folder) => {
                    let folder = self.dir.join(folder);
                    panotti_sdk::files::segments(&folder).map_err(at("read", &folder))
                }
                None => Ok(vec![self.dir.join(&track.path)]),
            })
            .collect()
    }

    /// The path of a track as kept in a recording: relative to `recordings_dir`. What lies elsewhere, also
    /// by way of `..` or a symbolic link, is refused; what does not exist is accepted, since the other
    /// track may.
    pub(super) fn accept(&self, named: &str) -> Result<String, Error> {
        let refuse = || {
            Error::Invalid(format!(
                "`{named}` is not below the recordings directory `{}`: put the file there, or set storage.recordings_dir",
                self.dir.display()
            ))
        };
        let path = self.dir.join(named);
        if named.contains('\0') || path.components().any(|it| matches!(it, Component::ParentDir)) {
            return Err(refuse());
        }
        let real = path.canonicalize().unwrap_or(path);
        let relative = real.strip_prefix(&self.dir).map_err(|_| refuse())?;
        match relative.to_str() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(refuse()),
        }
    }

    pub(super) fn transcript_path(&self, id: &str) -> PathBuf {
        self.folder(id).join("transcript.json")
    }

    pub(super) fn read_transcript(&self, id: &str) -> Result<Option<Transcript>, Error> {
        let path = self.transcript_path(id);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| Error::Damaged { what: path.display().to_string(), source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at("read", &path)(error)),
        }
    }

    /// Replaces the transcript in one step: a power cut leaves the old one or the new one.
    pub(super) fn write_transcript(&self, id: &str, transcript: &Transcript) -> Result<(), Error> {
        let path = self.transcript_path(id);
        let new = path.with_extension("json.new");
        let write = || {
            let folder = self.folder(id);
            fs::create_dir_all(&folder)?;
            let file = fs::File::create(&new)?;
            serde_json::to_writer(io::BufWriter::new(&file), transcript)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(at("write", &path))
    }

    /// Takes the folder out of sight; [`Self::purge`] removes it, also after a crash in between.
    pub(super) fn hide(&self, id: &str) -> Result<(), Error> {
        let folder = self.folder(id);
        match fs::rename(&folder, self.dir.join(format!("{DELETED}{id}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", &folder)(error)),
            _ => Ok(()),
        }
    }

    /// Removes a hidden folder for good.
    pub(super) fn purge(&self, id: &str) -> Result<(), Error> {
        let folder = self.dir.join(format!("{DELETED}{id}"));
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", &folder)(error)),
            _ => Ok(()),
        }
    }

    /// Ids of folders, and ids of hidden folders.
    pub(super) fn folders(&self) -> Result<(Vec<String>, Vec<String>), Error> {
        let (mut seen, mut hidden) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.dir).map_err(at("read", &self.dir))? {
            let entry = entry.map_err(at("read", &self.dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.strip_prefix(DELETED) {
                Some(id) => hidden.push(id.to_owned()),
                None if entry.path().is_dir() => seen.push(name),
                None => {}
            }
        }
        Ok((seen, hidden))
    }

    /// Brings a hidden folder back: it was hidden, but never deleted.
    pub(super) fn unhide(&self, id: &str) -> Result<(), Error> {
        let folder = self.dir.join(format!("{DELETED}{id}"));
        match fs::rename(&folder, self.folder(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("restore", &folder)(error)),
            _ => Ok(()),
        }
    }
}

/// `YYYYMMDDHHMMSS_XXXXXXXX`: UTC and eight hex digits, as the original's clients make them.
pub(super) fn new_id(now: Timestamp) -> String {
    let random = uuid::Uuid::now_v7().as_u128() as u32;
    format!("{}_{random:08X}", now.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S"))
}

/// Whether an id is one of ours.
pub(super) fn own_id(id: &str) -> bool {
    id.len() == 23
        && id.bytes().enumerate().all(|(place, it)| match place {
            0..14 => it.is_ascii_digit(),
            14 => it == b'_',
            _ => it.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ids() {
        let id = new_id("2025-01-17T22:55:32Z".parse().unwrap());
        assert!(id.starts_with("20250117225532_") && own_id(&id) && valid_id(&id), "{id}");
    }

    #[test]
    fn paths_stay_below_the_recordings_directory() {
        let root = tempfile::tempdir().unwrap();
        let files = Files::open(&root.path().join("recordings")).unwrap();
        let inside = files.dir.join("a.wav");
        fs::write(&inside, "").unwrap();
        fs::write(root.path().join("b.wav"), "").unwrap();
        std::os::unix::fs::symlink(root.path().join("b.wav"), files.dir.join("link.wav")).unwrap();
        assert_eq!(files.accept("a.wav").unwrap(), "a.wav");
        assert_eq!(files.accept(inside.to_str().unwrap()).unwrap(), "a.wav");
        assert_eq!(files.accept("not/yet.wav").unwrap(), "not/yet.wav");
        for bad in ["", ".", "..", "../b.wav", "x/../../b.wav", "/etc/passwd", "link.wav", "a\0"] {
            assert!(matches!(files.accept(bad), Err(Error::Invalid(_))), "{bad:?}");
        }
    }
}
