//! The databases inside the LMDB environment and how an event, its index entries and rows lie in them.
//! Owns keys, values and lookups; the caller owns the transaction, `writer` decides when to commit.

mod idempotency;
mod open;
mod prune;
mod read;
mod reader;
mod time;
mod upgrade;

use std::{ops::Bound, path::Path};

use heed::{
    Database, Env, PutFlags, RoTxn, RwTxn, WithoutTls,
    byteorder::BigEndian,
    types::{Bytes, DecodeIgnore, Str, U64, Unit},
};
use panotti_sdk::Event;
use uuid::Uuid;

use self::time::Times;
pub(super) use self::{
    idempotency::IdempotencyKey,
    open::{MAP_SIZE, create as create_dir, give},
    prune::PRUNE_STEP,
    read::{Budget, Range},
    reader::{Reader, Walked},
    time::Runs,
    upgrade::SCHEMA,
};
use super::{Error, Table, envelope};
use crate::config::Durability;

type Seq = U64<BigEndian>;
/// Numbers by name.
type Meta = Database<Str, Seq>;

/// Names of the databases; a name that has been released keeps its meaning.
mod db_name {
    pub(super) const META: &str = "meta";
    pub(super) const EVENTS: &str = "events";
    pub(super) const SEQ_BY_ID: &str = "seq-by-id";
    pub(super) const BY_NAME: &str = "by-name";
    pub(super) const BY_CORRELATION: &str = "by-correlation";
    pub(super) const IDEMPOTENCY: &str = "idempotency";
    pub(super) const IDEMPOTENCY_AGE: &str = "idempotency-age";
    pub(super) const RECORDINGS: &str = "recordings";
    pub(super) const RECORDINGS_BY_START: &str = "recordings-by-start";
    pub(super) const KEYS: &str = "keys";
    pub(super) const SUBSCRIPTIONS: &str = "subscriptions";
    pub(super) const DEAD_LETTERS: &str = "dead-letters";
    pub(super) const REPLAYS: &str = "replays";
    pub(super) const FILTERS: &str = "filters";
    pub(super) const PLUGINS: &str = "plugins";
    pub(super) const PLUGIN_STATE: &str = "plugin-state";
    pub(super) const BY_MINUTE: &str = "by-minute";
    /// Those of version 2.
    pub(super) const SECOND: [&str; 7] =
        [BY_MINUTE, SUBSCRIPTIONS, DEAD_LETTERS, REPLAYS, FILTERS, PLUGINS, PLUGIN_STATE];
    /// Those of version 1.
    pub(super) const FIRST: [&str; 10] = [
        META,
        EVENTS,
        SEQ_BY_ID,
        BY_NAME,
        BY_CORRELATION,
        IDEMPOTENCY,
        IDEMPOTENCY_AGE,
        RECORDINGS,
        RECORDINGS_BY_START,
        KEYS,
    ];
}

/// With room for versions to come.
const MOST_DATABASES: u32 = 32;
/// In `meta`: how many upgrade steps the file has taken.
const SCHEMA_KEY: &str = "schema";
/// In `meta`: the `seq` of the next event, so that none is used twice when old events have been removed.
const NEXT_SEQ_KEY: &str = "next-seq";

/// The environment and its databases. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Store {
    env: Env<WithoutTls>,
    /// Schema version and next `seq`.
    meta: Meta,
    /// Envelopes by `seq`.
    events: Database<Seq, Bytes>,
    /// `seq` by event id (16 bytes).
    seq_by_id: Database<Bytes, Seq>,
    /// Name, a zero byte, `seq`.
    by_name: Database<Bytes, Unit>,
    /// Correlation id (16 bytes), `seq`.
    by_correlation: Database<Bytes, Unit>,
    /// Which events were accepted when.
    pub(super) times: Times,
    /// By [`IdempotencyKey`]: `seq` of the first event, and when, in ms since 1970, both big-endian.
    idempotency: Database<Bytes, Bytes>,
    /// [`IdempotencyKey`] by `seq`: the oldest first.
    idempotency_age: Database<Seq, Bytes>,
    /// Rows of [`Table::Recordings`].
    recordings: Database<Str, Bytes>,
    /// Rows of [`Table::RecordingsByStart`].
    recordings_by_start: Database<Str, Bytes>,
    /// Rows of [`Table::Keys`].
    keys: Database<Str, Bytes>,
    /// Rows of [`Table::Subscriptions`].
    subscriptions: Database<Str, Bytes>,
    /// Rows of [`Table::DeadLetters`].
    dead_letters: Database<Str, Bytes>,
    /// Rows of [`Table::Replays`].
    replays: Database<Str, Bytes>,
    /// Rows of [`Table::Filters`].
    filters: Database<Str, Bytes>,
    /// Rows of [`Table::Plugins`].
    plugins: Database<Str, Bytes>,
    /// Rows of [`Table::PluginState`].
    plugin_state: Database<Str, Bytes>,
}

