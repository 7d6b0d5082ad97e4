//! The files under the log: cut short, short of room, of somebody else; and a disk that is too slow.

use std::{fs, os::unix::fs::MetadataExt as _};

use super::*;

#[test]
fn a_file_cut_short_is_refused_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for n in 0..50 {
        let rows = vec![put(&n.to_string(), Some(&[7; 3000]))];
        log.append_blocking(Batch { events: vec![event("a.b", n)], puts: rows, ..Batch::default() }).unwrap();
    }
    drop(log);
    let data = dir.path().join("data.mdb");
    let whole = fs::read(&data).unwrap();
    // Behind what is stored there is a hole.
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for length in [used - 1, used / 2, 3 * 4096, 2 * 4096, 5000, 4096, 100] {
        fs::write(&data, &whole[..length]).unwrap();
        let error = EventLog::open(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. } | Error::Open { .. }), "{length}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(dir.path().to_str().unwrap()) && text.contains("restore a backup"), "{text}");
    }
    fs::write(&data, &whole).unwrap();
    assert_eq!(open(dir.path()).last_seq().unwrap(), 50);
}

/// Pages taken at the end of the file and freed in the same transaction are never written by LMDB.
#[test]
fn a_file_that_was_not_cut_short_is_never_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    for n in 0..30_usize {
        let sizes = [Some(40_000 + 9000 * n), Some(5_000), None];
        let puts = sizes.map(|size| put(&format!("row {}", n % 3), size.map(|it| vec![1; it]).as_deref()));
        log.append_blocking(Batch { puts: puts[..2 + n % 2].to_vec(), ..Batch::default() }).unwrap();
        drop(log);
        log = open(dir.path());
    }
}

#[test]
fn the_lock_file_has_its_room_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let lock = fs::metadata(dir.path().join("lock.mdb")).unwrap();
    assert_eq!(lock.len(), 64 << 10);
    assert!(lock.blocks() * 512 >= lock.len(), "{} blocks", lock.blocks());
    // As many readers at a time as there is room for; the next is told so.
    let readers: Vec<_> = (0..1022).map(|_| log.inner.store.read_txn().unwrap()).collect();
    assert!(matches!(log.last_seq(), Err(Error::Read { .. })));
    drop(readers);
    assert_eq!(log.last_seq().unwrap(), 0);
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_directory() {
    if !rustix::process::geteuid().is_root() {
        println!("Skipped: giving files away needs root.");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(4711), Some(4712)).unwrap();
    let events = dir.path().join("data/events");
    let owners = || {
        [&events.join(".."), &events, &events.join("data.mdb"), &events.join("lock.mdb")]
            .map(|it| (fs::metadata(it).unwrap().uid(), fs::metadata(it).unwrap().gid()))
    };
    drop(open(&events));
    assert_eq!(owners(), [(4711, 4712); 4]);
    // What an older visit of root left is given away too; where a link leads is not.
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::chown(events.join("data.mdb"), Some(0), Some(0)).unwrap();
    fs::remove_file(events.join("lock.mdb")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), events.join("lock.mdb")).unwrap();
    drop(open(&events));
    assert_eq!(fs::metadata(events.join("data.mdb")).unwrap().uid(), 4711);
    assert_eq!(fs::metadata(elsewhere.path()).unwrap().uid(), 0);
}

#[test]
fn a_queue_that_stays_full_is_told_and_drains_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    // The writer waits for LMDB's write lock, as it would for a disk that does not answer.
    let stall = log.inner.store.write_txn().unwrap();
    let mut waiting = Vec::new();
    let jobs = log.jobs().unwrap();
    // The writer may or may not have taken the first ones out of the queue by now.
    let mut more = || {
        if let Ok(place) = jobs.try_reserve() {
            let batch = prepare(events(vec![event("a.b", 1)]), PAYLOAD_LIMIT).unwrap();
            waiting.push(submit(Some(Ok(place)), batch).unwrap());
        }
    };
    (0..2 * writer::QUEUE).for_each(|_| more());
    std::thread::scope(|scope| {
        let late = scope.spawn(|| log.append_blocking(events(vec![event("c.d", 1)])));
        while !late.is_finished() {
            // A place that became free is taken again, unless the late one has it.
            more();
            std::thread::yield_now();
        }
        match late.join().unwrap() {
            Err(Error::Backpressure) => {}
            other => panic!("{other:?}"),
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let late = runtime.block_on(log.append(events(vec![event("c.d", 1)])));
    assert!(matches!(late, Err(Error::Backpressure)), "{late:?}");
    drop(stall);
    let stored = waiting.len();
    assert!(stored >= writer::QUEUE);
    for answer in waiting {
        answer.blocking_recv().unwrap().unwrap();
    }
    // Neither of those that were refused is stored.
    assert_eq!(log.last_seq().unwrap(), stored as u64);
    assert_eq!(log.append_blocking(events(vec![event("c.d", 1)])).unwrap()[0].seq, stored as u64 + 1);
}

#[test]
fn what_was_queued_is_written_before_the_log_closes() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        for n in 0..100 {
            // Polled once: the batch is in the queue, and nobody waits for it any more.
            let append = log.append(events(vec![event("a.b", n)]));
            tokio::select! { biased; stored = append => drop(stored), () = std::future::ready(()) => {} }
        }
    });
    drop(log);
    let stored = open(dir.path()).read(0, 1000, &Filter::default()).unwrap();
    assert!(stored.iter().map(|event| event.payload["n"].as_u64().unwrap()).eq(0..100));
}

#[test]
fn one_batch_that_cannot_be_stored_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let once = |n| {
        let batch = events(vec![event("a.b", n)]);
        Batch { idempotency_key: Some("once".into()), ..batch }
    };
    log.append_blocking(once(0)).unwrap();
    // Its event is damaged, so that repeating it can only fail.
    let mut txn = log.inner.store.write_txn().unwrap();
    log.inner.store.damage(&mut txn, 1).unwrap();
    let submit = |batch| {
        submit(Some(Ok(log.jobs().unwrap().try_reserve().unwrap())), prepare(batch, PAYLOAD_LIMIT).unwrap())
    };
    // The writer waits for the transaction with the first; the others are one group.
    let first = submit(events(vec![event("a.b", 1)])).unwrap();
    let group: Vec<_> = (2..20)
        .map(|n| submit(if n == 7 { once(n) } else { events(vec![event("a.b", n)]) }).unwrap())
        .collect();
    txn.commit().unwrap();
    assert_eq!(first.blocking_recv().unwrap().unwrap()[0].seq, 2);
    let answers: Vec<_> = group.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect();
    for (n, answer) in (2_u64..).zip(&answers) {
        match (n, answer) {
            (7, Err(Error::Corrupt { seq: 1, .. })) => {}
            (_, Ok(events)) => assert_eq!(events[0].seq, if n < 7 { n + 1 } else { n }),
            (_, other) => panic!("{n}: {other:?}"),
        }
    }
    assert!(matches!(log.read(0, 9, &Filter::default()), Err(Error::Corrupt { seq: 1, .. })));
    assert_eq!(log.read(1, 99, &Filter::default()).unwrap().len(), 18);
}
