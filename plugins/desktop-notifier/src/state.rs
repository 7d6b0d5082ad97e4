//! What the notifier keeps: meetings whose notes are awaited, what was sent where, which alerts were told.
//! Owns the rows' keys and their lives; leaves what they are for to `lib`.

use panotti_sdk::{
    Context, ContextError, Outbox,
    jiff::{SignedDuration, Timestamp},
};
use sha2::{Digest, Sha256};

use crate::meeting::Meeting;

/// Longest key of a row, bytes: `ContextError::State`.
const LONGEST_KEY: usize = 128;
/// Notes of what was sent for an event that was given up are of no use after this.
const KEPT_SENT_S: u32 = 7 * 86_400;

/// `prefix` and `id`; an id that is too long for a key is told by its hash.
fn key(prefix: &str, id: &str) -> String {
    if prefix.len() + id.len() <= LONGEST_KEY {
        return format!("{prefix}{id}");
    }
    let hash: String = Sha256::digest(id).iter().map(|it| format!("{it:02x}")).collect();
    // No id has a `~`.
    format!("{prefix}~{hash}")
}

/// A meeting.
pub(crate) fn meeting(recording_id: &str) -> String {
    key("meeting/", recording_id)
}

/// That a meeting waits for notes; holds its id.
fn waits(recording_id: &str) -> String {
    key("waiting/", recording_id)
}

/// That a way took a message; holds when.
pub(crate) fn sent(message: &str, channel: &str) -> String {
    format!("sent/{message}/{channel}")
}

/// That an alert was told; holds when.
pub(crate) fn alert(name: &str, subject: &str) -> String {
    key(&format!("alert/{name}/"), subject)
}

/// Keeps a meeting that waits for more.
///
/// # Errors
/// [`ContextError::State`].
pub(crate) fn keep_waiting(it: &Meeting) -> Result<Outbox, ContextError> {
    let id = &it.recording_id;
    Outbox::new().put_json(&meeting(id), it)?.put_json(&waits(id), id)
}

/// Keeps a meeting that people were told of.
///
/// # Errors
/// [`ContextError::State`].
pub(crate) fn keep_told(outbox: Outbox, it: &Meeting) -> Result<Outbox, ContextError> {
    outbox.remove(&waits(&it.recording_id)).put_json(&meeting(&it.recording_id), it)
}

/// Forgets a meeting.
pub(crate) fn forget(outbox: Outbox, recording_id: &str) -> Outbox {
    outbox.remove(&waits(recording_id)).remove(&meeting(recording_id))
}

/// All meetings that wait.
///
/// # Errors
/// [`ContextError`] when they cannot be read.
pub(crate) fn waiting(context: &Context) -> Result<Vec<Meeting>, ContextError> {
    let mut found = Vec::new();
    for key in all(context, "waiting/")? {
        let id: Option<String> = context.state_json(&key)?;
        if let Some(id) = id {
            found.extend(context.state_json::<Meeting>(&meeting(&id))?);
        }
    }
    Ok(found)
}

/// Whether the row was written less than `seconds` before `now`.
///
/// # Errors
/// [`ContextError`] when it cannot be read.
pub(crate) fn is_fresh(
    context: &Context,
    key: &str,
    now: Timestamp,
    seconds: u32,
) -> Result<bool, ContextError> {
    let written: Option<Timestamp> = context.state_json(key)?;
    Ok(written.is_some_and(|it| now.duration_since(it) < SignedDuration::from_secs(seconds.into())))
}

/// Forgets alerts that may be told again, and what was noted for events that were given up.
///
/// # Errors
/// [`ContextError`] when the rows cannot be read.
pub(crate) fn prune(
    context: &Context,
    mut outbox: Outbox,
    now: Timestamp,
    pause_s: u32,
) -> Result<Outbox, ContextError> {
    for (prefix, kept) in [("alert/", pause_s), ("sent/", KEPT_SENT_S)] {
        for key in all(context, prefix)? {
            if !is_fresh(context, &key, now, kept)? {
                outbox = outbox.remove(&key);
            }
        }
    }
    Ok(outbox)
}

fn all(context: &Context, prefix: &str) -> Result<Vec<String>, ContextError> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let keys = context.state_keys(prefix, found.last().map(String::as_str))?;
        if keys.is_empty() {
            return Ok(found);
        }
        found.extend(keys);
    }
}
