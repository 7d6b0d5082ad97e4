//! A child process of many writers that is killed at any instant. Owns the writers, the kill, and what has
//! to be true of their events afterwards.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _},
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use panotti::event_log::{Batch, EventLog, Put, Table};
use panotti_sdk::{Event, EventName, Filter, NewEvent};
use serde_json::{Value, json};
use uuid::Uuid;

const DIR: &str = "PANOTTI_TEST_DIR";
/// `make crash` sets it.
const ROUNDS: &str = "PANOTTI_CRASH_ROUNDS";
/// Kills that one log has to survive; then the next begins, so that a thousand take no longer each.
const ROUNDS_PER_LOG: u64 = 100;
/// Threads that append at the same time.
const WRITERS: u64 = 4;

/// This binary again, to run one ignored test, `module::test`.
pub(crate) fn child(command: &mut Command, test: &str, dir: &Path) {
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(DIR, dir);
}

pub(crate) fn child_dir() -> PathBuf {
    PathBuf::from(std::env::var_os(DIR).expect("run by another test"))
}

/// The rounds of each log, of `usual` kills altogether unless more are asked for.
pub(crate) fn rounds(usual: u64) -> impl Iterator<Item = Range<u64>> {
    let asked = std::env::var(ROUNDS).ok();
    let all =
        asked.map_or(usual, |it| it.parse().unwrap_or_else(|_| panic!("{ROUNDS} is a number, not {it}")));
    (0..all).step_by(ROUNDS_PER_LOG as usize).map(move |from| from..all.min(from + ROUNDS_PER_LOG))
}

pub(crate) fn event(payload: Value) -> NewEvent {
    NewEvent::new("test.happened".parse::<EventName>().unwrap(), payload)
}

pub(crate) fn all(log: &EventLog, after: u64) -> Vec<Event> {
    log.read(after, usize::MAX, &Filter::default()).unwrap()
}

/// The `n`th batch of a writer: one to three events, and a row that says how far the writer is.
pub(crate) fn batch(writer: u64, n: u64) -> Batch {
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

/// How many batches of `writer` are stored.
fn progress(log: &EventLog, writer: u64) -> u64 {
    let row = log.get(Table::Recordings, &format!("writer-{writer}")).unwrap();
    row.map_or(0, |row| String::from_utf8(row).unwrap().parse::<u64>().unwrap() + 1)
}

/// Appends and says what was acknowledged, until the process is killed. `shape` changes a writer's batch.
pub(crate) fn write_until_killed(log: &EventLog, shape: impl Fn(u64, Batch) -> Batch + Sync) {
    // The parent's death is the other way to end.
    let parent = std::os::unix::process::parent_id();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let shape = &shape;
            scope.spawn(move || {
                let mut n = progress(log, writer);
                while std::os::unix::process::parent_id() == parent {
                    let lines: Vec<_> = log
                        .append_blocking(shape(n, batch(writer, n)))
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

/// Runs a child that writes, and kills it at any instant after it said `wanted` times that an event is
/// stored, or while it starts when that is 0. What it said goes into `acknowledged`: `seq` by id.
pub(crate) fn run_and_kill(
    command: &mut Command,
    wanted: u64,
    random: &mut Random,
    acknowledged: &mut HashMap<Uuid, u64>,
) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut heard = String::new();
    let mut seen = 0;
    while seen < wanted {
        let from = heard.len();
        assert!(lines.read_line(&mut heard).unwrap() > 0, "the child ended by itself: {heard}");
        seen += u64::from(heard[from..].starts_with("stored "));
    }
    // The instant is meant to be any.
    std::thread::sleep(Duration::from_micros(random.below(if wanted == 0 { 30_000 } else { 5_000 })));
    assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
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
}

/// What is known of the writers' events, and of all others that they are there once and in order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Written {
    /// `seq` of everything that is stored, by id.
    ids: HashMap<Uuid, u64>,
    /// By writer: the batch and the part of it that come next.
    next: [(u64, u64); WRITERS as usize],
}

impl Written {
    /// How many events there are, of whomever.
    pub(crate) fn last_seq(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Looks at the next event of the log.
    pub(crate) fn see(&mut self, event: &Event) {
        assert_eq!(event.seq, self.last_seq() + 1, "`seq` is dense");
        assert_eq!(self.ids.insert(event.id, event.seq), None, "each is there once");
        if event.name.as_str() != "test.happened" {
            return;
        }
        let number = |field: &str| event.payload[field].as_u64().unwrap();
        let next = &mut self.next[number("writer") as usize];
        // The child goes on where the writer's row was, so that a batch that is lost leaves no gap.
        assert_eq!((number("n"), number("part")), *next, "{event:?}");
        *next = if number("part") + 1 == number("of") { (next.0 + 1, 0) } else { (next.0, next.1 + 1) };
    }

    /// Once all of `log` was seen: batches are whole and have their rows, and what a child said is true.
    pub(crate) fn check(&self, log: &EventLog, acknowledged: &HashMap<Uuid, u64>) {
        assert_eq!(log.last_seq().unwrap(), self.last_seq());
        for (id, seq) in acknowledged {
            assert_eq!(
                self.ids.get(id),
                Some(seq),
                "what was acknowledged is there, where it was said to be"
            );
        }
        for (writer, (n, part)) in self.next.into_iter().enumerate() {
            assert_eq!((part, progress(log, writer as u64)), (0, n), "batches are stored whole");
        }
    }
}

/// xorshift64: the instants shall differ from run to run, and the seed is printed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let it = Self(std::process::id().into());
        println!("seed {}", it.0);
        it
    }

    /// The same numbers for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        for shift in [13, -7, 17_i32] {
            let it = self.0;
            self.0 ^= if shift > 0 { it << shift } else { it >> -shift };
        }
        self.0 % end
    }
}
