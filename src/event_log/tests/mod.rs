//! The log as a list of events and a table of rows: against real LMDB in a temporary directory.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod disk;
mod live;
mod pages;
mod prune;

use std::{collections::HashMap, path::Path};

use panotti_sdk::{Event, EventName, Filter, NewEvent, Priority, filter::Topic};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;

fn event(name: &str, n: usize) -> NewEvent {
    NewEvent::new(name.parse::<EventName>().unwrap(), json!({ "n": n }))
}

fn events(events: Vec<NewEvent>) -> Batch {
    Batch { events, ..Batch::default() }
}

/// Appends and takes the stored events as they are.
fn append(log: &EventLog, batch: Batch) -> Vec<Event> {
    let stored = log.append_blocking(batch).unwrap();
    stored.into_iter().map(Arc::unwrap_or_clone).collect()
}

fn put(key: &str, value: Option<&[u8]>) -> Put {
    Put { table: Table::Recordings, key: key.into(), value: value.map(<[u8]>::to_vec) }
}

/// What is wanted of `all`, found by looking at each.
fn reference(all: &[Event], filter: &Filter) -> Vec<Event> {
    all.iter().filter(|event| filter.wants(event)).cloned().collect()
}

#[test]
fn what_is_acknowledged_is_read_again_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path()).unwrap();
    let mut new = event("recording.ended", 1).from_source("api").with_priority(Priority::Critical);
    new.metadata.insert("room".into(), json!("Höhle 7"));
    let first = append(&log, events(vec![new])).remove(0);
    let child = event("transcription.ready", 2).caused_by(&first);
    let child = append(&log, events(vec![child])).remove(0);
    assert_eq!((first.seq, child.seq, *log.tail().borrow()), (1, 2, 2));
    drop(log);

    let log = EventLog::open(dir.path()).unwrap();
    let all = [first.clone(), child.clone()];
    assert_eq!(log.read(0, 10, &Filter::default()).unwrap(), all);
    assert_eq!(log.read(1, 10, &Filter::default()).unwrap(), all[1..]);
    assert_eq!(log.read_back(u64::MAX, 1, &Filter::default()).unwrap(), all[1..]);
    assert_eq!(log.read_back(2, 9, &Filter::default()).unwrap(), all[..1]);
    assert_eq!(log.read(2, 10, &Filter::default()).unwrap(), []);
    assert_eq!(log.get_event(child.id).unwrap(), Some(child));
    assert_eq!(log.get_event(Uuid::nil()).unwrap(), None);
    assert_eq!((log.last_seq().unwrap(), *log.tail().borrow()), (2, 2));
    assert_eq!(log.append_blocking(events(vec![event("a.b", 3)])).unwrap()[0].seq, 3);
}

#[test]
fn a_batch_is_all_or_nothing_and_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path()).unwrap();
    let good = Batch { puts: vec![put("a", Some(b"1")), put("b", Some(b"2"))], ..Batch::default() };
    log.append_blocking(good).unwrap();
    let large = vec![0; VALUE_LIMIT + 1];
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let text = json!({ "text": "x".repeat(PAYLOAD_LIMIT) });
    let wide = NewEvent::new("a.b".parse::<EventName>().unwrap(), text);
    let deep = NewEvent::new("a.b".parse::<EventName>().unwrap(), deep);
    for bad in [
        Batch { events: vec![event("a.b", 0)], puts: vec![put("", None)], ..Batch::default() },
        Batch { puts: vec![put("c", None), put(&"k".repeat(257), None)], ..Batch::default() },
        Batch { puts: vec![put("c", Some(b"3")), put("d", Some(&large))], ..Batch::default() },
        events(vec![event("a.b", 0), wide]),
        events(vec![event("a.b", 0), deep]),
        Batch { idempotency_key: Some("k".into()), ..Batch::default() },
    ] {
        let error = log.append_blocking(bad).unwrap_err();
        assert!(matches!(error, Error::Invalid(_) | Error::TooLarge { .. }), "{error}");
    }
    assert_eq!(log.last_seq().unwrap(), 0);
    let row = |key: &str, value: &[u8]| (key.to_owned(), value.to_vec());
    assert_eq!(log.rows_back(Table::Recordings, None, 9).unwrap(), [row("b", b"2"), row("a", b"1")]);
    assert_eq!(log.rows_back(Table::Recordings, Some("b"), 9).unwrap(), [row("a", b"1")]);
    assert_eq!(log.rows_back(Table::Keys, None, 9).unwrap(), []);
    log.append_blocking(Batch { puts: vec![put("a", None), put("zz", None)], ..Batch::default() }).unwrap();
    assert_eq!(log.get(Table::Recordings, "a").unwrap(), None);
    assert_eq!(log.get(Table::Recordings, "b").unwrap().unwrap(), b"2");
    assert_eq!(log.get(Table::Recordings, "").unwrap(), None);
}

