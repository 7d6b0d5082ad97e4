//! What every plugin passes, and what this one does: W-34, and what it must not do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod away;
mod deleted;

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::{Duration, Instant, SystemTime},
};

use panotti_sdk::{
    conformance::Case,
    serde_json::{Value, json},
    testing::Bench,
};

use super::*;
use crate::{copy::Copied, tree::Stamp};

const AT: &str = "2026-01-17T22:55:32Z";

fn event(name: &str, payload: Value) -> NewEvent {
    NewEvent::new(name.parse().unwrap(), payload).from_source("meeting_notes_local")
}

fn noted(id: &str, path: &Path) -> NewEvent {
    let notes = json!({
        "status": "completed", "timestamp": AT, "recording_id": id, "notes_path": path,
        "input_paths": { "transcript": "x.md" }, "config": {},
    });
    let payload = json!({ "recording_id": id, "meeting_notes": notes, "metadata": {} });
    event("meeting_notes_local.completed", payload)
}

fn deleted(id: &str) -> NewEvent {
    event("recording.deleted", json!({ "recording_id": id }))
}

/// A box with a folder of notes, and a folder elsewhere.
struct House {
    bench: Bench,
    notes: PathBuf,
    elsewhere: tempfile::TempDir,
    copies: PathBuf,
}

impl House {
    /// A pair of both with `more` settings; not started.
    fn new(more: Value) -> Self {
        let bench = Bench::new(DESCRIPTOR).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (notes, copies) = (bench.data_directory().join("notes"), elsewhere.path().join("copies"));
        let mut house = Self { bench, notes, elsewhere, copies };
        house.pair(more);
        house
    }

    fn pair(&mut self, more: Value) -> &mut Self {
        let mut pair = json!({ "source": "data/notes", "destination": self.copies });
        let Value::Object(more) = more else { panic!("settings are an object") };
        pair.as_object_mut().unwrap().extend(more);
        self.bench.configure(json!({ "pairs": [pair], "interval_s": 1, "settle_ms": 20 }));
        self
    }

    fn start(&mut self) -> &mut Self {
        self.bench.start().unwrap();
        self
    }

    /// A file of the box, long at rest.
    fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.notes.join(path);
        files::write(&path, text.as_bytes()).unwrap();
        let old = SystemTime::now() - Duration::from_secs(3600);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        path
    }

    fn wait(&self, path: &str, text: &str) {
        let path = self.copies.join(path);
        until(&format!("{} with {text}", path.display()), || {
            fs::read_to_string(&path).ok().filter(|it| it == text)
        });
    }

    fn wait_gone(&self, path: &str) {
        until(&format!("{path} to go"), || (!self.copies.join(path).exists()).then_some(()));
    }

    fn named(&self, name: &str) -> Vec<Arc<Event>> {
        self.bench.events().into_iter().filter(|it| it.name.as_str() == name).collect()
    }

    fn completed(&self) -> Vec<Arc<Event>> {
        self.named("directory_sync.completed")
    }

    /// Copies and removals that were told, and how many at least must be.
    fn told(&self, copied: u64) -> (u64, u64) {
        until("an event", || {
            let all = self.completed();
            let sum = |key: &str| -> u64 {
                all.iter().map(|it| it.payload["directory_sync"][key].as_u64().unwrap()).sum()
            };
            (sum("copied") >= copied).then(|| (sum("copied"), sum("removed")))
        })
    }
}

/// Waits until there is something: the workers go their own way.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

panotti_sdk::conformance!(
    Case::of(DESCRIPTOR)
        .config(json!({ "pairs": [{ "source": "/there/is/nothing", "destination": "data/copies" }] }))
        .event(noted("a", Path::new("/there/is/nothing/a.md")))
        .event(noted("b", Path::new("data/elsewhere/b.md")))
        // One whose copies must go changes the state by itself; it has tests of its own.
        .event(deleted("b"))
);

#[test]
fn w34_files_that_are_there_already_are_copied_with_all_that_is_known_of_them() {
    let mut house = House::new(json!({}));
    let path = house.file("2026/a.md", "one");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    house.file("b.md", "two");
    house.start();
    house.wait("2026/a.md", "one");
    house.wait("b.md", "two");
    let (from, to) = (fs::metadata(path).unwrap(), fs::metadata(house.copies.join("2026/a.md")).unwrap());
    assert_eq!(from.modified().unwrap(), to.modified().unwrap());
    assert_eq!(to.permissions().mode() & 0o777, 0o640);
    assert_eq!(house.told(2), (2, 0));
    let said = &house.completed()[0].payload["directory_sync"];
    assert_eq!((&said["bytes"], &said["source"]), (&json!(6), &json!(house.notes)));
}

