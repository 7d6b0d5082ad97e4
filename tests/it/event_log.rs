//! The log under what happens to it in the field: killed at any instant, a full disk, another process.

use std::{
    collections::HashMap,
    process::Command,
    time::{Duration, Instant},
};

use panotti::event_log::{Batch, Error, EventLog, Put, Table};
use panotti_sdk::Event;
use serde_json::json;

use crate::killed::{
    Random, Written, all, batch, child, child_dir, event, rounds, run_and_kill, write_until_killed,
};

/// The events themselves.
fn plain(events: Vec<std::sync::Arc<Event>>) -> impl Iterator<Item = Event> {
    events.into_iter().map(std::sync::Arc::unwrap_or_clone)
}

#[test]
fn what_was_acknowledged_survives_sigkill_at_any_instant() {
    let mut random = Random::new();
    let (mut kills, mut heard, mut stored) = (0, 0, 0);
    for rounds in rounds(100) {
        let dir = tempfile::tempdir().unwrap();
        let mut written = Written::default();
        // All that was ever acknowledged is looked for after each kill.
        let mut acknowledged = HashMap::new();
        for round in rounds {
            let mut command = Command::new(std::env::current_exe().unwrap());
            child(&mut command, "event_log::child_that_is_killed", dir.path());
            // Every sixth is killed while it starts.
            let wanted = if round % 6 == 5 { 0 } else { 1 + random.below(300) };
            run_and_kill(&mut command, wanted, &mut random, &mut acknowledged);
            let log = EventLog::open(dir.path()).unwrap();
            all(&log, written.last_seq()).iter().for_each(|event| written.see(event));
            written.check(&log, &acknowledged);
            kills += 1;
        }
        // What the rounds before saw is unchanged.
        let mut again = Written::default();
        all(&EventLog::open(dir.path()).unwrap(), 0).iter().for_each(|event| again.see(event));
        assert_eq!(again, written);
        (heard, stored) = (heard + acknowledged.len(), stored + written.last_seq());
    }
    assert!(heard > 20 * kills, "{heard}");
    println!("{kills} kills, {heard} events acknowledged, {stored} stored");
}

#[test]
#[ignore = "run by what_was_acknowledged_survives_sigkill_at_any_instant"]
fn child_that_is_killed() {
    write_until_killed(&EventLog::open(&child_dir()).unwrap(), |_, batch| batch);
}

#[test]
fn a_full_disk_is_told_loses_nothing_and_is_got_over() {
    if !rustix::process::geteuid().is_root() {
        println!("Skipped: mounting a small disk needs root.");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-ec", r#"mount -t tmpfs -o size=2m tmpfs "$0"; exec "$@""#])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap());
    child(&mut command, "event_log::child_on_a_full_disk", dir.path());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", output.stderr.escape_ascii());
}

#[test]
#[ignore = "run by a_full_disk_is_told_loses_nothing_and_is_got_over"]
fn child_on_a_full_disk() {
    let dir = child_dir();
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 512 << 10]).unwrap();
    let path = dir.join("events");
    let mut log = EventLog::open(&path).unwrap();
    let mut stored: Vec<Event> = Vec::new();
    let batch = |n: usize, bytes: usize| {
        let events = vec![event(json!({ "text": "x".repeat(bytes) })), event(json!({ "n": n }))];
        let row = Put { table: Table::Recordings, key: n.to_string(), value: Some(vec![7; 100]) };
        Batch { events, puts: vec![row], idempotency_key: Some(n.to_string()) }
    };
    let check = |log: &EventLog, stored: &[Event]| {
        assert_eq!(all(log, 0), stored);
        assert_eq!(log.last_seq().unwrap(), stored.len() as u64);
        assert_eq!(log.rows_back(Table::Recordings, None, usize::MAX).unwrap().len(), stored.len() / 2);
    };
    // Large ones find room for a part of themselves, small ones for nothing.
    for bytes in [150_000, 20_000, 3_000, 100] {
        let error = loop {
            match log.append_blocking(batch(stored.len() / 2, bytes)) {
                Ok(events) => stored.extend(plain(events)),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Full { .. }), "{bytes}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains("free some disk space"), "{text}");
        check(&log, &stored);
    }
    assert!(stored.len() > 4, "{}", stored.len());
    // Not even opening needs room, and refused again is refused the same.
    drop(log);
    log = EventLog::open(&path).unwrap();
    check(&log, &stored);
    assert!(matches!(log.append_blocking(batch(stored.len() / 2, 150_000)), Err(Error::Full { .. })));
    // A log that is not there yet finds no room for its files.
    let mut rest = std::fs::File::create(dir.join("rest")).unwrap();
    while std::io::Write::write(&mut rest, &[1; 4096]).is_ok_and(|it| it > 0) {}
    let error = EventLog::open(&dir.join("another")).unwrap_err();
    assert!(matches!(error, Error::Full { .. } | Error::Directory { .. }), "{error:?}");
    // With room again, the same log goes on, and so do those who try again.
    std::fs::remove_file(ballast).unwrap();
    for _ in 0..3 {
        let events = log.append_blocking(batch(stored.len() / 2, 50_000)).unwrap();
        stored.extend(plain(events));
    }
    check(&log, &stored);
    drop(log);
    check(&EventLog::open(&path).unwrap(), &stored);
}

#[test]
fn two_processes_write_at_once() {
    const KEYS: usize = 8;
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    let (mut mine, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(60));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            for n in 0..KEYS {
                let key = crate::harness::panotti(&["key", "create", &format!("key {n}"), "--data-dir"])
                    .arg(dir.path())
                    .output()
                    .unwrap();
                assert!(key.status.success(), "{}", key.stderr.escape_ascii());
            }
        });
        while !other.is_finished() && Instant::now() < deadline {
            mine.extend(plain(log.append_blocking(batch(0, mine.len() as u64)).unwrap()));
        }
        other.join().unwrap();
    });
    let stored = all(&log, 0);
    assert!(stored.iter().map(|event| event.seq).eq(1..=stored.len() as u64));
    let (created, own): (Vec<_>, Vec<_>) =
        stored.into_iter().partition(|event| event.name.as_str() == "key.created");
    assert_eq!((own, created.len()), (mine, KEYS));
    // The other process wrote in between, not before or after.
    let first = created[0].seq;
    assert!(log.last_seq().unwrap() > first + KEYS as u64, "{first}");
    assert_eq!(log.rows_back(Table::Keys, None, 99).unwrap().len(), KEYS);
}
