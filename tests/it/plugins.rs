//! Plugins of a running box over its API: managing them, what is refused, settings that do not fit, and that
//! changing them loses no event.

use std::{collections::BTreeMap, fs, path::Path};

use panotti::event_log::EventLog;
use panotti_sdk::Filter;
use serde_json::{Value, json};

use crate::{
    bad_input::raw,
    harness::{KEY, Panotti, Setup, fixture, panotti},
};

/// A box whose meetings nobody writes down: a `recording.ended` is the example's alone.
pub(crate) fn setup() -> Setup {
    Setup::hearing_wav(&fixture("speech/meeting_picked.wav"))
        .set("PANOTTI_PLUGIN_AUDIO_TRANSCRIPTION_LOCAL__ENABLED", "false")
}

/// Writes the settings file of a plugin before the box starts.
fn write_settings(setup: &Setup, file: &str, text: &str) {
    let dir = setup.data_dir().join("plugins.d");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(file), text).unwrap();
}

/// A plugin once its life has come to rest.
pub(crate) async fn rested(box_: &Panotti, name: &str) -> Value {
    box_.until(&format!("{name} is at rest"), async || {
        let plugin = box_.get(&format!("/plugins/{name}")).await;
        let state = plugin["state"].as_str().unwrap();
        ["running", "degraded", "failed", "disabled"].contains(&state).then_some(plugin)
    })
    .await
}

/// A meeting that has ended, as a client would tell of it.
pub(crate) fn ended(recording_id: &str) -> Value {
    json!({
        "name": "recording.ended",
        "payload": {
            "recording_id": recording_id, "title": "Weekly", "attendees": [], "origin": "client",
            "timestamp": "2026-11-21T01:34:54Z", "duration_ms": 0, "interrupted": false, "problem": null,
            "tracks": [], "metadata": {},
        },
    })
}

