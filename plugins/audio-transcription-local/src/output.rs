//! The files of a transcript. Owns their names, merging tracks, and the event that tells of them; leaves
//! their forms to the SDK.

use std::{
    io,
    path::{Path, PathBuf},
};

use panotti_sdk::{
    files,
    jiff::Timestamp,
    payloads::{Completed, RecordingEnded, TrackSource, TranscriptionCompleted, TranscriptionConfig},
    serde_json,
    transcript::{Header, Transcript, TranscriptFormat},
};

use crate::cleaner;

/// A track that was written down.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) source: TrackSource,
    pub(crate) label: String,
    pub(crate) transcript: Transcript,
}

/// Files could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`: look whether the disk is full and the folder may be written")]
pub(crate) struct WriteError {
    path: String,
    #[source]
    source: io::Error,
}

/// What the names of a recording's files end in; a second track of a source has a number.
const NAMES: [&str; 6] =
    ["merged.json", "merged.md", "merged.srt", "merged.vtt", "microphone.md", "system.md"];

/// Where the files of a recording lie, and what a power cut leaves of one that is being written.
pub(crate) fn paths(folder: &Path, id: &str) -> impl Iterator<Item = PathBuf> {
    let names = NAMES.map(|it| format!("{id}_{it}"));
    let parts = names.clone().map(|it| format!(".{it}.part"));
    let folder = folder.to_owned();
    names.into_iter().chain(parts).map(move |it| folder.join(it))
}

/// Writes all forms of `tracks` below `folder`; `problem` is what is not in them. The same input gives the
/// same files.
pub(crate) fn write(
    folder: &Path,
    ended: &RecordingEnded,
    mut tracks: Vec<Written>,
    tidy: bool,
    problem: Option<String>,
) -> Result<TranscriptionCompleted, WriteError> {
    if tidy {
        tracks.iter_mut().for_each(|it| cleaner::clean(&mut it.transcript));
    }
    let metadata = ended.metadata.clone();
    let header = Header {
        title: ended.title.clone(),
        metadata: metadata.clone(),
        attendees: ended.attendees.clone(),
        started_at: ended.started_at,
    };
    let merged = merge(tracks.iter().map(|it| &it.transcript));
    let mut out = Files { folder, id: &ended.recording_id, written: Vec::new() };
    // The words of whoever reads it elsewhere; Panotti's own form has all there is.
    let data = serde_json::to_vec(&merged).map_err(|error| out.error("merged.json", error.into()))?;
    let output_file = out.write("merged.json", &data)?;
    for format in [TranscriptFormat::Md, TranscriptFormat::Srt, TranscriptFormat::Vtt] {
        out.write(&format!("merged.{}", format.name()), merged.render(format, &header).as_bytes())?;
    }
    for (index, track) in tracks.iter().enumerate() {
        let name = match track.source {
            TrackSource::Microphone => "microphone",
            TrackSource::System => "system",
        };
        let before = tracks[..index].iter().filter(|it| it.source == track.source).count();
        let number = if before == 0 { String::new() } else { format!("_{}", before + 1) };
        let text = track.transcript.track_md(&track.label, &header);
        out.write(&format!("{name}{number}.md"), text.as_bytes())?;
    }
    Ok(TranscriptionCompleted {
        recording_id: ended.recording_id.clone(),
        status: Completed::Completed,
        timestamp: Timestamp::now(),
        output_file,
        segments: merged.segments.len() as u64,
        duration_ms: merged.duration_ms,
        config: TranscriptionConfig { model: merged.model, language: merged.language },
        metadata,
        title: ended.title.clone(),
        attendees: ended.attendees.clone(),
        started_at: ended.started_at,
        files: out.written,
        problem,
    })
}

/// All that was said, in order of start; what began at the same time stays in the order of the tracks.
fn merge<'a>(tracks: impl Iterator<Item = &'a Transcript>) -> Transcript {
    let mut merged = Transcript::default();
    for track in tracks {
        merged.duration_ms = merged.duration_ms.max(track.duration_ms);
        merged.model.clone_from(&track.model);
        merged.language.clone_from(&track.language);
        merged.segments.extend(track.segments.iter().cloned());
    }
    merged.segments.sort_by_key(|it| it.start_ms);
    merged
}

struct Files<'a> {
    folder: &'a Path,
    id: &'a str,
    written: Vec<String>,
}

impl Files<'_> {
    /// The name is the whole id and what follows: ids have dots of their own.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}_{name}", self.id))
    }

    fn write(&mut self, name: &str, contents: &[u8]) -> Result<String, WriteError> {
        let path = self.path(name);
        files::write(&path, contents).map_err(|source| self.error(name, source))?;
        let path = path.to_string_lossy().into_owned();
        self.written.push(path.clone());
        Ok(path)
    }

    fn error(&self, name: &str, source: io::Error) -> WriteError {
        WriteError { path: self.path(name).display().to_string(), source }
    }
}
