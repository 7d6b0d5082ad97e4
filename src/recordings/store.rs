//! Recordings as rows of the log. Owns reading and changing them: one change at a time, each committed
//! together with the events that tell of it; leaves which changes are right to the parent.

use std::sync::{Mutex, PoisonError};

use panotti_sdk::{EventType, Filter, NewEvent, names, payloads::Payload};

use super::{Error, Recording, State};
use crate::event_log::{Batch, EventLog, Put, Table};

/// What an event of a meeting follows from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause {
    /// That it began.
    Start,
    /// That its audio is complete.
    End,
}

/// Rows by id, and an index by start that orders the list.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) log: EventLog,
    one_at_a_time: Mutex<()>,
}

impl Store {
    pub(super) fn new(log: EventLog) -> Self {
        Self { log, one_at_a_time: Mutex::new(()) }
    }

    pub(super) fn find(&self, id: &str) -> Result<Option<Recording>, Error> {
        // A key that no row can have; the log refuses some of them.
        if !super::files::valid_id(id) {
            return Ok(None);
        }
        self.log.get(Table::Recordings, id)?.map(|row| decode(id, &row)).transpose()
    }

    pub(super) fn get(&self, id: &str) -> Result<Recording, Error> {
        self.find(id)?.ok_or_else(|| Error::Unknown { id: id.chars().take(128).collect() })
    }

    /// Newest first; those that began before `before`.
    pub(super) fn list(&self, before: Option<&Recording>, limit: usize) -> Result<Vec<Recording>, Error> {
        let before = before.map(start_key);
        self.log
            .rows_back(Table::RecordingsByStart, before.as_deref(), limit)?
            .into_iter()
            .filter_map(|(_, id)| self.find(&String::from_utf8_lossy(&id)).transpose())
            .collect()
    }

    /// Adds a recording that is not there yet.
    pub(super) fn insert(&self, recording: &Recording, event: NewEvent) -> Result<(), Error> {
        let _change = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let index = Put {
            table: Table::RecordingsByStart,
            key: start_key(recording),
            value: Some(recording.id.clone().into_bytes()),
        };
        self.commit(vec![row(recording)?, index], vec![event])
    }

    /// Changes a recording; `change` sees what is stored and says which events tell of it.
    pub(super) fn change(
        &self,
        id: &str,
        change: impl FnOnce(&mut Recording) -> Result<Vec<NewEvent>, Error>,
    ) -> Result<Recording, Error> {
        let _change = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let mut recording = self.get(id)?;
        let events = change(&mut recording)?;
        self.commit(vec![row(&recording)?], events)?;
        Ok(recording)
    }

    /// Removes a recording; `hide` takes its files away while no change of it can be under way, and `show`
    /// brings them back when the log does not take it.
    pub(super) fn remove(
        &self,
        recording: &Recording,
        event: NewEvent,
        hide: impl FnOnce() -> Result<(), Error>,
        show: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let _change = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        hide()?;
        let puts = vec![
            Put { table: Table::Recordings, key: recording.id.clone(), value: None },
            Put { table: Table::RecordingsByStart, key: start_key(recording), value: None },
        ];
        self.commit(puts, vec![event]).or_else(|refused| show().and(Err(refused)))
    }

    /// An event of a meeting that has begun.
    pub(super) fn event<P: Payload>(
        &self,
        event: EventType<P>,
        recording: &Recording,
        payload: &P,
        cause: Cause,
    ) -> Result<NewEvent, Error> {
        let meeting = Filter::default().correlated(recording.correlation_id);
        // Neither reads the meeting through: nothing comes before its start, and little after its end.
        let found = match cause {
            Cause::Start => self.log.read(0, 1, &meeting)?,
            Cause::End => {
                let ends = Filter { topics: vec![names::RECORDING_ENDED.into()], ..meeting };
                self.log.read_back(u64::MAX, 1, &ends)?
            }
        };
        Ok(root(event, recording, payload).because_of(found.first().map(|it| it.id)))
    }

    fn commit(&self, puts: Vec<Put>, events: Vec<NewEvent>) -> Result<(), Error> {
        self.log.append_blocking(Batch { events, puts, idempotency_key: None })?;
        Ok(())
    }
}

fn decode(id: &str, row: &[u8]) -> Result<Recording, Error> {
    serde_json::from_slice(row).map_err(|source| Error::Damaged { what: format!("recording {id}"), source })
}

fn row(recording: &Recording) -> Result<Put, Error> {
    let value = serde_json::to_vec(recording)
        .map_err(|source| Error::Damaged { what: format!("recording {}", recording.id), source })?;
    Ok(Put { table: Table::Recordings, key: recording.id.clone(), value: Some(value) })
}

/// Milliseconds since 1970 in as many digits as `i64` has, so that text order is time order.
fn start_key(recording: &Recording) -> String {
    format!("{:019}_{}", recording.started_at.as_millisecond().max(0), recording.id)
}

/// The event that begins a meeting.
pub(super) fn root<P: Payload>(event: EventType<P>, recording: &Recording, payload: &P) -> NewEvent {
    let source = match recording.origin {
        super::Origin::Device => "core",
        super::Origin::Client => "api",
    };
    NewEvent::of(event, payload).correlated(recording.correlation_id).from_source(source)
}

impl State {
    /// The arrows of the drawing in the parent module.
    pub(super) fn may_become(self, next: Self) -> bool {
        use State::{Done, Failed, Paused, Recording, Stopping, Transcribing};
        matches!(
            (self, next),
            (Recording, Paused | Stopping | Transcribing)
                | (Paused, Recording | Stopping | Transcribing)
                | (Stopping, Transcribing | Failed)
                | (Transcribing, Done | Failed | Transcribing)
                | (Done, Transcribing)
                | (Failed, Transcribing | Done)
        )
    }
}

impl Recording {
    pub(super) fn enter(&mut self, next: State) -> Result<(), Error> {
        if !self.state.may_become(next) {
            return Err(Error::Conflict(format!(
                "recording `{}` is {}, so it cannot become {next}",
                self.id, self.state
            )));
        }
        self.state = next;
        Ok(())
    }
}
