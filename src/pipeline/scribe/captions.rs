//! Captions of the running recording. Owns what is shown of an utterance; when it is its turn, the queue
//! says.

use super::{
    super::queue::{Live as Heard, Work},
    Scribe,
};
use crate::{
    error_chain::chain,
    recordings::Error,
    speech::{Effort, How, Segment, Transcriber},
};

impl Scribe {
    pub(super) fn caption(&self, work: Work, transcriber: &mut dyn Transcriber) {
        let told = match work {
            Work::Live(Heard { recording, label, utterance, .. }) => {
                match self.timed(transcriber, &utterance, &How::of(Effort::Live)) {
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
            Work::Switch(_) | Work::Urgent(_) | Work::Final(_) => Ok(()),
        };
        match told {
            // It was deleted meanwhile.
            Ok(()) | Err(Error::Unknown { .. }) => {}
            Err(error) => tracing::error!(error = chain(&error), "A caption was lost."),
        }
    }
}
