//! Stored audio written down: recordings, and what somebody handed in. Owns what is done with tracks that
//! cannot be read, and that captions go first.

use std::ops::ControlFlow;

use super::{super::queue::Work, Missing, Scribe};
use crate::{
    audio::decode::AudioFile,
    config::TellApart,
    error_chain::chain,
    recordings::{Error, Recording, State},
    speech::{
        self, DeskError, Hints, How, Request, Segment, TrackInput, TranscribeError, Transcriber, Utterance,
        Written,
    },
    status::FinalPass,
};

impl Scribe {
    pub(super) fn write_down(&self, id: &str, transcriber: &mut Result<Box<dyn Transcriber>, Missing>) {
        let done = match transcriber {
            Ok(transcriber) => self.recordings.get(id).and_then(|it| match it.state {
                State::Transcribing => self.final_pass(&it, transcriber),
                // Somebody else was quicker.
                _ => Ok(()),
            }),
            Err(Missing::NotWanted) => self.recordings.left_unwritten(
                id,
                "nothing was written down: no model is in use; choose one with `panotti model use`, or set \
                 transcription.model, then transcribe it again",
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

    fn final_pass(&self, recording: &Recording, transcriber: &mut Box<dyn Transcriber>) -> Result<(), Error> {
        let files = self.recordings.audio_files(recording)?;
        let tracks: Vec<TrackInput> = recording
            .tracks
            .iter()
            .zip(files)
            .map(|(track, files)| TrackInput {
                files,
                label: track.label.clone(),
                channel_labels: recording.labels.clone(),
                tell_voices_apart: self.transcription.speakers != TellApart::Off,
            })
            .collect();
        // A track that cannot be read costs that track alone, as long as there is another.
        let mut problems = Vec::new();
        let mut is_readable = |it: &&TrackInput| {
            let problem = it.files.iter().find_map(|file| AudioFile::open(file).err());
            problems.extend(problem.as_ref().map(|it| chain(it)));
            problem.is_none()
        };
        let readable: Vec<_> = tracks.iter().filter(&mut is_readable).cloned().collect();
        let tracks = if readable.is_empty() { tracks } else { readable };
        let hints = self.known_of(recording);
        let over = || self.queue.cancelled();
        match self.transcribe(Some(&recording.id), &tracks, &hints, transcriber, over, |_| {}) {
            // Deleted, or taken up again at the next start.
            _ if self.queue.cancelled() => Ok(()),
            Ok(Written { transcript, damage }) => {
                problems.extend(damage);
                let problem = Some(problems.join("; ")).filter(|it| !it.is_empty());
                self.recordings.written_down(&recording.id, &transcript, problem.as_deref())
            }
            Err(error) => self.recordings.failed(&recording.id, &chain(&error)),
        }
    }

    /// Writes down what somebody handed in for a recording.
    pub(super) fn answer(
        &self,
        recording: &str,
        mut request: Request,
        transcriber: &mut Result<Box<dyn Transcriber>, Missing>,
    ) {
        if let Ok(known) = self.recordings.get(recording).map(|it| self.known_of(&it)) {
            let Hints { language, prompt } = &mut request.hints;
            *language = language.take().or(known.language);
            *prompt = prompt.take().or(known.prompt);
        }
        self.reply(Some(recording), request, transcriber);
        self.status.update(|it| it.final_pass = None);
    }

    /// Writes down what somebody waits for.
    pub(super) fn answer_now(
        &self,
        request: Request,
        transcriber: &mut Result<Box<dyn Transcriber>, Missing>,
    ) {
        self.reply(None, request, transcriber);
    }

    fn reply(
        &self,
        recording: Option<&str>,
        request: Request,
        transcriber: &mut Result<Box<dyn Transcriber>, Missing>,
    ) {
        match transcriber {
            Ok(transcriber) => self.hear(recording, request, transcriber),
            Err(missing) => {
                let why = match missing {
                    Missing::NotWanted => DeskError::NoModel,
                    Missing::Broken(reason) => DeskError::Model(reason.clone()),
                };
                // Who asked may have gone.
                request.reply.send(Err(why)).ok();
            }
        }
    }

    fn hear(&self, recording: Option<&str>, request: Request, transcriber: &mut Box<dyn Transcriber>) {
        let Request { mut tracks, hints, said, reply, .. } = request;
        for track in &mut tracks {
            track.tell_voices_apart = recording.is_some() && self.transcription.speakers != TellApart::Off;
        }
        let over = || {
            let cancelled = if recording.is_some() { self.queue.cancelled() } else { self.queue.closed() };
            cancelled || reply.is_closed()
        };
        let tell = |segments: &[Segment]| {
            // Who listens may have gone, and then `reply` is closed too.
            said.iter().for_each(|said| segments.iter().for_each(|it| drop(said.send(it.clone()))));
        };
        let answer = match self.transcribe(recording, &tracks, &hints, transcriber, over, tell) {
            _ if recording.is_some() && self.queue.forgotten() => Err(DeskError::Deleted),
            Err(speech::Error::Cancelled) => Err(DeskError::Closed),
            Err(error) => Err(DeskError::Audio(error)),
            Ok(Written { transcript, damage }) => {
                // An answer has no place for it.
                for damage in damage {
                    tracing::warn!(damage, "What is left of an audio file was written down.");
                }
                Ok(transcript)
            }
        };
        // Who asked may have gone.
        reply.send(answer).ok();
    }

    fn transcribe(
        &self,
        recording: Option<&str>,
        tracks: &[TrackInput],
        hints: &Hints,
        transcriber: &mut Box<dyn Transcriber>,
        over: impl Fn() -> bool,
        tell: impl Fn(&[Segment]),
    ) -> Result<Written, speech::Error> {
        let mut captions_first = CaptionsFirst {
            scribe: self,
            of_final: recording.is_some(),
            inner: transcriber,
            before: String::new(),
        };
        let mut written = speech::transcribe_tracks(
            tracks,
            hints,
            &self.vad,
            &mut captions_first,
            &mut |progress, said| {
                if let Some(id) = recording {
                    self.status.update(|it| {
                        it.final_pass = Some(FinalPass {
                            recording_id: id.to_owned(),
                            done_ms: progress.done_ms,
                            total_ms: progress.total_ms.unwrap_or(progress.done_ms),
                        });
                    });
                }
                tell(said);
                if over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )?;
        let keep_names = |id| self.recordings.keep_names(id, &mut written.transcript);
        if let Some(Err(error)) = recording.map(keep_names) {
            // Unless it was deleted, numbers are better than nothing.
            tracing::warn!(
                recording,
                error = chain(&error),
                "Its speakers are not called as in its captions."
            );
        }
        Ok(written)
    }
}

/// A transcriber that, before each utterance, serves what is more urgent: captions, since somebody looks at
/// those, and before recordings what somebody waits for.
struct CaptionsFirst<'a> {
    scribe: &'a Scribe,
    of_final: bool,
    inner: &'a mut Box<dyn Transcriber>,
    /// The models that wrote down what came before, each with a `+`.
    before: String,
}

impl Transcriber for CaptionsFirst<'_> {
    fn transcribe(&mut self, utterance: &Utterance, how: &How) -> Result<Vec<Segment>, TranscribeError> {
        while let Some(work) = self.scribe.queue.meanwhile(self.of_final) {
            let before = self.inner.name();
            match work {
                // Within it, too, another model may be asked for.
                Work::Urgent(request) => self.scribe.hear(None, request, self.inner),
                Work::Switch(switch) => {
                    if let Some(new) = self.scribe.switch(switch) {
                        *self.inner = new;
                    }
                }
                caption => self.scribe.caption(caption, self.inner.as_mut()),
            }
            if self.inner.name() != before {
                self.before = format!("{}{before}+", self.before);
            }
        }
        self.scribe.timed(self.inner.as_mut(), utterance, how)
    }

    fn renew(&mut self) {
        self.inner.renew();
    }

    fn name(&self) -> String {
        format!("{}{}", self.before, self.inner.name())
    }

    fn language(&self) -> String {
        self.inner.language()
    }

    fn languages(&self) -> Vec<String> {
        self.inner.languages()
    }

    fn heard_language(&self) -> Option<(&str, f32)> {
        self.inner.heard_language()
    }
}
