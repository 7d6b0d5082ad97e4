//! What is known of a recording: its files, by exact path, and how far the work on it is. Owns what follows
//! from each event, and when nothing works on it any more; leaves keeping and removing to the others.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use panotti_sdk::{
    Context, Delivery, HandlerError, files,
    jiff::Timestamp,
    names,
    payloads::{
        MeetingNotesCompleted, NoiseReductionCompleted, Origin, RecordingEnded, TranscriptionCompleted,
    },
    serde_json::{Map, Value},
    uuid::Uuid,
};
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Plugins that write notes.
const WRITERS: [&str; 2] = ["meeting_notes_local", "meeting_notes_remote"];

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Audio made from a recording's.
    CleanedAudio,
    Transcript,
    Notes,
}

/// One recording.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) recording_id: String,
    /// What was written for it.
    files: BTreeMap<PathBuf, Kind>,
    /// Whether this box recorded it, so that its audio lies in its folder.
    own_audio: bool,
    /// When it ended, UTC.
    pub(crate) ended_at: Option<Timestamp>,
    /// Whether there is a word on its noise.
    cleaned: bool,
    transcribed: bool,
    /// Whether its notes were written, by plugin.
    notes: BTreeMap<String, bool>,
    /// Whether people were told of them, or could not be.
    notified: bool,
    /// The row that says when it is to be cleaned.
    pub(crate) due: Option<String>,
    /// Its chain of events, and the last of them.
    pub(crate) correlation_id: Uuid,
    pub(crate) cause: Uuid,
    /// Whatever is known of the meeting.
    pub(crate) metadata: Map<String, Value>,
}

/// The part of every event that matters here.
#[derive(Deserialize)]
struct OfRecording {
    recording_id: String,
    #[serde(default)]
    metadata: Map<String, Value>,
}

impl Manifest {
    /// The recording that an event is about.
    ///
    /// # Errors
    /// [`HandlerError::Permanent`] when there is none, or its id could be a path.
    pub(crate) fn id(delivery: &Delivery) -> Result<String, HandlerError> {
        let OfRecording { recording_id, .. } = delivery.payload()?;
        match files::valid_id(&recording_id) {
            true => Ok(recording_id),
            false => Err(HandlerError::permanent(format!("`{recording_id}` is no id of a recording"))),
        }
    }

    /// Takes in what an event says.
    ///
    /// # Errors
    /// [`HandlerError::Permanent`] when it carries something else than its name says.
    pub(crate) fn learn(&mut self, context: &Context, delivery: &Delivery) -> Result<(), HandlerError> {
        let event = &delivery.event;
        let OfRecording { recording_id, metadata } = delivery.payload()?;
        self.recording_id = recording_id;
        if !metadata.is_empty() {
            self.metadata = metadata;
        }
        (self.correlation_id, self.cause) = (event.context.correlation_id, event.id);
        let name = event.name.as_str();
        let is = |event: &str| name == event;
        if is(names::RECORDING_ENDED.as_str()) || is(names::TRANSCRIPTION_REQUESTED.as_str()) {
            self.begin(&delivery.payload()?, is(names::RECORDING_ENDED.as_str()));
        } else if is(names::NOISE_REDUCTION_COMPLETED.as_str()) {
            let it = delivery.payload::<NoiseReductionCompleted>()?.noise_reduction;
            self.cleaned = true;
            // It is written down from the cleaned audio, whatever was written down before.
            self.transcribed &= !context.expects("audio_transcription_local");
            let written = it.files.iter().chain(&it.output_path);
            // What was cleaned is never what it was cleaned from.
            let source = [&it.microphone_audio_path, &it.system_audio_path];
            let written = written.filter(|path| !source.iter().any(|it| it.as_ref() == Some(*path)));
            self.keep(context, written, Kind::CleanedAudio);
        } else if is(names::NOISE_REDUCTION_ERROR.as_str()) {
            self.cleaned = true;
        } else if is(names::TRANSCRIPTION_COMPLETED.as_str()) {
            let it: TranscriptionCompleted = delivery.payload()?;
            self.transcribed = true;
            self.keep(context, it.files.iter().chain([&it.output_file]), Kind::Transcript);
        } else if let Some(writer) = name.strip_suffix(".completed").filter(|it| WRITERS.contains(it)) {
            let it = delivery.payload::<MeetingNotesCompleted>()?.meeting_notes;
            self.notes.insert(writer.to_owned(), true);
            self.keep(context, it.files.iter().chain([&it.notes_path]), Kind::Notes);
        } else if let Some(writer) = name.strip_suffix(".error").filter(|it| WRITERS.contains(it)) {
            self.notes.insert(writer.to_owned(), false);
        } else if name.starts_with("desktop_notification.") {
            self.notified = true;
        }
        Ok(())
    }

    /// The work on it begins, or begins anew. Noise is looked at when a recording ends and then not again.
    fn begin(&mut self, ended: &RecordingEnded, is_first: bool) {
        if is_first {
            self.cleaned = false;
            self.ended_at = Some(ended.timestamp);
        }
        self.ended_at.get_or_insert(ended.timestamp);
        (self.transcribed, self.notified) = (false, false);
        self.notes.clear();
        let folder = format!("{}/", ended.recording_id);
        self.own_audio = ended.origin == Origin::Device && ended.tracks.iter().any(|it| it.path == folder);
    }

    fn keep<'a>(&mut self, context: &Context, paths: impl Iterator<Item = &'a String>, kind: Kind) {
        // A path that cannot be used is not ours to remove.
        self.files.extend(paths.filter_map(|it| Some((context.resolve(it).ok()?, kind))));
    }

    /// Whether some plugin that runs here has not said yet what came of its work.
    pub(crate) fn is_busy(&self, expected: impl Fn(&str) -> bool) -> bool {
        let no_notes = |it: &&str| expected(it) && !self.notes.contains_key(*it);
        !self.transcribed || (expected("noise_reduction") && !self.cleaned) || WRITERS.iter().any(no_notes)
    }

    /// Whether a meeting's work is done, and well: notes that failed may be tried again.
    pub(crate) fn is_done(&self, expected: impl Fn(&str) -> bool) -> bool {
        let there = self.notes.values().any(|it| *it);
        let told = self.notes.is_empty() || (there && (self.notified || !expected("desktop_notifier")));
        !self.is_busy(expected) && told
    }

    /// The paths that go when the work is done.
    pub(crate) fn superfluous(&self, config: &Config, recordings: &Path) -> Vec<PathBuf> {
        let goes = |kind: Kind| match kind {
            Kind::CleanedAudio => true,
            Kind::Transcript => !config.keep_transcripts,
            Kind::Notes => !config.keep_notes,
        };
        let mut found = if config.keep_audio { Vec::new() } else { self.recorded(recordings) };
        found.extend(self.files.iter().filter(|(_, kind)| goes(**kind)).map(|(path, _)| path.clone()));
        found
    }

    /// The paths of its audio: what goes when the disk is short.
    pub(crate) fn audio(&self, recordings: &Path) -> Vec<PathBuf> {
        let mut found = self.recorded(recordings);
        let cleaned = self.files.iter().filter(|(_, kind)| **kind == Kind::CleanedAudio);
        found.extend(cleaned.map(|(path, _)| path.clone()));
        found
    }

    fn recorded(&self, recordings: &Path) -> Vec<PathBuf> {
        if !self.own_audio {
            return Vec::new();
        }
        // A folder that is gone has no audio; one that cannot be read is told of when files are removed.
        files::segments(&recordings.join(&self.recording_id)).unwrap_or_default()
    }
}
