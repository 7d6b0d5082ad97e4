//! Removing the oldest events with their index entries, and finding out how old and how large they are.

use heed::{RoTxn, RwTxn};
use jiff::Timestamp;

use super::{
    super::{
        Table, envelope,
        prune::{Pruned, Step},
    },
    Store, correlation_key, name_key,
};

/// Most events that one transaction removes.
pub(in super::super) const PRUNE_STEP: usize = 256;

/// 2025-01-01, s since 1970: no box was there earlier.
const FIRST_BOX_S: i64 = 1_735_689_600;

impl Store {
    /// `seq` of the oldest event, or of the next one when there is none.
    pub(in super::super) fn first_seq(&self, txn: &RoTxn<'_>) -> heed::Result<u64> {
        match self.events.remap_data_type::<heed::types::DecodeIgnore>().first(txn)? {
            Some((seq, ())) => Ok(seq),
            None => self.next_seq(txn),
        }
    }

    /// `seq` of the first event that stays when those before `time` go, see `EventLog::first_seq_since`.
    pub(in super::super) fn first_seq_since(
        &self,
        txn: &RoTxn<'_>,
        time: Timestamp,
        now: Timestamp,
    ) -> heed::Result<u64> {
        let mut first = self.first_seq(txn)?;
        for entry in self.events.iter(txn)? {
            let (seq, bytes) = entry?;
            let Ok(accepted) = envelope::head(bytes).map(|head| head.timestamp) else { continue };
            if accepted.as_second() < FIRST_BOX_S || accepted > now {
                continue;
            }
            if accepted >= time {
                break;
            }
            first = seq + 1;
        }
        Ok(first)
    }

    /// Removes the oldest events, as many as `step` says.
    pub(in super::super) fn prune(&self, txn: &mut RwTxn<'_>, step: Step) -> heed::Result<Pruned> {
        let (mut keys, mut times, mut bytes) = (Vec::with_capacity(PRUNE_STEP), Vec::new(), 0);
        for entry in self.events.range(txn, &(..step.before_seq))?.take(PRUNE_STEP) {
            let (seq, envelope) = entry?;
            bytes += envelope.len() as u64;
            let head = envelope::head(envelope).ok();
            times.extend(head.map(|head| head.timestamp));
            keys.push((
                seq,
                head.map(|head| {
                    (head.id, name_key(head.name.as_bytes(), seq), correlation_key(head.correlation_id, seq))
                }),
            ));
            if bytes >= step.bytes {
                break;
            }
        }
        for (seq, keys) in &keys {
            self.events.delete(txn, seq)?;
            match keys {
                Some((_, id, name, correlation)) => {
                    self.seq_by_id.delete(txn, id.as_bytes())?;
                    self.by_name.delete(txn, name)?;
                    self.by_correlation.delete(txn, correlation)?;
                }
                // Its index entries lead nowhere from now on, which readers are used to.
                None => tracing::warn!(seq, "A damaged event was removed from the event log."),
            }
        }
        let first_seq = self.first_seq(txn)?;
        self.times.forget(txn, times, first_seq)?;
        Ok(Pruned { events: keys.len() as u64, first_seq })
    }

    /// Bytes of the pages that hold something.
    pub(in super::super) fn bytes_used(&self, txn: &RoTxn<'_>) -> heed::Result<u64> {
        let mut stats = vec![
            self.meta.stat(txn)?,
            self.events.stat(txn)?,
            self.seq_by_id.stat(txn)?,
            self.by_name.stat(txn)?,
            self.by_correlation.stat(txn)?,
            self.times.0.stat(txn)?,
            self.idempotency.stat(txn)?,
            self.idempotency_age.stat(txn)?,
            self.times.0.stat(txn)?,
        ];
        for table in Table::ALL {
            stats.push(self.rows(table).stat(txn)?);
        }
        let pages = |it: &heed::DatabaseStat| it.branch_pages + it.leaf_pages + it.overflow_pages;
        Ok(stats.iter().map(|it| pages(it) as u64 * u64::from(it.page_size)).sum())
    }
}
