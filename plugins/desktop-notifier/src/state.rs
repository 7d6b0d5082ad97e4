//! What the notifier keeps: meetings whose notes are awaited, what was sent where, which alerts were told.
//! Owns the rows' keys and their lives; leaves what they are for to `lib`.

use panotti_sdk::{
    Context, ContextError, Outbox,
    jiff::{SignedDuration, Timestamp},
};

use crate::meeting::Meeting;

/// Most characters of what an alert is about that tell it from others: a key has at most 191 bytes.
const MOST_SUBJECT: usize = 128;
/// Notes of what was sent for an event that was given up are of no use after this.
const KEPT_SENT_S: u32 = 7 * 86_400;

/// A meeting.
pub(crate) fn meeting(recording_id: &str) -> String {
    format!("meeting/{recording_id}")
}

/// That a meeting waits for notes; holds its id.
fn waits(recording_id: &str) -> String {
    format!("waiting/{recording_id}")
}

/// That a way took a message; holds when.
pub(crate) fn sent(message: &str, channel: &str) -> String {
    format!("sent/{message}/{channel}")
}

/// That an alert was told; holds when.
pub(crate) fn alert(name: &str, subject: &str) -> String {
    // An error may be about an id that is none, and of any length.
    let subject: String = subject.chars().filter(char::is_ascii).take(MOST_SUBJECT).collect();
    format!("alert/{name}/{subject}")
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
pub(crate) fn forget(recording_id: &str) -> Outbox {
    Outbox::new().remove(&waits(recording_id)).remove(&meeting(recording_id))
}

/// A meeting that waits for more, if it still does.
///
/// # Errors
/// [`ContextError`] when it cannot be read.
pub(crate) fn still_waiting(context: &Context, recording_id: &str) -> Result<Option<Meeting>, ContextError> {
    match context.state(&waits(recording_id))? {
        Some(_) => context.state_json(&meeting(recording_id)),
        None => Ok(None),
    }
}

/// The ids of all meetings that wait.
///
/// # Errors
/// [`ContextError`] when they cannot be read.
pub(crate) fn waiting(context: &Context) -> Result<Vec<String>, ContextError> {
    let mut found = Vec::new();
    for key in all(context, "waiting/")? {
        found.extend(context.state_json::<String>(&key)?);
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
