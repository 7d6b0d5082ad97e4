//! What this binary was built with. Owns the list; what a feature brings is said in `Cargo.toml`.

/// Names of the cargo features of this build.
pub fn built_with() -> Vec<&'static str> {
    let features = [
        ("alsa", cfg!(feature = "alsa")),
        ("io-uring", cfg!(feature = "io-uring")),
        ("systemd", cfg!(feature = "systemd")),
        ("whisper", cfg!(feature = "whisper")),
        ("demo", cfg!(feature = "demo")),
        ("memory-accounting", cfg!(feature = "memory-accounting")),
        ("plugin-example", cfg!(feature = "plugin-example")),
        ("cuda", cfg!(feature = "cuda")),
        ("vulkan", cfg!(feature = "vulkan")),
    ];
    features.into_iter().filter(|(_, built)| *built).map(|(name, _)| name).collect()
}
