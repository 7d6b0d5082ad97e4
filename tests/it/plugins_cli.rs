//! `panotti plugins` as it is typed: the real program against the real service.

use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::{
    harness::{KEY, Panotti, panotti},
    plugins::{rested, setup},
};

/// `panotti plugins ARGS`, with the administrator's key.
fn plugins(box_: &Panotti, args: &[&str]) -> std::process::Command {
    let mut command = panotti(&["plugins"]);
    command.args(args).env("PANOTTI_SERVER", box_.url("")).env("PANOTTI_KEY", KEY).stdin(Stdio::null());
    command
}

fn run(box_: &Panotti, args: &[&str]) -> Output {
    plugins(box_, args).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", output.stderr.escape_ascii());
    assert!(output.stderr.is_empty(), "{}", output.stderr.escape_ascii());
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn value(output: &Output) -> Value {
    serde_json::from_str(&text(output)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_seen_and_managed() {
    let box_ = setup().start();
    rested(&box_, "example").await;
    let list = text(&run(&box_, &["list"]));
    let line = list.lines().find(|it| it.starts_with("example ")).unwrap();
    assert!(
        line.contains("1.0.0") && line.contains("disabled") && line.contains("it is not enabled"),
        "{list}"
    );
    let listed = value(&run(&box_, &["list", "--json"]));
    // What does not change from one look to the next: others may still be starting.
    let lasting = |it: &Value| -> Vec<Value> {
        let items = it["items"].as_array().unwrap().iter();
        items.map(|it| json!([it["name"], it["version"], it["description"], it["enabled"]])).collect()
    };
    let told = box_.get("/plugins").await;
    assert!(!lasting(&told).is_empty());
    assert_eq!(lasting(&listed), lasting(&told));
    assert_eq!(
        listed.as_object().unwrap().keys().collect::<Vec<_>>(),
        told.as_object().unwrap().keys().collect::<Vec<_>>()
    );

    let enabled = value(&run(&box_, &["enable", "example", "--json"]));
    assert_eq!((&enabled["name"], &enabled["state"]), (&json!("example"), &json!("running")));
    let shown = text(&run(&box_, &["show", "example"]));
    for part in
        ["running", "Counts meetings", "example.*", "/count", "example_setting", "disabled -> configured"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("wrong with its settings"), "{shown}");
    let shown = value(&run(&box_, &["show", "example", "--json"]));
    assert_eq!((&shown["config"]["debug_mode"], &shown["problems"]), (&json!(false), &json!([])));

    let changed = text(&run(&box_, &["config", "example", "debug_mode=true", "example_setting=two words"]));
    assert!(
        changed.contains("changed: debug_mode, example_setting") && changed.contains("running"),
        "{changed}"
    );
    let config = value(&run(&box_, &["config", "example"]));
    assert_eq!((&config["debug_mode"], &config["example_setting"]), (&json!(true), &json!("two words")));
    assert!(text(&run(&box_, &["config", "example", "debug_mode=true"])).starts_with("changed: nothing\n"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    std::fs::write(&file, r#"{"example_setting": "from a file"}"#).unwrap();
    let done = value(&run(&box_, &["config", "example", "--json", "--file", file.to_str().unwrap()]));
    assert_eq!(
        done["changed"],
        json!(["debug_mode", "example_setting"]),
        "what is left out takes its default"
    );

    assert!(text(&run(&box_, &["disable", "example"])).contains("disabled"));
    assert_eq!(value(&run(&box_, &["show", "example", "--json"]))["enabled"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_are_shown_with_their_place() {
    let setup = setup();
    let dir = setup.data_dir().join("plugins.d");
    std::fs::create_dir_all(&dir).unwrap();
    let bad = "name: example\nversion: \"1.0.0\"\nenabled: true\nconfig:\n  debug_mode: maybe\n  exampel_setting: x\n";
    std::fs::write(dir.join("example.yaml"), bad).unwrap();
    let box_ = setup.start();
    rested(&box_, "example").await;
    let shown = text(&run(&box_, &["show", "example"]));
    for part in [
        "wrong with its settings:",
        "example.yaml:5:15: config.debug_mode: \"maybe\" is neither true nor false; write true or false",
        "example.yaml:6:3: config.exampel_setting: there is no such key; did you mean config.example_setting?",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(text(&run(&box_, &["list"])).contains("(and 1 more)"));
    assert!(text(&run(&box_, &["config", "example", "debug_mode=true"])).contains("running"));
}

/// Of three services one is asked: the keys of the others need not be there.
#[cfg(feature = "plugin-meeting-notes-remote")]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_needed_may_be_missing() {
    let setup = setup();
    let secrets = setup.data_dir().join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    let key = secrets.join("ANTHROPIC_API_KEY");
    std::fs::write(&key, "sk-of-the-test").unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let box_ = setup.start();
    let enabled = value(&run(&box_, &["enable", "meeting_notes_remote", "--json"]));
    assert_eq!(enabled["state"], "running", "{enabled}");
    let shown = text(&run(&box_, &["show", "meeting_notes_remote"]));
    assert!(shown.contains("ANTHROPIC_API_KEY") && !shown.contains("sk-of-the-test"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_says_what_to_do() {
    let box_ = setup().start();
    rested(&box_, "example").await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = format!("http://{silent}");
    let good = box_.url("");
    for (server, key, args, code, says) in [
        (&*good, "wrong", &["list"][..], 1, "panotti key list"),
        (&good, "", &["show", "example"], 1, "--key-file"),
        (&silent, KEY, &["list"], 1, "panotti serve"),
        (&good, KEY, &["show", "exampel"], 1, "did you mean example?"),
        (&good, KEY, &["enable", "zzz"], 1, "there are: "),
        (&good, KEY, &["show", "../example"], 1, "is no plugin's name"),
        (&good, KEY, &["disable", ""], 1, "is no plugin's name"),
        (
            &good,
            KEY,
            &["config", "example", "debug_mode=maybe"],
            1,
            "config.debug_mode: \"maybe\" is neither true nor false",
        ),
        (&good, KEY, &["config", "example", "debug_mod=true"], 1, "did you mean config.debug_mode?"),
        (&good, KEY, &["config", "example", "debug_mode"], 1, "write KEY=VALUE"),
        (&good, KEY, &["config", "example", "--file", "/nowhere/config.json"], 1, "/nowhere/config.json"),
        (&good, KEY, &["config", "example", "a=1", "--file", "x"], 2, "cannot be used with"),
        (&good, KEY, &["config"], 2, "<NAME>"),
        (&good, KEY, &["start", "example"], 2, "unrecognized subcommand"),
    ] {
        let output =
            plugins(&box_, args).env("PANOTTI_SERVER", server).env("PANOTTI_KEY", key).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
        assert!(!said.contains(KEY) && output.stdout.is_empty(), "{args:?}: {said}");
    }
    let config = box_.get("/plugins/example").await["config"].clone();
    assert_eq!((&config["debug_mode"], &config["example_setting"]), (&json!(false), &json!("value")));

    let made = panotti(&["key", "create", "Panel", "--role", "viewer", "--data-dir"])
        .arg(box_.data_dir())
        .output()
        .unwrap();
    let viewer = String::from_utf8(made.stdout).unwrap();
    let as_viewer = |args: &[&str]| plugins(&box_, args).env("PANOTTI_KEY", viewer.trim()).output().unwrap();
    text(&as_viewer(&["list"]));
    text(&as_viewer(&["config", "example"]));
    for args in
        [&["enable", "example"][..], &["disable", "example"], &["config", "example", "debug_mode=true"]]
    {
        let refused = as_viewer(args);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(1) && said.contains("the role admin is needed"), "{said}");
    }
}

#[test]
fn the_help_names_every_command() {
    let help = |args: &[&str]| {
        let output = panotti(args).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(help(&["--help"]).contains("panotti plugins list"));
    let of_plugins = help(&["plugins", "--help"]);
    for command in ["list", "show", "enable", "disable", "config", "--json", "--key-file"] {
        assert!(of_plugins.contains(command), "{command}: {of_plugins}");
    }
    assert!(help(&["plugins", "config", "--help"]).contains("key=value"));
}
