//! What is known of a recording: its files, by exact path, and how far the work on it is. Owns what follows
//! from each event, and when nothing works on it any more; leaves keeping and removing to the others.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use panotti_sdk::{
    Context, Delivery, Event, HandlerError, files,
    jiff::Timestamp,
    names,
    payloads::{
        MeetingNotesCompleted, NoiseReductionCompleted, Origin, RecordingEnded, TranscriptionCompleted,
    },
    serde_json::{Map, Value},
    uuid::Uuid,
};
use serde::{Deserialize, Serialize};

use crate::{config::Config, state::DUE};

/// Cleans audio of noise.
const CLEANER: &str = "noise_reduction";
/// Writes recordings down; without it, the core does.
const TRANSCRIBER: &str = "audio_transcription_local";
/// Tells people.
const NOTIFIER: &str = "desktop_notifier";
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Whether it could not be written down.
    #[serde(default)]
    pub(crate) failed: bool,
    /// Whether all plugins that ran then had said what came of their work: one that is enabled later was not
    /// meant to work on it.
    #[serde(default)]
    finished: bool,
    /// Whether its notes were written, by plugin.
    notes: BTreeMap<String, bool>,
    /// Whether people were told of them, or could not be.
    notified: bool,
    /// The row that says when it is to be cleaned. It stays when that is done.
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

    /// Whether an event is told by the plugin of its stage. An administrator may publish any event, and could
    /// name any file. Of a client's recordings the core speaks as `api`.
    pub(crate) fn believes(event: &Event) -> bool {
        let source = event.context.source_plugin.as_deref().unwrap_or_default();
        match event.name.as_str().split('.').next().unwrap_or_default() {
            "transcription_local" => [TRANSCRIBER, "core", "api"].contains(&source),
            "desktop_notification" => source == NOTIFIER,
            stage if stage == CLEANER || WRITERS.contains(&stage) => source == stage,
            _ => true,
        }
    }

    /// Whether somebody waits for what the plugin called `name` says.
    pub(crate) fn waits_for(name: &str) -> bool {
        [CLEANER, NOTIFIER].contains(&name) || WRITERS.contains(&name)
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
            let written = it.files.iter().chain(&it.output_path);
            // What was cleaned is never what it was cleaned from.
            let source = [&it.microphone_audio_path, &it.system_audio_path];
            let written = written.filter(|path| !source.iter().any(|it| it.as_ref() == Some(*path)));
            self.keep(context, written, Kind::CleanedAudio);
        } else if is(names::NOISE_REDUCTION_ERROR.as_str()) {
            self.cleaned = true;
        } else if is(names::TRANSCRIPTION_COMPLETED.as_str()) {
            let it: TranscriptionCompleted = delivery.payload()?;
            (self.transcribed, self.failed) = (true, false);
            // The core writes into the recording's own folder alone.
            let within = match event.context.source_plugin.as_deref() {
                Some(TRANSCRIBER) => PathBuf::new(),
                _ => context.recordings()?.join(&self.recording_id),
            };
            let written = it.files.iter().chain([&it.output_file]);
            let is_within = |it: &&String| context.resolve(it).is_ok_and(|it| it.starts_with(&within));
            self.keep(context, written.filter(is_within), Kind::Transcript);
        } else if is(names::TRANSCRIPTION_ERROR.as_str()) {
            self.failed = true;
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
        (self.transcribed, self.failed, self.finished, self.notified) = (false, false, false, false);
        self.notes.clear();
        let folder = format!("{}/", ended.recording_id);
        self.own_audio = ended.origin == Origin::Device && ended.tracks.iter().any(|it| it.path == folder);
    }

    fn keep<'a>(&mut self, context: &Context, paths: impl Iterator<Item = &'a String>, kind: Kind) {
        // A path that cannot be used is not ours to remove.
        self.files.extend(paths.filter_map(|it| Some((context.resolve(it).ok()?, kind))));
    }

    /// Draws the conclusion from what is known now; answers whether it is to be cleaned and was not before.
    pub(crate) fn judge(&mut self, expected: impl Fn(&str) -> bool) -> bool {
        self.finished = !self.is_busy(&expected);
        let is_due = self.due.is_none() && self.is_done(expected);
        if is_due {
            self.due = Some(format!("{DUE}{}", self.cause));
        }
        is_due
    }

    /// Whether some plugin that runs here has not said yet what came of its work. Of what could not be
    /// written down there are no notes.
    pub(crate) fn is_busy(&self, expected: impl Fn(&str) -> bool) -> bool {
        let no_notes = |it: &&str| expected(it) && !self.notes.contains_key(*it);
        let writes = if self.failed { false } else { !self.transcribed || WRITERS.iter().any(no_notes) };
        !self.finished && (writes || (expected(CLEANER) && !self.cleaned))
    }

    /// Whether a meeting's work is done, and well: what failed may be tried again.
    fn is_done(&self, expected: impl Fn(&str) -> bool) -> bool {
        let there = self.notes.values().any(|it| *it);
        let told = self.notes.is_empty() || (there && (self.notified || !expected(NOTIFIER)));
        !self.failed && !self.is_busy(expected) && told
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
