//! Which events were accepted when. Owns the index by minute. Clocks jump and publishers overtake each
//! other, so that time does not follow `seq`: each minute has runs of `seq` that hold its events and few
//! others; whoever reads looks at the timestamps themselves.

use std::{collections::BTreeMap, ops::Bound};

use heed::{Database, RoTxn, RwTxn, types::Bytes};
use jiff::Timestamp;
use panotti_sdk::Filter;

use super::{Range, Seq};

/// Events of one minute that are no further apart than this make one run: looking at what lies between
/// costs little, and a clock that jumps to and fro makes few runs.
const GAP: u64 = 1024;

/// Runs by minute and first `seq`, both big-endian; the value is the last `seq`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Times(pub(super) Database<Bytes, Seq>);

/// Runs to be stored: minute and first `seq`, and the last `seq`.
#[derive(Debug, Default, PartialEq)]
pub(in super::super) struct Runs(BTreeMap<(u64, u64), u64>);

impl Runs {
    /// Adds an event; they are added in the order of `seq`.
    pub(in super::super) fn add(&mut self, at: Timestamp, seq: u64) {
        let minute = minute(at);
        match self.0.range_mut((minute, 0)..=(minute, u64::MAX)).next_back() {
            Some((_, last)) if joins(*last, seq) => *last = seq,
            _ => drop(self.0.insert((minute, seq), seq)),
        }
    }
}

impl FromIterator<(Timestamp, u64)> for Runs {
    fn from_iter<T: IntoIterator<Item = (Timestamp, u64)>>(events: T) -> Self {
        let mut runs = Self::default();
        events.into_iter().for_each(|(at, seq)| runs.add(at, seq));
        runs
    }
}

impl Times {
    /// Stores `runs`, which all come after those that are stored.
    pub(in super::super) fn put(self, txn: &mut RwTxn<'_>, runs: &Runs) -> heed::Result<()> {
        for (&(minute, first), last) in &runs.0 {
            let newest = self.0.get_lower_than_or_equal_to(txn, &key(minute, u64::MAX))?;
            let place = match newest.map(|(found, before)| (split(found), before)) {
                Some(((of, start), before)) if of == minute && joins(before, first) => key(minute, start),
                _ => key(minute, first),
            };
            self.0.put(txn, &place, last)?;
        }
        Ok(())
    }

    /// Forgets the runs of these times that end before `first`, the oldest event that is kept.
    ///
    /// Called with the times of what is removed; costs as much as they have minutes.
    pub(in super::super) fn forget(
        self,
        txn: &mut RwTxn<'_>,
        removed: impl IntoIterator<Item = Timestamp>,
        first: u64,
    ) -> heed::Result<()> {
        let mut minutes: Vec<u64> = removed.into_iter().map(minute).collect();
        minutes.sort_unstable();
        minutes.dedup();
        for minute in minutes {
            let bounds = (key(minute, 0), key(minute, u64::MAX));
            let runs = self.0.range(txn, &bounds_of(&bounds))?;
            let old = runs.filter(|run| run.as_ref().map_or(true, |(_, last)| *last < first));
            let old: Vec<Vec<u8>> =
                old.map(|run| run.map(|(key, _)| key.to_owned())).collect::<heed::Result<_>>()?;
            for key in old {
                self.0.delete(txn, &key)?;
            }
        }
        Ok(())
    }

    /// The parts of `range`, in its order, that hold every event that the times of `filters` admit.
    pub(super) fn admitted(
        self,
        txn: &RoTxn<'_>,
        range: Range,
        filters: &[Filter],
    ) -> heed::Result<Vec<Range>> {
        let from = filters.iter().filter_map(|it| it.from).max();
        let to = filters.iter().filter_map(|it| it.to).min();
        if from.is_none() && to.is_none() {
            return Ok(vec![range]);
        }
        let bounds = (key(from.map_or(0, minute), 0), key(to.map_or(u64::MAX, minute), u64::MAX));
        if bounds.0 > bounds.1 {
            return Ok(Vec::new());
        }
        let mut runs = Vec::new();
        for run in self.0.range(txn, &bounds_of(&bounds))? {
            let (key, last) = run?;
            let run = (split(key).1.max(range.first), last.min(range.last));
            if run.0 <= run.1 {
                runs.push(run);
            }
        }
        runs.sort_unstable();
        let mut parts: Vec<Range> = Vec::new();
        for (first, last) in runs {
            match parts.last_mut() {
                Some(part) if first <= part.last.saturating_add(1) => part.last = part.last.max(last),
                _ => parts.push(Range { first, last, ..range }),
            }
        }
        if range.backward {
            parts.reverse();
        }
        Ok(parts)
    }

    /// Every run: minute, first and last `seq`.
    #[cfg(test)]
    pub(in super::super) fn all(self, txn: &RoTxn<'_>) -> heed::Result<Vec<(u64, u64, u64)>> {
        let run = |(key, last)| (split(key).0, split(key).1, last);
        self.0.iter(txn)?.map(|it| it.map(run)).collect()
    }
}

/// Whether an event at `seq` belongs to the run that ends with `last`.
fn joins(last: u64, seq: u64) -> bool {
    seq <= last.saturating_add(GAP)
}

/// Minutes since 1970; what is earlier counts as the first.
fn minute(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0) / 60
}

fn key(minute: u64, first: u64) -> [u8; 16] {
    (u128::from(minute) << 64 | u128::from(first)).to_be_bytes()
}

/// Minute and first `seq`.
fn split(key: &[u8]) -> (u64, u64) {
    let key = key.first_chunk().map_or(0, |key| u128::from_be_bytes(*key));
    ((key >> 64) as u64, key as u64)
}

fn bounds_of(bounds: &([u8; 16], [u8; 16])) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (Bound::Included(&bounds.0), Bound::Included(&bounds.1))
}
