//! `panotti backup` as it is typed, beside the running service and without it; and what a damaged log says.

use std::{
    fs,
    io::{Seek as _, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use panotti::event_log::{
    Batch, EventLog,
    backup::{Backups, Source},
};
use panotti_sdk::{Event, Filter, NewEvent};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{PATIENCE, Setup, fixture, panotti};

fn backup(dir: &Path, args: &[&str]) -> Output {
    panotti(&["backup"]).args(args).arg("--data-dir").arg(dir).output().unwrap()
}

fn ok(output: &Output) -> Value {
    assert!(output.status.success(), "{}", output.stderr.escape_ascii());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", output.stdout.escape_ascii());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn add(log: &EventLog, count: u64) -> Vec<Event> {
    let event =
        |n| NewEvent::new("test.happened".parse().unwrap(), json!({ "n": n, "text": "x".repeat(200) }));
    let batch = Batch { events: (0..count).map(event).collect(), ..Batch::default() };
    log.append_blocking(batch).unwrap().iter().map(|it| Event::clone(it)).collect()
}

fn all(dir: &Path) -> Vec<Event> {
    let log = EventLog::open(&dir.join("events")).unwrap();
    log.read(0, usize::MAX, &Filter::default()).unwrap()
}

/// A data directory with a log of `count` events that nobody has open.
fn data_dir(count: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    add(&EventLog::open(&dir.path().join("events")).unwrap(), count);
    dir
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_beside_many_writers_has_all_that_was_acknowledged_before() {
    let dir = data_dir(2000);
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let (before, made) = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    add(&log, 3);
                }
            });
        }
        // Acknowledged before the other process is even started.
        let before = add(&log, 1)[0].seq;
        let made = ok(&backup(dir.path(), &["create", "--json"]));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        (before, made)
    });
    let (first, last) = (made["first_seq"].as_u64().unwrap(), made["last_seq"].as_u64().unwrap());
    assert!(first == 1 && last >= before && log.last_seq().unwrap() > last, "{before} {made}");
    let name = made["name"].as_str().unwrap();
    let verified = ok(&backup(dir.path(), &["verify", name, "--json"]));
    assert_eq!((&verified["ok"], verified["events"].as_u64()), (&json!(true), Some(last)));
    assert_eq!(ok(&backup(dir.path(), &["verify", "live", "--json"]))["ok"], true);
    let said = refused(&backup(dir.path(), &["restore", name]));
    assert!(said.contains(&format!("process {} has", std::process::id())), "{said}");

    let elsewhere = tempfile::tempdir().unwrap();
    let path = made["path"].as_str().unwrap();
    let restored = ok(&backup(elsewhere.path(), &["restore", path, "--json"]));
    assert_eq!((restored["last_seq"].as_u64(), &restored["replaced"]), (Some(last), &Value::Null));
    drop(log);
    assert_eq!(all(elsewhere.path()), all(dir.path())[..last as usize], "it is a prefix");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_makes_its_own_and_is_restored_only_when_stopped() {
    let setup = Setup::hearing_wav(&fixture("speech/silence0.wav")).set("PANOTTI_TRANSCRIPTION__MODEL", "");
    add(&EventLog::open(&setup.data_dir().join("events")).unwrap(), 50);
    let box_ = setup.start();
    let made = box_.wait_events("backup.completed", 1).await.remove(0);
    let name = made["payload"]["name"].as_str().unwrap();
    assert!(made["payload"]["last_seq"].as_u64().unwrap() >= 50, "{made}");
    let dir = box_.data_dir();
    let said = refused(&backup(&dir, &["restore", name]));
    assert!(said.contains("already runs") && said.contains(&box_.id().to_string()), "{said}");
    let by_hand = ok(&backup(&dir, &["create", "--json"]));
    let listed = ok(&backup(&dir, &["list", "--json"]));
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, [by_hand["name"].as_str().unwrap(), name], "newest first");
    assert_eq!(listed[1]["ok"], true);

    let (_, setup) = box_.stop();
    let last = all(&dir).len();
    let restored = backup(&dir, &["restore", name]);
    let said = String::from_utf8(restored.stdout).unwrap();
    assert!(restored.status.success() && said.contains("To undo"), "{said}");
    // What to undo it with is a command.
    let undo = said.lines().find(|it| it.trim().starts_with("mv ")).unwrap();
    assert!((50..last).contains(&all(&dir).len()));
    assert!(Command::new("sh").args(["-c", undo]).status().unwrap().success());
    assert_eq!(all(&dir).len(), last);
    assert!(backup(&dir, &["restore", name]).status.success());
    // The service goes on from there: the next event has the next number.
    let box_ = setup.start();
    let events = box_.wait_events("system.started", 1).await;
    assert!(events[0]["seq"].as_u64().unwrap() >= 51, "{events:?}");
}

