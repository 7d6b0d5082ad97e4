//! Removing files of one recording. Owns that a removal is noted before it begins and told once, also when
//! the power fails in between; leaves when and what to `worker`.

use std::path::PathBuf;

use panotti_sdk::{
    Context, ContextError, NewEvent, Outbox,
    jiff::Timestamp,
    names,
    payloads::{Cleanup, CleanupCompleted, CleanupError, StageError},
    serde_json::{Map, Value},
    uuid::Uuid,
};
use serde::{Deserialize, Serialize};

use crate::{config::Config, guard::Guard, manifest::Manifest, state};

/// A file that is to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Its size, bytes.
    pub(crate) bytes: u64,
}

/// Files of one recording that are to go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Removal {
    recording_id: String,
    pub(crate) files: Vec<File>,
    /// Why, where it is not the end of a meeting's work.
    reason: Option<String>,
    correlation_id: Uuid,
    cause: Uuid,
    metadata: Map<String, Value>,
}

impl Removal {
    /// Those of `paths` that are there and may go.
    pub(crate) fn of(
        manifest: &Manifest,
        paths: Vec<PathBuf>,
        guard: &Guard,
        reason: Option<String>,
    ) -> Self {
        let id = &manifest.recording_id;
        let file = |path: PathBuf| Some(File { bytes: guard.check(&path, id).ok()?, path });
        Self {
            recording_id: id.clone(),
            files: paths.into_iter().filter_map(file).collect(),
            reason,
            correlation_id: manifest.correlation_id,
            cause: manifest.cause,
            metadata: manifest.metadata.clone(),
        }
    }

    /// Their size, bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|it| it.bytes).sum()
    }

    /// Notes that it begins, as what `outbox` says is committed too.
    ///
    /// # Errors
    /// [`ContextError`] when it cannot be kept: then nothing is removed.
    pub(crate) async fn begin(&self, context: &Context, outbox: Outbox) -> Result<(), ContextError> {
        let key = format!("{}{}", state::REMOVAL, Uuid::now_v7());
        context.commit(outbox.put_json(&key, self)?).await.map(drop)
    }

    /// What is told when nothing is removed, only looked at.
    pub(crate) fn rehearsed(self, config: &Config) -> NewEvent {
        let (files, bytes) = (self.files.clone(), self.bytes());
        self.completed(config, &files, bytes, true)
    }

    /// Removes the files, and answers what is to be told. Files that are gone already were removed before a
    /// power cut.
    pub(crate) fn carry_out(self, guard: &Guard, config: &Config) -> Vec<NewEvent> {
        let (mut removed, mut refused) = (Vec::new(), Vec::new());
        for file in &self.files {
            match guard.remove(&file.path, &self.recording_id) {
                Ok(()) => removed.push(file.clone()),
                Err(error) => refused.push(format!("{}: {}", file.path.display(), in_words(&error))),
            }
        }
        let bytes = removed.iter().map(|it| it.bytes).sum();
        let error = (!refused.is_empty()).then(|| self.failed(refused.join("; ")));
        let completed = self.completed(config, &removed, bytes, false);
        [Some(completed), error].into_iter().flatten().collect()
    }

    fn completed(self, config: &Config, files: &[File], bytes: u64, dry_run: bool) -> NewEvent {
        let cleanup = Cleanup {
            status: Default::default(),
            timestamp: Timestamp::now(),
            recording_id: self.recording_id.clone(),
            cleaned_files: files.iter().map(|it| it.path.to_string_lossy().into_owned()).collect(),
            config: config.told(),
            dry_run,
            bytes: Some(bytes),
            reason: self.reason,
        };
        let payload = CleanupCompleted {
            recording_id: self.recording_id,
            cleanup_files: cleanup,
            metadata: self.metadata,
        };
        NewEvent::of(names::CLEANUP_FILES_COMPLETED, &payload)
            .correlated(self.correlation_id)
            .because_of(Some(self.cause))
    }

    fn failed(&self, error: String) -> NewEvent {
        failed(&self.recording_id, error, self.metadata.clone())
            .correlated(self.correlation_id)
            .because_of(Some(self.cause))
    }
}

/// Files could not be removed.
pub(crate) fn failed(recording_id: &str, error: String, metadata: Map<String, Value>) -> NewEvent {
    let failed = StageError {
        status: Default::default(),
        timestamp: Timestamp::now(),
        error,
        config: Default::default(),
    };
    let payload = CleanupError { recording_id: recording_id.to_owned(), cleanup_files: failed, metadata };
    NewEvent::of(names::CLEANUP_FILES_ERROR, &payload)
}

/// An error with its causes in one line.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
