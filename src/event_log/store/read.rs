//! Finding events. Owns which index answers which question, reading several as one, and how much is looked
//! at for one answer.

use std::{
    collections::{BTreeSet, BinaryHeap},
    iter,
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

/// How much may be looked at for one answer: what no index tells, such as a condition, is found by looking
/// at each event.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Budget {
    /// Events.
    pub(in super::super) events: usize,
    /// Bytes of their stored forms, which is what decoding costs.
    pub(in super::super) bytes: usize,
}

impl Budget {
    pub(in super::super) const NONE: Self = Self { events: usize::MAX, bytes: usize::MAX };
}

/// What was found.
#[derive(Debug, Default)]
pub(in super::super) struct Found {
    pub(in super::super) events: Vec<Event>,
    /// The last `seq` that was looked at, when the budget ended before the range did.
    pub(in super::super) stopped: Option<u64>,
}

/// More names than this are not looked for one by one: each takes a cursor.
const MOST_NAMES: usize = 256;

/// Ascending, or descending when read backward.
type Seqs<'t> = Box<dyn Iterator<Item = heed::Result<u64>> + 't>;

impl Store {
    /// The event at `seq`.
    pub(in super::super) fn event(&self, txn: &RoTxn<'_>, seq: u64) -> Result<Option<Event>, Error> {
        let Some(bytes) = self.events.get(txn, &seq).map_err(|e| self.read_error(e))? else {
            return Ok(None);
        };
        self.decode(seq, bytes).map(Some)
    }

    fn decode(&self, seq: u64, envelope: &[u8]) -> Result<Event, Error> {
        envelope::decode(seq, envelope).map_err(|source| Error::Corrupt {
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

    /// At most `limit` events inside `range` that all `filters` want.
    pub(in super::super) fn events(
        &self,
        txn: &RoTxn<'_>,
        range: Range,
        limit: usize,
        filters: &[Filter],
        budget: Budget,
    ) -> Result<Found, Error> {
        let mut found = Found::default();
        if limit == 0 || range.first > range.last {
            return Ok(found);
        }
        let failed = |e| self.read_error(e);
        let parts = self.times.admitted(txn, range, filters).map_err(failed)?;
        let sources = self.sources(txn, &parts, filters).map_err(failed)?;
        let (mut events, mut bytes, mut last) = (0, 0, None);
        for seq in Merge::new(sources, range.backward).map_err(failed)? {
            let seq = seq.map_err(failed)?;
            if events >= budget.events || bytes >= budget.bytes {
                found.stopped = last;
                break;
            }
            if let Some(envelope) = self.events.get(txn, &seq).map_err(failed)? {
                (events, bytes) = (events + 1, bytes + envelope.len());
                let event = self.decode(seq, envelope)?;
                found.events.extend(filters.iter().all(|it| it.wants(&event)).then_some(event));
                if found.events.len() == limit {
                    break;
                }
            }
            last = Some(seq);
        }
        Ok(found)
    }

    /// Ordered sequences that together hold every wanted event in `parts`, and as few others as an index
    /// can tell.
    fn sources<'t>(
        &self,
        txn: &'t RoTxn<'_>,
        parts: &'t [Range],
        filters: &[Filter],
    ) -> heed::Result<Vec<Seqs<'t>>> {
        if let Some(id) = filters.iter().find_map(|it| it.correlation_id) {
            return Ok(vec![index(self.by_correlation, txn, parts, move |seq| correlation_key(id, seq))]);
        }
        let Some(names) = self.names(txn, filters)? else {
            let events = self.events.remap_types::<Bytes, DecodeIgnore>();
            return Ok(vec![index(events, txn, parts, |seq| seq.to_be_bytes().to_vec())]);
        };
        let source =
            |name: String| index(self.by_name, txn, parts, move |seq| name_key(name.as_bytes(), seq));
        Ok(names.into_iter().map(source).collect())
    }

    /// The names of stored events that the topics admit, each once; `None` when that is any name, or too
    /// many.
    fn names(&self, txn: &RoTxn<'_>, filters: &[Filter]) -> heed::Result<Option<BTreeSet<String>>> {
        let named = |it: &&Filter| !it.topics.is_empty() && !it.topics.iter().any(Topic::is_all);
        let mut named = filters.iter().filter(named);
        let Some(first) = named.next() else { return Ok(None) };
        let others: Vec<&Filter> = named.collect();
        let mut names = BTreeSet::new();
        for topic in &first.topics {
            self.names_of(txn, topic, |name| {
                let fits = |it: &&Filter| it.topics.iter().any(|topic| topic.matches(name));
                if others.iter().all(fits) {
                    names.insert(name.to_owned());
                }
                names.len() <= MOST_NAMES
            })?;
        }
        Ok(Some(names).filter(|it| it.len() <= MOST_NAMES))
    }

    /// Calls `each` with the names of stored events that fit `topic`, until it says no.
    fn names_of(
        &self,
        txn: &RoTxn<'_>,
        topic: &Topic,
        mut each: impl FnMut(&str) -> bool,
    ) -> heed::Result<()> {
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
            if let Some(name) = std::str::from_utf8(name).ok().filter(|name| topic.matches(name))
                && !each(name)
            {
                break;
            }
            from = [name, &[1]].concat();
        }
        Ok(())
    }
}

/// The `seq` at the end of each key between `key(first)` and `key(last)` of each part; a part is looked for
/// when those before it have been read.
fn index<'t, D: 't>(
    database: Database<Bytes, D>,
    txn: &'t RoTxn<'_>,
    parts: &'t [Range],
    key: impl Fn(u64) -> Vec<u8> + 't,
) -> Seqs<'t> {
    let database = database.remap_data_type::<DecodeIgnore>();
    let part = move |part: &Range| -> heed::Result<Seqs<'t>> {
        let (first, last) = (key(part.first), key(part.last));
        let bounds = (Bound::Included(first.as_slice()), Bound::Included(last.as_slice()));
        let seq = |entry: heed::Result<(&[u8], ())>| entry.map(|(key, ())| seq_of(key));
        Ok(match part.backward {
            false => Box::new(database.range(txn, &bounds)?.map(seq)),
            true => Box::new(database.rev_range(txn, &bounds)?.map(seq)),
        })
    };
    Box::new(parts.iter().flat_map(move |it| part(it).unwrap_or_else(|e| Box::new(iter::once(Err(e))))))
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
