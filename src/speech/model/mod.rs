//! Model files before whisper.cpp sees them. Owns finding a model by name and every check of its file:
//! whisper.cpp trusts the lengths it reads and overruns its stack on a malformed one. The walk through
//! the file is in `ggml`, which models there are in `catalogue`, those of this box in `store`, getting one
//! in `fetch`, and which one is used in `choice`.

mod catalogue;
mod choice;
mod digest;
mod fetch;
mod ggml;
mod listing;
pub mod memory;
mod store;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use catalogue::{Entry, Kind, Size, catalogue, entry};
pub use choice::{By, Choice, chosen};
pub use fetch::{FetchError, Fetched, Progress, Wanted, fetch, shown};
pub use ggml::check_silero;
pub use listing::{Fetching, Model, ModelList};
pub use store::{Store, StoreError, Verified};

/// A model file that must not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error(
        "there is no model at {path}; {there}. `panotti model fetch base.en-q5_1` gets \
         one into {models_dir}, `panotti model list` shows all that can be fetched; or give a path to one"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// Where models lie.
        models_dir: PathBuf,
        /// Which models are there.
        there: String,
    },
    /// The file cannot be read.
    #[error("cannot read the model {path}: is it a file, and readable for this user?")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is something else.
    #[error("{path} is not a {wanted} model in ggml form: {found}; get the file again, or another one")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// `Whisper` or `Silero`.
        wanted: &'static str,
        /// What is wrong.
        found: String,
    },
    /// The file is not the one that is expected.
    #[error(
        "the SHA-256 of {path} is {found}, but the configuration expects {expected}: get the file again, \
         or correct transcription.model_sha256"
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// What the configuration says.
        expected: String,
        /// What it is.
        found: String,
    },
}

/// The file that a model's path or name means: a path when it has a `/` or ends in `.bin`, otherwise
/// `ggml-NAME.bin` in `models_dir`. A bare file name is looked up here first, then in `models_dir`.
pub fn resolve(name_or_path: &str, models_dir: &Path) -> PathBuf {
    let path = PathBuf::from(name_or_path);
    if name_or_path.contains('/') {
        path
    } else if name_or_path.ends_with(".bin") {
        if path.exists() { path } else { models_dir.join(path) }
    } else {
        models_dir.join(file_name(name_or_path))
    }
}

/// The file of the model `name`; a name that is a file's already stays as it is.
pub fn file_name(name: &str) -> String {
    if name.ends_with(".bin") { name.into() } else { format!("ggml-{name}.bin") }
}

/// The name of the model in the file `name`; `None` when it is no model's file.
fn name_of(file: &str) -> Option<&str> {
    let stem = file.strip_suffix(".bin")?;
    Some(stem.strip_prefix("ggml-").unwrap_or(file)).filter(|it| !it.is_empty())
}

/// Checks that `path` is a whole and sane Whisper model, and that it has the SHA-256 `expected` (64 hex
/// digits) where one is given.
pub fn check_whisper(path: &Path, models_dir: &Path, expected: Option<&str>) -> Result<(), Error> {
    match path.metadata() {
        Err(it) if it.kind() == io::ErrorKind::NotFound => {
            let (path, models_dir) = (path.to_path_buf(), models_dir.to_path_buf());
            return Err(Error::Missing { there: listing(&models_dir), path, models_dir });
        }
        Err(source) => return Err(Error::Read { path: path.into(), source }),
        Ok(_) => ggml::check_whisper(path)?,
    }
    if let Some(expected) = expected {
        let found = digest::of(path).map_err(|source| Error::Read { path: path.into(), source })?.sha256;
        if !found.eq_ignore_ascii_case(expected.trim()) {
            return Err(Error::Digest { path: path.into(), expected: expected.into(), found });
        }
    }
    Ok(())
}

/// The models in `dir`, in words.
fn listing(dir: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|it| it.file_name().into_string().ok())
        .filter_map(|it| name_of(&it).map(str::to_owned))
        .collect();
    names.sort();
    if names.is_empty() {
        format!("there are no models in {}", dir.display())
    } else {
        format!("the models in {} are: {}", dir.display(), names.join(", "))
    }
}
