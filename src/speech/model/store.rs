//! The models of this box: the files in the models directory. Owns their names, the checksum recorded beside
//! each (`ggml-NAME.bin.sha256`, as `sha256sum` writes it), and which one was chosen (`in-use`); leaves what is
//! published to `catalogue` and getting them to `fetch`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Error, Kind, catalogue, check_silero, check_whisper, digest, entry, file_name, name_of};
use crate::config::nearest;

/// Where the name of the chosen model is kept.
const IN_USE: &str = "in-use";

/// Something is wrong with a model of this box.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No model can be called that.
    #[error(
        "`{name}` is no model's name: use letters, digits, `.`, `_` and `-`; `panotti model list` shows names"
    )]
    Name {
        /// What was said.
        name: String,
    },
    /// It is not on this box.
    #[error("there is no model `{name}` on this box{hint}")]
    Missing {
        /// Its name.
        name: String,
        /// What to do, as the rest of the sentence.
        hint: String,
    },
    /// It is no sane model.
    #[error(transparent)]
    Model(#[from] Error),
    /// It is not what was published or recorded.
    #[error("{path} is damaged or another file: its {what} is {found}, not {expected}; {advice}")]
    Differs {
        /// The file.
        path: PathBuf,
        /// What of it: size, SHA-1, SHA-256.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
        /// What to do.
        advice: String,
    },
    /// The disk does not let us.
    #[error("cannot {what} `{path}`")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What was found of a model that is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verified {
    /// Its name.
    pub name: String,
    /// Length of its file, bytes.
    pub bytes: u64,
    /// SHA-256 of its file.
    pub sha256: String,
    /// What it was compared with besides its own structure: `published SHA-1`, `recorded SHA-256`.
    pub compared_with: Vec<&'static str>,
}

/// The models directory. Nothing is kept of it: others may change it at any time.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The models in `dir`, which need not be there yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the file of `name` is or would be.
    ///
    /// # Errors
    /// [`StoreError::Name`].
    pub fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        if is_name(name) {
            return Ok(self.dir.join(file_name(name)));
        }
        Err(StoreError::Name { name: name.chars().take(100).collect() })
    }

    /// Names of the models that are there, in order, with the length of their files in bytes.
    pub fn installed(&self) -> Vec<(String, u64)> {
        let mut models: Vec<_> = fs::read_dir(&self.dir)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|it| {
                let file = it.file_name().into_string().ok()?;
                let name = name_of(&file).filter(|it| is_name(it))?;
                // Through a link: a model may lie on another disk.
                let metadata = fs::metadata(it.path()).ok().filter(fs::Metadata::is_file)?;
                Some((name.to_owned(), metadata.len()))
            })
            .collect();
        models.sort();
        models
    }

    /// The SHA-256 that was recorded when it was fetched.
    pub fn recorded(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.record(name).ok()?).ok()?;
        let sum = text.split_whitespace().next()?;
        (sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit())).then(|| sum.to_ascii_lowercase())
    }

    /// Records the SHA-256 of a model, for `verify` and for `sha256sum -c`.
    pub(super) fn set_recorded(&self, name: &str, sha256: &str) -> Result<(), StoreError> {
        self.write(&self.record(name)?, &format!("{sha256}  {}\n", file_name(name)))
    }

    /// Reads a model from end to end and compares it with all that is known of it.
    ///
    /// # Errors
    /// All but [`StoreError::Io`] of writing: each says what to do.
    pub fn verify(&self, name: &str) -> Result<Verified, StoreError> {
        let path = self.present(name)?;
        check_structure(name, &path, &self.dir)?;
        let found = digest::of(&path).map_err(|source| StoreError::Io {
            what: "read",
            path: path.clone(),
            source,
        })?;
        let mut compared_with = Vec::new();
        let mut compare = |what, kind, expected: Option<String>, found: &str| match expected {
            Some(expected) if !expected.eq_ignore_ascii_case(found) => {
                let advice = format!("`panotti model remove {name}`, then `panotti model fetch {name}`");
                Err(StoreError::Differs {
                    path: path.clone(),
                    what: kind,
                    expected,
                    found: found.into(),
                    advice,
                })
            }
            Some(_) => {
                compared_with.push(what);
                Ok(())
            }
            None => Ok(()),
        };
        let published = entry(name).and_then(|it| it.sha1).map(str::to_owned);
        compare("published SHA-1", "SHA-1", published, &found.sha1)?;
        compare("recorded SHA-256", "SHA-256", self.recorded(name), &found.sha256)?;
        Ok(Verified { name: name.into(), bytes: found.bytes, sha256: found.sha256, compared_with })
    }

    /// Removes a model and what is recorded of it, and what there is of it from a fetch that was broken off. When
    /// it was chosen, that is left to the configuration again.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when nothing of it is there, [`StoreError::Name`], [`StoreError::Io`].
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let mut removed = false;
        for path in [path.clone(), self.record(name)?, part(&path), note(&path)] {
            match fs::remove_file(&path) {
                Ok(()) => removed = true,
                Err(it) if it.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(StoreError::Io { what: "remove", path, source }),
            }
        }
        if self.in_use().as_deref() == Some(name) {
            self.set_in_use(None)?;
        }
        if removed { Ok(()) } else { Err(self.missing(name)) }
    }

    /// What `panotti model use` chose.
    pub fn in_use(&self) -> Option<String> {
        let text = fs::read_to_string(self.dir.join(IN_USE)).ok()?;
        Some(text.trim().to_owned()).filter(|it| is_name(it))
    }

    /// Chooses a model for good, or leaves that to the configuration again.
    ///
    /// # Errors
    /// [`StoreError::Name`], [`StoreError::Io`].
    pub fn set_in_use(&self, name: Option<&str>) -> Result<(), StoreError> {
        let path = self.dir.join(IN_USE);
        let Some(name) = name else {
            return match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    Err(StoreError::Io { what: "remove", path, source })
                }
                _ => Ok(()),
            };
        };
        self.path(name)?;
        self.write(&path, &format!("{name}\n"))
    }

    /// The file of a model that is there.
    ///
    /// # Errors
    /// [`StoreError::Missing`], with a name that is near; [`StoreError::Name`].
    pub fn present(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.path(name)?;
        if path.is_file() { Ok(path) } else { Err(self.missing(name)) }
    }

    fn missing(&self, name: &str) -> StoreError {
        let installed = self.installed();
        let near = nearest(name, installed.iter().map(|it| it.0.as_str()));
        let hint = match (near, known(name)) {
            (_, Ok(_)) => format!(": get it with `panotti model fetch {name}`"),
            (Some(near), _) => format!(": did you mean {near}?"),
            (None, Err(hint)) => format!(": {hint}"),
        };
        StoreError::Missing { name: name.into(), hint }
    }

    fn record(&self, name: &str) -> Result<PathBuf, StoreError> {
        Ok(beside(&self.path(name)?, "sha256"))
    }

    /// All of it or nothing, whatever happens meanwhile.
    fn write(&self, path: &Path, text: &str) -> Result<(), StoreError> {
        let failed = |source| StoreError::Io { what: "write", path: path.to_owned(), source };
        fs::create_dir_all(&self.dir).map_err(failed)?;
        let new = beside(path, "new");
        let written = own_file()
            .truncate(true)
            .open(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&new, path))
            .and_then(|()| File::open(&self.dir)?.sync_all());
        if written.is_err() {
            // What is left of it helps nobody.
            fs::remove_file(&new).ok();
        }
        written.map_err(failed)
    }
}