#[test]
fn a_repeated_idempotency_key_returns_the_first_event() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path()).unwrap();
    let publish = |log: &EventLog, source: &str, n| {
        let events = vec![event("a.b", n).from_source(source)];
        let batch = Batch { events, puts: vec![], idempotency_key: Some("once".into()) };
        log.append_blocking(batch).unwrap().remove(0)
    };
    let first = publish(&log, "api", 1);
    assert_eq!(publish(&log, "api", 2), first);
    assert_eq!(publish(&log, "other", 3).seq, 2);
    drop(log);
    let log = EventLog::open(dir.path()).unwrap();
    assert_eq!(publish(&log, "api", 4), first);
    assert_eq!(log.last_seq().unwrap(), 2);
}

#[test]
fn idempotency_keys_expire() {
    let dir = tempfile::tempdir().unwrap();
    let store = store::open(dir.path(), Durability::default()).unwrap();
    let mut txn = store.write_txn().unwrap();
    let day = 24 * 60 * 60 * 1000;
    for seq in 1..=5_u8 {
        store.remember(&mut txn, &[seq; 32], u64::from(seq), u64::from(seq)).unwrap();
    }
    assert_eq!(store.idempotent(&txn, &[2; 32], day + 2).unwrap(), Some(2));
    assert_eq!(store.idempotent(&txn, &[2; 32], day + 3).unwrap(), None);
    store.remember(&mut txn, &[9; 32], 9, day + 4).unwrap();
    let known = |seq| store.idempotent(&txn, &[seq; 32], 0).unwrap();
    assert_eq!([1, 2, 3, 4, 5, 9].map(known), [None, None, None, Some(4), Some(5), Some(9)]);
}

#[test]
fn many_writers_get_a_dense_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path()).unwrap();
    let mine: Vec<Vec<Event>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let log = log.clone();
                scope.spawn(move || {
                    let id = Uuid::now_v7();
                    let one = |n| append(&log, events(vec![event("a.b", n).correlated(id)])).remove(0);
                    (0..100).map(one).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let all = log.read(0, 10_000, &Filter::default()).unwrap();
    assert!(all.iter().map(|event| event.seq).eq(1..=800));
    for mine in mine {
        let filter = Filter { correlation_id: Some(mine[0].context.correlation_id), ..Filter::default() };
        assert_eq!(log.read(0, 1000, &filter).unwrap(), mine);
    }
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(EventLog::open(dir.path()).unwrap());
    {
        let store = store::open(dir.path(), Durability::default()).unwrap();
        let mut txn = store.write_txn().unwrap();
        store.set_schema(&mut txn, store::SCHEMA + 1).unwrap();
        txn.commit().unwrap();
    }
    let error = EventLog::open(dir.path()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Newer { found, .. } if found == store::SCHEMA + 1));
    let (newer, known) = (format!("schema {}", store::SCHEMA + 1), format!("knows {}:", store::SCHEMA));
    assert!(text.contains(&newer) && text.contains(&known), "{text}");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = EventLog::open(&file).unwrap_err();
    assert!(
        matches!(error, Error::Directory { .. }) && error.to_string().contains("storage.data_dir"),
        "{error}"
    );

    let damaged = dir.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("data.mdb"), [7; 65536]).unwrap();
    let error = EventLog::open(&damaged).unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("restore a backup"), "{error}");

    let log = EventLog::open(&dir.path().join("log")).unwrap();
    let error = EventLog::open(&dir.path().join("log")).unwrap_err().to_string();
    assert!(error.contains("open already"), "{error}");
    log.append_blocking(events(vec![event("a.b", 1)])).unwrap();
}

/// Names of few words, so that topics meet them.
fn name() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab_]{1,2}", 2..5).prop_map(|words| words.join("."))
}

fn pattern() -> impl Strategy<Value = String> {
    let word = prop_oneof![2 => Just("*".to_owned()), 3 => "[ab_]{1,2}"];
    (prop::collection::vec(word, 2..5), any::<bool>()).prop_map(|(mut words, rest)| {
        if rest {
            words.pop();
            words.push("**".into());
        }
        words.join(".")
    })
}

