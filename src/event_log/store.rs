//! The databases inside the LMDB environment and how an event, its index entries and rows lie in them.
//! Owns keys, values and lookups; the caller owns the transaction, `writer` decides when to commit.

use std::{collections::BinaryHeap, ops::Bound, path::Path};

use heed::{
    Database, Env, EnvOpenOptions, PutFlags, RoTxn, RwTxn, WithoutTls,
    byteorder::BigEndian,
    types::{Bytes, Str, U64, Unit},
};
use panotti_sdk::Event;
use uuid::Uuid;

use super::{Error, Table, envelope, filter::Parsed, upgrade};

type Seq = U64<BigEndian>;
/// Numbers by name.
pub(super) type Meta = Database<Str, Seq>;

/// Names of the databases; a name that has been released keeps its meaning.
pub(super) mod db_name {
    pub(in super::super) const META: &str = "meta";
    pub(in super::super) const EVENTS: &str = "events";
    pub(in super::super) const SEQ_BY_ID: &str = "seq-by-id";
    pub(in super::super) const BY_NAME: &str = "by-name";
    pub(in super::super) const BY_CORRELATION: &str = "by-correlation";
    pub(in super::super) const IDEMPOTENCY: &str = "idempotency";
    pub(in super::super) const IDEMPOTENCY_AGE: &str = "idempotency-age";
    pub(in super::super) const RECORDINGS: &str = "recordings";
    pub(in super::super) const RECORDINGS_BY_START: &str = "recordings-by-start";
    pub(in super::super) const KEYS: &str = "keys";
    /// All of version 1.
    pub(in super::super) const ALL: [&str; 10] = [
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

/// In `meta`: how many upgrade steps the file has taken.
pub(super) const SCHEMA_KEY: &str = "schema";
/// In `meta`: the `seq` of the next event, so that none is used twice when old events have been removed.
const NEXT_SEQ_KEY: &str = "next-seq";

/// Address space for the file, which is as long as what is in it: LMDB maps it once, so nothing has to
/// stop for it to grow. Both are multiples of 64 KiB, the largest page size of any kernel.
#[cfg(target_pointer_width = "64")]
const MAP_SIZE: usize = 16 << 30;
/// Where addresses are scarce, Whisper and the libraries need the rest.
#[cfg(not(target_pointer_width = "64"))]
const MAP_SIZE: usize = 512 << 20;

/// How long an idempotency key is remembered, in ms.
const IDEMPOTENCY_AGE_MS: u64 = 24 * 60 * 60 * 1000;
/// How many idempotency keys are remembered.
const IDEMPOTENCY_MAX: u64 = 100_000;
/// How many expired ones one batch removes at most, so that no batch waits for many.
const IDEMPOTENCY_SWEEP: usize = 64;

/// SHA-256 of source and key.
pub(super) type IdempotencyKey = [u8; 32];

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
}

/// Opens the environment at `dir` and brings it to the present schema.
pub(super) fn open(dir: &Path) -> Result<Store, Error> {
    let failed = |source| Error::open(dir, source);
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(MAP_SIZE).max_dbs(db_name::ALL.len() as u32 + 8);
    #[expect(unsafe_code, reason = "heed asks the caller to keep the memory map sound")]
    // SAFETY: the file is changed through LMDB alone, here and in other processes (`panotti key`), all with
    // the same map size and with LMDB's lock file; heed refuses a second environment on the same path in
    // this process. The directory is the service's own.
    let env = unsafe { options.open(dir) }.map_err(failed)?;
    env.clear_stale_readers().map_err(failed)?;

    let mut txn = env.write_txn().map_err(failed)?;
    let meta: Meta = env.create_database(&mut txn, Some(db_name::META)).map_err(failed)?;
    let found = meta.get(&txn, SCHEMA_KEY).map_err(failed)?.unwrap_or(0);
    if found > upgrade::SCHEMA {
        return Err(Error::Newer { path: dir.to_owned(), found, supported: upgrade::SCHEMA });
    }
    upgrade::run(&env, &mut txn, meta, found).map_err(failed)?;
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
        idempotency: database!(IDEMPOTENCY),
        idempotency_age: database!(IDEMPOTENCY_AGE),
        recordings: database!(RECORDINGS),
        recordings_by_start: database!(RECORDINGS_BY_START),
        keys: database!(KEYS),
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

    fn rows(&self, table: Table) -> Database<Str, Bytes> {
        match table {
            Table::Recordings => self.recordings,
            Table::RecordingsByStart => self.recordings_by_start,
            Table::Keys => self.keys,
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
        self.by_name.put(txn, &name_key(event.name.as_str(), seq), &())?;
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

    /// The `seq` of the event that was first published with `key`, if that is known at `now_ms`.
    pub(super) fn idempotent(
        &self,
        txn: &RoTxn<'_>,
        key: &IdempotencyKey,
        now_ms: u64,
    ) -> heed::Result<Option<u64>> {
        let Some((seq, then)) = self.idempotency.get(txn, key)?.and_then(split) else { return Ok(None) };
        Ok((now_ms.saturating_sub(then) <= IDEMPOTENCY_AGE_MS).then_some(seq))
    }

    /// Remembers `key`, and forgets some that are too old or too many.
    pub(super) fn remember(
        &self,
        txn: &mut RwTxn<'_>,
        key: &IdempotencyKey,
        seq: u64,
        now_ms: u64,
    ) -> heed::Result<()> {
        if let Some((old, _)) = self.idempotency.get(txn, key)?.and_then(split) {
            self.idempotency_age.delete(txn, &old)?;
        }
        let value = [seq.to_be_bytes(), now_ms.to_be_bytes()].concat();
        self.idempotency.put(txn, key, &value)?;
        self.idempotency_age.put(txn, &seq, key)?;
        for _ in 0..IDEMPOTENCY_SWEEP {
            let Some((oldest, key)) = self.idempotency_age.first(txn)? else { break };
            let key = key.to_owned();
            let then = self.idempotency.get(txn, &key)?.and_then(split).map_or(0, |(_, then)| then);
            let old = now_ms.saturating_sub(then) > IDEMPOTENCY_AGE_MS;
            if !old && self.idempotency.len(txn)? <= IDEMPOTENCY_MAX {
                break;
            }
            self.idempotency_age.delete(txn, &oldest)?;
            self.idempotency.delete(txn, &key)?;
        }
        Ok(())
    }

    /// The event at `seq`.
    pub(super) fn event(&self, txn: &RoTxn<'_>, seq: u64) -> Result<Option<Event>, Error> {
        let bytes = self.events.get(txn, &seq).map_err(|e| self.read_error(e))?;
        bytes.map(|bytes| self.decode(seq, bytes)).transpose()
    }

    /// The event called `id`.
    pub(super) fn event_by_id(&self, txn: &RoTxn<'_>, id: Uuid) -> Result<Option<Event>, Error> {
        match self.seq_by_id.get(txn, id.as_bytes()).map_err(|e| self.read_error(e))? {
            Some(seq) => self.event(txn, seq),
            None => Ok(None),
        }
    }

    /// At most `limit` wanted events inside `range`.
    pub(super) fn events(
        &self,
        txn: &RoTxn<'_>,
        range: Range,
        limit: usize,
        filter: &Parsed,
    ) -> Result<Vec<Event>, Error> {
        let mut found = Vec::new();
        if limit == 0 || range.first > range.last {
            return Ok(found);
        }
        let failed = |e| self.read_error(e);
        let indexes = self.indexes(txn, range, filter).map_err(failed)?;
        match indexes {
            None => {
                for entry in self.scan(txn, range).map_err(failed)?.take(limit) {
                    let (seq, bytes) = entry.map_err(failed)?;
                    found.push(self.decode(seq, bytes)?);
                }
            }
            Some(indexes) => {
                for seq in Merge::new(indexes, range.backward).map_err(failed)? {
                    let event = self.event(txn, seq.map_err(failed)?)?;
                    found.extend(event.filter(|event| filter.wants(event)));
                    if found.len() == limit {
                        break;
                    }
                }
            }
        }
        Ok(found)
    }

    fn scan<'t>(
        &self,
        txn: &'t RoTxn<'_>,
        range: Range,
    ) -> heed::Result<Box<dyn Iterator<Item = heed::Result<(u64, &'t [u8])>> + 't>> {
        let Range { first, last, backward } = range;
        Ok(match backward {
            false => Box::new(self.events.range(txn, &(first..=last))?),
            true => Box::new(self.events.rev_range(txn, &(first..=last))?),
        })
    }

    /// The index entries that hold every wanted event; `None` when all are wanted.
    fn indexes<'t>(
        &self,
        txn: &'t RoTxn<'_>,
        range: Range,
        filter: &Parsed,
    ) -> heed::Result<Option<Vec<Seqs<'t>>>> {
        if let Some(id) = filter.correlation_id {
            let key = |seq| correlation_key(id, seq);
            return Ok(Some(vec![index(self.by_correlation, txn, range, key)?]));
        }
        let Some(pattern) = &filter.name else { return Ok(None) };
        let mut indexes = Vec::new();
        // From one name to the next, without looking at their events.
        let mut from = pattern.prefix().into_bytes();
        if from.is_empty() {
            // LMDB refuses an empty key; 0 comes before every name.
            from.push(0);
        }
        while let Some((key, ())) = self.by_name.get_greater_than_or_equal_to(txn, &from)? {
            let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
            if !name.starts_with(pattern.prefix().as_bytes()) {
                break;
            }
            if std::str::from_utf8(name).is_ok_and(|name| pattern.matches(name)) {
                indexes
                    .push(index(self.by_name, txn, range, |seq| [name, &[0], &seq.to_be_bytes()].concat())?);
            }
            from = [name, &[1]].concat();
        }
        Ok(Some(indexes))
    }

    fn decode(&self, seq: u64, bytes: &[u8]) -> Result<Event, Error> {
        envelope::decode(seq, bytes).map_err(|source| Error::Corrupt {
            path: self.path().to_owned(),
            seq,
            source,
        })
    }

    pub(super) fn read_error(&self, source: heed::Error) -> Error {
        Error::Read { path: self.path().to_owned(), source }
    }
}

/// Events from `first` to `last`, both included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Newest first.
    pub(super) backward: bool,
}

