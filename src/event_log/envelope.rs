//! An event as bytes: one version byte, then postcard, with payload and metadata as JSON inside, because
//! postcard does not describe itself. Owns the stored form; leaves keys and indexes to `store`.

use jiff::Timestamp;
use panotti_sdk::{Event, EventContext, Priority};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// First byte of every envelope written today.
const VERSION: u8 = 1;

/// Why bytes are not an event.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing.
    #[error("the stored event is empty")]
    Empty,
    /// Written by a program that knows more.
    #[error("the stored event has version {0}, this program reads {VERSION}: update panotti")]
    Version(u8),
    /// Not the form that version 1 has.
    #[error("the stored event cannot be decoded")]
    Form(#[source] postcard::Error),
    /// Payload or metadata are not JSON.
    #[error("the stored event's JSON cannot be decoded")]
    Json(#[source] serde_json::Error),
    /// A field has a value that no event has.
    #[error("the stored event has no valid {0}")]
    Field(&'static str),
}

/// The order of the fields is the format: a new form gets a new version byte.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    id: [u8; 16],
    name: &'a str,
    correlation_id: [u8; 16],
    causation_id: Option<[u8; 16]>,
    second: i64,
    nanosecond: i32,
    #[serde(borrow)]
    source_plugin: Option<&'a str>,
    priority: u8,
    #[serde(serialize_with = "whole")]
    metadata: &'a [u8],
    #[serde(serialize_with = "whole")]
    payload: &'a [u8],
}

impl Stored<'_> {
    fn timestamp(&self) -> Result<Timestamp, Error> {
        Timestamp::new(self.second, self.nanosecond).map_err(|_| Error::Field("timestamp"))
    }
}

/// As one piece: serde by itself writes a slice byte by byte, to the same bytes.
fn whole<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// The stored form of `event`, without its `seq`, which is the key. `payload` and `metadata` are the
/// event's own as JSON: their sizes were looked at before.
pub(crate) fn encode(event: &Event, payload: &[u8], metadata: &[u8]) -> Result<Vec<u8>, Error> {
    let context = &event.context;
    let stored = Stored {
        id: event.id.into_bytes(),
        name: event.name.as_str(),
        correlation_id: context.correlation_id.into_bytes(),
        causation_id: context.causation_id.map(Uuid::into_bytes),
        second: context.timestamp.as_second(),
        nanosecond: context.timestamp.subsec_nanosecond(),
        source_plugin: context.source_plugin.as_deref(),
        priority: match event.priority {
            Priority::Low => 0,
            Priority::Normal => 1,
            Priority::High => 2,
            Priority::Critical => 3,
        },
        metadata,
        payload,
    };
    let mut bytes = Vec::with_capacity(payload.len() + metadata.len() + 192);
    bytes.push(VERSION);
    postcard::to_extend(&stored, bytes).map_err(Error::Form)
}

fn stored(bytes: &[u8]) -> Result<Stored<'_>, Error> {
    let (version, rest) = bytes.split_first().ok_or(Error::Empty)?;
    if *version != VERSION {
        return Err(Error::Version(*version));
    }
    postcard::from_bytes(rest).map_err(Error::Form)
}

/// What the indexes and retention know an event by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) id: Uuid,
    pub(super) name: &'a str,
    pub(super) correlation_id: Uuid,
    pub(super) timestamp: Timestamp,
}

/// The head of the event that `bytes` hold; its JSON is not looked at.
pub(super) fn head(bytes: &[u8]) -> Result<Head<'_>, Error> {
    let stored = stored(bytes)?;
    Ok(Head {
        id: Uuid::from_bytes(stored.id),
        name: stored.name,
        correlation_id: Uuid::from_bytes(stored.correlation_id),
        timestamp: stored.timestamp()?,
    })
}

/// When the event that `bytes` hold was accepted, without decoding its JSON.
///
/// # Errors
/// As [`decode`], but for the JSON.
pub(crate) fn timestamp(bytes: &[u8]) -> Result<Timestamp, Error> {
    stored(bytes)?.timestamp()
}

/// The event that `bytes` hold, at the place `seq`. Any bytes are answered, with an event or an error.
pub(crate) fn decode(seq: u64, bytes: &[u8]) -> Result<Event, Error> {
    let stored = stored(bytes)?;
    Ok(Event {
        seq,
        id: Uuid::from_bytes(stored.id),
        name: stored.name.parse().map_err(|_| Error::Field("name"))?,
        payload: serde_json::from_slice(stored.payload).map_err(Error::Json)?,
        context: EventContext {
            correlation_id: Uuid::from_bytes(stored.correlation_id),
            causation_id: stored.causation_id.map(Uuid::from_bytes),
            timestamp: stored.timestamp()?,
            source_plugin: stored.source_plugin.map(str::to_owned),
            metadata: serde_json::from_slice(stored.metadata).map_err(Error::Json)?,
        },
        priority: match stored.priority {
            0 => Priority::Low,
            1 => Priority::Normal,
            2 => Priority::High,
            3 => Priority::Critical,
            _ => return Err(Error::Field("priority")),
        },
    })
}
