//! From the start of a recording to its end. Owns the steps of the drawing in the parent module, each judged,
//! asked of the pipeline and stored in this order; leaves what the pipeline reports to `reports`.

use std::{collections::BTreeMap, sync::PoisonError};

use jiff::Timestamp;
use panotti_sdk::{EventType, NewEvent, names, payloads};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Command, Error, Inner, NewRecording, Origin, Recording, State, Track, WRITER, files,
    store::{self, Cause},
};
use crate::audio::StreamFormat;

impl Inner {
    pub(super) fn start(&self, new: NewRecording) -> Result<Recording, Error> {
        let now = Timestamp::now();
        let mut recording = Recording {
            id: files::new_id(now),
            state: State::Recording,
            title: String::new(),
            attendees: Vec::new(),
            metadata: serde_json::Map::new(),
            correlation_id: Uuid::now_v7(),
            origin: Origin::Device,
            started_at: now,
            ended_at: None,
            duration_ms: 0,
            interrupted: false,
            error: None,
            labels: self.labels.clone(),
            tracks: Vec::new(),
            ended_event_id: None,
            stages: BTreeMap::new(),
            written_by: None,
            speakers: BTreeMap::new(),
        };
        new.apply(&mut recording)?;
        recording.tracks.push(Track::own(&recording.id));

        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = &*active {
            return Err(Error::Conflict(format!(
                "recording `{id}` is running: stop it first with POST /recordings/{id}/stop"
            )));
        }
        let (id, dir) = (recording.id.clone(), self.files.create(&recording.id)?);
        let begun = self.ask(|reply| Command::Start { id, dir, reply }).and_then(|format| {
            let stored = self.store.insert(&recording, started(&recording, Some(format)));
            if stored.is_err() {
                self.ask(|reply| Command::Stop { reply })?;
            }
            stored
        });
        if let Err(error) = begun {
            self.files.hide(&recording.id)?;
            self.files.purge(&recording.id)?;
            return Err(error);
        }
        *active = Some(recording.id.clone());
        Ok(recording)
    }

    pub(super) fn switch(
        &self,
        id: &str,
        next: State,
        told: EventType<payloads::RecordingPosition>,
        command: impl FnOnce(oneshot::Sender<Result<u64, String>>) -> Command,
    ) -> Result<Recording, Error> {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_active(&active, id)?;
        // The change is judged before the pipeline is asked, and stored after it has answered.
        self.store.get(id)?.enter(next)?;
        let at_ms = self.ask(command)?;
        self.store.change(id, |recording| {
            recording.enter(next)?;
            recording.duration_ms = at_ms;
            let at = payloads::RecordingPosition { recording_id: recording.id.clone(), at_ms };
            Ok(vec![self.store.event(told, recording, &at, Cause::Start)?])
        })
    }

    pub(super) fn stop(&self, id: &str, interrupted: bool) -> Result<Recording, Error> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_active(&active, id)?;
        self.store.change(id, |recording| recording.enter(State::Stopping).map(|()| Vec::new()))?;
        let closed = self.ask(|reply| Command::Stop { reply });
        *active = None;
        let (duration_ms, problem) = match closed {
            Ok(duration_ms) => (Some(duration_ms), None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.closed(id, duration_ms, problem, interrupted)
    }

    /// Audio is complete: the last word on its length, and on to the final pass.
    pub(super) fn closed(
        &self,
        id: &str,
        duration_ms: Option<u64>,
        problem: Option<String>,
        interrupted: bool,
    ) -> Result<Recording, Error> {
        let recording = self.store.change(id, |recording| {
            recording.enter(State::Transcribing)?;
            recording.duration_ms = duration_ms.unwrap_or(recording.duration_ms);
            recording.ended_at = Some(Timestamp::now());
            recording.interrupted |= interrupted;
            recording.error = problem.or(recording.error.take());
            self.hand_over(recording);
            Ok(vec![self.ended(recording)?])
        })?;
        self.write_down(&recording);
        Ok(recording)
    }

    pub(super) fn left_to_plugin(&self) -> bool {
        (self.left_to_plugin)()
    }

    /// Decides who writes a complete recording down; it is kept with the event that the plugin goes by.
    pub(super) fn hand_over(&self, recording: &mut Recording) {
        recording.written_by = self.left_to_plugin().then(|| WRITER.to_owned());
    }

    /// Has a complete recording written down, unless a plugin does that.
    pub(super) fn write_down(&self, recording: &Recording) {
        if recording.written_by.is_none() {
            self.command(Command::Transcribe { id: recording.id.clone() });
        }
    }

    pub(super) fn delete(&self, id: &str) -> Result<(), Error> {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if active.as_deref() == Some(id) {
            return Err(Error::Conflict(format!(
                "recording `{id}` is running: stop it first with POST /recordings/{id}/stop"
            )));
        }
        let recording = self.store.get(id)?;
        let payload = payloads::RecordingDeleted { recording_id: id.to_owned() };
        let told = self.store.event(names::RECORDING_DELETED, &recording, &payload, Cause::Start)?;
        self.store.remove(&recording, told, || self.files.hide(id), || self.files.unhide(id))?;
        self.command(Command::Forget { id: id.to_owned() });
        self.files.purge(id)
    }

    pub(super) fn check_active(&self, active: &Option<String>, id: &str) -> Result<(), Error> {
        if active.as_deref() == Some(id) {
            return Ok(());
        }
        let recording = self.store.get(id)?;
        Err(Error::Conflict(format!(
            "recording `{id}` is {}: it is not running on this box",
            recording.state
        )))
    }

    pub(super) fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.command(command(reply));
        answer.blocking_recv().map_err(|_| Error::Stopping)?.map_err(Error::Unavailable)
    }

    /// A pipeline that is gone needs no command: what is left undone is taken up at the next start.
    pub(super) fn command(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::debug!("The pipeline has stopped; the command waits for the next start.");
        }
    }

    pub(super) fn ended(&self, recording: &Recording) -> Result<NewEvent, Error> {
        self.store.event(names::RECORDING_ENDED, recording, &self.as_ended(recording), Cause::Start)
    }

    pub(super) fn as_ended(&self, recording: &Recording) -> payloads::RecordingEnded {
        payloads::RecordingEnded {
            recording_id: recording.id.clone(),
            title: recording.title.clone(),
            attendees: recording.attendees.clone(),
            timestamp: recording.ended_at.unwrap_or_else(Timestamp::now),
            origin: recording.origin.into(),
            duration_ms: recording.duration_ms,
            interrupted: recording.interrupted,
            problem: recording.error.clone(),
            tracks: recording.told_tracks(),
            metadata: recording.metadata.clone(),
            started_at: Some(recording.started_at),
        }
    }
}

/// `format` is what this box records; a client's is known when its files are read.
pub(super) fn started(recording: &Recording, format: Option<StreamFormat>) -> NewEvent {
    let payload = payloads::RecordingStarted {
        recording_id: recording.id.clone(),
        title: recording.title.clone(),
        attendees: recording.attendees.clone(),
        timestamp: recording.started_at,
        origin: recording.origin.into(),
        tracks: recording.told_tracks(),
        metadata: recording.metadata.clone(),
        format: format.map(Into::into),
        // What is found after a crash begins as a recording that was interrupted.
        adopted: recording.interrupted,
    };
    store::root(names::RECORDING_STARTED, recording, &payload)
}
