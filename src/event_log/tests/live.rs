//! What a running log offers beside its list: the newest events from memory, its settings and counters.

use super::*;
use crate::config::Durability;

#[test]
fn the_newest_events_come_from_memory_and_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let all: Vec<_> = (0..50)
        .flat_map(|n| log.append_blocking(events(vec![event("a.b", n); 1 + n % 3])).unwrap())
        .collect();
    let filter = Filter::topic("a.*".parse().unwrap());
    for after in [0, 1, 40, 98, 99, 200] {
        for limit in [0, 1, 7, 500] {
            let new = log.read_new(after, limit, &filter).unwrap();
            let old = log.read(after, limit, &filter).unwrap();
            assert!(new.iter().map(|it| &**it).eq(&old), "{after} {limit}");
            // The publisher's own, not a copy.
            assert!(new.iter().all(|it| Arc::ptr_eq(it, &all[it.seq as usize - 1])));
        }
    }
    assert_eq!(log.read_new(0, 9, &Filter::topic("b.*".parse().unwrap())).unwrap(), []);
    // After a restart nothing is in memory, and the answer is the same.
    drop(log);
    let log = open(dir.path());
    assert!(log.read_new(3, 500, &filter).unwrap().iter().eq(&all[3..]));
}

#[test]
fn what_another_process_wrote_in_between_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let append = |n| log.append_blocking(events(vec![event("a.b", n)])).unwrap()[0].seq;
    assert_eq!((append(1), append(2)), (1, 2));
    // As `panotti key create` does it: by its own hand, unknown to this log's writer.
    let other = prepare(events(vec![event("c.d", 3)]), PAYLOAD_LIMIT).unwrap();
    let store = &log.inner.store;
    let mut txn = store.write_txn().unwrap();
    store.put_event(&mut txn, 3, &other.events[0], &other.encoded[0].envelope).unwrap();
    store.set_next_seq(&mut txn, 4).unwrap();
    txn.commit().unwrap();
    let seqs = |after| {
        let new = log.read_new(after, 99, &Filter::default()).unwrap();
        new.iter().map(|it| it.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(2), [3]);
    assert_eq!(append(4), 4);
    assert_eq!((seqs(0), seqs(1), seqs(2), seqs(3)), (vec![1, 2, 3, 4], vec![2, 3, 4], vec![3, 4], vec![4]));
}

#[test]
fn memory_for_the_newest_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let large = json!({ "texts": vec!["x".repeat(100); 2000] });
    for _ in 0..60 {
        let new = NewEvent::new("a.b".parse::<EventName>().unwrap(), large.clone());
        log.append_blocking(events(vec![new])).unwrap();
    }
    // 60 × 300 KB are more than 8 MiB: what fell out is read from the file.
    assert!((20..40).contains(&log.inner.recent.lock().len()), "{}", log.inner.recent.lock().len());
    assert_eq!(log.read_new(0, 99, &Filter::default()).unwrap().len(), 60);
    log.append_blocking(events(vec![event("a.b", 1); 5000])).unwrap();
    assert_eq!(log.inner.recent.lock().len(), 4096);
    assert_eq!(log.read_new(0, 9999, &Filter::default()).unwrap().len(), 5060);
}

#[test]
fn settings_are_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { durability: Durability::LastCommitAtRisk, payload_limit: 1000 };
    let log = EventLog::open_with(dir.path(), settings).unwrap();
    assert!(log.inner.store.syncs_late());
    assert_eq!(log.stats().unwrap().durability, Durability::LastCommitAtRisk);
    let of = |bytes| {
        let text = json!({ "text": "x".repeat(bytes) });
        events(vec![NewEvent::new("a.b".parse::<EventName>().unwrap(), text)])
    };
    log.append_blocking(of(900)).unwrap();
    let error = log.append_blocking(of(1000)).unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 1000, .. }), "{error:?}");
    assert!(error.to_string().contains("events.payload_limit_kib"), "{error}");
    drop(log);
    let log = open(dir.path());
    assert!(!log.inner.store.syncs_late());
    assert_eq!(log.read(0, 9, &Filter::default()).unwrap().len(), 1);
    let config = config::Events { payload_limit_kib: 2, ..config::Events::default() };
    assert_eq!(Settings::from(&config), Settings { payload_limit: 2048, ..Settings::default() });
    assert_eq!(Settings::from(&config::Events::default()), Settings::default());
}

#[test]
fn the_log_counts_what_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let none = log.stats().unwrap();
    assert_eq!(
        (none.events, none.commits, none.last_commit, none.first_seq, none.last_seq),
        (0, 0, None, 1, 0)
    );
    assert_eq!((none.queue_depth, none.queue_limit), (0, 1000));
    for n in 0..10 {
        log.append_blocking(events(vec![event("a.b", n); 100])).unwrap();
    }
    let some = log.stats().unwrap();
    assert_eq!((some.events, some.commits, some.first_seq, some.last_seq), (1000, 10, 1, 1000));
    assert!(some.events_per_second >= 1000.0 / 60.0 && some.events_per_second <= 1000.0, "{some:?}");
    assert!(some.last_commit_ms.is_some_and(|ms| ms > 0.0) && some.last_commit.is_some());
    assert!(some.bytes_used > none.bytes_used + 100_000 && some.bytes_file >= some.bytes_used, "{some:?}");
    // The hole behind the data is not counted.
    let data = std::fs::read(dir.path().join("data.mdb")).unwrap();
    let written = data.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    assert!(some.bytes_used <= written, "{some:?} {written}");
}
