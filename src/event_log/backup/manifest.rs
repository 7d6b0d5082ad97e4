//! `backup.json`: what a backup says about itself. Owns its form, and the name, which is a time.

use std::{fs, io, path::Path};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The copy.
pub(super) const DATA: &str = "data.mdb";
/// What is said about it.
pub(super) const MANIFEST: &str = "backup.json";
/// Form of the manifest and the directory.
pub(super) const FORMAT: u32 = 1;
/// Form of a name.
const NAME: &str = "%Y%m%dT%H%M%SZ";

/// What a backup says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the directory, 1 today.
    pub format: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Which program made it.
    pub panotti: String,
    /// Upgrade steps that the log had taken.
    pub schema: u64,
    /// The oldest event in it; one more than `last_seq` when there is none.
    pub first_seq: u64,
    /// The newest event when it was made.
    pub last_seq: u64,
    /// Length of `data.mdb`.
    pub bytes: u64,
    /// Of `data.mdb`, in hex.
    pub sha256: String,
}

impl Manifest {
    /// How many events are in it.
    pub fn events(&self) -> u64 {
        (self.last_seq + 1).saturating_sub(self.first_seq)
    }

    /// Reads the manifest in `dir`, and whether the copy beside it is as long as it says: what can be known
    /// of a backup without reading it.
    pub(super) fn read(dir: &Path) -> Result<Self, String> {
        let text = fs::read(dir.join(MANIFEST)).map_err(|error| format!("`{MANIFEST}`: {error}"))?;
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|error| format!("`{MANIFEST}` cannot be read: {error}; it may be of a newer panotti"))?;
        if manifest.format != FORMAT {
            return Err(format!("it has the form {}, this panotti knows {FORMAT}", manifest.format));
        }
        match fs::metadata(dir.join(DATA)).map(|it| it.len()) {
            Ok(bytes) if bytes == manifest.bytes => Ok(manifest),
            Ok(bytes) => Err(format!("`{DATA}` has {bytes} of {} bytes", manifest.bytes)),
            Err(error) => Err(format!("`{DATA}`: {error}")),
        }
    }

    pub(super) fn to_json(&self) -> io::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// The name of a backup made at `at`.
pub(super) fn name(at: Timestamp) -> String {
    at.strftime(NAME).to_string()
}

/// When the backup called `text` was made; `None` for what is no such name.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let at = DateTime::strptime(NAME, text).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (name(at) == text).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_are_names() {
        let at = time("20261120T031500Z").unwrap();
        assert_eq!(
            (at.to_string().as_str(), name(at).as_str()),
            ("2026-11-20T03:15:00Z", "20261120T031500Z")
        );
        for no in ["", "20261120T031500", "20261320T031500Z", " 20261120T031500Z", "20261120T0315Z", "latest"]
        {
            assert_eq!(time(no), None, "{no}");
        }
    }
}
