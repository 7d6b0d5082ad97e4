//! A box with no plugin compiled in does the whole core, and says which feature a plugin needs.

use std::fs;

use panotti::plugins::KNOWN;
use serde_json::{Value, json};

use crate::harness::{KEY, Setup, fixture, panotti, read_wav};

#[tokio::test(flavor = "multi_thread")]
async fn the_core_runs_without_any_plugin() {
    let setup = Setup::hearing_wav(&fixture("speech/meeting_picked.wav"))
        .set("PANOTTI_PLUGIN_NOISE_REDUCTION__ENABLED", "true");
    let dir = setup.data_dir().join("plugins.d");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("example.yaml"), "name: example\nversion: \"1.0.0\"\n").unwrap();
    let box_ = setup.start();

    let list = box_.get("/plugins").await;
    let absent: Vec<_> = KNOWN.iter().map(|it| json!({ "name": it.name, "feature": it.feature })).collect();
    assert_eq!((&list["items"], &list["not_compiled_in"]), (&json!([]), &json!(absent)));
    for (method, path) in [
        ("GET", "/plugins/example"),
        ("GET", "/plugins/example/status"),
        ("POST", "/plugins/example/enable"),
        ("POST", "/plugins/example/disable"),
        ("PUT", "/plugins/example/config"),
        ("GET", "/plugins/example/count"),
    ] {
        let (status, problem) = box_.answer(method, path, json!({ "config": {} })).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            status == 404 && detail.contains("cargo feature `plugin-example`"),
            "{method} {path}: {problem}"
        );
    }
    let log = box_.log();
    for part in [
        "example.yaml: the plugin example is not in this binary; build it with the cargo feature `plugin-example`",
        "PANOTTI_PLUGIN_NOISE_REDUCTION__ENABLED: the plugin noise_reduction is not in this binary",
    ] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    // Without whisper.cpp the model cannot be used, which is told; that is not the plugins' fault.
    let (_, ready) = box_.answer("GET", "/health/ready", Value::Null).await;
    assert_eq!(ready["failed_plugins"], json!([]));

    // The core's own work.
    let id = box_.record("Without plugins").await;
    box_.until("a second of sound", async || {
        let audio = box_.data_dir().join("recordings").join(&id).join("audio-0000.wav");
        (fs::metadata(audio).ok()?.len() > 32_000).then_some(())
    })
    .await;
    box_.post(&format!("/recordings/{id}/stop"), json!({})).await;
    let ended = box_.wait_events("recording.ended", 1).await;
    assert_eq!(ended[0]["payload"]["problem"], Value::Null);
    let (heard, rate_hz, _) = read_wav(&box_.audio(&id).await);
    assert!(heard.len() > rate_hz as usize / 2, "{} samples", heard.len());
}

#[test]
fn the_command_names_the_feature() {
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    let run = |args: &[&str]| {
        let mut command = panotti(&["plugins"]);
        command.args(args).env("PANOTTI_SERVER", box_.url("")).env("PANOTTI_KEY", KEY).output().unwrap()
    };
    let list = String::from_utf8(run(&["list"]).stdout).unwrap();
    assert_eq!(list.lines().count(), KNOWN.len(), "{list}");
    for it in KNOWN {
        assert!(list.contains(&format!("not in this build; cargo feature {}", it.feature)), "{list}");
        for command in ["show", "enable", "disable", "config"] {
            let output = run(&[command, it.name]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{command} {}: {said}", it.name);
            assert!(said.contains(&format!("cargo feature `{}`", it.feature)), "{said}");
            assert!(output.stdout.is_empty());
        }
    }
}
