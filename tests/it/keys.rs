//! `panotti key` as it is typed: the real program, and the keys it leaves in the log.

use std::{fs, path::Path, process::Output};

use panotti::{
    event_log::EventLog,
    security::{Keys, Role},
};
use serde_json::Value;

use crate::harness::panotti;

fn key(dir: &Path, args: &[&str]) -> Output {
    panotti(&["key"]).args(args).arg("--data-dir").arg(dir).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", output.stderr.escape_ascii());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keys(dir: &Path) -> Keys {
    Keys::new(EventLog::open(&dir.join("events")).unwrap(), None)
}

#[test]
fn a_key_is_created_listed_and_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let made = json(&key(dir.path(), &["create", "Door panel", "--role", "viewer", "--json"]));
    let (id, secret) = (made["key_id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!((made["name"].as_str(), made["role"].as_str()), (Some("Door panel"), Some("viewer")));
    let holder = keys(dir.path()).verify(secret).unwrap().unwrap();
    assert_eq!((holder.key_id.as_str(), holder.role), (id, Role::Viewer));

    // Without --json, standard output is the key and nothing else.
    let plain = key(dir.path(), &["create", "Kiosk"]);
    let printed = String::from_utf8(plain.stdout).unwrap();
    assert_eq!(printed.lines().count(), 1);
    assert_eq!(keys(dir.path()).verify(printed.trim_end()).unwrap().unwrap().role, Role::Operator);
    assert!(String::from_utf8(plain.stderr).unwrap().contains("not shown again"));

    let list = json(&key(dir.path(), &["list", "--json"]));
    let mut names: Vec<_> = list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Door panel", "Kiosk"]);
    assert!(list.as_array().unwrap().iter().all(|it| it["created_at"].as_str().unwrap().ends_with('Z')));
    let table = String::from_utf8(key(dir.path(), &["list"]).stdout).unwrap();
    assert!(table.starts_with("ID") && table.contains(id) && !table.contains(secret), "{table}");

    assert_eq!(json(&key(dir.path(), &["revoke", id, "--json"]))["key_id"], id);
    assert_eq!(keys(dir.path()).verify(secret).unwrap(), None);
    let again = key(dir.path(), &["revoke", id]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(
        again.status.code() == Some(1) && said.contains(id) && said.contains("panotti key list"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let damaged = dir.path().join("damaged");
    fs::create_dir_all(damaged.join("events")).unwrap();
    fs::write(damaged.join("events/data.mdb"), [7; 65536]).unwrap();
    let good = dir.path().join("good");
    let long = "x".repeat(101);
    for (data_dir, args, code, expected) in [
        (&file, &["list"][..], 1, "storage.data_dir"),
        (&damaged, &["list"], 1, "restore a backup"),
        (&damaged, &["create", "a"], 1, "restore a backup"),
        (&good, &["create", "a", "--role", "root"], 2, "use viewer, operator or admin"),
        (&good, &["create", ""], 1, "1 to 100 characters"),
        (&good, &["create", &long], 1, "1 to 100 characters"),
        (&good, &["revoke", "nobody"], 1, "panotti key list"),
        (&good, &["revoke", ""], 1, "panotti key list"),
    ] {
        let output = key(data_dir, args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(expected) && output.stdout.is_empty(), "{args:?}: {said}");
    }
    assert!(!keys(&good).any().unwrap(), "nothing was made on the way");
    assert_eq!(json(&key(&good, &["list", "--json"])), Value::Array(Vec::new()));
}
