//! A recording's tracks. Owns finding them on disk and going on with the one that is there; leaves the
//! sound to `clean`.

use std::{
    path::{Component, Path, PathBuf},
    sync::atomic::AtomicBool,
};

use panotti_sdk::{
    files,
    payloads::{Track, TrackSource},
};

use crate::{CleanError, Cleaned, Config, Task, audio, chain, clean::clean};

/// A recording to be cleaned.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Where recordings lie.
    pub(crate) folder: PathBuf,
    pub(crate) tracks: Vec<Track>,
    /// The file to be written.
    pub(crate) output: PathBuf,
    pub(crate) config: Config,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// None where the room's track cannot be cleaned, or where there is none.
    pub(crate) cleaned: Option<Cleaned>,
    /// The tracks that are on disk: a WAV file, or a folder of such.
    pub(crate) microphone: Option<PathBuf>,
    pub(crate) system: Option<PathBuf>,
    /// What could not be done as asked, for people.
    pub(crate) problems: Vec<String>,
}

/// Why nothing can be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Neither track can be used.
    #[error("Missing or invalid audio files: {0}")]
    NoAudio(String),
    /// Cleaning failed for another reason than the track's.
    #[error(transparent)]
    Clean(#[from] CleanError),
}

/// A track that is on disk.
struct Found {
    path: PathBuf,
    files: Vec<PathBuf>,
    has_labels: bool,
}

impl Recording {
    /// Cleans the room's track, of the far end too where that is there.
    pub(crate) fn clean(&self, stop: &AtomicBool) -> Result<Outcome, Error> {
        let mut problems = Vec::new();
        let mut find = |source, name| match self.find(source, name, &mut problems) {
            Ok(found) => found,
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let microphone = find(TrackSource::Microphone, "microphone");
        let system = find(TrackSource::System, "far end");
        let mut cleaned = None;
        if let Some(microphone) = &microphone {
            let task = Task {
                microphone: microphone.files.clone(),
                keep_channels: microphone.has_labels,
                system: system.as_ref().map_or_else(Vec::new, |it| it.files.clone()),
                output: self.output.clone(),
            };
            match clean(&task, &self.config, stop) {
                Ok(mut done) => {
                    problems.append(&mut done.problems);
                    cleaned = Some(done);
                }
                Err(error) if error.is_of_the_track() => problems.push(chain(&error)),
                Err(error) => return Err(error.into()),
            }
        }
        if cleaned.is_none() {
            // The transcript is then made from the far end alone: if it can.
            let readable = system.as_ref().map(|it| audio::Track::open(&it.files));
            if let Some(Err(error)) = &readable {
                problems.push(format!("the far end's track cannot be read: {}", chain(error)));
            }
            if !matches!(readable, Some(Ok(_))) {
                let nothing = problems.is_empty().then(|| "the recording has no tracks".to_owned());
                problems.extend(nothing);
                return Err(Error::NoAudio(problems.join("; ")));
            }
        }
        let path = |found: Option<Found>| found.map(|it| it.path);
        Ok(Outcome { cleaned, microphone: path(microphone), system: path(system), problems })
    }

    /// The first track from `source`; none where the recording has none. What is wrong with it, for people,
    /// where it is not on disk.
    fn find(
        &self,
        source: TrackSource,
        name: &str,
        problems: &mut Vec<String>,
    ) -> Result<Option<Found>, String> {
        let mut tracks = self.tracks.iter().filter(|it| it.source == source);
        let Some(track) = tracks.next() else { return Ok(None) };
        let others = tracks.count();
        if others > 0 {
            problems.push(format!("{others} more tracks of the {name} are left as they are"));
        }
        if Path::new(&track.path).components().any(|it| !matches!(it, Component::Normal(_))) {
            return Err(format!("the {name}'s track `{}` is not below the recordings", track.path));
        }
        let path = self.folder.join(&track.path);
        let files = files::audio_of(&self.folder, track)
            .map_err(|error| format!("the {name}'s folder `{}` cannot be read: {error}", path.display()))?;
        if files.is_empty() {
            return Err(format!("the {name}'s folder `{}` has no audio", path.display()));
        }
        if let Some(missing) = files.iter().find(|it| !it.exists()) {
            return Err(format!("the {name}'s file `{}` is missing", missing.display()));
        }
        let has_labels = track.channel_labels.iter().any(|it| !it.is_empty());
        Ok(Some(Found { path, files, has_labels }))
    }
}
