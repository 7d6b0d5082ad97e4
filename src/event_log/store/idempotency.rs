//! Which idempotency keys were used. Owns remembering and forgetting them.

use heed::{RoTxn, RwTxn};

use super::Store;

/// How long an idempotency key is remembered, in ms.
const AGE_MS: u64 = 24 * 60 * 60 * 1000;
/// How many idempotency keys are remembered.
const MOST: u64 = 100_000;
/// How many expired ones one batch removes at most, so that no batch waits for many.
const SWEEP: usize = 64;

/// SHA-256 of source and key.
pub(in super::super) type IdempotencyKey = [u8; 32];

impl Store {
    /// The `seq` of the event that was first published with `key`, if that is known at `now_ms`.
    pub(in super::super) fn idempotent(
        &self,
        txn: &RoTxn<'_>,
        key: &IdempotencyKey,
        now_ms: u64,
    ) -> heed::Result<Option<u64>> {
        let known = self.idempotency.get(txn, key)?.and_then(split);
        Ok(known.filter(|(_, then)| now_ms.saturating_sub(*then) <= AGE_MS).map(|(seq, _)| seq))
    }

    /// Remembers `key`, and forgets some that are too old or too many.
    pub(in super::super) fn remember(
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
        for _ in 0..SWEEP {
            let Some((oldest, key)) = self.idempotency_age.first(txn)? else { break };
            let key = key.to_owned();
            let then = self.idempotency.get(txn, &key)?.and_then(split).map_or(0, |(_, then)| then);
            let old = now_ms.saturating_sub(then) > AGE_MS;
            if !old && self.idempotency.len(txn)? <= MOST {
                break;
            }
            self.idempotency_age.delete(txn, &oldest)?;
            self.idempotency.delete(txn, &key)?;
        }
        Ok(())
    }
}

fn split(value: &[u8]) -> Option<(u64, u64)> {
    let (seq, then) = (value.first_chunk()?, value.last_chunk()?);
    Some((u64::from_be_bytes(*seq), u64::from_be_bytes(*then)))
}
