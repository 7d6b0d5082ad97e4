//! A recording as data. Owns its fields and states; the rules for changing them are in the parent.

use std::{collections::BTreeMap, fmt};

use jiff::{Timestamp, tz::TimeZone};
use panotti_sdk::payloads;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Error, Stage};

/// Most names of speakers in one recording.
const MOST_SPEAKERS: usize = 200;

/// Where a recording is in its life; the drawing is in the parent module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Audio is being kept.
    Recording,
    /// Nothing is kept until it is resumed.
    Paused,
    /// Files are being closed.
    Stopping,
    /// The final pass runs or waits.
    Transcribing,
    /// Everything is there.
    Done,
    /// `error` says why; what there is, is kept.
    Failed,
}

/// Who made the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This box.
    Device,
    /// A client, by the original's API.
    Client,
}

/// One track of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Track {
    /// Speaker label of the whole track; `None` when channels carry labels or nobody said.
    pub label: Option<String>,
    /// WAV file below `recordings_dir`, or the recording's own folder when it ends in `/`.
    pub path: String,
    /// What it was recorded from.
    #[serde(default)]
    pub source: TrackSource,
}

/// What a track was recorded from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrackSource {
    /// The room.
    #[default]
    Microphone,
    /// The far end: what a computer played in the call.
    System,
}

impl Track {
    /// What this box records.
    pub(super) fn own(id: &str) -> Self {
        Self { label: None, path: format!("{id}/"), source: TrackSource::Microphone }
    }
}

/// One meeting's recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    /// `YYYYMMDDHHMMSS_XXXXXXXX` (UTC and 8 hex digits), or what a client chose.
    pub id: String,
    /// Where it is in its life.
    pub state: State,
    /// What the meeting is called.
    pub title: String,
    /// Who takes part.
    pub attendees: Vec<String>,
    /// Whatever else is known.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// The same in all events of this meeting.
    pub correlation_id: Uuid,
    /// Who made the audio.
    pub origin: Origin,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Length of the audio, ms; pauses do not count.
    pub duration_ms: u64,
    /// A crash or power cut ended it.
    pub interrupted: bool,
    /// Why it failed, or what was lost, and what to do.
    pub error: Option<String>,
    /// Labels of its channels.
    pub labels: Vec<String>,
    /// Its audio.
    pub tracks: Vec<Track>,
    /// What speakers are called, by the label they had: `Speaker 1` and so on, or an earlier name.
    #[serde(default)]
    pub speakers: BTreeMap<String, String>,
    /// What a client was told when it ended the recording.
    #[serde(default)]
    pub ended_event_id: Option<String>,
    /// What plugins made of it, by stage: `noise_reduction`, `transcription_local`, …
    #[serde(default)]
    pub stages: BTreeMap<String, Stage>,
    /// The plugin that writes it down, or has; `None` when the box's core does.
    #[serde(default)]
    pub written_by: Option<String>,
}

impl Recording {
    /// What the speaker labelled `label` is called.
    pub fn speaker<'a>(&'a self, label: &'a str) -> &'a str {
        self.speakers.get(label).map_or(label, String::as_str)
    }

    /// Its title, where somebody gave it one.
    pub fn given_title(&self) -> Option<&str> {
        Some(self.title.as_str()).filter(|it| *it != self.id && *it != date_as_title(self.started_at))
    }

    /// Its tracks as events tell of them.
    pub(super) fn told_tracks(&self) -> Vec<payloads::Track> {
        let told = |it: &Track| payloads::Track {
            label: it.label.clone(),
            path: it.path.clone(),
            source: match it.source {
                TrackSource::Microphone => payloads::TrackSource::Microphone,
                TrackSource::System => payloads::TrackSource::System,
            },
            channel_labels: self.labels.clone(),
        };
        self.tracks.iter().map(told).collect()
    }
}

/// What a meeting is called that nobody named.
fn date_as_title(started_at: Timestamp) -> String {
    started_at.to_zoned(TimeZone::UTC).strftime("Meeting of %Y-%m-%d %H:%M UTC").to_string()
}

impl From<Origin> for payloads::Origin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Device => Self::Device,
            Origin::Client => Self::Client,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recording => "recording",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Transcribing => "transcribing",
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}

/// What a new recording is given.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewRecording {
    /// At most 300 characters; the date when empty.
    pub title: String,
    /// Names or e-mail addresses, at most 200.
    pub attendees: Vec<String>,
    /// Whatever else is known, at most 64 KiB.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

/// What may be changed afterwards; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Patch {
    /// New title.
    pub title: Option<String>,
    /// New attendees.
    pub attendees: Option<Vec<String>>,
    /// Keys to set; `null` removes one.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
    /// New names of speakers, by what they are called now; an empty one takes a name away.
    #[schema(example = json!({"Speaker 1": "Anna"}))]
    pub speakers: Option<BTreeMap<String, String>>,
}

impl NewRecording {
    pub(super) fn apply(self, recording: &mut Recording) -> Result<(), Error> {
        recording.title = match checked_title(&self.title)? {
            title if title.is_empty() => date_as_title(recording.started_at),
            title => title,
        };
        recording.attendees = checked_attendees(&self.attendees)?;
        recording.metadata = checked_metadata(self.metadata)?;
        Ok(())
    }
}