#[test]
fn w34_new_changed_renamed_and_deleted_files_are_followed() {
    let mut house = House::new(json!({ "delete": true }));
    house.file("x.md", "x");
    // By word of the kernel: nobody waits an hour here.
    house.bench.configure(json!({ "interval_s": 3600 }));
    house.start().wait("x.md", "x");
    let notes = &house.notes;
    files::write(&notes.join("deep/er/a.md"), b"new").unwrap();
    house.wait("deep/er/a.md", "new");
    fs::write(notes.join("deep/er/a.md"), "changed in place").unwrap();
    house.wait("deep/er/a.md", "changed in place");
    files::write(&notes.join("deep/er/a.md"), b"changed in one step").unwrap();
    house.wait("deep/er/a.md", "changed in one step");
    fs::rename(notes.join("deep/er/a.md"), notes.join("deep/b.md")).unwrap();
    house.wait("deep/b.md", "changed in one step");
    house.wait_gone("deep/er/a.md");
    fs::remove_file(notes.join("deep/b.md")).unwrap();
    house.wait_gone("deep/b.md");
    house.wait_gone("deep");
    assert!(house.copies.join("x.md").exists());
}

#[test]
fn deleted_files_keep_their_copies_unless_asked() {
    let mut house = House::new(json!({}));
    let path = house.file("a.md", "one");
    house.start().wait("a.md", "one");
    fs::remove_file(path).unwrap();
    house.file("b.md", "two");
    house.wait("b.md", "two");
    assert_eq!(house.told(2), (2, 0));
    assert!(house.copies.join("a.md").exists());
    // Asked later: what was copied before is known.
    house.bench.stop().unwrap();
    house.pair(json!({ "delete": true })).start().wait_gone("a.md");
}

#[test]
fn w34_what_is_still_being_written_is_not_copied() {
    let mut house = House::new(json!({}));
    house.bench.configure(json!({ "settle_ms": 600_000 }));
    house.file("old.md", "whole");
    files::write(&house.notes.join("a.md"), b"ha").unwrap();
    house.start().wait("old.md", "whole");
    assert_eq!(house.told(1), (1, 0));
    assert!(!house.copies.join("a.md").exists());
}

#[test]
fn w34_a_file_that_changes_while_it_is_copied_leaves_the_old_copy() {
    let dir = tempfile::tempdir().unwrap();
    let (from, root) = (dir.path().join("a.md"), dir.path().join("copies"));
    fs::create_dir(&root).unwrap();
    fs::write(&from, "first").unwrap();
    let stamp = || Stamp::of(&fs::metadata(&from).unwrap()).unwrap();
    let go = AtomicBool::new(false);
    let below = Path::new("x/a.md");
    let before = stamp();
    assert_eq!(copy::copy(&from, before, &root, below, &go).unwrap(), Copied::Yes);
    fs::write(&from, "first and second").unwrap();
    assert_eq!(copy::copy(&from, before, &root, below, &go).unwrap(), Copied::NotNow);
    assert_eq!(copy::copy(&from, stamp(), &root, below, &AtomicBool::new(true)).unwrap(), Copied::NotNow);
    assert_eq!(fs::read_to_string(root.join(below)).unwrap(), "first");
    // Of the same size, and told by its time.
    fs::write(&from, "other").unwrap();
    File::options().write(true).open(&from).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(copy::copy(&from, before, &root, below, &go).unwrap(), Copied::NotNow);
    fs::write(&from, "first and second").unwrap();
    assert_eq!(fs::read_dir(root.join("x")).unwrap().count(), 1, "no part is left");
    assert_eq!(copy::copy(&from, stamp(), &root, below, &go).unwrap(), Copied::Yes);
    assert_eq!(fs::read_to_string(root.join(below)).unwrap(), "first and second");
    // The destination is never made by the way.
    fs::remove_dir_all(&root).unwrap();
    let error = copy::copy(&from, stamp(), &root, below, &go).unwrap_err();
    assert!(error.to_string().contains("cannot be copied to") && !root.exists(), "{error}");
}

#[test]
fn nothing_outside_the_source_is_copied() {
    let mut house = House::new(json!({}));
    let secret = house.elsewhere.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("key"), "s3cret").unwrap();
    house.file("a.md", "one");
    house.file(".hidden/x", "h");
    house.file(".a.md.part", "half");
    symlink(&secret, house.notes.join("folder")).unwrap();
    symlink(secret.join("key"), house.notes.join("key")).unwrap();
    house.start().wait("a.md", "one");
    assert_eq!(house.told(1), (1, 0));
    assert_eq!(fs::read_dir(&house.copies).unwrap().count(), 1);
}

#[test]
fn what_is_not_ours_at_the_destination_stays() {
    let mut house = House::new(json!({ "delete": true }));
    fs::create_dir(&house.copies).unwrap();
    fs::write(house.copies.join("theirs.md"), "theirs").unwrap();
    let (a, b) = (house.file("a.md", "one"), house.file("b.md", "two"));
    house.start();
    house.told(2);
    house.bench.stop().unwrap();
    // While the box was off, somebody went on with a copy.
    fs::write(house.copies.join("b.md"), "two and more").unwrap();
    fs::remove_file(a).unwrap();
    fs::remove_file(b).unwrap();
    house.start().wait_gone("a.md");
    house.file("c.md", "three");
    house.wait("c.md", "three");
    house.wait("theirs.md", "theirs");
    house.wait("b.md", "two and more");
}

