//! The ordered list of steps from an empty environment to today's databases. Owns the schema version,
//! which is the number of steps taken; a file that has taken more than are known here is refused.

use heed::{Env, RwTxn, WithoutTls, types::Bytes};

use super::{Meta, SCHEMA_KEY, db_name};

/// What a step does, and how.
type Step = (&'static str, fn(&Env<WithoutTls>, &mut RwTxn<'_>) -> heed::Result<()>);

/// In order; a step that has been released is never changed.
const STEPS: &[Step] =
    &[("create the databases", create), ("create the databases of the bus", create_second)];

/// The version this program reads and writes.
pub(in super::super) const SCHEMA: u64 = STEPS.len() as u64;

/// Takes the steps from `version` on, inside the caller's transaction.
pub(super) fn run(env: &Env<WithoutTls>, txn: &mut RwTxn<'_>, meta: Meta, version: u64) -> heed::Result<()> {
    for (at, (what, step)) in (1..).zip(STEPS).filter(|(at, _)| *at > version) {
        tracing::info!(version = at, what, "Event log: upgrade.");
        step(env, txn)?;
        meta.put(txn, SCHEMA_KEY, &at)?;
    }
    Ok(())
}

fn create(env: &Env<WithoutTls>, txn: &mut RwTxn<'_>) -> heed::Result<()> {
    for name in db_name::FIRST {
        env.create_database::<Bytes, Bytes>(txn, Some(name))?;
    }
    Ok(())
}

fn create_second(env: &Env<WithoutTls>, txn: &mut RwTxn<'_>) -> heed::Result<()> {
    for name in db_name::SECOND {
        env.create_database::<Bytes, Bytes>(txn, Some(name))?;
    }
    Ok(())
}