impl Patch {
    pub(super) fn apply(self, recording: &mut Recording) -> Result<(), Error> {
        if let Some(title) = self.title {
            recording.title = checked_title(&title)?;
            if recording.title.is_empty() {
                return Err(Error::Invalid("`title` is empty: leave it out to keep the present one".into()));
            }
        }
        if let Some(attendees) = self.attendees {
            recording.attendees = checked_attendees(&attendees)?;
        }
        let new = self.speakers.unwrap_or_default().into_iter();
        let new: Result<_, _> =
            new.map(|(label, name)| checked_speaker(&label, &name).map(|name| (label, name))).collect();
        rename(&mut recording.speakers, &new?);
        if recording.speakers.len() > MOST_SPEAKERS {
            return Err(Error::Invalid(format!("`speakers` has over {MOST_SPEAKERS} names")));
        }
        for (key, value) in self.metadata.unwrap_or_default() {
            match value {
                Value::Null => recording.metadata.remove(&key),
                value => recording.metadata.insert(key, value),
            };
        }
        recording.metadata = checked_metadata(std::mem::take(&mut recording.metadata))?;
        Ok(())
    }
}

fn checked_title(title: &str) -> Result<String, Error> {
    let title = title.trim();
    match title.chars().count() {
        0..=300 if !title.chars().any(char::is_control) => Ok(title.to_owned()),
        0..=300 => Err(Error::Invalid("`title` has control characters: use one line of text".into())),
        length => Err(Error::Invalid(format!("`title` has {length} characters: use at most 300"))),
    }
}

fn checked_attendees(attendees: &[String]) -> Result<Vec<String>, Error> {
    if attendees.len() > 200 {
        return Err(Error::Invalid(format!("`attendees` has {} names: use at most 200", attendees.len())));
    }
    match attendees.iter().find(|it| it.chars().count() > 300 || it.chars().any(char::is_control)) {
        Some(_) => Err(Error::Invalid(
            "`attendees` has a name over 300 characters or with control characters".into(),
        )),
        None => Ok(attendees.iter().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()),
    }
}

/// Calls everybody as `new` has it, by what they are called now; without a name, as before anybody gave one.
/// All at once, so that two may swap their names.
fn rename(names: &mut BTreeMap<String, String>, new: &BTreeMap<String, String>) {
    let before = std::mem::take(names);
    for (label, name) in new {
        // Where one label is another's present name, the name is meant.
        if !before.contains_key(label) || before.values().all(|it| it != label) {
            names.insert(label.clone(), name.clone());
        }
    }
    for (label, name) in before {
        let name = new.get(&name).unwrap_or(&name).clone();
        names.entry(label).or_insert(name);
    }
    names.retain(|label, name| !name.is_empty() && name != label);
}

fn checked_speaker(label: &str, name: &str) -> Result<String, Error> {
    let name = name.trim();
    match [label, name].iter().find(|it| it.chars().count() > 300 || it.chars().any(char::is_control)) {
        Some(_) => {
            Err(Error::Invalid("`speakers` has a name over 300 characters or with control characters".into()))
        }
        None => Ok(name.to_owned()),
    }
}

fn checked_metadata(metadata: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    match serde_json::to_vec(&metadata).map_or(usize::MAX, |it| it.len()) {
        0..=65_536 => Ok(metadata),
        length => Err(Error::Invalid(format!("`metadata` takes {length} bytes: use at most 65,536"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_for_whoever_is_called_so_now() {
        let mut names = BTreeMap::new();
        let mut name = |label: &str, name: &str| {
            rename(&mut names, &BTreeMap::from([(label.to_owned(), name.to_owned())]));
            names.iter().map(|(label, name)| format!("{label} = {name}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(name("Speaker 1", "Anna"), "Speaker 1 = Anna");
        // Captions of before say Anna: they are meant too.
        assert_eq!(name("Anna", "Berta"), "Anna = Berta, Speaker 1 = Berta");
        assert_eq!(name("Speaker 2", "Speaker 2"), "Anna = Berta, Speaker 1 = Berta");
        assert_eq!(name("Berta", ""), "");
    }

    #[test]
    fn names_are_swapped_and_swapped_back() {
        let pairs = |of: &[(&str, &str)]| {
            of.iter().map(|(label, name)| ((*label).to_owned(), (*name).to_owned())).collect()
        };
        let named: BTreeMap<String, String> = pairs(&[("Speaker 1", "Anna"), ("Speaker 2", "Berta")]);
        let swap = pairs(&[("Anna", "Berta"), ("Berta", "Anna")]);
        let mut names = named.clone();
        rename(&mut names, &swap);
        // What was captioned as Anna and Berta is meant too.
        let swapped: BTreeMap<_, _> =
            swap.clone().into_iter().chain(pairs(&[("Speaker 1", "Berta"), ("Speaker 2", "Anna")])).collect();
        assert_eq!(names, swapped);
        rename(&mut names, &swap);
        assert_eq!(names, named);
        let mut unnamed = BTreeMap::new();
        let swap = pairs(&[("Speaker 1", "Speaker 2"), ("Speaker 2", "Speaker 1")]);
        rename(&mut unnamed, &swap);
        assert_eq!(unnamed, swap);
    }
}
