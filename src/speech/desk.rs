//! Where audio is handed in to be written down by the one transcriber of the process, and where it is told to
//! use another model. Owns the form of requests and answers; the transcriber takes them when it has nothing more urgent.

use panotti_sdk::SpeechModel;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Hints, Segment, TrackInput, Transcript, model::Choice};

/// Takes requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    orders: mpsc::UnboundedSender<Order>,
    model: watch::Receiver<Option<SpeechModel>>,
}

/// The other side of a desk.
#[derive(Debug)]
pub struct Requests {
    /// Where requests come out.
    pub incoming: mpsc::UnboundedReceiver<Order>,
    /// What is in use, for all to see.
    pub model: watch::Sender<Option<SpeechModel>>,
}

/// What is asked of the transcriber.
#[derive(Debug)]
pub enum Order {
    /// Audio to be written down.
    Audio(Request),
    /// Another model to be used.
    Switch(Switch),
}

/// Another model to be used from now on.
#[derive(Debug)]
pub struct Switch {
    /// Which.
    pub to: Choice,
    /// Gets what is in use then, or why it cannot be used; then the one before stays.
    pub reply: oneshot::Sender<Result<SpeechModel, DeskError>>,
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
    #[error(
        "no model is in use: choose one with `panotti model use`, or set transcription.model; `panotti model list` \
         shows which there are"
    )]
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
    let (orders, incoming) = mpsc::unbounded_channel();
    let (model, in_use) = watch::channel(None);
    (Desk { orders, model: in_use }, Requests { incoming, model })
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
        self.orders.send(Order::Audio(request)).map_err(|_| DeskError::Closed)?;
        answer.await.unwrap_or(Err(DeskError::Closed))
    }

    /// Uses another model from now on; when it cannot be loaded, the one in use stays.
    pub async fn use_model(&self, to: Choice) -> Result<SpeechModel, DeskError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Switch(Switch { to, reply })).map_err(|_| DeskError::Closed)?;
        answer.await.unwrap_or(Err(DeskError::Closed))
    }

    /// The model in use; `None` while there is none.
    pub fn model(&self) -> Option<SpeechModel> {
        self.model.borrow().clone()
    }
}
