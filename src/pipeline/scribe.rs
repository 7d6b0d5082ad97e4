//! The thread "transcribe": utterances become captions, complete recordings become transcripts. Owns the
//! one transcriber of the process; what it does is in `speech`.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use panotti_sdk::{EventType, NewEvent, names, payloads};

use super::queue::{Final, Live, Queue, Work};
use crate::{
    audio::WavReader,
    config::{Transcription, Vad},
    error_chain::chain,
    event_log::{Batch, EventLog},
    recordings::{Error, Recording, Recordings, State},
    speech::{
        self, DeskError, Effort, Request, Segment, TrackInput, TranscribeError, Transcriber, Transcript,
        Utterance,
    },
    status::{FinalPass, ModelState, Status},
};

/// Everything the thread works with.
pub(super) struct Scribe {
    pub(super) transcription: Transcription,
    pub(super) vad: Vad,
    pub(super) models_dir: PathBuf,
    pub(super) queue: Arc<Queue>,
    pub(super) recordings: Recordings,
    pub(super) log: EventLog,
    pub(super) status: Arc<Status>,
}

/// What there is instead of a transcriber.
enum Missing {
    /// None is configured: recordings are complete without a transcript.
    NotWanted,
    /// It cannot be used: recordings fail, and can be written down again when that is mended.
    Broken(String),
}

impl Scribe {
    pub(super) fn run(&self) {
        let mut transcriber = self.load();
        while let Some(work) = self.queue.next() {
            match work {
                Work::Final(Final::Recording(id)) => self.write_down(&id, &mut transcriber),
                Work::Final(Final::Request(request)) => self.answer(request, &mut transcriber),
                caption => {
                    if let Ok(transcriber) = &mut transcriber {
                        self.caption(caption, transcriber.as_mut());
                    }
                }
            }
        }
    }