proptest! {
    #[test]
    fn any_bytes_are_an_event_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..300), known in any::<bool>()) {
        if let (true, Some(version)) = (known, bytes.first_mut()) {
            *version = 1;
        }
        drop(envelope::decode(1, &bytes));
    }

    #[test]
    fn a_damaged_envelope_is_an_event_or_an_error(at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let prepared = prepare(events(vec![event("recording.ended", 7).from_source("core")]), PAYLOAD_LIMIT).unwrap();
        let original = (*prepared.events[0]).clone();
        let mut bytes = prepared.encoded[0].envelope.clone();
        prop_assert_eq!(envelope::decode(0, &bytes).unwrap(), original);
        let at = at.index(bytes.len());
        bytes[at] = to;
        drop(envelope::decode(0, &bytes));
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(envelope::decode(0, &bytes).is_err());
    }
}

/// What a user of the log may do.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(String, u8)>, Option<u8>, Vec<(u8, Option<u8>)>),
    Read { after: u8, limit: usize, name: Option<String>, meeting: Option<u8>, back: bool },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let append = (
        prop::collection::vec((name(), 0..3_u8), 1..4),
        prop::option::weighted(0.2, 0..4_u8),
        prop::collection::vec((0..6_u8, any::<Option<u8>>()), 0..3),
    )
        .prop_map(|(events, key, puts)| Step::Append(events, key, puts));
    let read =
        (0..40_u8, 0..9_usize, any::<Option<()>>(), pattern(), prop::option::of(0..4_u8), any::<bool>())
            .prop_map(|(after, limit, named, name, meeting, back)| Step::Read {
                after,
                limit,
                name: named.map(|()| name),
                meeting,
                back,
            });
    prop_oneof![6 => append, 6 => read, 1 => Just(Step::Reopen)]
}

fn open(dir: &Path) -> EventLog {
    EventLog::open(dir).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_log_is_a_list(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path());
        let meeting = |n: u8| Uuid::from_u128(u128::from(n) + 1);
        let mut all: Vec<Event> = Vec::new();
        let mut rows: HashMap<String, Vec<u8>> = HashMap::new();
        let mut keys: HashMap<u8, usize> = HashMap::new();
        for step in steps {
            match step {
                Step::Append(new, key, puts) => {
                    let new = new.iter().enumerate().map(|(n, (name, id))| event(name, n).correlated(meeting(*id)));
                    let batch = Batch {
                        events: new.collect(),
                        puts: puts.iter().map(|(key, value)| put(&key.to_string(), value.map(|v| [v]).as_ref().map(<[u8; 1]>::as_slice))).collect(),
                        idempotency_key: key.map(|key| key.to_string()),
                    };
                    let wanted = batch.events.len();
                    let stored = append(&log, batch);
                    if let Some(first) = key.and_then(|key| keys.get(&key)) {
                        prop_assert_eq!(&stored[..], &all[*first..=*first]);
                        continue;
                    }
                    prop_assert_eq!(stored.len(), wanted);
                    keys.extend(key.map(|key| (key, all.len())));
                    all.extend(stored);
                    for (key, value) in puts {
                        match value {
                            Some(value) => drop(rows.insert(key.to_string(), vec![value])),
                            None => drop(rows.remove(&key.to_string())),
                        }
                    }
                }
                Step::Read { after, limit, name, meeting: id, back } => {
                    let topics = name.map(|name| name.parse::<Topic>().unwrap()).into_iter().collect();
                    let filter = Filter { topics, correlation_id: id.map(meeting), ..Filter::default() };
                    let mut expected = reference(&all, &filter);
                    let found = if back {
                        expected.retain(|event| event.seq < u64::from(after));
                        expected.reverse();
                        log.read_back(u64::from(after), limit, &filter).unwrap()
                    } else {
                        expected.retain(|event| event.seq > u64::from(after));
                        log.read(u64::from(after), limit, &filter).unwrap()
                    };
                    expected.truncate(limit);
                    prop_assert_eq!(found, expected);
                }
                Step::Reopen => {
                    drop(log);
                    log = open(dir.path());
                }
            }
            prop_assert!(all.iter().map(|event| event.seq).eq(1..=all.len() as u64));
            prop_assert_eq!(log.last_seq().unwrap(), all.len() as u64);
            let mut stored = log.rows_back(Table::Recordings, None, 99).unwrap();
            prop_assert!(stored.is_sorted_by(|a, b| a.0 > b.0));
            prop_assert_eq!(stored.drain(..).collect::<HashMap<_, _>>(), rows.clone());
        }
    }
}
