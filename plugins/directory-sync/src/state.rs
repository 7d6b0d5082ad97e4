//! What the sync keeps. Owns the rows and who writes them:
//!
//! - `copy/{pair}/{path}`: a file that was copied, and how it looked then; only the pair's worker writes it.
//! - `away/{pair}`: that people were told that nothing can be copied; only the pair's worker writes it.
//! - `file/{path}`: whose file it is; only handlers write it.
//! - `files/{recording}`: the recording's files; only handlers write it.
//! - `gone/{pair}/{recording}`: files of a recording that was deleted, and its folder, whose copies must go; a
//!   handler writes it, the pair's worker removes it.
//!
//! Paths and ids stand in keys as hashes: they may be longer than a key.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use panotti_sdk::{Context, ContextError, uuid::Uuid};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::tree::Stamp;

/// A file that was copied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CopyRow {
    /// Below the source.
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
}

/// Whose something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) recording_id: String,
    /// The meeting's chain of events.
    pub(crate) correlation_id: Uuid,
}

/// Files of one recording, or folders with all below them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Owned {
    pub(crate) owner: Owner,
    pub(crate) paths: BTreeSet<PathBuf>,
}

impl Owned {
    /// Whether `path` is one of them or lies below one.
    pub(crate) fn has(&self, path: &Path) -> bool {
        path.ancestors().any(|it| self.paths.contains(it))
    }
}

fn hash(text: &[u8]) -> String {
    Sha256::digest(text).iter().take(16).map(|it| format!("{it:02x}")).collect()
}

pub(crate) fn copy(pair: &str, below: &Path) -> String {
    format!("copy/{pair}/{}", hash(below.as_os_str().as_encoded_bytes()))
}

pub(crate) fn away(pair: &str) -> String {
    format!("away/{pair}")
}

pub(crate) fn file(path: &Path) -> String {
    format!("file/{}", hash(path.as_os_str().as_encoded_bytes()))
}

pub(crate) fn files(recording_id: &str) -> String {
    format!("files/{}", hash(recording_id.as_bytes()))
}

pub(crate) fn gone(pair: &str, recording_id: &str) -> String {
    format!("gone/{pair}/{}", hash(recording_id.as_bytes()))
}

/// What a pair has copied.
///
/// # Errors
/// [`ContextError`] when it cannot be read.
pub(crate) fn copies(context: &Context, pair: &str) -> Result<BTreeMap<PathBuf, Stamp>, ContextError> {
    let rows = rows::<CopyRow>(context, &format!("copy/{pair}/"))?;
    Ok(rows.into_iter().map(|(_, row)| (row.path, row.stamp)).collect())
}

/// Deleted recordings whose copies by a pair must go; paths are below the source.
///
/// # Errors
/// [`ContextError`] when they cannot be read.
pub(crate) fn all_gone(context: &Context, pair: &str) -> Result<Vec<(String, Owned)>, ContextError> {
    rows(context, &format!("gone/{pair}/"))
}

fn rows<T: DeserializeOwned>(context: &Context, prefix: &str) -> Result<Vec<(String, T)>, ContextError> {
    let (mut found, mut last): (Vec<(String, T)>, Option<String>) = (Vec::new(), None);
    loop {
        let keys = context.state_keys(prefix, last.as_deref())?;
        for key in &keys {
            if let Some(row) = context.state_json(key)? {
                found.push((key.clone(), row));
            }
        }
        match keys.into_iter().next_back() {
            Some(key) => last = Some(key),
            None => return Ok(found),
        }
    }
}
