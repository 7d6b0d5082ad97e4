//! Which plugins there are. Owns the one explicit list; a feature and a folder belong to each entry, which
//! a test holds in step.

use panotti_sdk::Descriptor;

/// The plugins of this binary. A plugin from outside this repository is one dependency in `Cargo.toml` and
/// one line here.
pub const PLUGINS: &[Descriptor] = &[
    #[cfg(feature = "plugin-example")]
    panotti_example::DESCRIPTOR,
    #[cfg(feature = "plugin-audio-transcription-local")]
    panotti_audio_transcription_local::DESCRIPTOR,
    #[cfg(feature = "plugin-cleanup-files")]
    panotti_cleanup_files::DESCRIPTOR,
    #[cfg(feature = "plugin-desktop-notifier")]
    panotti_desktop_notifier::DESCRIPTOR,
    #[cfg(feature = "plugin-directory-sync")]
    panotti_directory_sync::DESCRIPTOR,
    #[cfg(feature = "plugin-meeting-notes-local")]
    panotti_meeting_notes_local::DESCRIPTOR,
    #[cfg(feature = "plugin-meeting-notes-remote")]
    panotti_meeting_notes_remote::DESCRIPTOR,
    #[cfg(feature = "plugin-noise-reduction")]
    panotti_noise_reduction::DESCRIPTOR,
    #[cfg(feature = "plugin-wyoming")]
    panotti_wyoming::DESCRIPTOR,
];

/// A plugin of ours, in this binary or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// The cargo feature that compiles it in.
    pub feature: &'static str,
}

/// All plugins of this repository.
pub const KNOWN: &[Known] = &[
    Known { name: "example", feature: "plugin-example" },
    Known { name: "audio_transcription_local", feature: "plugin-audio-transcription-local" },
    Known { name: "cleanup_files", feature: "plugin-cleanup-files" },
    Known { name: "desktop_notifier", feature: "plugin-desktop-notifier" },
    Known { name: "directory_sync", feature: "plugin-directory-sync" },
    Known { name: "meeting_notes_local", feature: "plugin-meeting-notes-local" },
    Known { name: "meeting_notes_remote", feature: "plugin-meeting-notes-remote" },
    Known { name: "noise_reduction", feature: "plugin-noise-reduction" },
    Known { name: "wyoming", feature: "plugin-wyoming" },
];