#[test]
fn only_files_that_are_wanted_are_copied() {
    let mut house = House::new(json!({ "include": ["*.md", "list.txt"], "delete": true }));
    for name in ["a.md", "list.txt", "more-list.txt", "b.wav"] {
        house.file(name, "one");
    }
    house.start();
    assert_eq!(house.told(2), (2, 0));
    assert!(house.copies.join("a.md").exists() && house.copies.join("list.txt").exists());
    // To want less is not to have deleted something.
    house.bench.stop().unwrap();
    house.pair(json!({ "include": ["*.wav"], "delete": true })).start().wait("b.wav", "one");
    assert_eq!(house.told(3), (3, 0));
    assert!(house.copies.join("a.md").exists());
}

#[test]
fn what_was_copied_is_not_copied_again() {
    let mut house = House::new(json!({}));
    house.file("a.md", "one");
    fs::create_dir(&house.copies).unwrap();
    // The same content, at another time: as on a share that keeps no times.
    fs::write(house.copies.join("same.md"), "same").unwrap();
    house.file("same.md", "same");
    house.start();
    house.told(1);
    fs::write(house.copies.join("a.md"), "one").unwrap();
    for (count, name) in ["b.md", "c.md"].into_iter().enumerate() {
        house.start().file(name, "more");
        house.wait(name, "more");
        assert_eq!(house.told(count as u64 + 2), (count as u64 + 2, 0));
    }
    // What differs is made the same.
    fs::write(house.copies.join("a.md"), "other").unwrap();
    house.wait("a.md", "one");
}

#[test]
fn a_second_look_finds_nothing_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (source, destination) = (dir.path().join("notes"), dir.path().join("copies"));
    files::write(&source.join("a.md"), b"one").unwrap();
    let route = config::Route {
        id: String::new(),
        source,
        destination: destination.clone(),
        delete: true,
        include: Vec::new(),
        mount_point: None,
    };
    let mut mirror = mirror::Mirror::new(route, Default::default(), Duration::ZERO, Arc::default());
    let mut look = || mirror.look(&Default::default(), &AtomicBool::new(false));
    let told = |it: &mirror::Round| (it.copied.len(), it.found.len(), it.removed.len(), it.problems.len());
    assert_eq!(told(&look()), (1, 0, 0, 0));
    // A share that keeps no times is asked for no content either, once it was copied.
    let copy = File::options().write(true).open(destination.join("a.md")).unwrap();
    copy.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(told(&look()), (0, 0, 0, 0));
}

#[test]
fn w27_an_id_that_could_be_a_path_is_refused() {
    let mut house = House::new(json!({}));
    let refused = house.start().bench.deliver(noted("../x", Path::new("data/notes/x.md")));
    assert!(refused.unwrap_err().to_string().contains("no id of a recording"));
    assert_eq!(house.named("directory_sync.error")[0].payload["recording_id"], "../x");
}

#[test]
fn pairs_that_copy_copies_and_paths_that_cannot_be_used_are_refused_by_name() {
    let of = |source: &str, destination: &str| json!({ "source": source, "destination": destination });
    let with = |key: &str, value: Value| {
        let mut pair = of("data/notes", "/mnt/notes");
        pair[key] = value;
        json!([pair])
    };
    for (pairs, key) in [
        (json!([of("data/notes", "data/notes")]), "pairs[0].destination"),
        (json!([of("data", "data/notes")]), "pairs[0].destination"),
        (json!([of("data/notes/x", "notes")]), "pairs[0].destination"),
        (json!([of("data/a", "/mnt/b"), of("/mnt/b", "/mnt/c")]), "pairs[0].destination"),
        (json!([of("data/a", "/mnt/x"), of("data/b", "/mnt/x/y")]), "pairs[1].destination"),
        (json!([of("../a", "/mnt/b")]), "pairs[0].source"),
        (with("mount_point", json!("/media")), "pairs[0].mount_point"),
        (with("include", json!(["*.md", "a*b"])), "pairs[0].include"),
        (with("include", json!([""])), "pairs[0].include"),
    ] {
        let mut bench = Bench::new(DESCRIPTOR).unwrap();
        let error = bench.configure(json!({ "pairs": pairs })).start().map(drop).unwrap_err();
        assert!(format!("{error:?}").contains(&format!("{key:?}")), "{key}: {error:?}");
    }
    let two = json!([of("data/a", "/mnt/a"), of("data/ab", "/mnt/ab"), of("data/a", "/mnt/b")]);
    Bench::new(DESCRIPTOR).unwrap().configure(json!({ "pairs": two })).start().unwrap();
}
