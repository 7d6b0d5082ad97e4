//! Captions of the running recording. Owns what is shown of an utterance, while it is spoken and when it has
//! ended, and what is known of the meeting before anything is heard; when it is whose turn, the queue says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Instant,
};

use super::{
    super::queue::{Live as Heard, Work},
    Scribe,
};
use crate::{
    config::TellApart,
    error_chain::chain,
    live::Partial,
    recordings::{Error, Recording},
    speech::{
        self, Agreement, Effort, Hints, How, Segment, Speakers, TranscribeError, Transcriber, Utterance,
    },
};

/// What is shown and known of the running recording. Of one thread alone; the lock is for the compiler.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Shown(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By microphone.
    speeches: BTreeMap<usize, Speech>,
    /// The recording that was captioned last.
    recording: String,
    /// What is known of it.
    hints: Arc<Hints>,
    /// Its voices, by microphone.
    speakers: BTreeMap<usize, Speakers>,
}

/// The speech of which a partial caption is shown.
#[derive(Debug)]
struct Speech {
    recording: String,
    start_sample: u64,
    agreement: Agreement,
}

impl Scribe {
    pub(super) fn caption(&self, work: Work, transcriber: &mut dyn Transcriber) {
        let told = match work {
            Work::Live(heard) => self.final_caption(&heard, transcriber),
            Work::Partial(heard, abandon) => {
                self.partial_caption(&heard, abandon, transcriber);
                Ok(())
            }
            Work::Skipped { recording, skipped_ms, waiting_ms } => {
                tracing::warn!(
                    recording,
                    skipped_ms,
                    "Captions were left out: this box is too slow for the model."
                );
                self.take_away(&recording);
                self.recordings.captions_skipped(&recording, skipped_ms, waiting_ms)
            }
            Work::Forgotten(recording) => {
                self.forget(&recording);
                Ok(())
            }
            Work::Switch(_) | Work::Urgent(_) | Work::Final(_) => Ok(()),
        };
        match told {
            // It was deleted meanwhile.
            Ok(()) | Err(Error::Unknown { .. }) => {}
            Err(error) => tracing::error!(error = chain(&error), "A caption was lost."),
        }
    }

    fn final_caption(&self, heard: &Heard, transcriber: &mut dyn Transcriber) -> Result<(), Error> {
        let Heard { recording, lane, label, utterance } = heard;
        let how = How { hints: self.hints(recording), ..How::of(Effort::Live) };
        let told = match self.timed(transcriber, utterance, &how) {
            Ok(segments) => {
                self.shown.learn(transcriber, &segments);
                let told = self.speakers(*lane, label.as_deref(), utterance, segments);
                told.iter().try_for_each(|it| self.recordings.caption(recording, it))
            }
            Err(error) => {
                tracing::warn!(recording, error = chain(&error), "A caption was left out.");
                Ok(())
            }
        };
        // After its final captions, so that at no time there is neither.
        self.shown.state().speeches.remove(lane);
        self.live.clear(*lane);
        told
    }

    /// Who said `segments`: whoever has the microphone, or whose voice it is. The hints were looked up before,
    /// so that what is kept is of this recording.
    fn speakers(
        &self,
        lane: usize,
        label: Option<&str>,
        utterance: &Utterance,
        mut segments: Vec<Segment>,
    ) -> Vec<Segment> {
        if label.is_none() && self.transcription.speakers == TellApart::Live {
            let mut state = self.shown.state();
            let known = state.speakers.remove(&lane).or_else(Speakers::new);
            if let Some(mut speakers) = known {
                segments = speakers.hear(utterance, segments);
                state.speakers.insert(lane, speakers);
            }
        } else {
            segments.iter_mut().for_each(|it| it.speaker = label.map(str::to_owned));
        }
        segments
    }

    fn partial_caption(&self, heard: &Heard, abandon: Arc<AtomicBool>, transcriber: &mut dyn Transcriber) {
        let how = How { effort: Effort::Partial, hints: self.hints(&heard.recording), abandon };
        let began = Instant::now();
        let said = self.timed(transcriber, &heard.utterance, &how);
        self.queue.partial_over(said.is_ok(), began.elapsed());
        match said {
            Ok(segments) => self.show(heard, &segments),
            Err(TranscribeError::Abandoned) => {}
            Err(error) => {
                tracing::warn!(recording = heard.recording, error = chain(&error), "No partial caption.");
            }
        }
    }

    fn show(&self, heard: &Heard, segments: &[Segment]) {
        let speeches = &mut self.shown.state().speeches;
        let start_sample = heard.utterance.start_sample;
        let is_same = |it: &Speech| it.recording == heard.recording && it.start_sample == start_sample;
        if !speeches.get(&heard.lane).is_some_and(is_same) {
            let recording = heard.recording.clone();
            speeches.insert(heard.lane, Speech { recording, start_sample, agreement: Agreement::default() });
        }
        let Some(Speech { agreement, .. }) = speeches.get_mut(&heard.lane) else { return };
        let words = segments.iter().flat_map(|it| it.text.split_whitespace()).map(str::to_owned);
        agreement.hear(words.collect());
        if agreement.is_empty() {
            return;
        }
        self.live.show(Partial {
            recording_id: heard.recording.clone(),
            lane: heard.lane,
            speaker: heard.label.clone(),
            start_ms: heard.utterance.start_ms(),
            revision: agreement.revision(),
            stable: agreement.stable(),
            tentative: agreement.tentative(),
        });
    }

    /// No final captions will come for what is shown of a recording.
    fn take_away(&self, recording: &str) {
        let mut state = self.shown.state();
        for (lane, _) in state.speeches.extract_if(.., |_, it| it.recording == recording) {
            self.live.clear(lane);
        }
    }

    /// A recording is gone; another may get its id.
    pub(super) fn forget(&self, recording: &str) {
        self.take_away(recording);
        let mut state = self.shown.state();
        if state.recording == recording {
            *state = State { speeches: std::mem::take(&mut state.speeches), ..State::default() };
        }
    }

    /// What is known of the recording that is captioned now; its title may change meanwhile.
    fn hints(&self, recording: &str) -> Arc<Hints> {
        let prompt = self.recordings.get(recording).ok().and_then(|it| self.prompt(&it));
        let mut state = self.shown.state();
        if state.recording != recording {
            (state.recording, state.hints) = (recording.to_owned(), Arc::default());
            state.speakers.clear();
        }
        if state.hints.prompt != prompt {
            Arc::make_mut(&mut state.hints).prompt = prompt;
        }
        state.hints.clone()
    }

    fn prompt(&self, recording: &Recording) -> Option<String> {
        let wanted = self.transcription.prompt_from_meeting;
        wanted.then(|| speech::meeting_prompt(recording.given_title(), &recording.attendees)).flatten()
    }

    /// What is known of a stored recording; its language from its captions.
    pub(super) fn known_of(&self, recording: &Recording) -> Hints {
        let state = self.shown.state();
        let language = state.hints.language.clone().filter(|_| state.recording == recording.id);
        Hints { language, prompt: self.prompt(recording) }
    }
}

impl Shown {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, transcriber: &dyn Transcriber, said: &[Segment]) {
        let mut state = self.state();
        if state.hints.learn(transcriber, said) {
            let language = state.hints.language.as_deref();
            tracing::info!(recording = state.recording, language, "The language of the meeting.");
        }
    }
}
