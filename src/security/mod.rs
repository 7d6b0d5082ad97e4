//! Who may do what. Owns API keys, their roles and their hashed storage; leaves HTTP headers to `http`.

use crate::event_log::EventLog;

/// What a key may do. Each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Record, edit, delete recordings.
    Operator,
    /// Everything.
    Admin,
}

/// Whoever holds a valid key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The key's id; never the key.
    pub key_id: String,
    /// The key's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// The keys of this box. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keys {}

/// What went wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

impl Keys {
    /// Keys stored in `log`, and `API_KEY` of the environment (`admin`) as the first administrator's.
    pub fn new(log: EventLog, admin: Option<String>) -> Self {
        let _ = (log, admin);
        unimplemented!()
    }

    /// Who holds `key`; compared exactly and in constant time.
    pub fn verify(&self, key: &str) -> Result<Option<Principal>, Error> {
        let _ = key;
        unimplemented!()
    }

    /// Whether there is any key at all.
    pub fn any(&self) -> Result<bool, Error> {
        unimplemented!()
    }
}