/// The catalogue's model of this name; otherwise what to do, as a part of a sentence.
pub(super) fn known(name: &str) -> Result<&'static super::Entry, String> {
    entry(name).ok_or_else(|| match nearest(name, catalogue().iter().map(|it| it.name)) {
        Some(near) => format!("did you mean {near}?"),
        None => "`panotti model list` shows the models that there are".into(),
    })
}

/// Whether `path` is a whole and sane model of the kind that `name` says.
pub(super) fn check_structure(name: &str, path: &Path, models_dir: &Path) -> Result<(), Error> {
    match catalogue::kind_of(name) {
        Kind::Whisper => check_whisper(path, models_dir, None),
        Kind::Vad => check_silero(path),
    }
}

/// What may be a model's name: one word, that is one file's name.
fn is_name(name: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    // The API has `in-use` for something else.
    (1..=100).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name != IN_USE
        && name.bytes().all(plain)
}

/// What has come of a model so far.
pub(super) fn part(path: &Path) -> PathBuf {
    beside(path, "part")
}

/// Where that came from, so that the rest can be asked for.
pub(super) fn note(path: &Path) -> PathBuf {
    beside(path, "part.json")
}

/// To write a file of this directory, new or not. Never where a link leads: root may write here, where the
/// service's user could have made one.
pub(super) fn own_file() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_demo(name: &str) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/panotti-demo.en-q5_1.bin");
        fs::copy(demo, dir.path().join(file_name(name))).unwrap();
        let store = Store::new(dir.path());
        (dir, store)
    }

    #[test]
    fn a_model_is_what_was_recorded_and_published() {
        let (_dir, store) = with_demo("demo.en");
        let found = store.verify("demo.en").unwrap();
        assert_eq!((found.bytes, found.compared_with.len()), (10_204_423, 0));
        store.set_recorded("demo.en", &found.sha256).unwrap();
        assert_eq!(store.verify("demo.en").unwrap().compared_with, ["recorded SHA-256"]);
        // One bit of a weight: the structure does not tell.
        let path = store.path("demo.en").unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 9;
        bytes[last] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = store.verify("demo.en").unwrap_err().to_string();
        assert!(error.contains("SHA-256") && error.contains("model fetch demo.en"), "{error}");
        store.remove("demo.en").unwrap();
        assert_eq!((store.installed(), store.recorded("demo.en")), (Vec::new(), None));
        // A sane file of another model.
        let (_dir, store) = with_demo("tiny.en");
        let error = store.verify("tiny.en").unwrap_err().to_string();
        assert!(error.contains("c78c86eb1a8faa21b369bcd33207cc90d64ae9df"), "{error}");
    }

    #[test]
    fn what_is_written_goes_to_no_link() {
        let (dir, store) = with_demo("demo.en");
        let other = dir.path().join("other");
        fs::write(&other, "another's").unwrap();
        std::os::unix::fs::symlink(&other, dir.path().join("in-use.new")).unwrap();
        assert!(matches!(store.set_in_use(Some("demo.en")), Err(StoreError::Io { what: "write", .. })));
        assert_eq!(fs::read_to_string(&other).unwrap(), "another's");
        // The link is gone, and the next one goes well.
        store.set_in_use(Some("demo.en")).unwrap();
        assert_eq!(store.in_use().as_deref(), Some("demo.en"));
    }

    #[test]
    fn names_and_hints() {
        let (_dir, store) = with_demo("demo.en");
        for bad in ["", "..", "../x", "a/b", "a b", "-x", "in-use", "x\n", &"x".repeat(101)] {
            assert!(matches!(store.path(bad), Err(StoreError::Name { .. })), "{bad}");
        }
        for (name, hint) in [
            ("dmo.en", "did you mean demo.en?"),
            ("base.en-q5_1", "panotti model fetch base.en-q5_1"),
            ("base.en-q51", "did you mean base.en-q5_1?"),
            ("zzz", "panotti model list"),
        ] {
            let error = store.present(name).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }
}
