//! Model files before whisper.cpp sees them. Owns finding a model by name and every check of its file:
//! whisper.cpp trusts the lengths it reads and overruns its stack on a malformed one. The walk through
//! the file is in `ggml`.

mod ggml;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

pub use ggml::check_silero;

/// A model file that must not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error(
        "there is no model at {path}; {there}. Get one with `curl -LO \
         https://huggingface.co/ggerganov/whisper.cpp/resolve/main/ggml-base.en-q5_1.bin`, put it into \
         {models_dir} and name it `base.en-q5_1`, or give a path to it"
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
        models_dir.join(format!("ggml-{name_or_path}.bin"))
    }
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
        let found = sha256(path).map_err(|source| Error::Read { path: path.into(), source })?;
        if !found.eq_ignore_ascii_case(expected.trim()) {
            return Err(Error::Digest { path: path.into(), expected: expected.into(), found });
        }
    }
    Ok(())
}

/// SHA-256 of a file in hex.
fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut block)?;
        if n == 0 {
            return Ok(digest.finalize().iter().map(|it| format!("{it:02x}")).collect());
        }
        digest.update(&block[..n]);
    }
}

/// The models in `dir`, in words.
fn listing(dir: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|it| it.file_name().into_string().ok())
        .filter(|it| it.ends_with(".bin"))
        .map(|it| {
            it.strip_prefix("ggml-").and_then(|it| it.strip_suffix(".bin")).map_or(it.clone(), Into::into)
        })
        .collect();
    names.sort();
    if names.is_empty() {
        format!("there are no models in {}", dir.display())
    } else {
        format!("the models in {} are: {}", dir.display(), names.join(", "))
    }
}
