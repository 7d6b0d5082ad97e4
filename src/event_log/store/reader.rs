//! The environment for reading alone, as it lies on disk: never upgraded, never written. Owns copying it
//! and walking over everything in it; what is made of that is told by `backup`.

use std::{fs, fs::File, io, path::Path};

use heed::{
    CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, WithoutTls,
    types::{Bytes, DecodeIgnore, Str},
};

use super::{
    Error, MOST_DATABASES, Meta, NEXT_SEQ_KEY, SCHEMA_KEY, Seq, Store, correlation_key, db_name, envelope,
    name_key, open,
};
use crate::error_chain::chain;

/// Faults that are told one by one; more of them help nobody.
const MOST_FAULTS: usize = 10;

/// An environment that is only read.
#[derive(Debug)]
pub(in super::super) struct Reader {
    env: Env<WithoutTls>,
}

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Extent {
    /// Upgrade steps taken.
    pub(in super::super) schema: u64,
    /// The oldest event; one more than `last_seq` when there is none.
    pub(in super::super) first_seq: u64,
    /// The newest event that there ever was.
    pub(in super::super) last_seq: u64,
}

/// What a walk over everything found.
#[derive(Debug, Default)]
pub(in super::super) struct Walked {
    /// Events that are as they were stored.
    pub(in super::super) events: u64,
    /// Events that are there at all.
    seen: u64,
    /// What is wrong, for people.
    pub(in super::super) faults: Vec<String>,
}

impl Walked {
    fn fault(&mut self, what: impl FnOnce() -> String) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(what());
        }
    }
}

impl Store {
    /// The same environment, to be copied.
    pub(in super::super) fn reader(&self) -> Reader {
        Reader { env: self.env.clone() }
    }
}

impl Reader {
    /// Opens a log that another process may have open too, or will.
    pub(in super::super) fn open_log(dir: &Path) -> Result<Self, Error> {
        let failed = |source| Error::open(dir, source);
        let real = fs::canonicalize(dir).map_err(|source| failed(source.into()))?;
        if heed::env_closing_event(&real).is_some() {
            return Err(failed(heed::Error::EnvAlreadyOpened));
        }
        // It also gives a lock file that is made here to whom the directory belongs to.
        let owner = open::create(&real).map_err(|source| failed(source.into()))?;
        open::reserve_lock_file(&real).map_err(|source| failed(source.into()))?;
        if let Some(owner) = owner {
            open::give(&real.join("lock.mdb"), owner).map_err(|source| failed(source.into()))?;
        }
        let reader = Self::open(dir, &real, EnvFlags::READ_ONLY, open::MAP_SIZE)?;
        reader.env.clear_stale_readers().map_err(failed)?;
        Ok(reader)
    }

