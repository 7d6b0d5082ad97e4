//! Files of recordings, for plugins and for the core alike. Owns the rules of names and paths, and writing a
//! file so that a power cut leaves the old one or the new one; leaves what stands in them to others.

use std::{
    fs, io,
    io::Write,
    path::{Component, Path, PathBuf},
};

use crate::payloads::Track;

/// Whether an id may name files: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
pub fn valid_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    (1..=128).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|it| it.is_ascii_alphanumeric() || b"._-".contains(it))
}

/// The path that a setting names: absolute, or below `data`, for which a leading `data/` stands too.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn resolve(data: &Path, path: &str) -> Result<PathBuf, &'static str> {
    let path = Path::new(path.trim());
    if path.as_os_str().is_empty() {
        return Err("it is empty: name a directory");
    }
    if path.components().any(|it| matches!(it, Component::ParentDir)) {
        return Err("it has `..`: write the whole path");
    }
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let below: PathBuf = path.components().filter(|it| *it != Component::CurDir).collect();
    Ok(data.join(below.strip_prefix("data").unwrap_or(&below)))
}

/// The WAV files of `track`, in order, which follow one another without a gap.
///
/// # Errors
/// When the folder of a recording cannot be read. A single file is not looked at.
pub fn audio_of(recordings: &Path, track: &Track) -> io::Result<Vec<PathBuf>> {
    match track.path.strip_suffix('/') {
        Some(folder) => segments(&recordings.join(folder)),
        None => Ok(vec![recordings.join(&track.path)]),
    }
}

/// The audio in the folder of a recording, in order.
///
/// # Errors
/// When it cannot be read.
pub fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("audio-") && name.ends_with(".wav") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a file in one step, making its folder: a power cut leaves the old file or the whole new one. Two
/// writers of one path must not run at the same time.
///
/// # Errors
/// When the disk does not take it; the old file is then still there.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(contents))
}

/// As [`write`], with what `fill` writes.
///
/// # Errors
/// As [`write`], and what `fill` answers.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Hidden, so that nobody who looks for files of a form finds it.
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    name.push(".part");
    let part = folder.join(name);
    let mut file = fs::File::create(&part)?;
    let written = fill(&mut file).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // The reason that counts is the first one.
        fs::remove_file(&part).ok();
    }
    written?;
    fs::File::open(folder)?.sync_all()
}

/// Removes a file; one that is gone is removed. Answers its size, bytes, where it was there.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(path: &Path) -> io::Result<Option<u64>> {
    let size = fs::symlink_metadata(path).map(|it| it.len());
    match fs::remove_file(path) {
        Ok(()) => Ok(size.ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ids() {
        for good in ["a", "2025", "a.b-c_d", &"x".repeat(128)] {
            assert!(valid_id(good), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "-a", "_a", ".a", "ä", "a b", "a\0", &"x".repeat(129)] {
            assert!(!valid_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn settings_name_paths_below_the_data_directory_or_whole_ones() {
        let data = Path::new("/var/lib/panotti");
        for (setting, path) in [
            ("data/notes", "/var/lib/panotti/notes"),
            ("./data/notes/", "/var/lib/panotti/notes"),
            (" notes ", "/var/lib/panotti/notes"),
            ("data", "/var/lib/panotti/"),
            ("database", "/var/lib/panotti/database"),
            ("/mnt/notes", "/mnt/notes"),
        ] {
            assert_eq!(resolve(data, setting).unwrap(), Path::new(path), "{setting}");
        }
        for bad in ["", "  ", "..", "a/../../b", "/a/../b"] {
            assert!(resolve(data, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes/x.md");
        write(&path, b"one").unwrap();
        let refused = write_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
        assert_eq!(remove(&path).unwrap(), Some(3));
        assert_eq!(remove(&path).unwrap(), None);
    }

    #[test]
    fn the_audio_of_a_track() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["audio-0001.wav", "audio-0000.wav", "transcript.json", "other.wav"] {
            write(&dir.path().join("x").join(name), b"").unwrap();
        }
        let of = |path: &str| {
            let track = Track { path: path.into(), ..Track::default() };
            let files = audio_of(dir.path(), &track).unwrap().into_iter();
            files.map(|it| it.strip_prefix(dir.path()).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of("x/"), [Path::new("x/audio-0000.wav"), Path::new("x/audio-0001.wav")]);
        assert_eq!(of("b.wav"), [Path::new("b.wav")]);
    }
}
