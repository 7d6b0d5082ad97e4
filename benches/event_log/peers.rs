//! What else could keep events, doing the same work on the same disk: as many bytes, as large groups, the
//! same index entries. Each is given the whole group at once, prepared; the log has to collect it.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Instant,
};

use heed::{EnvOpenOptions, PutFlags, types::Bytes};
use rusqlite::Connection;
use uuid::Uuid;

use super::{
    caption,
    publish::{Measured, TIME},
};

/// Bytes of an envelope beside payload and name: version, ids, time, source, metadata, lengths.
const ENVELOPE: usize = 72;
const NAME: &str = "caption.published";

/// Something of the size of a stored caption.
fn envelope() -> Vec<u8> {
    let event = caption(1000);
    vec![7; serde_json::to_vec(event.payload()).unwrap().len() + NAME.len() + ENVELOPE]
}

/// Commits groups for [`TIME`]; `commit` is told the first `seq` of its group.
fn measure(group: usize, mut commit: impl FnMut(u64)) -> Measured {
    let (start, mut waits) = (Instant::now(), Vec::new());
    while start.elapsed() < TIME {
        let from = Instant::now();
        commit((waits.len() * group) as u64 + 1);
        waits.push(from.elapsed());
    }
    Measured { rate: (waits.len() * group) as f64 / start.elapsed().as_secs_f64(), waits }
}

/// The disk alone: the bytes of a group, then fdatasync.
pub(super) fn raw_disk(dir: &Path, group: usize) -> Measured {
    fs::create_dir(dir).unwrap();
    let mut file = File::create(dir.join("raw")).unwrap();
    let bytes = envelope().repeat(group);
    measure(group, |_| {
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    })
}

/// LMDB alone: the log's four entries for each event, and for each group its run of the minute and the next
/// `seq`.
pub(super) fn bare_lmdb(dir: &Path, group: usize) -> Measured {
    fs::create_dir(dir).unwrap();
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(4 << 30).max_dbs(6);
    #[expect(unsafe_code, reason = "heed asks the caller to keep the memory map sound")]
    // SAFETY: the directory was made a line above and nobody else knows it.
    let env = unsafe { options.open(dir) }.unwrap();
    let mut txn = env.write_txn().unwrap();
    let [events, ids, names, meetings, minutes, meta] =
        ["events", "ids", "names", "meetings", "minutes", "meta"]
            .map(|name| env.create_database::<Bytes, Bytes>(&mut txn, Some(name)).unwrap());
    txn.commit().unwrap();
    let envelope = envelope();
    measure(group, |first| {
        let mut txn = env.write_txn().unwrap();
        for n in first..first + group as u64 {
            let seq = n.to_be_bytes();
            events.put_with_flags(&mut txn, PutFlags::APPEND, &seq, &envelope).unwrap();
            ids.put(&mut txn, Uuid::now_v7().as_bytes(), &seq).unwrap();
            names.put(&mut txn, &[NAME.as_bytes(), &[0], &seq].concat(), &[]).unwrap();
            meetings.put(&mut txn, &[Uuid::now_v7().as_bytes(), seq.as_slice()].concat(), &[]).unwrap();
        }
        let next = (first + group as u64).to_be_bytes();
        minutes.put(&mut txn, &[7; 16], &next).unwrap();
        meta.put(&mut txn, b"next-seq", &next).unwrap();
        txn.commit().unwrap();
    })
}

/// SQLite as it is advised for this: write-ahead log, synced at every commit, prepared statements.
pub(super) fn sqlite(dir: &Path, group: usize) -> Measured {
    fs::create_dir(dir).unwrap();
    let mut database = Connection::open(dir.join("events.sqlite")).unwrap();
    let mode: String = database.query_row("PRAGMA journal_mode = wal", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    database
        .execute_batch(
            "PRAGMA synchronous = full;
             CREATE TABLE event (
                 seq INTEGER PRIMARY KEY, id BLOB, name TEXT, correlation_id BLOB, envelope BLOB);
             CREATE UNIQUE INDEX by_id ON event (id);
             CREATE INDEX by_name ON event (name);
             CREATE INDEX by_correlation ON event (correlation_id);
             CREATE TABLE minute (
                 minute INTEGER, first INTEGER, last INTEGER, PRIMARY KEY (minute, first)) WITHOUT ROWID;",
        )
        .unwrap();
    let envelope = envelope();
    measure(group, |first| {
        let transaction = database.transaction().unwrap();
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
            for seq in first..first + group as u64 {
                let (id, meeting) = (Uuid::now_v7(), Uuid::now_v7());
                let (id, meeting) = (id.as_bytes().as_slice(), meeting.as_bytes().as_slice());
                insert.execute((seq as i64, id, NAME, meeting, &envelope)).unwrap();
            }
            let last = first as i64 + group as i64 - 1;
            let mut run =
                transaction.prepare_cached("INSERT OR REPLACE INTO minute VALUES (7, 1, ?1)").unwrap();
            run.execute([last]).unwrap();
        }
        transaction.commit().unwrap();
    })
}
