//! `panotti events` as it is typed: the real program against the real service.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Output, Stdio},
    sync::mpsc,
};

use serde_json::{Value, json};

use crate::harness::{KEY, PATIENCE, Panotti, Setup, fixture, panotti};

/// A box that is nobody's room: what it hears is not looked at.
fn start() -> Panotti {
    Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start()
}

/// `panotti events ARGS`, with the administrator's key.
fn events(box_: &Panotti, args: &[&str]) -> std::process::Command {
    let mut command = panotti(&["events"]);
    command.args(args).env("PANOTTI_SERVER", box_.url("")).env("PANOTTI_KEY", KEY).stdin(Stdio::null());
    command
}

fn run(box_: &Panotti, args: &[&str]) -> Output {
    events(box_, args).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", output.stderr.escape_ascii());
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A running `tail` and the lines it prints.
struct Tail {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Tail {
    fn start(box_: &Panotti, args: &[&str]) -> Self {
        let args = [&["tail", "--json"], args].concat();
        let mut child = events(box_, &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(PATIENCE).unwrap()).unwrap()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn what_is_published_is_listed_once() {
    let box_ = start();
    let publish =
        ["publish", "door.opened", r#"{"door": 1}"#, "--priority", "high", "--idempotency-key", "k"];
    let first = &lines(&run(&box_, &[&publish[..], &["--json"]].concat()))[0];
    assert_eq!(first["repeated"], false);
    let again = &lines(&run(&box_, &[&publish[..], &["--json"]].concat()))[0];
    assert_eq!(
        (&again["id"], &again["seq"], &again["repeated"]),
        (&first["id"], &first["seq"], &json!(true))
    );
    let said = text(&run(&box_, &publish));
    assert!(said.contains("published before") && said.contains(first["id"].as_str().unwrap()), "{said}");

    // From standard input.
    let mut child = events(&box_, &["publish", "door.shut", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(br#"{"door": 2}"#).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());

    let listed = lines(&run(&box_, &["list", "--json", "--name", "door.*", "--oldest-first"]));
    let seen: Vec<_> = listed.iter().map(|it| (it["name"].clone(), it["payload"].clone())).collect();
    assert_eq!(
        seen,
        [(json!("door.opened"), json!({ "door": 1 })), (json!("door.shut"), json!({ "door": 2 }))]
    );
    let plain = text(&run(&box_, &["list", "--name", "door.*", "--since", "1h", "--priority", "high"]));
    assert_eq!(plain.lines().count(), 1, "{plain}");
    assert!(
        plain.contains("door.opened") && plain.contains(r#"{"door":1}"#) && !plain.contains('\x1b'),
        "{plain}"
    );
    assert_eq!(lines(&run(&box_, &["list", "--json", "-n", "1", "--where", "payload.door == 1"])).len(), 1);
    assert_eq!(text(&run(&box_, &["list", "--name", "door.*", "--until", "1h"])), "");

    let status = &lines(&run(&box_, &["stats", "--json"]))[0];
    assert!(status["log"]["last_seq"].as_u64().unwrap() >= 2, "{status}");
    let stats = text(&run(&box_, &["stats"]));
    for part in ["rate", "queue", "every_commit", "dead letters  0", "30 days"] {
        assert!(stats.contains(part), "{part}: {stats}");
    }
    assert!(text(&run(&box_, &["dead-letters"])).contains("no dead letters"));
    assert_eq!(text(&run(&box_, &["dead-letters", "list", "--json"])), "");
    let replay = &lines(&run(&box_, &["replay", "--name", "door.*", "--json", "--interval-ms", "0"]))[0];
    assert_eq!((&replay["state"], &replay["failed"]), (&json!("completed"), &json!(0)));
}

#[test]
fn a_tail_goes_on_when_the_box_has_been_away() {
    let box_ = start();
    let address = box_.address;
    assert!(run(&box_, &["publish", "door.opened", r#"{"n": 1}"#]).status.success());
    let tail = Tail::start(&box_, &["--name", "door.*", "--since", "1h"]);
    assert_eq!(tail.next()["payload"]["n"], 1);
    assert!(run(&box_, &["publish", "door.opened", r#"{"n": 2}"#]).status.success());
    assert_eq!(tail.next()["payload"]["n"], 2);

    let box_ = box_.kill().listening(address).start();
    assert!(run(&box_, &["publish", "door.opened", r#"{"n": 3}"#]).status.success());
    assert_eq!(tail.next()["payload"]["n"], 3);

    let one = text(&run(&box_, &["tail", "--json", "--since", "1h", "--name", "door.*", "--count", "2"]));
    assert_eq!(one.lines().count(), 2, "{one}");
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let box_ = start();
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("key");
    std::fs::write(&key_file, format!("{KEY}\n")).unwrap();
    let key_file = key_file.to_str().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = format!("http://{silent}");
    let (good, none) = (box_.url(""), "");
    for (server, key, args, code, says) in [
        (&*good, "wrong", &["list"][..], 1, "panotti key list"),
        (&good, none, &["list"], 1, "--key-file"),
        (&good, none, &["tail"], 1, "--key-file"),
        (&good, none, &["list", "--key-file", "/nowhere/key"], 1, "/nowhere/key"),
        (&silent, KEY, &["list"], 1, "panotti serve"),
        (&silent, KEY, &["publish", "a.b"], 1, "panotti serve"),
        ("https://box", KEY, &["list"], 1, "http://HOST:PORT"),
        (&good, KEY, &["list", "--name", "a.B"], 1, "at byte 2"),
        (&good, KEY, &["tail", "--where", "payload.n >"], 1, "at byte 11"),
        (&good, KEY, &["list", "--since", "yesterday"], 2, "how long ago"),
        (&good, KEY, &["publish", "a.b", "[1]"], 2, "JSON object"),
        (&good, KEY, &["publish", "A.b"], 1, "recording.ended"),
        (&good, KEY, &["publish", "a.b", "--priority", "loud"], 2, "critical"),
        (&good, KEY, &["replay"], 1, "say what"),
        (&good, KEY, &["dead-letters", "drop", "nobody", "1"], 1, "nobody"),
    ] {
        let output =
            events(&box_, args).env("PANOTTI_SERVER", server).env("PANOTTI_KEY", key).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
        assert!(!said.contains(KEY) && output.stdout.is_empty(), "{args:?}: {said}");
    }
    let with_file =
        events(&box_, &["list", "--key-file", key_file]).env_remove("PANOTTI_KEY").output().unwrap();
    text(&with_file);

    // A viewer looks and does not publish.
    let made = panotti(&["key", "create", "Panel", "--role", "viewer", "--data-dir"])
        .arg(box_.data_dir())
        .output()
        .unwrap();
    let viewer = text(&made);
    let as_viewer = |args: &[&str]| events(&box_, args).env("PANOTTI_KEY", viewer.trim()).output().unwrap();
    text(&as_viewer(&["stats"]));
    let refused = as_viewer(&["publish", "a.b"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("operator"), "{said}");
}
