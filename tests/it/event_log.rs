//! The log under what happens to it in the field: killed at any instant, a full disk, another process.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use panotti::event_log::{Batch, Error, EventLog, Put, Table};
use panotti_sdk::{Event, EventName, Filter, NewEvent};
use serde_json::{Value, json};
use uuid::Uuid;

const DIR: &str = "PANOTTI_TEST_DIR";
/// Threads that append at the same time.
const WRITERS: u64 = 4;

/// This binary again, to run one ignored test.
fn child(command: &mut Command, test: &str, dir: &Path) {
    command.args(["--exact", &format!("event_log::{test}"), "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(DIR, dir);
}

fn child_dir() -> PathBuf {
    PathBuf::from(std::env::var_os(DIR).expect("run by another test"))
}

fn event(payload: Value) -> NewEvent {
    NewEvent::new("test.happened".parse::<EventName>().unwrap(), payload)
}

/// The events themselves.
fn plain(events: Vec<std::sync::Arc<Event>>) -> impl Iterator<Item = Event> {
    events.into_iter().map(std::sync::Arc::unwrap_or_clone)
}

fn all(log: &EventLog, after: u64) -> Vec<Event> {
    log.read(after, usize::MAX, &Filter::default()).unwrap()
}

/// The `n`th batch of a writer: one to three events, and a row that says how far the writer is.
fn batch(writer: u64, n: u64) -> Batch {
    let of = 1 + n % 3;
    let part = |part| event(json!({ "writer": writer, "n": n, "part": part, "of": of }));
    let row = Put {
        table: Table::Recordings,
        key: format!("writer-{writer}"),
        value: Some(n.to_string().into_bytes()),
    };
    // Written twice, so that LMDB takes pages at the end of the file and gives them up again.
    let large = [30_000, 9_000].map(|most| Put {
        table: Table::Recordings,
        key: "large".into(),
        value: Some(vec![7; 3000 + (n * 7919) as usize % most]),
    });
    let puts = if n.is_multiple_of(5) { [row].into_iter().chain(large).collect() } else { vec![row] };
    Batch { events: (0..of).map(part).collect(), puts, idempotency_key: None }
}

#[test]
fn what_was_acknowledged_survives_sigkill_at_any_instant() {
    const ROUNDS: u32 = 24;
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(std::process::id().into());
    println!("seed {}", random.0);
    // `seq` by id of all events that were acknowledged, and all that are stored, in order.
    let mut acknowledged: HashMap<Uuid, u64> = HashMap::new();
    let mut stored: Vec<Event> = Vec::new();
    for round in 0..ROUNDS {
        let mut command = Command::new(std::env::current_exe().unwrap());
        child(&mut command, "child_that_is_killed", dir.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut heard = String::new();
        // Every sixth is killed while it starts.
        let wanted = if round % 6 == 5 { 0 } else { 1 + random.below(300) };
        let mut seen = 0;
        while seen < wanted {
            let from = heard.len();
            assert!(lines.read_line(&mut heard).unwrap() > 0, "the child ended by itself: {heard}");
            seen += u64::from(heard[from..].starts_with("stored "));
        }
        // The instant is meant to be any.
        std::thread::sleep(Duration::from_micros(random.below(if wanted == 0 { 30_000 } else { 5_000 })));
        child.kill().unwrap();
        lines.read_to_string(&mut heard).unwrap();
        child.wait().unwrap();
        // The last line may be cut off.
        let whole = heard.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines().filter_map(|line| line.strip_prefix("stored ")) {
            let (id, seq) = line.split_once(' ').unwrap();
            let known = acknowledged.insert(id.parse().unwrap(), seq.parse().unwrap());
            assert_eq!(known, None, "an id was given twice");
        }
        let log = EventLog::open(dir.path()).unwrap();
        stored.extend(all(&log, stored.len() as u64));
        check(&log, &stored, &acknowledged);
    }
    assert!(acknowledged.len() > 500, "{}", acknowledged.len());
    // What the rounds before saw is unchanged.
    assert_eq!(all(&EventLog::open(dir.path()).unwrap(), 0), stored);
    println!("{ROUNDS} kills, {} events acknowledged, {} stored", acknowledged.len(), stored.len());
}

fn check(log: &EventLog, stored: &[Event], acknowledged: &HashMap<Uuid, u64>) {
    assert!(stored.iter().map(|event| event.seq).eq(1..=stored.len() as u64), "`seq` is dense");
    assert_eq!(log.last_seq().unwrap(), stored.len() as u64);
    let by_id: HashMap<Uuid, u64> = stored.iter().map(|event| (event.id, event.seq)).collect();
    assert_eq!(by_id.len(), stored.len(), "each is there once");
    for (id, seq) in acknowledged {
        assert_eq!(by_id.get(id), Some(seq), "what was acknowledged is there, where it was said to be");
    }
    // Batches are whole, the writer's row is that of its last batch, and its order is kept: the child goes
    // on where the row was.
    let mut next = [(0, 0); WRITERS as usize];
    for event in stored {
        let number = |field: &str| event.payload[field].as_u64().unwrap();
        let next = &mut next[number("writer") as usize];
        assert_eq!((number("n"), number("part")), *next, "{event:?}");
        *next = if number("part") + 1 == number("of") { (next.0 + 1, 0) } else { (next.0, next.1 + 1) };
    }
    for (writer, (n, part)) in next.into_iter().enumerate() {
        assert_eq!((part, progress(log, writer as u64)), (0, n), "batches are stored whole");
    }
}

/// How many batches of `writer` are stored.
fn progress(log: &EventLog, writer: u64) -> u64 {
    let row = log.get(Table::Recordings, &format!("writer-{writer}")).unwrap();
    row.map_or(0, |row| String::from_utf8(row).unwrap().parse::<u64>().unwrap() + 1)
}

#[test]
#[ignore = "run by what_was_acknowledged_survives_sigkill_at_any_instant"]
fn child_that_is_killed() {
    let log = EventLog::open(&child_dir()).unwrap();
    // The parent's death is the other way to end.
    let parent = std::os::unix::process::parent_id();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let log = &log;
            scope.spawn(move || {
                let mut n = progress(log, writer);
                while std::os::unix::process::parent_id() == parent {
                    let lines: Vec<_> = log
                        .append_blocking(batch(writer, n))
                        .unwrap()
                        .iter()
                        .map(|event| format!("stored {} {}\n", event.id, event.seq))
                        .collect();
                    print!("{}", lines.concat());
                    n += 1;
                }
            });
        }
    });
}

/// xorshift64: the instants shall differ from run to run, and the seed is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        for shift in [13, -7, 17_i32] {
            let it = self.0;
            self.0 ^= if shift > 0 { it << shift } else { it >> -shift };
        }
        self.0 % end
    }
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
    child(&mut command, "child_on_a_full_disk", dir.path());
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
