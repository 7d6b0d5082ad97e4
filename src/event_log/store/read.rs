//! Finding events. Owns which index answers which question, and reading several as one.

use std::{
    collections::{BTreeSet, BinaryHeap},
    ops::Bound,
};

use heed::{
    Database, RoTxn,
    types::{Bytes, DecodeIgnore},
};
use panotti_sdk::{Event, Filter, filter::Topic};
use uuid::Uuid;

use super::{Error, Store, correlation_key, envelope, name_key};

/// Events from `first` to `last`, both included.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Range {
    pub(in super::super) first: u64,
    pub(in super::super) last: u64,
    /// Newest first.
    pub(in super::super) backward: bool,
}

/// Ascending, or descending when read backward.
type Seqs<'t> = Box<dyn Iterator<Item = heed::Result<u64>> + 't>;

impl Store {
    /// The event at `seq`.
    pub(in super::super) fn event(&self, txn: &RoTxn<'_>, seq: u64) -> Result<Option<Event>, Error> {
        let Some(bytes) = self.events.get(txn, &seq).map_err(|e| self.read_error(e))? else {
            return Ok(None);
        };
        envelope::decode(seq, bytes).map(Some).map_err(|source| Error::Corrupt {
            path: self.path().to_owned(),
            seq,
            source,
        })
    }

    /// The event called `id`.
    pub(in super::super) fn event_by_id(&self, txn: &RoTxn<'_>, id: Uuid) -> Result<Option<Event>, Error> {
        match self.seq_by_id.get(txn, id.as_bytes()).map_err(|e| self.read_error(e))? {
            Some(seq) => self.event(txn, seq),
            None => Ok(None),
        }
    }

    /// At most `limit` wanted events inside `range`.
    pub(in super::super) fn events(
        &self,
        txn: &RoTxn<'_>,
        range: Range,
        limit: usize,
        filter: &Filter,
    ) -> Result<Vec<Event>, Error> {
        let mut found = Vec::new();
        if limit == 0 || range.first > range.last {
            return Ok(found);
        }
        let failed = |e| self.read_error(e);
        let sources = self.sources(txn, range, filter).map_err(failed)?;
        for seq in Merge::new(sources, range.backward).map_err(failed)? {
            let event = self.event(txn, seq.map_err(failed)?)?;
            found.extend(event.filter(|event| filter.wants(event)));
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    /// Ordered sequences that together hold every wanted event, and as few others as an index can tell.
    fn sources<'t>(&self, txn: &'t RoTxn<'_>, range: Range, filter: &Filter) -> heed::Result<Vec<Seqs<'t>>> {
        if let Some(id) = filter.correlation_id {
            return Ok(vec![index(self.by_correlation, txn, range, |seq| correlation_key(id, seq))?]);
        }
        if filter.topics.is_empty() || filter.topics.iter().any(Topic::is_all) {
            let events = self.events.remap_types::<Bytes, DecodeIgnore>();
            return Ok(vec![index(events, txn, range, |seq| seq.to_be_bytes().to_vec())?]);
        }
        let mut sources = Vec::new();
        // Topics may overlap: each name is looked for once.
        let mut found = BTreeSet::new();
        for topic in &filter.topics {
            self.names(txn, topic, &mut found)?;
        }
        for name in &found {
            sources.push(index(self.by_name, txn, range, |seq| name_key(name.as_bytes(), seq))?);
        }
        Ok(sources)
    }

    /// The names of stored events that fit `topic`.
    fn names(&self, txn: &RoTxn<'_>, topic: &Topic, found: &mut BTreeSet<String>) -> heed::Result<()> {
        let prefix = topic.prefix();
        // From one name to the next, without looking at their events. No name begins with a zero byte, and
        // LMDB takes no empty key.
        let mut from = if prefix.is_empty() { vec![0] } else { prefix.clone().into_bytes() };
        let names = self.by_name.remap_data_type::<DecodeIgnore>();
        while let Some((key, ())) = names.get_greater_than_or_equal_to(txn, &from)? {
            let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
            if !name.starts_with(prefix.as_bytes()) {
                break;
            }
            if let Some(name) = std::str::from_utf8(name).ok().filter(|name| topic.matches(name)) {
                found.insert(name.to_owned());
            }
            from = [name, &[1]].concat();
        }
        Ok(())
    }
}

/// The `seq` at the end of each key between `key(range.first)` and `key(range.last)`.
fn index<'t, D: 't>(
    database: Database<Bytes, D>,
    txn: &'t RoTxn<'_>,
    range: Range,
    key: impl Fn(u64) -> Vec<u8>,
) -> heed::Result<Seqs<'t>> {
    let database = database.remap_data_type::<DecodeIgnore>();
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

    /// Turns the order around for reading forward; twice gives the same again.
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

/// The last eight bytes of a key.
fn seq_of(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
