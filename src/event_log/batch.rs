//! What is committed together, and the limits of it. Owns looking a batch over and encoding it on the
//! publisher's thread, so that the writer only writes.

use std::sync::Arc;

use jiff::Timestamp;
use panotti_sdk::{Event, NewEvent};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Error, Settings, envelope, recent, store::IdempotencyKey};

/// Largest payload of an event as JSON when nothing else is set, bytes; metadata has the same limit.
pub const PAYLOAD_LIMIT: usize = 256 << 10;
/// Largest value of a row, bytes.
pub const VALUE_LIMIT: usize = 4 << 20;
/// Deepest nesting of payload and metadata: half of what the JSON reader takes.
const DEPTH_LIMIT: usize = 64;

/// Tables that change in the same transaction as the events that tell of the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Recordings by id.
    Recordings,
    /// Ids of recordings by start and id, which orders the list.
    RecordingsByStart,
    /// API keys by id.
    Keys,
    /// How far each subscription is, by its name.
    Subscriptions,
    /// Events that a subscription could not handle, by `seq` (20 digits), `/` and the subscription's name.
    DeadLetters,
    /// Replays, by id.
    Replays,
    /// Named filters, by name.
    Filters,
    /// Plugins by name: what was set and what became of it.
    Plugins,
    /// What plugins keep, by plugin, `/` and key.
    PluginState,
}

impl Table {
    /// All of them.
    pub(super) const ALL: [Self; 9] = [
        Self::Recordings,
        Self::RecordingsByStart,
        Self::Keys,
        Self::Subscriptions,
        Self::DeadLetters,
        Self::Replays,
        Self::Filters,
        Self::Plugins,
        Self::PluginState,
    ];
}

/// A change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub table: Table,
    /// Which row: 1 to 256 bytes.
    pub key: String,
    /// The new value; `None` removes the row.
    pub value: Option<Vec<u8>>,
}

/// What is committed together: all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Events, in order.
    pub events: Vec<NewEvent>,
    /// Rows.
    pub puts: Vec<Put>,
    /// When set and already known for the first event's source, nothing is stored and the first event's
    /// stored form is returned.
    pub idempotency_key: Option<String>,
}

/// A batch that was looked at and encoded by its publisher; only the `seq` are missing.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Nobody else has them yet, so that the writer can number them where they are.
    pub(super) events: Vec<Arc<Event>>,
    /// The same events as they are stored.
    pub(super) encoded: Vec<Encoded>,
    pub(super) puts: Vec<Put>,
    pub(super) idempotency: Option<IdempotencyKey>,
    /// When it was published, ms since 1970.
    pub(super) now_ms: u64,
}

/// An event as it is stored.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) envelope: Vec<u8>,
    /// What the event takes in memory, bytes.
    pub(super) footprint: usize,
}

/// Refuses what can never be stored and encodes the rest.
pub(super) fn prepare(batch: Batch, settings: &Settings) -> Result<Prepared, Error> {
    let now = Timestamp::now();
    for put in &batch.puts {
        if !valid_key(&put.key) {
            return Err(Error::Invalid(format!(
                "the key of a row has 1 to 256 bytes, this one {}",
                put.key.len()
            )));
        }
        limit("row", put.value.as_ref().map_or(0, Vec::len), VALUE_LIMIT, "")?;
    }
    let idempotency = match (batch.idempotency_key, batch.events.first()) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(Error::Invalid("an idempotency key needs an event to belong to".into()));
        }
        (Some(key), Some(first)) => {
            let source = first.source_plugin.as_deref().unwrap_or_default();
            Some(Sha256::new().chain_update(source).chain_update([0]).chain_update(key).finalize().into())
        }
    };
    let mut events = Vec::with_capacity(batch.events.len());
    let mut encoded = Vec::with_capacity(batch.events.len());
    for new in batch.events {
        let (event, bytes) = accept(new, now, settings)?;
        events.push(event);
        encoded.push(bytes);
    }
    let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ok(Prepared { events, encoded, puts: batch.puts, idempotency, now_ms })
}

/// The event with everything but its `seq`, and its stored form.
fn accept(new: NewEvent, now: Timestamp, settings: &Settings) -> Result<(Arc<Event>, Encoded), Error> {
    let most = settings.payload_limit;
    let payload = json("payload", new.payload(), depth(new.payload()), most)?;
    let metadata = json("metadata", &new.metadata, deepest(new.metadata.values()), most)?;
    limit("source", new.source_plugin.as_ref().map_or(0, String::len), 256, "")?;
    if !new.is_typed() {
        settings.schemas.validate(new.name(), new.payload())?;
    }
    let event = new.accepted(0, now);
    let envelope = envelope::encode(&event, &payload, &metadata)
        .map_err(|e| Error::Invalid(format!("the event cannot be encoded: {e}")))?;
    let footprint = recent::footprint(&event);
    Ok((Arc::new(event), Encoded { envelope, footprint }))
}

fn json(what: &'static str, value: &impl Serialize, depth: usize, most: usize) -> Result<Vec<u8>, Error> {
    if depth > DEPTH_LIMIT {
        return Err(Error::Invalid(format!("the {what} is nested deeper than {DEPTH_LIMIT}")));
    }
    let json = serde_json::to_vec(value).map_err(|e| Error::Invalid(format!("the {what}: {e}")))?;
    limit(what, json.len(), most, ": send less, or raise `events.payload_limit_kib`")?;
    Ok(json)
}

fn limit(what: &'static str, bytes: usize, limit: usize, advice: &'static str) -> Result<(), Error> {
    if bytes > limit { Err(Error::TooLarge { what, bytes, limit, advice }) } else { Ok(()) }
}

/// How many arrays and objects lie in each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => deepest(items),
        Value::Object(fields) => deepest(fields.values()),
        _ => 0,
    }
}

/// The depth of what holds `values`.
fn deepest<'a>(values: impl IntoIterator<Item = &'a Value>) -> usize {
    1 + values.into_iter().map(depth).max().unwrap_or(0)
}

/// LMDB's own limit is 511.
pub(super) fn valid_key(key: &str) -> bool {
    (1..=256).contains(&key.len())
}
