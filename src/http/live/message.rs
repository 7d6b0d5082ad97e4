//! What followers of `/live` are sent. Owns the one shape of it in both transports, written once however
//! many look.

use axum::{body::Bytes, extract::ws::Utf8Bytes};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::{
        error::Problem,
        events::{
            EventDocument,
            follow::{Gap, Item},
        },
    },
    now::{Levels, LiveState},
};
use crate::live::Partial;

/// Largest event that is written once for all, bytes; so that what waits for slow followers stays small.
/// A caption has less than a tenth.
const MOST_SHARED: usize = 64 * 1024;

/// A message: in server-sent events `event`, `id` and `data`, over WebSocket this object as text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LiveMessage {
    /// `state`, `level`, `caption.partial`, `caption.gone`, `gap`, or the name of an event.
    #[serde(rename = "type")]
    #[schema(example = "caption.partial")]
    kind: String,
    /// Place in the log, from which a client that was cut off goes on; not there for what is only of the
    /// moment.
    #[schema(example = 1234)]
    seq: Option<u64>,
    /// By `type`.
    data: LiveData,
}

/// What a message carries: `state`, `level`, `caption.partial`, `caption.gone`, an event, `gap`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the form of what is sent, for the documentation alone")]
pub(super) enum LiveData {
    /// `state`: at once, and whenever it changes.
    State(Box<LiveState>),
    /// `level`: at most five times a second, while the source runs and the level changes.
    Levels(Levels),
    /// `caption.partial`: a caption of speech that goes on, in place of the one before.
    Partial(Partial),
    /// `caption.gone`: a caption that still changed is no longer shown; its final ones came before.
    Gone(Speech),
    /// Events of the log.
    Event(Box<EventDocument>),
    /// `gap`: retention removed events that the client has not seen.
    Gap(Gap),
}

/// Which speech a caption is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Speech {
    /// The recording.
    pub(super) recording_id: String,
    /// Which microphone.
    pub(super) lane: usize,
    /// Start of the speech, ms from the start of the recording.
    pub(super) start_ms: u64,
}

impl From<&Partial> for Speech {
    fn from(it: &Partial) -> Self {
        Self { recording_id: it.recording_id.clone(), lane: it.lane, start_ms: it.start_ms }
    }
}

/// What a message is about, for those who pass it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// Something that lasts, and its place in the log.
    Lasting(u64),
    /// As [`Self::Lasting`], and too large to wait here for those who are slow: it is read from the log.
    InTheLog(u64),
    State,
    Level,
    Partial(Speech),
    Gone(Speech),
}

/// A message as it goes over the wire; shared by all who get it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) about: About,
    /// A block of server-sent events.
    pub(super) sse: Bytes,
    /// A text message of a WebSocket.
    pub(super) text: Utf8Bytes,
}

impl Message {
    /// `data` is JSON on one line, `kind` needs no escapes.
    fn new(about: About, kind: &str, data: &str) -> Self {
        let (sse, text) = match about {
            About::Lasting(seq) => (
                format!("event: {kind}\nid: {seq}\ndata: {data}\n\n"),
                format!(r#"{{"type":"{kind}","seq":{seq},"data":{data}}}"#),
            ),
            _ => {
                (format!("event: {kind}\ndata: {data}\n\n"), format!(r#"{{"type":"{kind}","data":{data}}}"#))
            }
        };
        Self { about, sse: sse.into(), text: text.into() }
    }

    fn of(about: About, kind: &str, data: &impl Serialize) -> Result<Self, Problem> {
        let data = serde_json::to_string(data).map_err(Problem::internal)?;
        Ok(Self::new(about, kind, &data))
    }

    pub(super) fn lasting(item: &Item) -> Result<Self, Problem> {
        Ok(Self::new(About::Lasting(item.seq()), item.name(), &item.json()?))
    }

    /// As [`Self::lasting`], for all.
    pub(super) fn lasting_shared(item: &Item) -> Result<Self, Problem> {
        let message = Self::lasting(item)?;
        Ok(match message.text.len() {
            ..=MOST_SHARED => message,
            _ => Self {
                about: About::InTheLog(item.seq()),
                sse: Bytes::new(),
                text: Utf8Bytes::from_static(""),
            },
        })
    }

    pub(super) fn state(state: &LiveState) -> Result<Self, Problem> {
        Self::of(About::State, "state", state)
    }

    pub(super) fn level(levels: &Levels) -> Result<Self, Problem> {
        Self::of(About::Level, "level", levels)
    }

    pub(super) fn partial(partial: &Partial) -> Result<Self, Problem> {
        Self::of(About::Partial(partial.into()), "caption.partial", partial)
    }

    pub(super) fn gone(speech: &Speech) -> Result<Self, Problem> {
        Self::of(About::Gone(speech.clone()), "caption.gone", speech)
    }
}
