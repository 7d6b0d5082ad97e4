//! What there is to be transcribed. Owns folders, what in them is no audio, and standard input.

use std::{
    fs::{self, File},
    io::{IsTerminal as _, Seek as _},
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::audio::decode;

/// A file to be transcribed.
#[derive(Debug)]
pub(super) struct Input {
    /// What is opened.
    pub(super) path: PathBuf,
    /// What people call it.
    pub(super) shown: String,
    /// Its name and, where it was found in a folder, its place there.
    pub(super) place: PathBuf,
    /// Keeps what came through standard input, which has no name.
    _spooled: Option<File>,
}

/// All that the arguments stand for.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// In the order of the arguments; in folders by name.
    pub(super) inputs: Vec<Input>,
    /// Files in folders that are no audio.
    pub(super) passed_over: Vec<PathBuf>,
    /// Folders that cannot be read or have nothing to be heard in them.
    pub(super) unreadable: Vec<(PathBuf, anyhow::Error)>,
}

/// Looks at every argument. Standard input is read to its end, to disk.
///
/// # Errors
/// Standard input cannot be read.
pub(super) fn gather(arguments: &[PathBuf]) -> anyhow::Result<Gathered> {
    let mut found = Gathered::default();
    for path in arguments {
        if path == Path::new("-") {
            found.inputs.push(standard_input().context("cannot read standard input")?);
        } else if path.is_dir() {
            let (inputs, failed) = (found.inputs.len(), found.unreadable.len());
            walk(path, Path::new(""), &mut found);
            if (found.inputs.len(), found.unreadable.len()) == (inputs, failed) {
                let error = anyhow::anyhow!("there is no audio in this folder");
                found.unreadable.push((path.clone(), error));
            }
        } else if path.exists() && !path.is_file() {
            // Opening one may wait for ever, and no signal would be heeded.
            let error = anyhow::anyhow!(
                "this is no file: give it as standard input, `panotti transcribe - < {}`",
                path.display()
            );
            found.unreadable.push((path.clone(), error));
        } else {
            let place = PathBuf::from(path.file_name().unwrap_or(path.as_os_str()));
            found.inputs.push(Input::file(path.clone(), place));
        }
    }
    Ok(found)
}

impl Input {
    fn file(path: PathBuf, place: PathBuf) -> Self {
        Self { shown: path.display().to_string(), path, place, _spooled: None }
    }
}

/// All files below `folder`, by name. What begins with a dot is hidden, and links to folders are not
/// followed, since they may lead back.
fn walk(folder: &Path, place: &Path, found: &mut Gathered) {
    let listed: std::io::Result<Vec<_>> = fs::read_dir(folder).and_then(Iterator::collect);
    let mut entries = match listed {
        Ok(entries) => entries,
        Err(error) => {
            let error = anyhow::Error::new(error).context("cannot read this folder");
            return found.unreadable.push((folder.to_owned(), error));
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&path, &place.join(name), found),
            _ if path.is_file() && decode::is_audio(&path) => {
                found.inputs.push(Input::file(path, place.join(name)));
            }
            _ => found.passed_over.push(path),
        }
    }
}

/// Standard input as a file: itself where it is one, or a copy on disk, since the index of an MP4 file
/// may lie at its end, and hours of audio do not belong in memory.
fn standard_input() -> anyhow::Result<Input> {
    let stdin = std::io::stdin();
    anyhow::ensure!(!stdin.is_terminal(), "nothing comes through it: `panotti transcribe - < FILE`");
    let own = PathBuf::from("/proc/self/fd/0");
    let (path, spooled) = if own.is_file() {
        (own, None)
    } else {
        let mut copy = nameless().context("cannot make a temporary file")?;
        std::io::copy(&mut stdin.lock(), &mut copy)?;
        copy.rewind()?;
        (format!("/proc/self/fd/{}", copy.as_raw_fd()).into(), Some(copy))
    };
    Ok(Input { path, shown: "-".into(), place: "stdin".into(), _spooled: spooled })
}

/// A file without a name, which is gone when the program is, however it ends. In /var/tmp unless TMPDIR says
/// otherwise: /tmp is memory on many machines.
fn nameless() -> std::io::Result<File> {
    let folder = match std::env::var_os("TMPDIR") {
        None if Path::new("/var/tmp").is_dir() => "/var/tmp".into(),
        _ => std::env::temp_dir(),
    };
    // A name that nobody else can have put there: these folders are everybody's.
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let path = folder.join(format!("panotti-stdin-{:032x}", u128::from_ne_bytes(random)));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}
