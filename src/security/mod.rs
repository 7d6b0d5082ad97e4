//! Who may do what. Owns API keys, their roles and their hashed storage; leaves HTTP headers to `http`.

mod secret;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use panotti_sdk::{EventType, NewEvent, names, payloads::KeyChanged};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

use self::secret::Hash;
pub use self::secret::Secret;
use crate::event_log::{self, Batch, EventLog, Put, Table};

/// What a key may do. Each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Record, edit, delete recordings.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// The role as it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Viewer, Self::Operator, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| Error::Role(text.chars().take(64).collect()))
    }
}

/// Whoever holds a valid key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// The key's id; never the key.
    pub key_id: String,
    /// The key's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// A key as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// Who holds it.
    #[serde(flatten)]
    pub principal: Principal,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The keys of this box. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keys {
    log: EventLog,
    /// `API_KEY` of the environment.
    admin: Option<Arc<Hash>>,
}

/// What went wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is not acceptable.
    #[error("a key's name has 1 to 100 characters, none of them a control character")]
    Name,
    /// No such role.
    #[error("`{0}` is not a role: use viewer, operator or admin")]
    Role(String),
    /// No such key.
    #[error("there is no key with the id `{0}`: `panotti key list` shows all")]
    Unknown(String),
    /// A row in the log is not a key.
    #[error("the stored key `{id}` is damaged: revoke it and create another")]
    Damaged {
        /// Its id.
        id: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A key cannot be written as a row.
    #[error("the key cannot be encoded")]
    Encode(#[source] serde_json::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// The log does not let us.
    #[error("the keys are not accessible")]
    Log(#[from] event_log::Error),
}

/// A key as it is stored, as JSON in [`Table::Keys`] under its id.
#[derive(Serialize, Deserialize)]
struct Row {
    name: String,
    role: Role,
    created_at: Timestamp,
    sha256: Hash,
}

/// The id that stands for `API_KEY`.
const ADMIN_ID: &str = "API_KEY";
/// Most keys that a box has.
const LIST_LIMIT: usize = 10_000;

impl Keys {
    /// Keys stored in `log`, and `API_KEY` of the environment (`admin`) as the first administrator's. An
    /// empty `API_KEY` is none.
    pub fn new(log: EventLog, admin: Option<String>) -> Self {
        let admin = admin.filter(|key| !key.is_empty()).map(Secret::new);
        Self { log, admin: admin.map(|key| Arc::new(Hash::of(key.expose()))) }
    }

    /// Who holds `key`; compared exactly and in constant time.
    ///
    /// Hashes are compared, so that time tells nothing of the key, not even its length. Which id is looked
    /// up is no secret.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`]: nobody is let in then.
    pub fn verify(&self, key: &str) -> Result<Option<Principal>, Error> {
        let hash = Hash::of(key);
        if self.admin.as_deref().is_some_and(|admin| admin.matches(&hash)) {
            let name = ADMIN_ID.to_owned();
            return Ok(Some(Principal { key_id: ADMIN_ID.to_owned(), name, role: Role::Admin }));
        }
        let Some(id) = secret::id_of(key) else { return Ok(None) };
        let Some(row) = self.log.get(Table::Keys, id)? else { return Ok(None) };
        let row = parse(id, &row)?;
        Ok(row.sha256.matches(&hash).then(|| row.into_info(id).principal))
    }

    /// Whether there is any key at all.
    ///
    /// # Errors
    /// [`Error::Log`].
    pub fn any(&self) -> Result<bool, Error> {
        Ok(self.admin.is_some() || !self.log.rows_back(Table::Keys, None, 1)?.is_empty())
    }

    /// Makes a key. It is in the [`Secret`] and nowhere else: only its hash is stored. Blocks until that
    /// is on disk.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Random`], [`Error::Log`].
    pub fn create(&self, name: &str, role: Role) -> Result<(Principal, Secret), Error> {
        let name = name.trim();
        if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(Error::Name);
        }
        let (id, key) = secret::generate().map_err(Error::Random)?;
        let row =
            Row { name: name.to_owned(), role, created_at: Timestamp::now(), sha256: Hash::of(key.expose()) };
        let value = serde_json::to_vec(&row).map_err(Error::Encode)?;
        let principal = row.into_info(&id).principal;
        self.change(names::KEY_CREATED, &principal, Some(value))?;
        Ok((principal, key))
    }

    /// All keys but `API_KEY`, by id.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn list(&self) -> Result<Vec<KeyInfo>, Error> {
        let rows = self.log.rows_back(Table::Keys, None, LIST_LIMIT)?;
        rows.iter().rev().map(|(id, row)| Ok(parse(id, row)?.into_info(id))).collect()
    }

    /// Makes the key with the id `id` worthless, at once and for good. Blocks until that is on disk.
    ///
    /// # Errors
    /// [`Error::Unknown`] and [`Error::Log`].
    pub fn revoke(&self, id: &str) -> Result<Principal, Error> {
        let row = self.log.get(Table::Keys, id)?.ok_or_else(|| Error::Unknown(id.to_owned()))?;
        // A damaged key can be revoked too.
        let principal = parse(id, &row).map_or_else(
            |_| Principal { key_id: id.to_owned(), name: String::new(), role: Role::Viewer },
            |row| row.into_info(id).principal,
        );
        self.change(names::KEY_REVOKED, &principal, None)?;
        Ok(principal)
    }

    /// Stores the row and tells of it, together.
    fn change(
        &self,
        event: EventType<KeyChanged>,
        principal: &Principal,
        value: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let changed = KeyChanged {
            key_id: principal.key_id.clone(),
            name: principal.name.clone(),
            role: principal.role.as_str().to_owned(),
        };
        self.log.append_blocking(Batch {
            events: vec![NewEvent::of(event, &changed).from_source("core")],
            puts: vec![Put { table: Table::Keys, key: principal.key_id.clone(), value }],
            idempotency_key: None,
        })?;
        Ok(())
    }
}

impl Row {
    fn into_info(self, id: &str) -> KeyInfo {
        let principal = Principal { key_id: id.to_owned(), name: self.name, role: self.role };
        KeyInfo { principal, created_at: self.created_at }
    }
}

fn parse(id: &str, row: &[u8]) -> Result<Row, Error> {
    serde_json::from_slice(row).map_err(|source| Error::Damaged { id: id.to_owned(), source })
}