/// Opens the environment at `dir` and brings it to the present schema.
pub(super) fn open(dir: &Path, durability: Durability) -> Result<Store, Error> {
    let failed = |source| Error::open(dir, source);
    let env = open::environment(dir, MOST_DATABASES, durability)?;
    let mut txn = env.write_txn().map_err(failed)?;
    let meta: Meta = env.create_database(&mut txn, Some(db_name::META)).map_err(failed)?;
    let found = meta.get(&txn, SCHEMA_KEY).map_err(failed)?.unwrap_or(0);
    if found > SCHEMA {
        return Err(Error::Newer { path: dir.to_owned(), found, supported: SCHEMA });
    }
    upgrade::run(&env, &mut txn, meta, found, SCHEMA).map_err(failed)?;
    txn.commit().map_err(failed)?;

    let txn = env.read_txn().map_err(failed)?;
    macro_rules! database {
        ($name:ident) => {
            env.open_database(&txn, Some(db_name::$name))
                .map_err(failed)?
                .ok_or_else(|| failed(heed::MdbError::NotFound.into()))?
        };
    }
    let store = Store {
        meta,
        events: database!(EVENTS),
        seq_by_id: database!(SEQ_BY_ID),
        by_name: database!(BY_NAME),
        by_correlation: database!(BY_CORRELATION),
        times: Times(database!(BY_MINUTE)),
        idempotency: database!(IDEMPOTENCY),
        idempotency_age: database!(IDEMPOTENCY_AGE),
        recordings: database!(RECORDINGS),
        recordings_by_start: database!(RECORDINGS_BY_START),
        keys: database!(KEYS),
        subscriptions: database!(SUBSCRIPTIONS),
        dead_letters: database!(DEAD_LETTERS),
        replays: database!(REPLAYS),
        filters: database!(FILTERS),
        plugins: database!(PLUGINS),
        plugin_state: database!(PLUGIN_STATE),
        env: env.clone(),
    };
    txn.commit().map_err(failed)?;
    Ok(store)
}

impl Store {
    pub(super) fn path(&self) -> &Path {
        self.env.path()
    }

