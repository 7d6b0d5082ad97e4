//! What this binary was built with. Owns the list; what a feature brings is said in `Cargo.toml`.

/// Names of the cargo features of this build.
pub fn built_with() -> Vec<&'static str> {
    let features = [
        ("alsa", cfg!(feature = "alsa")),
        ("io-uring", cfg!(feature = "io-uring")),
        ("systemd", cfg!(feature = "systemd")),
        ("whisper", cfg!(feature = "whisper")),
        ("opus", cfg!(feature = "opus")),
        ("diarizer", cfg!(feature = "diarizer")),
        ("demo", cfg!(feature = "demo")),
        ("memory-accounting", cfg!(feature = "memory-accounting")),
        ("plugin-example", cfg!(feature = "plugin-example")),
        ("plugin-audio-transcription-local", cfg!(feature = "plugin-audio-transcription-local")),
        ("plugin-cleanup-files", cfg!(feature = "plugin-cleanup-files")),
        ("plugin-desktop-notifier", cfg!(feature = "plugin-desktop-notifier")),
        ("plugin-directory-sync", cfg!(feature = "plugin-directory-sync")),
        ("plugin-meeting-notes-local", cfg!(feature = "plugin-meeting-notes-local")),
        ("plugin-meeting-notes-remote", cfg!(feature = "plugin-meeting-notes-remote")),
        ("plugin-noise-reduction", cfg!(feature = "plugin-noise-reduction")),
        ("plugin-wyoming", cfg!(feature = "plugin-wyoming")),
        ("cuda", cfg!(feature = "cuda")),
        ("vulkan", cfg!(feature = "vulkan")),
    ];
    features.into_iter().filter(|(_, built)| *built).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    /// `plugins` stands for all of them, and `default` for what is built when nobody says otherwise.
    #[test]
    fn every_feature_is_listed() {
        let manifest = include_str!("../Cargo.toml");
        let features = manifest.lines().skip_while(|it| *it != "[features]").skip(1);
        let features = features.take_while(|it| !it.starts_with('['));
        let names: Vec<_> = features.filter_map(|it| it.split_once(" = [")).map(|it| it.0).collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names.into_iter().filter(|it| !["default", "plugins"].contains(it)) {
            assert!(include_str!("features.rs").contains(&format!("(\"{name}\", cfg!(")), "{name}");
        }
    }
}