/// Ascending, or descending when read backward.
type Seqs<'t> = Box<dyn Iterator<Item = heed::Result<u64>> + 't>;

fn index<'t>(
    database: Database<Bytes, Unit>,
    txn: &'t RoTxn<'_>,
    range: Range,
    key: impl Fn(u64) -> Vec<u8>,
) -> heed::Result<Seqs<'t>> {
    let (first, last) = (key(range.first), key(range.last));
    let bounds = (Bound::Included(first.as_slice()), Bound::Included(last.as_slice()));
    let seq = |entry: heed::Result<(&[u8], ())>| entry.map(|(key, ())| seq_of(key));
    Ok(match range.backward {
        false => Box::new(database.range(txn, &bounds)?.map(seq)),
        true => Box::new(database.rev_range(txn, &bounds)?.map(seq)),
    })
}

/// Several ordered sequences as one.
struct Merge<'t> {
    sources: Vec<Seqs<'t>>,
    /// The next of each source; what comes first is the greatest rank.
    heads: BinaryHeap<(u64, usize)>,
    backward: bool,
}

impl<'t> Merge<'t> {
    fn new(sources: Vec<Seqs<'t>>, backward: bool) -> heed::Result<Self> {
        let mut merge = Self { heads: BinaryHeap::new(), sources, backward };
        for source in 0..merge.sources.len() {
            merge.advance(source)?;
        }
        Ok(merge)
    }

    fn rank(&self, seq: u64) -> u64 {
        if self.backward { seq } else { u64::MAX - seq }
    }

    fn advance(&mut self, source: usize) -> heed::Result<()> {
        if let Some(seq) = self.sources[source].next().transpose()? {
            self.heads.push((self.rank(seq), source));
        }
        Ok(())
    }
}

impl Iterator for Merge<'_> {
    type Item = heed::Result<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        let (rank, source) = self.heads.pop()?;
        Some(self.advance(source).map(|()| self.rank(rank)))
    }
}

fn name_key(name: &str, seq: u64) -> Vec<u8> {
    [name.as_bytes(), &[0], &seq.to_be_bytes()].concat()
}

fn correlation_key(id: Uuid, seq: u64) -> Vec<u8> {
    [id.as_bytes().as_slice(), &seq.to_be_bytes()].concat()
}

/// The last eight bytes of an index key.
fn seq_of(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn split(value: &[u8]) -> Option<(u64, u64)> {
    let (seq, then) = (value.first_chunk()?, value.last_chunk()?);
    Some((u64::from_be_bytes(*seq), u64::from_be_bytes(*then)))
}
