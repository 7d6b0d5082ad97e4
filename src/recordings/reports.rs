//! What the pipeline reports about recordings. Owns how a report changes a recording; leaves when to
//! report to `pipeline`.

use std::{collections::BTreeMap, sync::PoisonError};

use jiff::Timestamp;
use panotti_sdk::{Filter, names, payloads};

use super::{Error, Inner, Recording, Recordings, State, Track, store::Cause};
use crate::{
    event_log::Batch,
    speech::{Segment, Transcript, keep_names},
};

impl Recordings {
    /// Something was said just now. It is on disk when this returns.
    pub fn caption(&self, id: &str, segment: &Segment) -> Result<(), Error> {
        let recording = self.get(id)?;
        let mut segment = segment.clone();
        if let Some(label) = &mut segment.speaker {
            let name = recording.speaker(label);
            // Where names were swapped, the name is also a label, of somebody else.
            if recording.speaker(name) == name {
                *label = name.to_owned();
            }
        }
        let caption = payloads::CaptionPublished { recording_id: recording.id.clone(), segment };
        self.tell(self.0.store.event(names::CAPTION_PUBLISHED, &recording, &caption, Cause::Start)?)
    }

    /// Captions were left out because the transcriber was behind by `waiting_ms` of audio.
    pub fn captions_skipped(&self, id: &str, skipped_ms: u64, waiting_ms: u64) -> Result<(), Error> {
        let recording = self.get(id)?;
        let skipped = payloads::CaptionSkipped { recording_id: recording.id.clone(), skipped_ms, waiting_ms };
        self.tell(self.0.store.event(names::CAPTION_SKIPPED, &recording, &skipped, Cause::Start)?)
    }

    /// The pipeline ended the recording by itself: the disk is full, or the service stops. What there is
    /// is kept and written down.
    pub fn ended_by_itself(&self, id: &str, duration_ms: u64, problem: String) -> Result<(), Error> {
        let mut active = self.0.active.lock().unwrap_or_else(PoisonError::into_inner);
        if active.as_deref() == Some(id) {
            *active = None;
            return self.0.closed(id, Some(duration_ms), Some(problem), true).map(|_| ());
        }
        // Somebody stopped it in the same moment.
        self.0.store.change(id, |recording| {
            recording.error.get_or_insert(problem);
            Ok(Vec::new())
        })?;
        Ok(())
    }

    /// The service stops: what is being recorded is closed, and written down after the next start.
    pub async fn close_active(&self) -> Result<(), Error> {
        self.run(|it| {
            let id = it.active.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(id) = id else { return Ok(()) };
            it.stop(&id, true).map(|_| ())
        })
        .await
    }

    /// The final pass is through; `problem` is what it left out.
    pub fn written_down(
        &self,
        id: &str,
        transcript: &Transcript,
        problem: Option<&str>,
    ) -> Result<(), Error> {
        self.0.store.change(id, |recording| {
            recording.enter(State::Done)?;
            // In here, so that a recording that is being deleted gets no file again.
            self.0.files.write_transcript(id, transcript)?;
            recording.duration_ms = recording.duration_ms.max(transcript.duration_ms);
            if let Some(problem) = problem {
                recording.error.get_or_insert_with(|| problem.to_owned());
            }
            let payload = payloads::TranscriptionCompleted {
                recording_id: recording.id.clone(),
                status: payloads::Completed::Completed,
                timestamp: Timestamp::now(),
                output_file: self.0.files.transcript_path(id).to_string_lossy().into_owned(),
                segments: transcript.segments.len() as u64,
                duration_ms: transcript.duration_ms,
                config: payloads::TranscriptionConfig {
                    model: transcript.model.clone(),
                    language: transcript.language.clone(),
                },
                metadata: recording.metadata.clone(),
                title: recording.title.clone(),
                attendees: recording.attendees.clone(),
                started_at: Some(recording.started_at),
                files: vec![self.0.files.transcript_path(id).to_string_lossy().into_owned()],
                problem: problem.map(str::to_owned),
            };
            let told = self.0.store.event(names::TRANSCRIPTION_COMPLETED, recording, &payload, Cause::End)?;
            // By this box, whoever made the audio.
            Ok(vec![told.from_source("core")])
        })?;
        Ok(())
    }

    /// There is no model: the audio is all there is.
    pub fn left_unwritten(&self, id: &str, why: &str) -> Result<(), Error> {
        self.0.store.change(id, |recording| {
            recording.enter(State::Done)?;
            recording.error.get_or_insert_with(|| why.to_owned());
            Ok(Vec::new())
        })?;
        Ok(())
    }

    /// The final pass cannot be done.
    pub fn failed(&self, id: &str, why: &str) -> Result<(), Error> {
        self.0.store.change(id, |recording| {
            recording.enter(State::Failed)?;
            recording.error = Some(why.to_owned());
            let payload = payloads::TranscriptionError {
                recording_id: recording.id.clone(),
                status: payloads::Failed::Error,
                timestamp: Timestamp::now(),
                error: why.to_owned(),
            };
            let told = self.0.store.event(names::TRANSCRIPTION_ERROR, recording, &payload, Cause::End)?;
            // By this box, whoever made the audio.
            Ok(vec![told.from_source("core")])
        })?;
        Ok(())
    }

    fn tell(&self, told: panotti_sdk::NewEvent) -> Result<(), Error> {
        self.0.store.log.append_blocking(Batch { events: vec![told], ..Batch::default() })?;
        Ok(())
    }
}

impl Recordings {
    /// Calls the speakers of a transcript that was just made as they are called in the captions, and those
    /// who are new there by a number.
    pub fn keep_names(&self, id: &str, transcript: &mut Transcript) -> Result<(), Error> {
        let recording = self.get(id)?;
        let captions = self.0.captions(&recording)?.unwrap_or_default();
        // Two labels with one name are one speaker; the first stands for both.
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        let mut before = captions.segments.clone();
        for (segment, caption) in before.iter_mut().zip(&captions.segments) {
            if let Some(label) = &caption.speaker {
                let label = *labels.entry(recording.speaker(label)).or_insert(label);
                segment.speaker = Some(label.to_owned());
            }
        }
        let is_fixed = |label: &str| {
            let of_track = |it: &Track| it.label.as_deref() == Some(label);
            recording.labels.iter().any(|it| it == label) || recording.tracks.iter().any(of_track)
        };
        let is_named = |label: &str| recording.speakers.iter().any(|(of, name)| of == label || name == label);
        keep_names(&mut transcript.segments, &before, is_fixed, is_named);
        Ok(())
    }
}

impl Inner {
    /// The captions of a recording as a transcript without a model; `None` when there are none.
    pub(super) fn captions(&self, recording: &Recording) -> Result<Option<Transcript>, Error> {
        let filter = Filter::topic(names::CAPTION_PUBLISHED.into()).correlated(recording.correlation_id);
        let mut transcript = Transcript { duration_ms: recording.duration_ms, ..Transcript::default() };
        let mut after = 0;
        loop {
            let page = self.store.log.read(after, 1000, &filter)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            transcript.segments.extend(
                page.iter().filter_map(|it| {
                    serde_json::from_value::<Segment>(it.payload.get("segment")?.clone()).ok()
                }),
            );
        }
        transcript.segments.sort_by_key(|it| it.start_ms);
        Ok(Some(transcript).filter(|it| !it.segments.is_empty()))
    }
}
