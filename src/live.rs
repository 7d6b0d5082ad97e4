//! What is being said at this moment: captions that still change. Owns the one place where they are shown
//! and followed; nothing of it is kept, since what lasts (final captions) are events of the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

/// Changes that wait for a follower; one that is further behind gets what is shown by then.
const WAITING: usize = 64;

/// A caption of speech that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Partial {
    /// The recording.
    pub recording_id: String,
    /// Which microphone: one partial caption is shown for each.
    pub lane: usize,
    /// Who speaks, where that is known.
    pub speaker: Option<String>,
    /// Start of the speech, ms from the start of the recording.
    pub start_ms: u64,
    /// Counts the captions of this speech, from 1.
    pub revision: u32,
    /// Words that two hearings in a row agreed on: they do not change until the final caption.
    pub stable: String,
    /// Words after them, which may.
    pub tentative: String,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new caption, or a newer one of the same speech.
    Shown(Arc<Partial>),
    /// The speech has ended; its final captions, if anything was said, are in the log already.
    Gone {
        /// The recording.
        recording_id: String,
        /// Which microphone.
        lane: usize,
        /// Start of the speech, ms from the start of the recording.
        start_ms: u64,
    },
}

/// Where partial captions are shown. One per process, shared by reference counting.
#[derive(Debug)]
pub struct Live {
    /// By microphone.
    shown: Mutex<BTreeMap<usize, Arc<Partial>>>,
    changes: broadcast::Sender<Change>,
}

impl Default for Live {
    fn default() -> Self {
        Self { shown: Mutex::default(), changes: broadcast::Sender::new(WAITING) }
    }
}

impl Live {
    /// Shows `partial` in place of its microphone's last.
    pub fn show(&self, partial: Partial) {
        let partial = Arc::new(partial);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.insert(partial.lane, partial.clone());
        // Nobody may be looking.
        self.changes.send(Change::Shown(partial)).ok();
    }

    /// Takes away what is shown for a microphone.
    pub fn clear(&self, lane: usize) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gone) = shown.remove(&lane) {
            let (recording_id, start_ms) = (gone.recording_id.clone(), gone.start_ms);
            self.changes.send(Change::Gone { recording_id, lane, start_ms }).ok();
        }
    }

    /// What is shown now, and everything that changes after it.
    pub fn follow(&self) -> (Vec<Arc<Partial>>, broadcast::Receiver<Change>) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        (shown.values().cloned().collect(), self.changes.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_sees_what_is_shown_and_what_changes() {
        let live = Live::default();
        let partial = |lane, revision| Partial {
            recording_id: "r".into(),
            lane,
            speaker: None,
            start_ms: 500,
            revision,
            stable: "We".into(),
            tentative: "will".into(),
        };
        live.show(partial(0, 1));
        live.show(partial(1, 1));
        live.show(partial(0, 2));
        let (shown, mut changes) = live.follow();
        assert_eq!(shown.iter().map(|it| (it.lane, it.revision)).collect::<Vec<_>>(), [(0, 2), (1, 1)]);
        live.clear(0);
        live.clear(0);
        live.show(partial(1, 2));
        let gone = Change::Gone { recording_id: "r".into(), lane: 0, start_ms: 500 };
        assert_eq!(changes.try_recv(), Ok(gone));
        assert_eq!(changes.try_recv(), Ok(Change::Shown(partial(1, 2).into())));
        assert!(changes.try_recv().is_err());
    }
}
