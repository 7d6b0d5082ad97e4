//! Recordings that a client makes by itself, announced as the original's API does. Owns the rules for
//! repeated and unknown ids; leaves the wire form to `http`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Error, Origin, Recording, Recordings, State, Track, TrackSource, files};

/// A client says that it has begun to record.
#[derive(Debug, Clone, Default)]
pub struct ClientStarted {
    /// The client's id.
    pub recording_id: String,
    /// When, as the client says; checked.
    pub timestamp: Option<Timestamp>,
    /// The far end's track.
    pub system_audio_path: Option<String>,
    /// The room's track.
    pub microphone_audio_path: Option<String>,
    /// Whatever it knows of the meeting.
    pub metadata: Map<String, Value>,
}

/// A client says that its recording is complete.
#[derive(Debug, Clone, Default)]
pub struct ClientEnded {
    /// The client's id.
    pub recording_id: String,
    /// When, as the client wrote it (part of the event id) …
    pub timestamp_text: Option<String>,
    /// … and understood.
    pub timestamp: Option<Timestamp>,
    /// The far end's track.
    pub system_audio_path: Option<String>,
    /// The room's track.
    pub microphone_audio_path: Option<String>,
    /// Whatever it knows of the meeting.
    pub metadata: Map<String, Value>,
}

impl Recordings {
    /// The original's `POST /api/recording-started`. A second start of one id is a conflict.
    pub async fn client_started(&self, started: ClientStarted) -> Result<Uuid, Error> {
        self.run(move |it| {
            let recording = it.new_of_client(
                &started.recording_id,
                started.timestamp,
                &[started.microphone_audio_path, started.system_audio_path],
                started.metadata,
            )?;
            if it.store.find(&recording.id)?.is_some() {
                return Err(Error::Conflict("Recording already started with this ID".into()));
            }
            it.store.insert(&recording, super::life::started(&recording, None))?;
            Ok(recording.correlation_id)
        })
        .await
    }

    /// The original's `POST /api/recording-ended`. Returns its event id, `<id>_ended_<timestamp>`. A repeat
    /// returns the first one's id and does nothing. An unknown id with audio is accepted: the client may
    /// have lost its start.
    pub async fn client_ended(&self, ended: ClientEnded) -> Result<String, Error> {
        self.run(move |it| {
            let known = it.store.find(&ended.recording_id)?;
            // What the client said at the start still holds, its labels for instance.
            let mut metadata = known.as_ref().map(|it| it.metadata.clone()).unwrap_or_default();
            metadata.extend(ended.metadata);
            let named = [ended.microphone_audio_path, ended.system_audio_path];
            let fresh = it.new_of_client(&ended.recording_id, ended.timestamp, &named, metadata)?;
            match known {
                None if fresh.tracks.is_empty() => return Err(Error::Unknown { id: fresh.id }),
                None => it.store.insert(&fresh, super::life::started(&fresh, None))?,
                Some(known) if known.origin == Origin::Device => {
                    return Err(Error::Conflict(format!(
                        "recording `{}` is made by this box: stop it with POST /recordings/{}/stop",
                        known.id, known.id
                    )));
                }
                Some(Recording { ended_event_id: Some(first), .. }) => return Ok(first),
                Some(_) => {}
            }
            let at = ended.timestamp.unwrap_or_else(Timestamp::now);
            let text = ended.timestamp_text.unwrap_or_else(|| at.to_string());
            let event_id = format!("{}_ended_{text}", fresh.id);
            let recording = it.store.change(&fresh.id, |recording| {
                recording.enter(State::Transcribing)?;
                if !fresh.tracks.is_empty() {
                    recording.tracks = fresh.tracks;
                }
                recording.title = title_of(&fresh.metadata, &recording.title);
                recording.attendees = fresh.attendees;
                recording.metadata = fresh.metadata;
                recording.ended_at = Some(at);
                recording.ended_event_id = Some(event_id.clone());
                it.hand_over(recording);
                Ok(vec![it.ended(recording)?])
            })?;
            it.write_down(&recording);
            Ok(event_id)
        })
        .await
    }
}

impl super::Inner {
    fn new_of_client(
        &self,
        id: &str,
        at: Option<Timestamp>,
        [microphone, system]: &[Option<String>; 2],
        metadata: Map<String, Value>,
    ) -> Result<Recording, Error> {
        if !files::valid_id(id) {
            return Err(Error::Invalid(format!(
                "`{}` is not a recording id: use letters, digits, `.`, `_` and `-`, at most 128, a letter or digit first",
                id.chars().take(128).collect::<String>()
            )));
        }
        let mut tracks = Vec::new();
        for (named, key, usual, source) in [
            (microphone, "microphoneLabel", "Microphone", TrackSource::Microphone),
            (system, "systemLabel", "System", TrackSource::System),
        ] {
            if let Some(path) = named.as_deref().filter(|it| !it.is_empty()) {
                let label = metadata.get(key).and_then(Value::as_str).filter(|it| !it.trim().is_empty());
                tracks.push(Track {
                    label: Some(label.unwrap_or(usual).to_owned()),
                    path: self.files.accept(path)?,
                    source,
                });
            }
        }
        let attendees = metadata.get("eventAttendees").and_then(Value::as_array);
        Ok(Recording {
            id: id.to_owned(),
            state: State::Recording,
            title: title_of(&metadata, id),
            attendees: attendees.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
            metadata,
            correlation_id: Uuid::now_v7(),
            origin: Origin::Client,
            started_at: at.unwrap_or_else(Timestamp::now),
            ended_at: None,
            duration_ms: 0,
            interrupted: false,
            error: None,
            labels: Vec::new(),
            tracks,
            ended_event_id: None,
            stages: BTreeMap::new(),
            written_by: None,
            speakers: BTreeMap::new(),
        })
    }
}

fn title_of(metadata: &Map<String, Value>, otherwise: &str) -> String {
    let title = metadata.get("eventTitle").and_then(Value::as_str).map(str::trim);
    title.filter(|it| !it.is_empty()).unwrap_or(otherwise).chars().take(300).collect()
}
