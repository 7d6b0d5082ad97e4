//! The ordered list of steps from an empty environment to today's databases. Owns the schema version,
//! which is the number of steps taken; a file that has taken more than are known here is refused.

use heed::{Database, Env, RwTxn, WithoutTls, types::Bytes};

use super::{Meta, Runs, SCHEMA_KEY, Seq, Times, db_name, envelope};

/// What a step does, and how.
type Step = (&'static str, fn(&Env<WithoutTls>, &mut RwTxn<'_>) -> heed::Result<()>);

/// In order; a step that has been released is never changed.
const STEPS: &[Step] =
    &[("create the databases", create), ("create the databases of the bus, index by time", create_second)];

/// The version this program reads and writes.
pub(in super::super) const SCHEMA: u64 = STEPS.len() as u64;

/// Takes the steps behind `from` up to `to`, inside the caller's transaction.
pub(super) fn run(
    env: &Env<WithoutTls>,
    txn: &mut RwTxn<'_>,
    meta: Meta,
    from: u64,
    to: u64,
) -> heed::Result<()> {
    for (at, (what, step)) in (1..).zip(STEPS).filter(|(at, _)| (from + 1..=to).contains(at)) {
        // A new log takes all steps: that is no news.
        if from > 0 {
            tracing::info!(version = at, what, "Event log: upgrade.");
        }
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
    let events: Database<Seq, Bytes> = env.create_database(txn, Some(db_name::EVENTS))?;
    let mut runs = Runs::default();
    let mut last = None;
    for event in events.iter(txn)? {
        let (seq, envelope) = event?;
        // A damaged event is found at the time of the one before it, so that reading tells of it.
        last = envelope::timestamp(envelope).ok().or(last);
        runs.add(last.unwrap_or_default(), seq);
    }
    Times(env.create_database(txn, Some(db_name::BY_MINUTE))?).put(txn, &runs)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use heed::{
        byteorder::BigEndian,
        types::{Str, U64, Unit},
    };
    use jiff::Timestamp;
    use panotti_sdk::{Event, EventContext, Filter, Priority};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::event_log::{EventLog, Order, PageRequest, Table, store};

    /// A file of version 1, with what version 1 stored of each event and row: later versions may store more,
    /// so that none of their code is used.
    fn write_first(dir: &Path, events: &[Event]) {
        let env = store::open::environment(dir, 32, crate::config::Durability::default()).unwrap();
        let mut txn = env.write_txn().unwrap();
        let meta: Meta = env.create_database(&mut txn, Some("meta")).unwrap();
        run(&env, &mut txn, meta, 0, 1).unwrap();
        let log: Database<U64<BigEndian>, Bytes> = env.create_database(&mut txn, Some("events")).unwrap();
        let ids: Database<Bytes, U64<BigEndian>> = env.create_database(&mut txn, Some("seq-by-id")).unwrap();
        let names: Database<Bytes, Unit> = env.create_database(&mut txn, Some("by-name")).unwrap();
        let meetings: Database<Bytes, Unit> = env.create_database(&mut txn, Some("by-correlation")).unwrap();
        let recordings: Database<Str, Bytes> = env.create_database(&mut txn, Some("recordings")).unwrap();
        for event in events {
            let seq = event.seq.to_be_bytes();
            let envelope =
                envelope::encode(event, &serde_json::to_vec(&event.payload).unwrap(), b"{}").unwrap();
            log.put(&mut txn, &event.seq, &envelope).unwrap();
            ids.put(&mut txn, event.id.as_bytes(), &event.seq).unwrap();
            names.put(&mut txn, &[event.name.as_str().as_bytes(), &[0], &seq].concat(), &()).unwrap();
            let meeting = event.context.correlation_id;
            meetings.put(&mut txn, &[meeting.as_bytes().as_slice(), &seq].concat(), &()).unwrap();
        }
        recordings.put(&mut txn, "one", b"row").unwrap();
        meta.put(&mut txn, "next-seq", &(events.len() as u64 + 1)).unwrap();
        txn.commit().unwrap();
        env.prepare_for_closing().wait();
    }

    #[test]
    fn a_file_of_the_first_version_is_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let event = |seq: u64| Event {
            seq,
            id: Uuid::from_u128(u128::from(seq)),
            name: "caption.published".parse().unwrap(),
            payload: json!({ "n": seq }),
            context: EventContext {
                correlation_id: Uuid::from_u128(7),
                causation_id: None,
                // The clock goes back once.
                timestamp: Timestamp::from_second(100 * (seq as i64 % 300)).unwrap(),
                source_plugin: None,
                metadata: serde_json::Map::new(),
            },
            priority: Priority::Normal,
        };
        let events: Vec<Event> = (1..=500).map(event).collect();
        write_first(dir.path(), &events);

        for _ in 0..2 {
            let log = EventLog::open(dir.path()).unwrap();
            assert_eq!(log.read(0, 1000, &Filter::default()).unwrap(), events);
            assert_eq!(log.read(0, 1000, &Filter::default().correlated(Uuid::from_u128(7))).unwrap(), events);
            assert_eq!(log.get_event(events[3].id).unwrap().as_ref(), Some(&events[3]));
            assert_eq!(log.get(Table::Recordings, "one").unwrap().unwrap(), b"row");
            assert_eq!(log.get(Table::Plugins, "one").unwrap(), None);
            assert_eq!(log.last_seq().unwrap(), 500);
            let (from, to) = (Timestamp::from_second(6000).ok(), Timestamp::from_second(9000).ok());
            let filters = [Filter { from, to, ..Filter::default() }];
            let request =
                PageRequest { filters: &filters, order: Order::OldestFirst, cursor: None, limit: 100 };
            let page = log.page(&request).unwrap();
            assert!(page.events.iter().map(|it| it.seq).eq((60..90).chain(360..390)), "{page:?}");
        }
    }
}
