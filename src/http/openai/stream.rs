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

/// How long the answer waits for the first words: what fails until then gets a status of its own. Longer,
/// and something on the way could take the box for gone.
pub(super) const FIRST_WORDS: Duration = Duration::from_secs(10);

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

/// Begins the answer when something is said, or after `patience`. It ends the work when it is dropped.
///
/// # Errors
/// Those of the work, where it ends before anything is said.
pub(super) async fn answer(
    work: Work,
    said: UnboundedReceiver<Segment>,
    patience: Duration,
) -> Result<Response, Refusal> {
    let mut follower = Follower { work: Some(work), said, ended: None, first: None, is_first: true };
    if let Ok(step) = tokio::time::timeout(patience, follower.step()).await {
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

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, http::StatusCode};
    use proptest::prelude::*;
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    /// What is sent when all of `texts` is said, and then the work ends.
    async fn told(
        texts: &[String],
        ended: Result<Transcript, Refusal>,
        patience: Duration,
    ) -> Vec<serde_json::Value> {
        let (tell, said) = mpsc::unbounded_channel();
        let ((end, work), (begin, begun)) = (oneshot::channel(), oneshot::channel());
        let work = Box::pin(async { work.await.unwrap_or_else(|_| unreachable!("it ends")) });
        let answer = async {
            let response = answer(work, said, patience).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            begin.send(()).ok();
            to_bytes(response.into_body(), usize::MAX).await.unwrap()
        };
        let talk = async {
            if patience.is_zero() {
                begun.await.unwrap();
            }
            for text in texts {
                tell.send(Segment { text: text.clone(), ..segment() }).unwrap();
            }
            end.send(ended).ok().unwrap();
        };
        let (body, ()) = tokio::join!(answer, talk);
        let text = String::from_utf8(body.to_vec()).unwrap();
        let data = text.lines().filter_map(|it| it.strip_prefix("data: "));
        data.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    fn segment() -> Segment {
        let (words, text) = (Vec::new(), String::new());
        Segment { start_ms: 0, end_ms: 1, speaker: None, text, words, confidence: 1.0 }
    }

    #[tokio::test]
    async fn what_fails_after_the_answer_has_begun_is_an_event() {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "it is no sound");
        let told = told(&[], Err(refusal), Duration::ZERO).await;
        assert_eq!((told.len(), &told[0]["type"]), (1, &"error".into()));
        assert_eq!(told[0]["error"]["message"], "it is no sound");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn joined_deltas_are_the_text(texts in prop::collection::vec("[ a-z\n\u{e9}\u{1F600}]{0,12}", 0..6), begun in any::<bool>()) {
            let segments = texts.iter().map(|it| Segment { text: it.clone(), ..segment() }).collect();
            let transcript = Transcript { segments, ..Transcript::default() };
            let patience = if begun { Duration::ZERO } else { FIRST_WORDS };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let told = runtime.block_on(told(&texts, Ok(transcript.clone()), patience));
            let (done, deltas) = told.split_last().unwrap();
            prop_assert_eq!(done["text"].as_str().unwrap(), transcript.text());
            prop_assert_eq!(deltas.len(), texts.len());
            let joined: String = deltas.iter().map(|it| it["delta"].as_str().unwrap()).collect();
            prop_assert_eq!(joined, transcript.text());
        }
    }
}
