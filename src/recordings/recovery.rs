//! What a crash or a power cut leaves, taken up at the next start. Owns deciding what becomes of each
//! recording and folder; repairing WAV files is in `audio`.

use std::collections::BTreeMap;

use super::{Error, Inner, NewRecording, Origin, Recording, State, Track, files};
use crate::audio;
use jiff::Timestamp;

impl Inner {
    pub(super) fn recover(&self) -> Result<(), Error> {
        let (folders, hidden) = self.files.folders()?;
        for id in hidden {
            match self.store.find(&id)? {
                Some(_) => self.files.unhide(&id)?,
                None => self.files.purge(&id)?,
            }
        }
        let mut newest: Option<Recording> = None;
        loop {
            let page = self.store.list(newest.as_ref(), 256)?;
            for recording in &page {
                match (recording.state, recording.origin) {
                    (State::Recording | State::Paused | State::Stopping, Origin::Device) => {
                        self.close_interrupted(&recording.id)?;
                    }
                    (State::Transcribing, _) => {
                        self.take_up(recording)?;
                    }
                    _ => {}
                }
            }
            match page.into_iter().next_back() {
                Some(last) => newest = Some(last),
                None => break,
            }
        }
        for id in folders.into_iter().filter(|id| files::own_id(id)) {
            if self.store.find(&id)?.is_none() {
                self.adopt(&id)?;
            }
        }
        Ok(())
    }

    /// What was left to a plugin, the plugin takes up by itself, if it still runs here.
    pub(super) fn take_up(&self, recording: &Recording) -> Result<(), Error> {
        if recording.written_by.is_some() && self.left_to_plugin() {
            return Ok(());
        }
        let recording = self.store.change(&recording.id, |it| {
            it.written_by = None;
            Ok(Vec::new())
        })?;
        self.write_down(&recording);
        Ok(())
    }

    fn close_interrupted(&self, id: &str) -> Result<(), Error> {
        let recovered = audio::recover(&self.files.folder(id));
        match recovered {
            Ok(recovered) => {
                tracing::warn!(
                    recording = id,
                    duration_ms = recovered.duration_ms,
                    "Closed an interrupted recording."
                );
                self.closed(id, Some(recovered.duration_ms), None, true)?;
            }
            // One damaged recording must not keep the box from starting.
            Err(source) => {
                tracing::error!(recording = id, error = %source, "Cannot repair an interrupted recording.");
                let problem = format!("its audio could not be repaired after an interruption: {source}");
                self.closed(id, None, Some(problem), true)?;
            }
        }
        Ok(())
    }

    /// Audio without a row: the power went between the first sample and the first event. Whatever was kept
    /// is somebody's meeting.
    fn adopt(&self, id: &str) -> Result<(), Error> {
        let folder = self.files.folder(id);
        let recovered = match audio::recover(&folder) {
            Ok(recovered) if recovered.duration_ms > 0 => recovered,
            Ok(_) => {
                self.files.hide(id)?;
                return self.files.purge(id);
            }
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "Left alone a folder that is no recording.");
                return Ok(());
            }
        };
        let mut recording = Recording {
            id: id.to_owned(),
            state: State::Recording,
            title: String::new(),
            attendees: Vec::new(),
            metadata: serde_json::Map::new(),
            correlation_id: uuid::Uuid::now_v7(),
            origin: Origin::Device,
            started_at: Timestamp::now(),
            ended_at: None,
            duration_ms: recovered.duration_ms,
            interrupted: true,
            error: None,
            labels: self.labels.clone(),
            tracks: vec![Track::own(id)],
            ended_event_id: None,
            stages: BTreeMap::new(),
            written_by: None,
            speakers: BTreeMap::new(),
        };
        NewRecording::default().apply(&mut recording)?;
        self.store.insert(&recording, super::life::started(&recording, None))?;
        self.closed(id, Some(recovered.duration_ms), None, true).map(|_| ())
    }
}