/// How often each meeting was told of by the example, and the setting that stood in it, from the log of a box
/// that has ended.
pub(crate) fn told_of(data_dir: &Path) -> BTreeMap<String, Vec<String>> {
    let log = EventLog::open(&data_dir.join("events")).unwrap();
    let mut told = BTreeMap::new();
    for event in log.read(0, usize::MAX, &Filter::default()).unwrap() {
        let id = || event.payload["recording_id"].as_str().unwrap().to_owned();
        match event.name.as_str() {
            "recording.ended" => assert_eq!(told.insert(id(), Vec::new()), None, "told twice: {event:?}"),
            "example.completed" => {
                let setting = event.payload["metadata"]["example_setting"].as_str().unwrap().to_owned();
                told.get_mut(&id()).unwrap().push(setting);
            }
            _ => {}
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_enabled_configured_and_disabled() {
    let box_ = setup().start();
    let list = box_.get("/plugins").await;
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert!(names.contains(&json!("example")), "{list}");
    let example = rested(&box_, "example").await;
    assert_eq!((&example["state"], &example["enabled"]), (&json!("disabled"), &json!(false)));
    assert_eq!(example["config"]["example_setting"], "value");
    assert_eq!(example["routes"][0]["path"], "/count");
    assert!(example["schema"]["properties"]["timeout_s"]["description"].is_string());
    let (status, problem) = box_.answer("GET", "/plugins/example/count", Value::Null).await;
    assert!(status == 503 && problem["detail"].as_str().unwrap().contains("it is not enabled"), "{problem}");

    let enabled = box_.post("/plugins/example/enable", json!({})).await;
    assert_eq!((&enabled["state"], &enabled["enabled"]), (&json!("running"), &json!(true)));
    assert_eq!(box_.get("/plugins/example/count").await, json!({ "meetings": 0 }));
    box_.post("/events", ended("one")).await;
    let told = &box_.wait_events("example.completed", 1).await[0];
    assert_eq!(told["payload"]["metadata"], json!({ "example_setting": "value" }));

    let config = json!({ "config": { "example_setting": "mine", "debug_mode": true } });
    let (status, done) = box_.answer("PUT", "/plugins/example/config", config.clone()).await;
    assert_eq!((status, &done["changed"]), (200, &json!(["debug_mode", "example_setting"])), "{done}");
    assert_eq!(
        (&done["status"]["state"], &done["config"]["max_concurrent_tasks"]),
        (&json!("running"), &json!(4))
    );
    let (status, again) = box_.answer("PUT", "/plugins/example/config", config).await;
    assert_eq!((status, &again["changed"]), (200, &json!([])), "{again}");
    box_.post("/events", ended("two")).await;
    let told = &box_.wait_events("example.completed", 2).await[1];
    assert_eq!(told["payload"]["metadata"]["example_setting"], "mine");
    let changed = box_.events("plugin.config_changed").await;
    assert_eq!(changed.len(), 1, "what changes nothing is no change: {changed:?}");

    let disabled = box_.post("/plugins/example/disable", json!({})).await;
    assert_eq!((&disabled["state"], &disabled["enabled"]), (&json!("disabled"), &json!(false)));
    box_.post("/events", ended("three")).await;
    let (status, setup) = box_.stop();
    assert!(status.success());
    let box_ = setup.start();
    let example = rested(&box_, "example").await;
    assert_eq!(
        (&example["state"], &example["config"]["example_setting"]),
        (&json!("disabled"), &json!("mine"))
    );
    let steps: Vec<_> = example["history"].as_array().unwrap().iter().map(|it| it["to"].clone()).collect();
    assert!(
        steps.contains(&json!("running")) && steps[0] == "disabled",
        "its life before is kept: {example}"
    );
    box_.post("/plugins/example/enable", json!({})).await;
    let told = &box_.wait_events("example.completed", 3).await[2];
    assert_eq!(told["payload"]["recording_id"], "three", "what happened meanwhile is handled");
    let status = box_.get("/plugins/example/status").await;
    assert_eq!((&status["failed_attempts"], &status["dead_letters"]), (&json!(0), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_changes_plugins() {
    let box_ = setup().start();
    let made = |role: &str| {
        let mut command = panotti(&["key", "create", "Panel", "--role", role, "--data-dir"]);
        let output = command.arg(box_.data_dir()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let (viewer, operator) = (made("viewer"), made("operator"));
    let http = reqwest::Client::new();
    for (method, path, allowed) in [
        ("GET", "/plugins", "viewer"),
        ("GET", "/plugins/example", "viewer"),
        ("GET", "/plugins/example/status", "viewer"),
        ("POST", "/plugins/example/enable", "admin"),
        ("PUT", "/plugins/example/config", "admin"),
        ("GET", "/plugins/example/count", "viewer"),
        ("POST", "/plugins/example/disable", "admin"),
    ] {
        for (key, role) in [("", "nobody"), (&*viewer, "viewer"), (&operator, "operator"), (KEY, "admin")] {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let request = http.request(method.clone(), box_.url(path)).header("X-API-Key", key);
            let answer = request.body(r#"{"config": {"debug_mode": true}}"#).send().await.unwrap();
            let expected = match (role, allowed) {
                ("nobody", _) => 401,
                ("viewer" | "operator", "admin") => 403,
                _ => 200,
            };
            assert_eq!(answer.status().as_u16(), expected, "{method} {path} by {role}");
        }
    }
}

/// Each line: the plugin whose file it is, what stands in it, and what has to be said, with its place.
const BAD_FILES: &[(&str, &str, &[&str])] = &[
    (
        "example",
        "name: example\nversion: \"1.0.0\"\nenabled: true\nconfig:\n  exampel_setting: x\n  debug_mode: maybe\n  example_setting: 5\n",
        &[
            "example.yaml:5:3: config.exampel_setting: there is no such key; did you mean config.example_setting?",
            "example.yaml:6:15: config.debug_mode: \"maybe\" is neither true nor false; write true or false",
            "example.yaml:7:20: config.example_setting: 5 is a number, not text; put it in quotes: \"5\"",
        ],
    ),
    (
        "cleanup_files",
        "name: cleanup_files\nversion: \"1.0.0\"\nenabled: true\nconfig: [\n",
        &["cleanup_files.yaml:4:9: ", "correct the YAML here"],
    ),
    (
        "desktop_notifier",
        "name: desktop_notifier\nversion: \"1.0.0\"\nenabled: true\nconfig:\n  max_concurrent_tasks: many\n  channels:\n    webhook:\n      url: https://example.org\n      secret: { secret: NONE }\n",
        &[
            "desktop_notifier.yaml:5:25: config.max_concurrent_tasks: \"many\" is not a whole number; write a whole number from 1 to 64",
            "desktop_notifier.yaml:9:25: config.channels.webhook.secret.secret: there is no secret `NONE`; give it as a systemd credential",
        ],
    ),
    (
        "directory_sync",
        "name: directory_sync\nversion: \"7.0.0\"\nenabled: true\n",
        &[
            "directory_sync.yaml:2:10: version: the version 7.0.0 of the plugin wrote this",
            "panotti plugins show directory_sync",
        ],
    ),
    (
        "meeting_notes_local",
        "name: example\nversion: \"1.0.0\"\nenabled: true\n",
        &[
            "meeting_notes_local.yaml:1:7: name: these are the settings of \"example\"; write meeting_notes_local",
        ],
    ),
    (
        "meeting_notes_remote",
        "name: meeting_notes_remote\nversion: \"1.0.0\"\nenabled: true\ntimeout_s: 5\n",
        &["meeting_notes_remote.yaml:4:1: timeout_s: there is no such key; it belongs to the section config"],
    ),
    (
        "noise_reduction",
        "name: noise_reduction\nversion: \"1.0.0\"\nenabled: true\ndependencies: [nobody]\n",
        &["nobody"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_used_hurt_nobody_else() {
    let setup = Setup::hearing_wav(&fixture("speech/meeting_picked.wav"))
        .set("PANOTTI_PLUGIN_EXAMPEL__DEBUG_MODE", "true")
        .set("PANOTTI_PLUGIN_DIRECTORY_SYNC__TIMEOUT", "5");
    for (name, text, _) in BAD_FILES {
        write_settings(&setup, &format!("{name}.yaml"), text);
    }
    write_settings(&setup, "exampel.yaml", "name: exampel\n");
    write_settings(&setup, "nobody.yml", "\0");
    let box_ = setup.start();
    assert_eq!(rested(&box_, "audio_transcription_local").await["state"], "running", "the rest runs");
    for (name, text, says) in BAD_FILES {
        let plugin = rested(&box_, name).await;
        assert_eq!((&plugin["state"], &plugin["enabled"]), (&json!("failed"), &json!(true)), "{plugin}");
        let log = box_.log();
        for part in *says {
            // The log is JSON: a quote in a text is written `\"`.
            let logged = part.replace('"', "\\\"");
            assert!(log.contains(&logged), "{part}\n{log}");
        }
        let told = plugin["problems"].to_string() + plugin["reason"].as_str().unwrap();
        let what = says[0].rsplit(": ").next().unwrap().split(';').next().unwrap();
        assert!(told.contains(&what.replace('"', "\\\"")) || told.contains(what), "{what}: {told}");
        let file = box_.data_dir().join("plugins.d").join(format!("{name}.yaml"));
        assert_eq!(fs::read_to_string(file).unwrap(), *text, "nobody writes into it");
        let (status, refused) = box_.answer("POST", &format!("/plugins/{name}/enable"), Value::Null).await;
        // A plugin it needs may come later: then it starts.
        let expected = if *name == "noise_reduction" { 200 } else { 422 };
        assert_eq!(status, expected, "{refused}");
    }
    let log = box_.log();
    for part in [
        "exampel.yaml: there is no plugin exampel; did you mean example?",
        "nobody.yml: there is no plugin nobody; remove it",
        "PANOTTI_PLUGIN_EXAMPEL__DEBUG_MODE: there is no plugin exampel; did you mean example?",
        "PANOTTI_PLUGIN_DIRECTORY_SYNC__TIMEOUT: this variable matches no key; did you mean PANOTTI_PLUGIN_DIRECTORY_SYNC__TIMEOUT_S?",
    ] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    let ready = box_.get("/health/ready").await;
    let failed: Vec<_> =
        ready["failed_plugins"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(ready["status"], "ready");
    for (name, ..) in BAD_FILES {
        assert!(failed.contains(name), "{name}: {ready}");
    }
    assert_eq!(failed.len(), BAD_FILES.len(), "{ready}");

    // Repaired in the file, it runs without a restart of the box.
    write_to(&box_, "desktop_notifier", "name: desktop_notifier\nversion: \"1.0.0\"\nenabled: true\n");
    let repaired = box_.post("/plugins/desktop_notifier/enable", json!({})).await;
    assert_eq!(repaired["state"], "running", "{repaired}");
    // And what cannot be read is not written over by the API.
    for name in ["cleanup_files", "directory_sync"] {
        let body = json!({ "config": {} });
        let (status, refused) = box_.answer("PUT", &format!("/plugins/{name}/config"), body).await;
        assert!(status == 422 && refused["detail"].as_str().unwrap().contains(".yaml:"), "{refused}");
    }
}

fn write_to(box_: &Panotti, name: &str, text: &str) {
    fs::write(box_.data_dir().join("plugins.d").join(format!("{name}.yaml")), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_none() {
    let box_ = setup().start();
    rested(&box_, "example").await;
    fs::write(box_.data_dir().join("outside.yaml"), "name: outside\n").unwrap();
    let folder = || {
        let entries = fs::read_dir(box_.data_dir().join("plugins.d")).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = folder();
    let long = "a".repeat(300);
    for id in [
        "nobody",
        "exampel",
        "..",
        ".",
        "%2e%2e",
        "..%2foutside",
        "%2e%2e%2foutside",
        "..%5coutside",
        "%252e%252e",
        "example%00",
        "example.yaml",
        "EXAMPLE",
        "%20",
        "%ff",
        "~",
        "example;x",
        &long,
    ] {
        for (method, tail) in [
            ("GET", ""),
            ("GET", "/status"),
            ("POST", "/enable"),
            ("POST", "/disable"),
            ("PUT", "/config"),
            ("GET", "/count"),
        ] {
            let (status, kind, body) = raw(&box_, &format!("{method} /plugins/{id}{tail}")).await;
            // Without a body there is no configuration either; which of the two is told first is the same.
            assert!(
                status == 404 || (method == "PUT" && status == 422),
                "{method} {id}{tail}: {status} {body}"
            );
            assert_eq!(kind, "application/problem+json", "{method} {id}{tail}: {body}");
        }
    }
    let (_, problem) = box_.answer("GET", "/plugins/exampel", Value::Null).await;
    assert_eq!(problem["detail"], "there is no plugin `exampel`; did you mean example?");
    for path in ["count/..", "%2e%2e/count", "count%2f", "count/", "nothing", "..%2f..%2fetc%2fpasswd"] {
        let (status, _, body) = raw(&box_, &format!("GET /plugins/example/{path}")).await;
        assert_eq!(status, 404, "{path}: {body}");
    }
    assert_eq!(folder(), before, "nothing was made");
    assert_eq!(fs::read_to_string(box_.data_dir().join("outside.yaml")).unwrap(), "name: outside\n");
}

/// Several publish without rest while the plugin is configured, disabled and enabled again and again.
#[tokio::test(flavor = "multi_thread")]
async fn changes_under_load_lose_no_event() {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 60;
    let box_ = setup().start();
    box_.post("/plugins/example/enable", json!({})).await;
    let publish = async |publisher: usize| {
        for n in 0..EACH {
            box_.post("/events", ended(&format!("{publisher}-{n}"))).await;
        }
    };
    let published = std::sync::atomic::AtomicBool::new(false);
    let change = async {
        let mut changes = 0_u32;
        while !published.load(std::sync::atomic::Ordering::Relaxed) {
            let config = json!({ "config": { "example_setting": format!("s{changes}") } });
            let (status, done) = box_.answer("PUT", "/plugins/example/config", config).await;
            assert_eq!((status, &done["status"]["state"]), (200, &json!("running")), "{done}");
            if changes % 3 == 2 {
                box_.post("/plugins/example/disable", json!({})).await;
                box_.post("/plugins/example/enable", json!({})).await;
            }
            changes += 1;
        }
        changes
    };
    let publishers = async {
        futures_util::future::join_all((0..PUBLISHERS).map(publish)).await;
        published.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let ((), changes) = tokio::join!(publishers, change);
    let all = PUBLISHERS * EACH;
    box_.until("all are counted", async || {
        (box_.get("/plugins/example/count").await["meetings"] == all).then_some(())
    })
    .await;
    let status = box_.get("/plugins/example").await;
    assert_eq!((&status["failed_attempts"], &status["dead_letters"]), (&json!(0), &json!(0)), "{status}");
    let (_, setup) = box_.stop();
    let told = told_of(&setup.data_dir());
    assert_eq!(told.len(), all);
    assert!(told.values().all(|it| it.len() == 1), "each once: {told:?}");
    let settings: std::collections::BTreeSet<_> = told.values().flatten().collect();
    assert!(changes > 2 && settings.len() > 2, "too little was changed: {changes} {settings:?}");
}