    fn load(&self) -> Result<Box<dyn Transcriber>, Missing> {
        let Some(name) = self.transcription.model.clone() else { return Err(Missing::NotWanted) };
        self.status.update(|it| it.model = ModelState::Loading { name: name.clone() });
        let began = Instant::now();
        match speech::load(&self.transcription, &self.models_dir) {
            Ok(transcriber) => {
                let (name, accelerator) = (transcriber.name(), transcriber.accelerator());
                let ms = began.elapsed().as_millis() as u64;
                let loaded =
                    payloads::ModelLoaded { model: name.clone(), accelerator: accelerator.clone(), ms };
                self.tell(names::MODEL_LOADED, &loaded);
                self.status.update(|it| it.model = ModelState::Ready { name, accelerator });
                Ok(transcriber)
            }
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(model = name, reason, "The model cannot be used; recordings wait for one.");
                let failed = payloads::ModelFailed { model: name, reason: reason.clone() };
                self.tell(names::MODEL_FAILED, &failed);
                self.status.update(|it| it.model = ModelState::Failed { reason: reason.clone() });
                Err(Missing::Broken(reason))
            }
        }
    }

    fn caption(&self, work: Work, transcriber: &mut dyn Transcriber) {
        let told = match work {
            Work::Live(Live { recording, label, utterance }) => {
                match self.timed(transcriber, &utterance, Effort::Live) {
                    Ok(segments) => segments.into_iter().try_for_each(|segment| {
                        self.recordings.caption(&recording, &Segment { speaker: label.clone(), ..segment })
                    }),
                    Err(error) => {
                        tracing::warn!(recording, error = chain(&error), "A caption was left out.");
                        Ok(())
                    }
                }
            }
            Work::Skipped { recording, skipped_ms, waiting_ms } => {
                tracing::warn!(
                    recording,
                    skipped_ms,
                    "Captions were left out: this box is too slow for the model."
                );
                self.recordings.captions_skipped(&recording, skipped_ms, waiting_ms)
            }
            Work::Final(_) => Ok(()),
        };
        match told {
            // It was deleted meanwhile.
            Ok(()) | Err(Error::Unknown { .. }) => {}
            Err(error) => tracing::error!(error = chain(&error), "A caption was lost."),
        }
    }

    fn timed(
        &self,
        transcriber: &mut dyn Transcriber,
        utterance: &Utterance,
        effort: Effort,
    ) -> Result<Vec<Segment>, TranscribeError> {
        let began = Instant::now();
        let said = transcriber.transcribe(utterance, effort);
        let busy_ms = began.elapsed().as_millis() as u64;
        self.status.transcriber_busy_ms.fetch_add(busy_ms, Ordering::Relaxed);
        let audio_ms = utterance.samples.len() as u64 * 1000 / u64::from(speech::SAMPLE_RATE_HZ);
        self.status.transcribed_audio_ms.fetch_add(audio_ms, Ordering::Relaxed);
        said
    }

    fn write_down(&self, id: &str, transcriber: &mut Result<Box<dyn Transcriber>, Missing>) {
        let done = match transcriber {
            Ok(transcriber) => self.recordings.get(id).and_then(|it| match it.state {
                State::Transcribing => self.final_pass(&it, transcriber.as_mut()),
                // Somebody else was quicker.
                _ => Ok(()),
            }),
            Err(Missing::NotWanted) => self.recordings.left_unwritten(
                id,
                "nothing was written down: set transcription.model, then transcribe it again",
            ),
            Err(Missing::Broken(reason)) => self.recordings.failed(id, reason),
        };
        self.status.update(|it| it.final_pass = None);
        match done {
            Ok(()) | Err(Error::Unknown { .. }) => {}
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(recording = id, reason, "A recording could not be written down.");
                if let Err(error) = self.recordings.failed(id, &reason) {
                    tracing::error!(recording = id, error = chain(&error), "Cannot note that.");
                }
            }
        }
    }

    fn final_pass(&self, recording: &Recording, transcriber: &mut dyn Transcriber) -> Result<(), Error> {
        let files = self.recordings.audio_files(recording)?;
        let tracks: Vec<TrackInput> = recording
            .tracks
            .iter()
            .zip(files)
            .map(|(track, files)| TrackInput {
                files,
                label: track.label.clone(),
                channel_labels: recording.labels.clone(),
            })
            .collect();
        // A track that cannot be read costs that track alone, as long as there is another.
        let mut problems = Vec::new();
        let mut is_readable = |it: &&TrackInput| {
            let problem = it.files.iter().find_map(|file| WavReader::open(file).err());
            problems.extend(problem.as_ref().map(|it| chain(it)));
            problem.is_none()
        };
        let readable: Vec<_> = tracks.iter().filter(&mut is_readable).cloned().collect();
        let tracks = if readable.is_empty() { tracks } else { readable };
        let problem = Some(problems.join("; ")).filter(|it| !it.is_empty());
        match self.transcribe(&recording.id, &tracks, transcriber, || self.queue.cancelled()) {
            // Deleted, or taken up again at the next start.
            _ if self.queue.cancelled() => Ok(()),
            Ok(transcript) => self.recordings.written_down(&recording.id, &transcript, problem.as_deref()),
            Err(error) => self.recordings.failed(&recording.id, &chain(&error)),
        }
    }

    /// Writes down what somebody handed in.
    fn answer(&self, request: Request, transcriber: &mut Result<Box<dyn Transcriber>, Missing>) {
        let Request { recording_id, tracks, reply } = request;
        let answer = match transcriber {
            Err(Missing::NotWanted) => Err(DeskError::NoModel),
            Err(Missing::Broken(reason)) => Err(DeskError::Model(reason.clone())),
            Ok(transcriber) => {
                let over = || self.queue.cancelled() || reply.is_closed();
                match self.transcribe(&recording_id, &tracks, transcriber.as_mut(), over) {
                    _ if self.queue.forgotten() => Err(DeskError::Deleted),
                    Err(speech::Error::Cancelled) => Err(DeskError::Closed),
                    written => written.map_err(DeskError::Audio),
                }
            }
        };
        self.status.update(|it| it.final_pass = None);
        // Who asked may have gone.
        reply.send(answer).ok();
    }

    fn transcribe(
        &self,
        recording_id: &str,
        tracks: &[TrackInput],
        transcriber: &mut dyn Transcriber,
        over: impl Fn() -> bool,
    ) -> Result<Transcript, speech::Error> {
        let mut captions_first = CaptionsFirst { scribe: self, inner: transcriber };
        speech::transcribe_files(tracks, &self.vad, &mut captions_first, &mut |progress| {
            self.status.update(|it| {
                it.final_pass = Some(FinalPass {
                    recording_id: recording_id.to_owned(),
                    done_ms: progress.done_ms,
                    total_ms: progress.total_ms,
                });
            });
            if over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    fn tell<P: payloads::Payload>(&self, event: EventType<P>, payload: &P) {
        let event = NewEvent::of(event, payload).from_source("core");
        if let Err(error) = self.log.append_blocking(Batch { events: vec![event], ..Batch::default() }) {
            tracing::error!(error = chain(&error), "An event was lost.");
        }
    }
}

/// A transcriber that, before each utterance of a final pass, serves the captions that wait: somebody
/// looks at those.
struct CaptionsFirst<'a> {
    scribe: &'a Scribe,
    inner: &'a mut dyn Transcriber,
}

impl Transcriber for CaptionsFirst<'_> {
    fn transcribe(&mut self, utterance: &Utterance, effort: Effort) -> Result<Vec<Segment>, TranscribeError> {
        while let Some(work) = self.scribe.queue.next_live() {
            self.scribe.caption(work, self.inner);
        }
        self.scribe.timed(self.inner, utterance, effort)
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}
