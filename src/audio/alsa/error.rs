//! What can go wrong with a sound card. Owns the words and the advice; the system's error is the source.

use std::io;

/// A device cannot be used, or not any longer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The device does not open.
    #[error("cannot open the sound card `{device}` ({advice}{})", said(.detail))]
    Open {
        /// ALSA name.
        device: String,
        /// What to do.
        advice: &'static str,
        /// What alsa-lib wrote about it; may be empty.
        detail: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The device does not have what is configured.
    #[error(
        "the sound card `{device}` does not have {wanted}: choose from what it has ({has}), or leave it out"
    )]
    Unsupported {
        /// ALSA name.
        device: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        has: String,
    },
    /// The device opens but cannot be set up.
    #[error("cannot set up the sound card `{device}` ({operation}{})", said(.detail))]
    SetUp {
        /// ALSA name.
        device: String,
        /// The ALSA function that failed.
        operation: &'static str,
        /// What alsa-lib wrote about it; may be empty.
        detail: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The running device is gone or broken.
    #[error(
        "the sound card `{device}` stopped (is it still plugged in? `panotti devices` lists what there is)"
    )]
    Read {
        /// ALSA name.
        device: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The device claims to run and delivers nothing.
    #[error(
        "the sound card `{device}` delivered nothing for {seconds} s (check its cable and mute switch, or plug it in again)"
    )]
    Stalled {
        /// ALSA name.
        device: String,
        /// How long it was waited.
        seconds: u64,
    },
    /// ALSA cannot list its devices.
    #[error("cannot list sound cards ({operation})")]
    List {
        /// The ALSA function that failed.
        operation: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The feature `alsa` is off.
    #[error("this build has no ALSA: rebuild with the feature `alsa`, or use `wav:FILE` as the device")]
    NotBuilt,
}

fn said(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!("; ALSA says: {detail}") }
}

/// What to do when a device does not open with this error number.
#[cfg(feature = "alsa")]
pub(super) fn advice(errno: i32) -> &'static str {
    match errno {
        libc::EBUSY | libc::EAGAIN => "another program uses it; `fuser -v /dev/snd/*` says which",
        libc::EACCES | libc::EPERM => {
            "this user may not use it; add it to the group `audio`: `sudo usermod -aG audio USER`, then log in again"
        }
        libc::ECONNREFUSED => "the sound server behind it does not run",
        _ => "`panotti devices` lists what there is",
    }
}
