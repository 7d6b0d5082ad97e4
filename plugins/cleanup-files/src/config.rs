//! Settings of the cleaner. Owns their form and defaults; leaves what they mean for a path to `guard`.

use panotti_sdk::{
    payloads::CleanupConfig,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// Settings of the cleaner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Directories whose files may be removed: whole paths, or below the data directory, for which `data`
    /// stands.
    #[schemars(length(min = 1, max = 50))]
    pub include_dirs: Vec<String>,
    /// Directories below them whose files stay, whatever else is set.
    #[schemars(length(max = 50))]
    pub exclude_dirs: Vec<String>,
    /// How long it waits after a meeting's work is done, s.
    #[schemars(range(max = 31_536_000), extend("x-unit" = "s"))]
    pub cleanup_delay: u64,
    /// Whether nothing is removed, and events say what would have been.
    pub dry_run: bool,
    /// Whether the audio that this box recorded stays after a meeting's work. It goes nevertheless when the
    /// disk gets short.
    pub keep_audio: bool,
    /// Whether transcripts stay.
    pub keep_transcripts: bool,
    /// Whether notes stay.
    pub keep_notes: bool,
    /// Least free space on the disk with the recordings, MiB: below it, the oldest recordings' audio goes
    /// first. 0: it never goes for that reason.
    #[schemars(extend("x-unit" = "MiB"))]
    pub min_free_mib: u64,
    /// How often the free space is looked at, s.
    #[schemars(range(min = 1, max = 86_400), extend("x-unit" = "s"))]
    pub check_interval_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            include_dirs: vec!["data".into()],
            exclude_dirs: vec!["data/meeting_notes_local".into(), "data/meeting_notes_remote".into()],
            cleanup_delay: 5,
            dry_run: false,
            keep_audio: true,
            keep_transcripts: true,
            keep_notes: true,
            min_free_mib: 2048,
            check_interval_s: 60,
        }
    }
}

impl Config {
    /// What events say of them.
    pub(crate) fn told(&self) -> CleanupConfig {
        CleanupConfig {
            include_dirs: self.include_dirs.clone(),
            exclude_dirs: self.exclude_dirs.clone(),
            cleanup_delay: self.cleanup_delay,
        }
    }
}
