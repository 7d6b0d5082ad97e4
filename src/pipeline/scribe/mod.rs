//! The thread "transcribe": utterances become captions, complete recordings become transcripts. Owns the
//! one transcriber of the process and whose turn it is; captions are in `captions`, recordings in `finals`,
//! loading in `model`.

mod captions;
mod finals;
mod model;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use panotti_sdk::{EventType, NewEvent, SpeechModel, payloads};
use tokio::sync::watch;

use super::{
    affinity,
    queue::{Final, Queue, Work},
};
use crate::{
    config::{Transcription, Vad},
    error_chain::chain,
    event_log::{Batch, EventLog},
    live::Live,
    recordings::Recordings,
    speech::{self, How, Segment, TranscribeError, Transcriber, Utterance},
    status::Status,
};
pub(super) use captions::Shown;
use model::Missing;

/// Everything the thread works with.
pub(super) struct Scribe {
    pub(super) transcription: Transcription,
    pub(super) vad: Vad,
    pub(super) models_dir: PathBuf,
    pub(super) queue: Arc<Queue>,
    pub(super) recordings: Recordings,
    pub(super) log: EventLog,
    pub(super) status: Arc<Status>,
    pub(super) live: Arc<Live>,
    pub(super) model: watch::Sender<Option<SpeechModel>>,
    pub(super) shown: Shown,
}

impl Scribe {
    pub(super) fn run(&self) {
        if let Some(cores) = &self.transcription.cores {
            affinity::keep_to(cores);
        }
        let mut transcriber = self.load();
        while let Some(work) = self.queue.next() {
            match work {
                Work::Final(Final::Recording(id)) => self.write_down(&id, &mut transcriber),
                Work::Final(Final::Request { recording, request }) => {
                    self.answer(&recording, request, &mut transcriber);
                }
                Work::Urgent(request) => self.answer_now(request, &mut transcriber),
                Work::Switch(switch) => {
                    if let Some(new) = self.switch(switch) {
                        transcriber = Ok(new);
                    }
                }
                Work::Forgotten(recording) => self.forget(&recording),
                caption => {
                    if let Ok(transcriber) = &mut transcriber {
                        self.caption(caption, transcriber.as_mut());
                    }
                }
            }
        }
    }

    fn timed(
        &self,
        transcriber: &mut dyn Transcriber,
        utterance: &Utterance,
        how: &How,
    ) -> Result<Vec<Segment>, TranscribeError> {
        let began = Instant::now();
        let said = transcriber.transcribe(utterance, how);
        let busy_ms = began.elapsed().as_millis() as u64;
        self.status.transcriber_busy_ms.fetch_add(busy_ms, Ordering::Relaxed);
        let audio_ms = utterance.samples.len() as u64 * 1000 / u64::from(speech::SAMPLE_RATE_HZ);
        self.status.transcribed_audio_ms.fetch_add(audio_ms, Ordering::Relaxed);
        said
    }

    fn tell<P: payloads::Payload>(&self, event: EventType<P>, payload: &P) {
        let event = NewEvent::of(event, payload).from_source("core");
        if let Err(error) = self.log.append_blocking(Batch { events: vec![event], ..Batch::default() }) {
            tracing::error!(error = chain(&error), "An event was lost.");
        }
    }
}
