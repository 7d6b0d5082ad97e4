//! Removing the oldest events, against real LMDB: what is left is right, and the file does not grow.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// All that an event can be found by, for each that is left; and nothing that is gone.
fn agree(log: &EventLog, left: &[Event], gone: &[Event]) {
    assert_eq!(log.read(0, usize::MAX, &Filter::default()).unwrap(), left);
    assert!(left.iter().all(|event| log.get_event(event.id).unwrap().as_ref() == Some(event)));
    assert!(gone.iter().all(|event| log.get_event(event.id).unwrap().is_none()));
    for event in left.iter().chain(gone) {
        let topic = Filter::topic(event.name.clone().into());
        assert_eq!(log.read(0, usize::MAX, &topic).unwrap(), reference(left, &topic));
        let meeting = Filter::default().correlated(event.context.correlation_id);
        assert_eq!(log.read(0, usize::MAX, &meeting).unwrap(), reference(left, &meeting));
    }
    let store = &log.inner.store;
    let entries = store.index_entries(&store.read_txn().unwrap()).unwrap();
    assert_eq!(entries, [left.len() as u64; 4], "an index has what no event has");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn exactly_the_newest_are_left(
        batches in prop::collection::vec(prop::collection::vec((name(), 0..3_u8), 1..12), 1..8),
        cuts in prop::collection::vec(0..90_u64, 1..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let (mut all, mut first) = (Vec::<Event>::new(), 1);
        for (n, batch) in batches.into_iter().enumerate() {
            let new = batch.iter().map(|(name, id)| {
                event(name, n).correlated(Uuid::from_u128(u128::from(*id) + 1))
            });
            all.extend(append(&log, events(new.collect())));
            let cut = cuts[n % cuts.len()];
            let pruned = log.prune(Prune { before_seq: cut, down_to_bytes: None }).unwrap();
            let before = first;
            first = first.max(cut.min(all.len() as u64 + 1));
            prop_assert_eq!(pruned, Pruned { events: first - before, first_seq: first });
            let (gone, left) = all.split_at(first as usize - 1);
            agree(&log, left, gone);
            let new: Vec<_> = log.read_new(first - 1, 999, &Filter::default()).unwrap();
            prop_assert!(new.iter().map(|it| &**it).eq(left));
            prop_assert!(log.read_new(0, 999, &Filter::default()).unwrap().iter().map(|it| &**it).eq(left));
        }
        prop_assert_eq!(log.last_seq().unwrap(), all.len() as u64);
        drop(log);
        let log = open(dir.path());
        let (gone, left) = all.split_at(first as usize - 1);
        agree(&log, left, gone);
        prop_assert_eq!(log.append_blocking(events(vec![event("a.b", 0)])).unwrap()[0].seq, all.len() as u64 + 1);
    }
}

#[test]
fn pruning_under_load_loses_nothing_that_was_acknowledged() {
    const EACH: usize = 300;
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let (done, mut stored) = (AtomicBool::new(false), Vec::new());
    let first = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let append = |n| log.append_blocking(events(vec![event("a.b", n); 3])).unwrap();
                    (0..EACH).flat_map(append).collect::<Vec<_>>()
                })
            })
            .collect();
        // Leaves the newest thousand, again and again, and reads meanwhile.
        let pruner = scope.spawn(|| {
            loop {
                let end = done.load(Ordering::Acquire);
                let before_seq = log.last_seq().unwrap().saturating_sub(1000);
                let pruned = log.prune(Prune { before_seq, down_to_bytes: None }).unwrap();
                let seen = log.read(0, usize::MAX, &Filter::default()).unwrap();
                assert!(seen.windows(2).all(|it| it[0].seq + 1 == it[1].seq));
                assert_eq!(
                    seen.first().map(|it| it.seq),
                    Some(pruned.first_seq).filter(|_| !seen.is_empty())
                );
                if end {
                    break pruned.first_seq;
                }
            }
        });
        stored.extend(writers.into_iter().flat_map(|writer| writer.join().unwrap()));
        done.store(true, Ordering::Release);
        pruner.join().unwrap()
    });
    stored.sort_unstable_by_key(|event| event.seq);
    let last = stored.len() as u64;
    assert!(stored.iter().map(|event| event.seq).eq(1..=last) && first == last - 1000, "{first} {last}");
    let left = log.read(0, usize::MAX, &Filter::default()).unwrap();
    assert!(left.iter().eq(stored[first as usize - 1..].iter().map(|event| &**event)));
    assert_eq!(log.stats().unwrap().first_seq, first);
}

