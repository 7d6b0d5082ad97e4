//! What the cleaner keeps. Owns the rows and who writes them:
//!
//! - `meeting/{recording}`: a [`Manifest`]; written while `Worker::learning` is held.
//! - `due/{event}`: when a recording is to be cleaned, by the last event about it; written along with the
//!   manifest, the worker removes it.
//! - `removal/{id}`: what is being removed; only the worker writes it.
//! - `short`: that people were told of a disk that is short; only the worker writes it.

use panotti_sdk::{Context, ContextError, jiff::Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::manifest::Manifest;

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

/// The key of a recording's manifest.
pub(crate) fn meeting(recording_id: &str) -> String {
    format!("{MEETING}{recording_id}")
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
