//! Where audio is handed in to be written down by the one transcriber of the process. Owns the form of
//! requests and answers; the transcriber takes them when it has nothing more urgent.

use tokio::sync::{mpsc, oneshot};

use super::{TrackInput, Transcript};

/// Takes requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk(mpsc::UnboundedSender<Request>);

/// Where requests come out.
pub type Requests = mpsc::UnboundedReceiver<Request>;

/// Audio of a recording to be written down.
#[derive(Debug)]
pub struct Request {
    /// Whose audio it is.
    pub recording_id: String,
    /// The audio.
    pub tracks: Vec<TrackInput>,
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

/// A desk, and where its requests come out.
pub fn desk() -> (Desk, Requests) {
    let (sender, requests) = mpsc::unbounded_channel();
    (Desk(sender), requests)
}

impl Desk {
    /// Writes `tracks` down, merged. Dropping the future takes the request back.
    pub async fn transcribe(
        &self,
        recording_id: String,
        tracks: Vec<TrackInput>,
    ) -> Result<Transcript, DeskError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Request { recording_id, tracks, reply }).map_err(|_| DeskError::Closed)?;
        answer.await.unwrap_or(Err(DeskError::Closed))
    }
}