#[test]
fn a_log_that_is_filled_and_pruned_again_and_again_stays_small() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut lengths = Vec::new();
    for _ in 0..12 {
        for n in 0..40 {
            let text = json!({ "text": "x".repeat(n * 200), "n": n });
            let new = NewEvent::new("a.b".parse::<EventName>().unwrap(), text);
            log.append_blocking(events(vec![new; 20])).unwrap();
        }
        let before = log.stats().unwrap();
        let left = before.bytes_used / 10;
        log.prune(Prune { before_seq: u64::MAX, down_to_bytes: Some(left) }).unwrap();
        let after = log.stats().unwrap();
        // No more went than had to: a step ends when enough went.
        assert!(after.bytes_used <= left && after.bytes_used > left / 2, "{before:?} {after:?}");
        let data = std::fs::metadata(dir.path().join("data.mdb")).unwrap();
        lengths.push(std::os::unix::fs::MetadataExt::blocks(&data) * 512);
    }
    assert!(lengths[11] <= lengths[2] + lengths[2] / 4, "pages are used again: {lengths:?}");
}

#[test]
fn an_idempotency_key_of_a_pruned_event_is_as_if_never_seen() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let once = || Batch { idempotency_key: Some("once".into()), ..events(vec![event("a.b", 1)]) };
    assert_eq!(log.append_blocking(once()).unwrap()[0].seq, 1);
    assert_eq!(log.append_blocking(once()).unwrap()[0].seq, 1);
    log.prune(Prune { before_seq: 2, down_to_bytes: None }).unwrap();
    assert_eq!(log.append_blocking(once()).unwrap()[0].seq, 2);
    assert_eq!(log.append_blocking(once()).unwrap()[0].seq, 2);
}

#[test]
fn a_damaged_event_goes_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append_blocking(events(vec![event("a.b", 1), event("a.b", 2), event("a.b", 3)])).unwrap();
    let mut txn = log.inner.store.write_txn().unwrap();
    log.inner.store.damage(&mut txn, 2).unwrap();
    txn.commit().unwrap();
    let pruned = log.prune(Prune { before_seq: 3, down_to_bytes: None }).unwrap();
    assert_eq!(pruned, Pruned { events: 2, first_seq: 3 });
    assert_eq!(log.read(0, 9, &Filter::topic("a.b".parse().unwrap())).unwrap().len(), 1);
}

#[test]
fn events_of_a_wrong_clock_go_with_what_follows_them() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let (now, since) = (at("2026-11-20T00:00:00Z"), at("2026-10-21T00:00:00Z"));
    for (times, first) in [
        (&["2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", "2026-11-01T00:00:00Z"][..], 3),
        // A box that begins in 1970 and is then told the time keeps all.
        (&["1970-01-01T00:00:01Z", "1970-01-01T00:01:00Z", "2026-11-19T00:00:00Z"], 1),
        (&["1970-01-01T00:00:01Z", "2026-10-01T00:00:00Z", "1970-01-01T00:01:00Z"], 3),
        // One that was in 2099 does not keep everything for ever.
        (&["2099-01-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-11-19T00:00:00Z"], 3),
        (&["2099-01-01T00:00:00Z", "2099-01-01T00:00:00Z"], 1),
        (&[], 1),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let store = &log.inner.store;
        let mut txn = store.write_txn().unwrap();
        for (seq, time) in (1..).zip(times) {
            let mut event =
                (*prepare(events(vec![event("a.b", 1)]), PAYLOAD_LIMIT).unwrap().events[0]).clone();
            event.context.timestamp = at(time);
            let envelope = envelope::encode(&event, b"{}", b"{}").unwrap();
            store.put_event(&mut txn, seq, &event, &envelope).unwrap();
        }
        store.set_next_seq(&mut txn, times.len() as u64 + 1).unwrap();
        txn.commit().unwrap();
        assert_eq!(log.first_seq_since(since, now).unwrap(), first, "{times:?}");
    }
}