    /// Opens a copy that nobody writes to; leaves no file beside it.
    pub(in super::super) fn open_copy(dir: &Path) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::open(dir, source.into());
        let real = fs::canonicalize(dir).map_err(failed)?;
        let length = fs::metadata(real.join("data.mdb")).map_err(failed)?.len();
        // No more addresses than it needs, in whole pages of any kernel.
        let map = usize::try_from(length.next_multiple_of(64 << 10)).unwrap_or(usize::MAX >> 16 << 16);
        Self::open(dir, &real, EnvFlags::READ_ONLY | EnvFlags::NO_LOCK, map)
    }

    fn open(dir: &Path, real: &Path, flags: EnvFlags, map: usize) -> Result<Self, Error> {
        let failed = |source| Error::open(dir, source);
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(map).max_dbs(MOST_DATABASES).max_readers(open::READERS);
        #[expect(unsafe_code, reason = "heed asks the caller to keep the memory map sound")]
        // SAFETY: opened to be read; a log is changed by others through LMDB alone and under its lock file,
        // a copy by nobody. heed refuses a second environment on the same path in this process. That the
        // file is as long as what LMDB will read of it is looked at below.
        let env = unsafe { options.flags(flags).open(real) }.map_err(failed)?;
        let (length, needed) = open::lengths(&env).map_err(failed)?;
        if length < needed {
            return Err(Error::Truncated { path: dir.join("data.mdb"), length, needed });
        }
        Ok(Self { env })
    }

    /// Where it lies.
    pub(in super::super) fn path(&self) -> &Path {
        self.env.path()
    }

    /// What a copy takes, bytes.
    pub(in super::super) fn bytes(&self) -> Result<u64, Error> {
        self.read(|txn| {
            let mut pages = 0;
            for (_, table) in self.tables(txn)? {
                let stat = table.stat(txn)?;
                pages += stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
            }
            // The two first pages and the tree of names are small.
            Ok(pages as u64 * u64::from(self.env.stat().page_size) + (256 << 10))
        })
    }

    /// Writes a copy of one instant to `to`, without what is free. Writers go on meanwhile.
    pub(in super::super) fn copy(&self, to: &mut File) -> Result<(), Error> {
        self.env.copy_to_file(to, CompactionOption::Enabled).map_err(|source| self.failed(source))
    }

    /// What it holds.
    pub(in super::super) fn extent(&self) -> Result<Extent, Error> {
        self.read(|txn| self.look(txn))
    }

    fn look(&self, txn: &RoTxn<'_, WithoutTls>) -> heed::Result<Extent> {
        let meta: Meta = self.database(txn, db_name::META)?;
        let events: Database<Seq, DecodeIgnore> = self.database(txn, db_name::EVENTS)?;
        let next = meta.get(txn, NEXT_SEQ_KEY)?.unwrap_or(1);
        Ok(Extent {
            schema: meta.get(txn, SCHEMA_KEY)?.unwrap_or(0),
            first_seq: events.first(txn)?.map_or(next, |(seq, ())| seq),
            last_seq: next.saturating_sub(1),
        })
    }

    /// Reads everything: every event is decoded and found through each index, every table is walked from
    /// end to end. `progress` hears how many entries are done, and of how many.
    pub(in super::super) fn walk(&self, progress: &mut dyn FnMut(u64, u64)) -> Walked {
        let mut walked = Walked::default();
        let mut walk = |txn: &RoTxn<'_, WithoutTls>| {
            let tables = self.tables(txn)?;
            let mut total = 0;
            for (_, table) in &tables {
                total += table.len(txn)?;
            }
            let mut done = 0;
            let mut step = || {
                done += 1;
                if done % 4096 == 0 || done == total {
                    progress(done, total);
                }
            };
            self.walk_events(txn, &mut walked, &mut step)?;
            for (name, table) in tables.iter().filter(|it| it.0 != db_name::EVENTS) {
                let mut entries = 0;
                for entry in table.iter(txn)? {
                    entry?;
                    entries += 1;
                    step();
                }
                let index = [db_name::SEQ_BY_ID, db_name::BY_NAME, db_name::BY_CORRELATION];
                // Each event was found, so that as many entries as events means: none leads elsewhere.
                let wanted = if index.contains(&name.as_str()) { walked.seen } else { table.len(txn)? };
                if entries != wanted {
                    walked.fault(|| format!("the table `{name}` has {entries} entries instead of {wanted}"));
                }
            }
            Ok(())
        };
        if let Err(error) = self.read(&mut walk) {
            walked.fault(|| format!("not everything can be read: {}", chain(&error)));
        }
        walked
    }

    fn walk_events(
        &self,
        txn: &RoTxn<'_, WithoutTls>,
        walked: &mut Walked,
        step: &mut dyn FnMut(),
    ) -> heed::Result<()> {
        let events: Database<Seq, Bytes> = self.database(txn, db_name::EVENTS)?;
        let ids: Database<Bytes, Seq> = self.database(txn, db_name::SEQ_BY_ID)?;
        let names: Database<Bytes, DecodeIgnore> = self.database(txn, db_name::BY_NAME)?;
        let correlations: Database<Bytes, DecodeIgnore> = self.database(txn, db_name::BY_CORRELATION)?;
        let Extent { first_seq, last_seq, .. } = self.look(txn)?;
        let mut next = first_seq;
        for entry in events.iter(txn)? {
            let (seq, bytes) = entry?;
            step();
            if seq != next {
                walked.fault(|| format!("the events {next} to {} are missing", seq.saturating_sub(1)));
            }
            next = seq.saturating_add(1);
            walked.seen += 1;
            let event = match envelope::decode(seq, bytes) {
                Ok(event) => event,
                Err(error) => {
                    walked.fault(|| format!("event {seq}: {}", chain(&error)));
                    continue;
                }
            };
            let found = [
                ("id", ids.get(txn, event.id.as_bytes())? == Some(seq)),
                ("name", names.get(txn, &name_key(event.name.as_str().as_bytes(), seq))?.is_some()),
                (
                    "correlation id",
                    correlations.get(txn, &correlation_key(event.context.correlation_id, seq))?.is_some(),
                ),
            ];
            for (index, _) in found.iter().filter(|it| !it.1) {
                walked.fault(|| format!("event {seq} is not found by its {index}"));
            }
            walked.events += u64::from(found.iter().all(|it| it.1));
        }
        if next != last_seq + 1 {
            walked.fault(|| format!("the events {next} to {last_seq} are missing"));
        }
        Ok(())
    }

    /// All tables by name.
    fn tables(&self, txn: &RoTxn<'_, WithoutTls>) -> heed::Result<Vec<(String, Database<Bytes, Bytes>)>> {
        let main: Database<Str, DecodeIgnore> =
            self.env.open_database(txn, None)?.ok_or(heed::Error::Mdb(heed::MdbError::NotFound))?;
        main.iter(txn)?
            .map(|entry| {
                let (name, ()) = entry?;
                Ok((name.to_owned(), self.database(txn, name)?))
            })
            .collect()
    }

    fn database<K: 'static, D: 'static>(
        &self,
        txn: &RoTxn<'_, WithoutTls>,
        name: &str,
    ) -> heed::Result<Database<K, D>> {
        self.env.open_database(txn, Some(name))?.ok_or(heed::Error::Mdb(heed::MdbError::NotFound))
    }

    fn read<T>(&self, read: impl FnOnce(&RoTxn<'_, WithoutTls>) -> heed::Result<T>) -> Result<T, Error> {
        let txn = self.env.read_txn().map_err(|source| self.failed(source))?;
        read(&txn).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: heed::Error) -> Error {
        Error::Read { path: self.path().to_owned(), source }
    }
}
