//! Wyoming on the wire: a line of JSON, then as many bytes of more JSON and of payload as it says. Owns
//! cutting what comes into events, and writing them; leaves what they mean to `session`.
//!
//! Reads no socket, so that it can be tried with every way in which bytes may arrive. Keeps at most a line
//! and its data; a payload is handed on as it comes.

use panotti_sdk::serde_json::{self, Map, Value, json};
use serde::Deserialize;

/// Longest line, and longest data after it, bytes. Clients of the official package read lines of 64 KiB at
/// most.
pub(crate) const LONGEST_JSON: usize = 64 << 10;
/// Largest payload of one event, bytes: ten seconds of sound at 48 kHz, 16 bits, one channel.
pub(crate) const LARGEST_PAYLOAD: u64 = 1 << 20;

/// What is no Wyoming, or too much of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("this is no Wyoming: a line of more than {LONGEST_JSON} bytes")]
    Line,
    #[error("an event has {0} bytes of data: at most {LONGEST_JSON} are taken")]
    Data(u64),
    #[error("an event has {0} bytes of payload: at most {LARGEST_PAYLOAD} are taken")]
    Payload(u64),
    #[error("this is no Wyoming: a line that is no event")]
    Event(#[source] serde_json::Error),
    #[error("the data of an event is no JSON object")]
    Json(#[source] serde_json::Error),
}

/// An event, without its payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// Its type.
    pub(crate) kind: String,
    pub(crate) data: Map<String, Value>,
}

/// A piece of what came.
#[derive(Debug, PartialEq)]
pub(crate) enum Item<'a> {
    /// An event begins.
    Begins(Event),
    /// A part of its payload.
    Payload(&'a [u8]),
    /// It is complete.
    Ends,
}

/// The first line of an event.
#[derive(Debug, Deserialize)]
struct Header {
    r#type: String,
    data: Option<Map<String, Value>>,
    data_length: Option<u64>,
    payload_length: Option<u64>,
}

#[derive(Debug)]
enum State {
    Line,
    Data { header: Header, bytes: usize },
    Payload { left: u64 },
}

/// Cuts bytes into events.
#[derive(Debug)]
pub(crate) struct Decoder {
    bytes: Vec<u8>,
    /// Bytes that were handed on.
    done: usize,
    /// Bytes after these among which there is no end of a line.
    searched: usize,
    state: State,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), done: 0, searched: 0, state: State::Line }
    }

    /// Takes bytes, on top of those that are [kept](Self::kept).
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.done);
        self.done = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that [`Self::next`] has not yet handed on.
    pub(crate) fn kept(&self) -> usize {
        self.bytes.len() - self.done
    }

    /// What came next; `None` until there are more bytes.
    ///
    /// # Errors
    /// [`Fault`]; where the next event begins is then not known.
    pub(crate) fn next(&mut self) -> Result<Option<Item<'_>>, Fault> {
        match std::mem::replace(&mut self.state, State::Line) {
            State::Line => self.line(),
            State::Data { header, bytes } => self.data(header, bytes),
            State::Payload { left: 0 } => Ok(Some(Item::Ends)),
            State::Payload { left } => Ok(self.payload(left)),
        }
    }

    fn line(&mut self) -> Result<Option<Item<'_>>, Fault> {
        let rest = &self.bytes[self.done..];
        let Some(length) = rest[self.searched..].iter().position(|it| *it == b'\n') else {
            self.searched = rest.len();
            return if rest.len() > LONGEST_JSON { Err(Fault::Line) } else { Ok(None) };
        };
        let length = self.searched + length;
        if length > LONGEST_JSON {
            return Err(Fault::Line);
        }
        let header: Header = serde_json::from_slice(&rest[..length]).map_err(Fault::Event)?;
        self.searched = 0;
        self.done += length + 1;
        match (header.data_length.unwrap_or(0), header.payload_length.unwrap_or(0)) {
            (bytes, _) if bytes > LONGEST_JSON as u64 => Err(Fault::Data(bytes)),
            (_, bytes) if bytes > LARGEST_PAYLOAD => Err(Fault::Payload(bytes)),
            (0, _) => Ok(Some(self.begins(header, Map::new()))),
            (bytes, _) => self.data(header, bytes as usize),
        }
    }

    fn data(&mut self, header: Header, bytes: usize) -> Result<Option<Item<'_>>, Fault> {
        let Some(data) = self.bytes.get(self.done..self.done + bytes) else {
            self.state = State::Data { header, bytes };
            return Ok(None);
        };
        let data = serde_json::from_slice(data).map_err(Fault::Json)?;
        self.done += bytes;
        Ok(Some(self.begins(header, data)))
    }

    /// What stands in the data goes before what stands in the line.
    fn begins(&mut self, header: Header, more: Map<String, Value>) -> Item<'static> {
        self.state = State::Payload { left: header.payload_length.unwrap_or(0) };
        let mut data = header.data.unwrap_or_default();
        data.extend(more);
        Item::Begins(Event { kind: header.r#type, data })
    }

    fn payload(&mut self, left: u64) -> Option<Item<'_>> {
        let there = (self.bytes.len() - self.done).min(usize::try_from(left).unwrap_or(usize::MAX));
        self.state = State::Payload { left: left - there as u64 };
        let from = self.done;
        self.done += there;
        (there > 0).then(|| Item::Payload(&self.bytes[from..from + there]))
    }
}

/// An event to be sent.
pub(crate) fn encode(kind: &str, data: &Value) -> Vec<u8> {
    let data = data.to_string();
    format!("{}\n{data}", json!({ "type": kind, "data_length": data.len() })).into_bytes()
}