    pub(super) fn read_txn(&self) -> heed::Result<RoTxn<'_, WithoutTls>> {
        self.env.read_txn()
    }

    pub(super) fn write_txn(&self) -> heed::Result<RwTxn<'_>> {
        self.env.write_txn()
    }

    /// Commits what takes at most `growth` more bytes of the file: when this returns `Ok`, it is on disk.
    pub(super) fn commit(&self, txn: RwTxn<'_>, growth: u64) -> heed::Result<()> {
        open::reach(&self.env, growth)?;
        txn.commit()
    }

    /// Length of the data file, bytes.
    pub(super) fn bytes_file(&self) -> heed::Result<u64> {
        self.env.real_disk_size()
    }

    fn rows(&self, table: Table) -> Database<Str, Bytes> {
        match table {
            Table::Recordings => self.recordings,
            Table::RecordingsByStart => self.recordings_by_start,
            Table::Keys => self.keys,
            Table::Subscriptions => self.subscriptions,
            Table::DeadLetters => self.dead_letters,
            Table::Replays => self.replays,
            Table::Filters => self.filters,
            Table::Plugins => self.plugins,
            Table::PluginState => self.plugin_state,
        }
    }

    /// The `seq` the next event gets, from 1. Read anew each time: another process may have written.
    pub(super) fn next_seq(&self, txn: &RoTxn<'_>) -> heed::Result<u64> {
        Ok(self.meta.get(txn, NEXT_SEQ_KEY)?.unwrap_or(1))
    }

    pub(super) fn set_next_seq(&self, txn: &mut RwTxn<'_>, seq: u64) -> heed::Result<()> {
        self.meta.put(txn, NEXT_SEQ_KEY, &seq)
    }

    /// Says that `version` upgrade steps were taken.
    #[cfg(test)]
    pub(super) fn set_schema(&self, txn: &mut RwTxn<'_>, version: u64) -> heed::Result<()> {
        self.meta.put(txn, SCHEMA_KEY, &version)
    }

    /// Whether LMDB leaves out the last sync of a commit.
    #[cfg(test)]
    pub(super) fn syncs_late(&self) -> bool {
        self.env.get_flags().unwrap() & heed::EnvFlags::NO_META_SYNC.bits() != 0
    }

    /// Entries of the events themselves and of their indexes.
    #[cfg(test)]
    pub(super) fn index_entries(&self, txn: &RoTxn<'_>) -> heed::Result<[u64; 4]> {
        Ok([
            self.events.len(txn)?,
            self.seq_by_id.len(txn)?,
            self.by_name.len(txn)?,
            self.by_correlation.len(txn)?,
        ])
    }

    /// Makes the event at `seq` unreadable.
    #[cfg(test)]
    pub(super) fn damage(&self, txn: &mut RwTxn<'_>, seq: u64) -> heed::Result<()> {
        self.events.put(txn, &seq, &[0])
    }

    /// Stores `event`, encoded as `envelope`, at the end, where it gets `seq`.
    pub(super) fn put_event(
        &self,
        txn: &mut RwTxn<'_>,
        seq: u64,
        event: &Event,
        envelope: &[u8],
    ) -> heed::Result<()> {
        self.events.put_with_flags(txn, PutFlags::APPEND, &seq, envelope)?;
        self.seq_by_id.put(txn, event.id.as_bytes(), &seq)?;
        self.by_name.put(txn, &name_key(event.name.as_str().as_bytes(), seq), &())?;
        self.by_correlation.put(txn, &correlation_key(event.context.correlation_id, seq), &())
    }

    pub(super) fn put_row(
        &self,
        txn: &mut RwTxn<'_>,
        table: Table,
        key: &str,
        value: Option<&[u8]>,
    ) -> heed::Result<()> {
        match value {
            Some(value) => self.rows(table).put(txn, key, value),
            None => self.rows(table).delete(txn, key).map(drop),
        }
    }

    pub(super) fn row<'t>(
        &self,
        txn: &'t RoTxn<'_>,
        table: Table,
        key: &str,
    ) -> heed::Result<Option<&'t [u8]>> {
        self.rows(table).get(txn, key)
    }

    pub(super) fn rows_back(
        &self,
        txn: &RoTxn<'_>,
        table: Table,
        before: Option<&str>,
        limit: usize,
    ) -> heed::Result<Vec<(String, Vec<u8>)>> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows(table)
            .rev_range(txn, &(Bound::Unbounded, end))?
            .take(limit)
            .map(|row| row.map(|(key, value)| (key.to_owned(), value.to_owned())))
            .collect()
    }

    /// Keys that begin with `prefix` and lie above `after`, least first.
    pub(super) fn keys(
        &self,
        txn: &RoTxn<'_>,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> heed::Result<Vec<String>> {
        let begin = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            // LMDB knows no empty key, so that an empty prefix is no place to begin.
            _ if prefix.is_empty() => Bound::Unbounded,
            _ => Bound::Included(prefix),
        };
        let rows = self.rows(table).remap_data_type::<DecodeIgnore>();
        let mut keys = Vec::new();
        for row in rows.range(txn, &(begin, Bound::Unbounded))?.take(limit) {
            let (key, ()) = row?;
            if !key.starts_with(prefix) {
                break;
            }
            keys.push(key.to_owned());
        }
        Ok(keys)
    }

    /// Rows with a key above `after`, least key first.
    pub(super) fn rows_forward(
        &self,
        txn: &RoTxn<'_>,
        table: Table,
        after: Option<&str>,
        limit: usize,
    ) -> heed::Result<Vec<(String, Vec<u8>)>> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows(table)
            .range(txn, &(begin, Bound::Unbounded))?
            .take(limit)
            .map(|row| row.map(|(key, value)| (key.to_owned(), value.to_owned())))
            .collect()
    }

    pub(super) fn read_error(&self, source: heed::Error) -> Error {
        Error::Read { path: self.path().to_owned(), source }
    }
}

fn name_key(name: &[u8], seq: u64) -> Vec<u8> {
    [name, &[0], &seq.to_be_bytes()].concat()
}

fn correlation_key(id: Uuid, seq: u64) -> Vec<u8> {
    [id.as_bytes().as_slice(), &seq.to_be_bytes()].concat()
}
