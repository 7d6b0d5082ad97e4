//! Rules of backups that need no service: what is found wrong, what is refused, what is never removed.

use std::{
    fs,
    ops::ControlFlow,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use panotti_sdk::{EventName, Filter, NewEvent};
use serde_json::json;
use tempfile::TempDir;

use super::{
    super::{Batch, Error as LogError, Put, Table, store},
    *,
};

struct Bench {
    dir: TempDir,
    log: EventLog,
    backups: Backups,
}

impl Bench {
    fn with(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = EventLog::open(&dir.path().join("events")).unwrap();
        let backups = Backups::new(dir.path().join("backups"));
        let it = Self { dir, log, backups };
        it.add(count);
        it
    }

    fn add(&self, count: usize) {
        let event = |n| NewEvent::new("a.b".parse::<EventName>().unwrap(), json!({ "n": n }));
        let row = Put { table: Table::Recordings, key: "row".into(), value: Some(vec![7; 9000]) };
        let events = (0..count).map(event).collect();
        self.log.append_blocking(Batch { events, puts: vec![row], idempotency_key: None }).unwrap();
    }

    fn create(&self) -> Backup {
        let mut go_on = |_| ControlFlow::Continue(());
        self.backups.create(&Source::from(&self.log), 0, &mut go_on).unwrap()
    }

    fn events(&self) -> PathBuf {
        self.dir.path().join("events")
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn faults(backup: &Backup) -> String {
    backup.verify(&mut |_| {}).unwrap().faults.join("; ")
}

#[test]
fn a_copy_is_the_log_and_nobody_elses_to_read() {
    let it = Bench::with(1000);
    let made = it.create();
    assert_eq!(names(&made.path), [MANIFEST, DATA]);
    assert_eq!(names(&it.backups.dir), [made.name.as_str()]);
    assert_eq!(made.path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for file in [MANIFEST, DATA] {
        assert_eq!(made.path.join(file).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let found = it.backups.find("latest").unwrap();
    let manifest = found.manifest.as_ref().unwrap();
    assert_eq!((manifest.first_seq, manifest.last_seq, manifest.schema), (1, 1000, store::SCHEMA));
    let mut steps = Vec::new();
    let report = found.verify(&mut |progress| steps.push(progress)).unwrap();
    assert_eq!(report, Report { events: 1000, faults: Vec::new() });
    assert!(steps.iter().any(|it| it.step == "events" && it.done == it.total), "{steps:?}");
    assert_eq!(names(&made.path), [MANIFEST, DATA], "looking leaves nothing behind");

    it.add(5);
    let all = it.log.read(0, 9999, &Filter::default()).unwrap();
    drop(it.log);
    let restored = found.restore(&it.dir.path().join("events"), true, &mut |_| {}).unwrap();
    let log = EventLog::open(&it.dir.path().join("events")).unwrap();
    assert_eq!(log.read(0, 9999, &Filter::default()).unwrap(), all[..1000]);
    assert_eq!(log.get(Table::Recordings, "row").unwrap().unwrap().len(), 9000);
    drop(log);
    // Undone as it is told to.
    fs::rename(restored.replaced.unwrap().join(DATA), it.dir.path().join("events").join(DATA)).unwrap();
    let log = EventLog::open(&it.dir.path().join("events")).unwrap();
    assert_eq!(log.read(0, 9999, &Filter::default()).unwrap(), all);
}

#[test]
fn an_empty_log_can_be_copied() {
    let it = Bench::with(0);
    let made = it.create();
    assert_eq!((made.manifest.as_ref().unwrap().events(), faults(&made)), (0, String::new()));
}

#[test]
fn what_is_damaged_is_found() {
    let it = Bench::with(500);
    let made = it.create();
    let data = made.path.join(DATA);
    let whole = fs::read(&data).unwrap();
    let fresh = || it.backups.find(&made.name).unwrap();

    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&data, &bytes).unwrap();
    assert!(faults(&fresh()).contains("SHA-256"));
    let error = fresh().restore(&it.dir.path().join("new"), true, &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }) && !it.dir.path().join("new").exists(), "{error}");
    fs::write(&data, &whole[..whole.len() - 1]).unwrap();
    assert!(faults(&fresh()).contains("bytes") && fresh().manifest.is_err());
    fs::write(&data, &whole).unwrap();
    fs::write(made.path.join(MANIFEST), "{").unwrap();
    assert!(faults(&fresh()).contains(MANIFEST));
    assert!(it.backups.newest_whole(None).is_none());

    // A log whose event cannot be decoded is told so; so is its copy.
    {
        let mut txn = it.log.inner.store.write_txn().unwrap();
        it.log.inner.store.damage(&mut txn, 77).unwrap();
        txn.commit().unwrap();
    }
    let report = Source::from(&it.log).verify(&mut |_| {});
    assert!(report.events == 499 && report.faults[0].starts_with("event 77: "), "{report:?}");
    assert!(faults(&it.create()).starts_with("event 77: "));
}

#[test]
fn a_newer_one_is_refused_and_an_older_one_upgraded() {
    let it = Bench::with(3);
    let schema = |version| {
        let mut txn = it.log.inner.store.write_txn().unwrap();
        it.log.inner.store.set_schema(&mut txn, version).unwrap();
        txn.commit().unwrap();
    };
    schema(store::SCHEMA + 1);
    let newer = it.create();
    let error = newer.restore(&it.dir.path().join("new"), true, &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Newer { .. }) && !it.dir.path().join("new").exists(), "{error}");
    schema(1);
    let older = it.create();
    older.restore(&it.dir.path().join("new"), true, &mut |_| {}).unwrap();
    assert_eq!(EventLog::open(&it.dir.path().join("new")).unwrap().last_seq().unwrap(), 3);
}

#[test]
fn only_our_own_are_removed_and_never_the_last_whole_ones() {
    let it = Bench::with(2);
    let first = it.create();
    let damaged = it.create();
    fs::write(damaged.path.join(DATA), "").unwrap();
    let second = it.create();
    let third = it.create();
    for name in ["20260101T000000Z.old", "photos", ".hidden"] {
        fs::create_dir(it.backups.dir.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(it.dir.path().join("events"), it.backups.dir.join("20200101T000000Z"))
        .unwrap();
    assert_eq!(it.backups.prune(2, &third.name).unwrap(), [damaged.name, first.name]);
    assert_eq!(it.backups.list().unwrap().len(), 2);
    assert!(it.backups.find(&second.name).is_ok());
    assert_eq!(names(&it.backups.dir).len(), 6);
    assert!(it.events().join(DATA).exists());
    // A directory with something of somebody else in it stays, though not as a backup.
    fs::write(second.path.join("notes.txt"), "mine").unwrap();
    it.create();
    let newest = it.create();
    assert!(matches!(it.backups.prune(2, &newest.name), Err(Error::Io { .. })));
    assert!(it.backups.dir.join(format!(".{}.partial/notes.txt", second.name)).exists());
}

#[test]
fn nothing_half_done_is_left() {
    let it = Bench::with(3000);
    let stop = it.backups.create(&Source::from(&it.log), 0, &mut |_| ControlFlow::Break(()));
    assert!(matches!(stop, Err(Error::Stopped)), "{stop:?}");
    let full = it.backups.create(&Source::from(&it.log), u64::MAX, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(full, Err(Error::NoRoom { .. })), "{full:?}");
    assert!(names(&it.backups.dir).is_empty());
    // What a crash left is no backup, and goes with the next one.
    let left = it.backups.dir.join(".20260101T000000Z.partial");
    fs::create_dir(&left).unwrap();
    fs::write(left.join(DATA), "half").unwrap();
    assert!(it.backups.list().unwrap().is_empty());
    let held = it.backups.lock().unwrap();
    let busy = it.backups.create(&Source::from(&it.log), 0, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(busy, Err(Error::Busy { .. })));
    drop(held);
    let made = it.create();
    assert_eq!(names(&it.backups.dir), [made.name.as_str()]);
    // A restore cut short left a directory, too.
    let restoring = it.dir.path().join("other.restoring");
    fs::create_dir(&restoring).unwrap();
    fs::write(restoring.join(DATA), "half").unwrap();
    made.restore(&it.dir.path().join("other"), true, &mut |_| {}).unwrap();
    assert!(!restoring.exists());
}

#[test]
fn copies_are_small_when_the_log_has_much_free_space() {
    let it = Bench::with(1);
    let large = |value| Put { table: Table::Recordings, key: "large".into(), value };
    for value in [Some(vec![7; 4 << 20]), None] {
        it.log.append_blocking(Batch { puts: vec![large(value)], ..Batch::default() }).unwrap();
    }
    let made = it.create();
    assert!(it.events().join(DATA).metadata().unwrap().size() > 4 << 20);
    assert!(made.manifest.as_ref().unwrap().bytes < 1 << 20 && faults(&made).is_empty());
    assert!(Source::from(&it.log).0.bytes().unwrap() < 1 << 20);
}

#[test]
fn what_is_not_there_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Source::open(dir.path()), Err(Error::NoLog { .. })));
    let backups = Backups::new(dir.path().join("none"));
    assert!(matches!(backups.find("latest"), Err(Error::None { .. })));
    assert!(matches!(backups.find("20260101T000000Z"), Err(Error::Unknown { .. })));
    assert!(matches!(backups.find("../etc"), Err(Error::Unknown { .. })));
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    let again = Source::open(&dir.path().join("events"));
    assert!(matches!(again, Err(Error::Log(LogError::Open { .. }))), "{again:?}");
    drop(log);
}
