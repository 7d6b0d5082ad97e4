//! Sound cards. Owns opening a device by its ALSA name, negotiating a format, reading and recovering, and
//! listing what there is; leaves reopening with backoff to `capture`. A build without the feature `alsa`
//! says so in the place of all of it.

mod error;

#[cfg(feature = "alsa")]
mod device;
#[cfg(feature = "alsa")]
mod list;
#[cfg(feature = "alsa")]
mod negotiate;
#[cfg(feature = "alsa")]
mod pacer;
#[cfg(feature = "alsa")]
mod record;

#[cfg(not(feature = "alsa"))]
mod disabled;

#[cfg(all(test, feature = "alsa"))]
mod tests;

use super::SampleFormat;

pub use error::Error;

#[cfg(feature = "alsa")]
pub use list::{list, probe};
#[cfg(feature = "alsa")]
pub(crate) use record::record;

#[cfg(not(feature = "alsa"))]
pub(crate) use disabled::record;
#[cfg(not(feature = "alsa"))]
pub use disabled::{list, probe};

/// One capture device as ALSA knows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Device {
    /// Name to configure as `audio.device`.
    pub name: String,
    /// What its driver or plugin calls it.
    pub description: String,
    /// Whether it is a sound card itself (`hw:…`), not a plugin over one.
    pub hardware: bool,
    /// What it can do, when it opens.
    pub capabilities: Option<Capabilities>,
    /// Why it does not open, and what to do.
    pub problem: Option<String>,
}

/// What a device offers, within what this program can take.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Capabilities {
    /// Sample formats, best first.
    pub formats: Vec<SampleFormat>,
    /// Usual rates from 8,000 to 192,000 Hz.
    pub rates_hz: Vec<u32>,
    /// Numbers of channels from 1 to 16.
    pub channels: Vec<u16>,
}

impl std::fmt::Display for Capabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {} Hz; {} ch", join(&self.formats), join(&self.rates_hz), runs(&self.channels))
    }
}

fn join<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Ascending numbers with neighbours drawn together: `1-4 8`.
fn runs(numbers: &[u16]) -> String {
    let parts: Vec<String> = numbers
        .chunk_by(|a, b| a + 1 == *b)
        .map(|run| match run {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}-{last}"),
            [] => String::new(),
        })
        .collect();
    parts.join(" ")
}
