//! Where audio is handed in to be written down by the one transcriber of the process. Owns the form of
//! requests and answers; the transcriber takes them when it has nothing more urgent.

use panotti_sdk::SpeechModel;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Hints, Segment, TrackInput, Transcript};

/// Takes requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    requests: mpsc::UnboundedSender<Request>,
    model: watch::Receiver<Option<SpeechModel>>,
}

/// The other side of a desk.
#[derive(Debug)]
pub struct Requests {
    /// Where requests come out.
    pub incoming: mpsc::UnboundedReceiver<Request>,
    /// What is in use, for all to see.
    pub model: watch::Sender<Option<SpeechModel>>,
}

/// Audio to be written down.
#[derive(Debug)]
pub struct Request {
    /// Whose audio it is. Audio of no recording is waited for by somebody, and goes before recordings.
    pub recording_id: Option<String>,
    /// The audio.
    pub tracks: Vec<TrackInput>,
    /// What is known of it.
    pub hints: Hints,
    /// Gets what was said as it is written down.
    pub said: Option<mpsc::UnboundedSender<Segment>>,
    /// Closed when nobody waits any more.
    pub reply: oneshot::Sender<Result<Transcript, DeskError>>,
}

/// Why audio was not written down.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// No model is configured.
    #[error("no model is set: set transcription.model")]
    NoModel,
    /// The model cannot be used; why.
    #[error("{0}")]
    Model(String),
    /// The audio cannot be.
    #[error(transparent)]
    Audio(super::Error),
    /// The recording was deleted meanwhile.
    #[error("the recording was deleted")]
    Deleted,
    /// The service stops.
    #[error("the service is stopping")]
    Closed,
}

/// A desk, and its other side.
pub fn desk() -> (Desk, Requests) {
    let (requests, incoming) = mpsc::unbounded_channel();
    let (model, in_use) = watch::channel(None);
    (Desk { requests, model: in_use }, Requests { incoming, model })
}

impl Desk {
    /// Writes `tracks` down, merged. Dropping the future takes the request back.
    pub async fn transcribe(
        &self,
        recording_id: Option<String>,
        tracks: Vec<TrackInput>,
        hints: Hints,
        said: Option<mpsc::UnboundedSender<Segment>>,
    ) -> Result<Transcript, DeskError> {
        let (reply, answer) = oneshot::channel();
        let request = Request { recording_id, tracks, hints, said, reply };
        self.requests.send(request).map_err(|_| DeskError::Closed)?;
        answer.await.unwrap_or(Err(DeskError::Closed))
    }

    /// The model in use; `None` while there is none.
    pub fn model(&self) -> Option<SpeechModel> {
        self.model.borrow().clone()
    }
}