#[test]
fn as_many_as_asked_for_are_kept() {
    let dir = data_dir(1);
    let create = || {
        let output = panotti(&["backup", "create", "--json", "--data-dir"])
            .arg(dir.path())
            .env("PANOTTI_BACKUP__KEEP", "2")
            .output()
            .unwrap();
        ok(&output)
    };
    let first = create();
    fs::create_dir(dir.path().join("backups/photos")).unwrap();
    let second = create();
    let third = create();
    assert_eq!((&second["removed"], &third["removed"]), (&json!([]), &json!([first["name"]])));
    let [second, third] = [second, third].map(|it| it["name"].as_str().unwrap().to_owned());
    assert_eq!(files(&dir.path().join("backups")), [second, third, "photos".into()]);
    // Those put elsewhere are another matter.
    let other = dir.path().join("usb/stick");
    for _ in 0..3 {
        ok(&backup(dir.path(), &["create", "--json", "--to", other.to_str().unwrap()]));
    }
    assert_eq!(files(&other).len(), 3);
    assert_eq!(files(&dir.path().join("backups")).len(), 3);
}

#[test]
fn killed_on_the_way_there_is_no_half_backup() {
    let dir = data_dir(1);
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    for _ in 0..20 {
        add(&log, 2000);
    }
    let place = dir.path().join("backups");
    let backups = Backups::new(&place);
    let mut cut = 0;
    for _ in 0..12 {
        let mut child = panotti(&["backup", "create", "--data-dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed as soon as a part of the copy is there.
        let begun = || {
            let mut entries = fs::read_dir(&place).into_iter().flatten().flatten();
            entries.any(|it| {
                it.file_name().to_string_lossy().ends_with(".partial")
                    && fs::metadata(it.path().join("data.mdb")).is_ok_and(|it| it.len() > 0)
            })
        };
        let deadline = std::time::Instant::now() + PATIENCE;
        while !begun() && child.try_wait().unwrap().is_none() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        cut += usize::from(begun());
        for it in backups.list().unwrap() {
            assert_eq!(it.verify(&mut |_| {}).unwrap().faults, Vec::<String>::new());
        }
    }
    assert!(cut > 0, "none was cut short");
    ok(&backup(dir.path(), &["create", "--json"]));
    assert!(files(&place).iter().all(|it| !it.starts_with('.')), "{:?}", files(&place));
    assert_eq!(ok(&backup(dir.path(), &["verify", "latest", "--json"]))["events"], 40_001);
}

/// What a damaged log says, of `serve` and of `key list`, with the backup there is or without one.
fn damaged(harm: &dyn Fn(&Path), with_backup: bool) {
    let dir = data_dir(300);
    let name = with_backup.then(|| {
        let made = ok(&backup(dir.path(), &["create", "--json"]));
        made["name"].as_str().unwrap().to_owned()
    });
    let before = all(dir.path());
    harm(&dir.path().join("events/data.mdb"));
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["key", "list"]] {
        let said = refused(&panotti(args).arg("--data-dir").arg(dir.path()).output().unwrap());
        match &name {
            Some(name) => {
                let command = format!("`panotti backup restore {name} --data-dir {}`", dir.path().display());
                assert!(said.contains(&command), "{said}");
            }
            None => assert!(said.contains("there is no backup"), "{said}"),
        }
    }
    if let Some(name) = name {
        ok(&backup(dir.path(), &["restore", &name, "--json"]));
        assert_eq!(all(dir.path()), before);
    }
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::File::options().write(true).open(path).unwrap();
    file.seek(std::io::SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

fn cut(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

#[test]
fn a_damaged_log_names_the_backup_to_restore() {
    for with_backup in [true, false] {
        damaged(&|path| overwrite(path, 0, &[0xA5; 2 * 4096]), with_backup);
        damaged(&|path| cut(path, 3 * 4096), with_backup);
        damaged(&|path| cut(path, 100), with_backup);
    }
    // LMDB takes an empty file for a new log; with a backup it is known to be none.
    damaged(&|path| cut(path, 0), true);
}

#[test]
fn a_log_that_ends_whoever_reads_it_is_told_at_the_next_start() {
    let dir = data_dir(3000);
    let made = ok(&backup(dir.path(), &["create", "--json"]));
    let name = made["name"].as_str().unwrap();
    let path = dir.path().join("events/data.mdb");
    // Every page but the two first, which are all that opening looks at.
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    for page in 2..pages {
        overwrite(&path, page * 4096, &[0xA5; 4096]);
    }
    let serve = || {
        let mut serve = panotti(&["serve", "--listen", "127.0.0.1:0", "--device", "wav:none.wav"]);
        serve.arg("--data-dir").arg(dir.path()).output().unwrap()
    };
    // The first start may end as it will; the second knows.
    let first = serve();
    assert!(!first.status.success());
    let text = String::from_utf8_lossy(&first.stderr).into_owned();
    let said = if first.status.code().is_some() { text } else { refused(&serve()) };
    assert!(said.contains(&format!("panotti backup restore {name}")), "{said}");
    ok(&backup(dir.path(), &["restore", name, "--json"]));
    assert_eq!(all(dir.path()).len(), 3000);
}

#[test]
fn a_damaged_backup_fails_the_check_and_is_not_restored() {
    let dir = data_dir(300);
    let older = ok(&backup(dir.path(), &["create", "--json"]));
    let newer = ok(&backup(dir.path(), &["create", "--json"]));
    let [older, name] = [&older, &newer].map(|it| it["name"].as_str().unwrap());
    let data = PathBuf::from(newer["path"].as_str().unwrap()).join("data.mdb");
    overwrite(&data, 5 * 4096 + 100, b"damage");
    let before = all(dir.path());
    for args in [&["verify", "latest"][..], &["restore", "latest"]] {
        let said = refused(&backup(dir.path(), args));
        assert!(said.contains("SHA-256") && said.contains(name) && said.contains(older), "{said}");
    }
    let output = backup(dir.path(), &["verify", name, "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["ok"]), (Some(1), &json!(false)));
    assert_eq!(all(dir.path()), before);
    assert_eq!(ok(&backup(dir.path(), &["restore", older, "--json"]))["last_seq"], 300);
}

#[test]
fn a_full_disk_is_told_and_nothing_half_done_is_left() {
    if !rustix::process::geteuid().is_root() {
        println!("Skipped: mounting a small disk needs root.");
        return;
    }
    let dir = data_dir(1);
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    for _ in 0..10 {
        add(&log, 2000);
    }
    drop(log);
    let small = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=3m tmpfs "$0"; "$@"; echo "code $?"; ls -A "$0""#;
    let create = |to: &Path| {
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", script])
            .arg(to)
            .args([env!("CARGO_BIN_EXE_panotti"), "backup", "create", "--data-dir"])
            .arg(dir.path())
            .arg("--to")
            .arg(to)
            .output()
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (out, said) = create(small.path());
    assert_eq!(out, "code 1\n", "nothing is left on it: {said}");
    assert!(said.contains("not enough room") && said.contains("MiB are needed"), "{said}");
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    for (args, expected) in [
        (&["create"][..], "nothing to back up"),
        (&["verify", "latest"], "panotti backup create"),
        (&["verify", "20260101T000000Z"], "panotti backup list"),
        (&["verify", "live"], "nothing to back up"),
        (&["restore", "latest"], "panotti backup create"),
    ] {
        let said = refused(&backup(dir.path(), args));
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    assert_eq!(ok(&backup(dir.path(), &["list", "--json"])), json!([]));
    // A copy made in this process is one for the program, too.
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    add(&log, 7);
    let mut go_on = |_| ControlFlow::Continue(());
    Backups::new(dir.path().join("backups")).create(&Source::from(&log), 0, &mut go_on).unwrap();
    let table = String::from_utf8(backup(dir.path(), &["list"]).stdout).unwrap();
    assert!(table.starts_with("NAME") && table.contains("size is right"), "{table}");
}
