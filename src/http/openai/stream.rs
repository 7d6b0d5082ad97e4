//! Answers as they are written down (server-sent events). Owns OpenAI's events: a delta for each segment,
//! then the whole text, and after that nothing.

use std::{convert::Infallible, pin::Pin, time::Duration};

use axum::{
    http::HeaderName,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::error::{OpenAiError, Refusal};
use crate::speech::{Segment, Transcript};

/// A comment is sent after this much silence, so that neither end takes the other for gone.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long the answer waits for the first words: what fails until then gets a status of its own.
const FIRST_WORDS: Duration = Duration::from_secs(10);

/// The work, and with it all that it holds.
pub(super) type Work = Pin<Box<dyn Future<Output = Result<Transcript, Refusal>> + Send>>;

/// What is sent.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
enum Told {
    #[serde(rename = "transcript.text.delta")]
    Delta { delta: String },
    #[serde(rename = "transcript.text.done")]
    Done { text: String },
    #[serde(rename = "error")]
    Failed(OpenAiError),
}

/// What has happened to the work.
enum Step {
    Said(Segment),
    Ended(Result<Transcript, Refusal>),
}

struct Follower {
    /// `None` when it has ended.
    work: Option<Work>,
    said: UnboundedReceiver<Segment>,
    /// How the work has ended, until that is told.
    ended: Option<Result<Transcript, Refusal>>,
    /// What came before the answer began.
    first: Option<Step>,
    is_first: bool,
}

/// Begins the answer. It ends the work when it is dropped.
///
/// # Errors
/// Those of the work, where it ends before anything is said.
pub(super) async fn answer(work: Work, said: UnboundedReceiver<Segment>) -> Result<Response, Refusal> {
    let mut follower = Follower { work: Some(work), said, ended: None, first: None, is_first: true };
    // Longer, and something on the way could take the box for gone.
    if let Ok(step) = tokio::time::timeout(FIRST_WORDS, follower.step()).await {
        if let Some(Step::Ended(Err(refusal))) = step {
            return Err(refusal);
        }
        follower.first = step;
    }
    let events = stream::unfold(follower, |mut follower| async move {
        let told = follower.next().await?;
        // Only maps with other keys than text cannot be written as JSON.
        let event = Event::default().json_data(told).ok()?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    // Proxies that collect answers would hold words back.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok((unbuffered, events).into_response())
}

impl Follower {
    /// What happens next; `None` after the end.
    async fn step(&mut self) -> Option<Step> {
        if let Some(work) = &mut self.work {
            tokio::select! {
                Some(segment) = self.said.recv() => return Some(Step::Said(segment)),
                ended = work => {
                    self.work = None;
                    self.ended = Some(ended);
                }
            }
        }
        // What was said before the end goes before it.
        let said = self.said.try_recv().ok().map(Step::Said);
        said.or_else(|| self.ended.take().map(Step::Ended))
    }

    async fn next(&mut self) -> Option<Told> {
        let step = match self.first.take() {
            Some(step) => step,
            None => self.step().await?,
        };
        Some(match step {
            Step::Said(segment) => {
                let text = Transcript { segments: vec![segment], ..Transcript::default() }.text();
                let space = if std::mem::take(&mut self.is_first) { "" } else { " " };
                Told::Delta { delta: format!("{space}{text}") }
            }
            Step::Ended(Ok(transcript)) => Told::Done { text: transcript.text() },
            Step::Ended(Err(refusal)) => Told::Failed(refusal.into_document()),
        })
    }
}
