//! What the cleaner keeps. Owns the rows and who writes them:
//!
//! - `meeting/{recording}`: a [`Manifest`]; only handlers write it.
//! - `due/{event}`: when a recording is to be cleaned; handlers write it, the worker removes it.
//! - `removal/{id}`: what is being removed; only the worker writes it.
//! - `short`: that people were told of a disk that is short; only the worker writes it.

use panotti_sdk::{Context, ContextError, jiff::Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::manifest::Manifest;

/// Longest key of a row, bytes: `ContextError::State`.
const LONGEST_KEY: usize = 128;

pub(crate) const DUE: &str = "due/";
pub(crate) const REMOVAL: &str = "removal/";
pub(crate) const SHORT: &str = "short";
const MEETING: &str = "meeting/";

/// A recording to be cleaned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) recording_id: String,
    /// When, UTC.
    pub(crate) at: Timestamp,
}

/// The key of a recording's manifest; an id that is too long for one is told by its hash.
pub(crate) fn meeting(recording_id: &str) -> String {
    if MEETING.len() + recording_id.len() <= LONGEST_KEY {
        return format!("{MEETING}{recording_id}");
    }
    let hash: String = Sha256::digest(recording_id).iter().map(|it| format!("{it:02x}")).collect();
    // No id has a `~`.
    format!("{MEETING}~{hash}")
}

/// All manifests.
///
/// # Errors
/// [`ContextError`] when they cannot be read.
pub(crate) fn manifests(context: &Context) -> Result<Vec<Manifest>, ContextError> {
    Ok(rows(context, MEETING)?.into_iter().map(|(_, it)| it).collect())
}

/// All rows whose keys begin with `prefix`, in order.
///
/// # Errors
/// [`ContextError`] when they cannot be read.
pub(crate) fn rows<T: DeserializeOwned>(
    context: &Context,
    prefix: &str,
) -> Result<Vec<(String, T)>, ContextError> {
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
