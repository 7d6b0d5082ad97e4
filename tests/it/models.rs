//! Models without a service: fetched over what may go wrong on the way, checked, chosen and removed.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    harness::{PATIENCE, demo_model, fixture, panotti, text_of},
    mirror::Mirror,
};

pub(crate) const DEMO_SHA256: &str = "3c36d26989fb679ad8db665bedf0aba4565a24143c697fdb73a5e3a6548ab5ca";
const DEMO_BYTES: usize = 10_204_423;

/// `panotti model ARGS` on a data directory.
pub(crate) fn model(data: &Path, args: &[&str]) -> Command {
    let mut command = panotti(&["model"]);
    command.args(args).arg("--data-dir").arg(data).stdin(Stdio::null());
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

pub(crate) fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", output.stderr.escape_ascii());
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", output.stdout.escape_ascii());
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn row(list: &Value, name: &str) -> Value {
    let items = list["items"].as_array().unwrap();
    items.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name}: {list}")).clone()
}

/// What lies in the models directory.
fn files(data: &Path) -> Vec<String> {
    let found = fs::read_dir(data.join("models")).into_iter().flatten();
    let mut names: Vec<_> = found.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn without_a_service() {
    let (dir, mirror) = (tempfile::tempdir().unwrap(), Mirror::open());
    let run = |args: &[&str]| model(dir.path(), args).output().unwrap();
    let list: Value = serde_json::from_str(&text(&run(&["list", "--json"]))).unwrap();
    assert_eq!((&list["chosen"], &row(&list, "tiny.en")["installed_bytes"]), (&Value::Null, &Value::Null));
    assert_eq!(row(&list, "large-v3")["published_sha1"], "ad82bf6a9043ceed055076d0fd39f5f186ff8062");

    // Through a redirection; a name for which no checksum is published.
    let fetched = text(&run(&["fetch", "base.en-q5_1", "--from", &mirror.base("moved")]));
    assert!(fetched.contains(DEMO_SHA256), "{fetched}");
    let recorded = fs::read_to_string(dir.path().join("models/ggml-base.en-q5_1.bin.sha256")).unwrap();
    assert_eq!(recorded, format!("{DEMO_SHA256}  ggml-base.en-q5_1.bin\n"), "as sha256sum writes it");
    assert_eq!(files(dir.path()), ["ggml-base.en-q5_1.bin", "ggml-base.en-q5_1.bin.sha256"]);
    let before = mirror.asked().len();
    assert!(
        text(&run(&["fetch", "base.en-q5_1", "--from", &mirror.base("ok")])).contains("was here already")
    );
    assert_eq!(mirror.asked().len(), before, "nobody was asked for what is here");
    text(&run(&["fetch", &mirror.url("ok", "mine"), "--sha256", DEMO_SHA256]));
    text(&run(&["fetch", &mirror.url("ok", "x"), "--name", "yours"]));

    let verified = text(&run(&["verify"]));
    assert_eq!(verified.lines().filter(|it| it.starts_with("OK")).count(), 3, "{verified}");
    let path = dir.path().join("models/ggml-mine.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[DEMO_BYTES - 9] ^= 1;
    fs::write(&path, bytes).unwrap();
    let verified = run(&["verify"]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(
        !verified.status.success() && said.contains("DAMAGED  mine") && said.contains("SHA-256"),
        "{said}"
    );
    assert!(refusal(&run(&["use", "mine"])).contains("SHA-256"), "what is damaged is not used");
    text(&run(&["remove", "mine"]));
    assert!(refusal(&run(&["use", "bas.en-q5_1"])).contains("did you mean base.en-q5_1?"));
    assert!(refusal(&run(&["use", "../yours"])).contains("no model's name"));

    // What was chosen is told by everyone, and used.
    assert!(text(&run(&["use", "yours"])).contains("next start"));
    let check = |json: &str| {
        let output = panotti(&["check-config", "--data-dir"])
            .arg(dir.path())
            .args(["--json"])
            .env("PANOTTI_TRANSCRIPTION__MODEL", json)
            .output();
        serde_json::from_str::<Value>(&text(&output.unwrap())).unwrap()
    };
    let checked = check("base.en-q5_1");
    assert_eq!((&checked["model"]["name"], &checked["model"]["by"]), (&json!("yours"), &json!("use")));
    assert!(checked["warnings"][0].as_str().unwrap().contains("model use --configured"), "{checked}");
    let list: Value = serde_json::from_str(&text(&run(&["list", "--json"]))).unwrap();
    assert_eq!(
        (&row(&list, "yours")["in_use"], &row(&list, "base.en-q5_1")["in_use"]),
        (&json!(true), &json!(false))
    );
    let spoken = panotti(&["transcribe", "--threads", "1", "--format", "json", "--data-dir"])
        .arg(dir.path())
        .arg(fixture("speech/ex01.wav"))
        .output()
        .unwrap();
    let spoken: Value = serde_json::from_str(&text(&spoken)).unwrap();
    assert!(text_of(&spoken).contains("clean the interview plan"), "{spoken}");
    assert!(refusal(&run(&["remove", "yours"])).contains("is in use"));
    text(&run(&["use", "--configured"]));
    assert_eq!(check("base.en-q5_1")["model"]["by"], "configuration");
    text(&run(&["remove", "yours"]));
    assert_eq!(files(dir.path()), ["ggml-base.en-q5_1.bin", "ggml-base.en-q5_1.bin.sha256"]);
}

#[test]
fn what_broke_off_goes_on() {
    let (dir, mirror) = (tempfile::tempdir().unwrap(), Mirror::open());
    // By itself, in one run.
    text(&model(dir.path(), &["fetch", &mirror.url("cut", "a")]).output().unwrap());
    let asked = mirror.asked();
    assert_eq!(asked.iter().map(|it| it.status).collect::<Vec<_>>(), [200, 206]);
    let (from, version) = asked[1].range.clone().unwrap();
    assert!(from > 0 && from <= 3_000_000 && version == "\"1\"", "{asked:?}");
    assert_eq!(from + asked[1].sent, DEMO_BYTES, "nothing came twice that was here: {asked:?}");
    // When it has become another file meanwhile, the two are not put together.
    text(&model(dir.path(), &["fetch", &mirror.url("changed", "b")]).output().unwrap());
    let asked = mirror.asked();
    assert_eq!(asked[2..].iter().map(|it| it.status).collect::<Vec<_>>(), [200, 200]);
    assert!(asked[3].range.is_some() && asked[3].sent == DEMO_BYTES, "{asked:?}");

    // A fetch that is killed, as by a power cut, goes on with what was on the disk for sure.
    let url = mirror.url("stall", "c");
    let mut child = model(dir.path(), &["fetch", &url]).spawn().unwrap();
    let note = dir.path().join("models/ggml-c.bin.part.json");
    let synced = || {
        let note: Value = serde_json::from_slice(&fs::read(&note).ok()?).ok()?;
        note["synced_bytes"].as_u64().filter(|it| *it >= 8 << 20)
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    while synced().is_none() {
        assert!(std::time::Instant::now() < deadline, "8 MiB came");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Meanwhile nobody else writes into the same file.
    let second = model(dir.path(), &["fetch", &url]).output().unwrap();
    assert!(refusal(&second).contains("is being fetched already"));
    child.kill().unwrap();
    child.wait().unwrap();
    let output = model(dir.path(), &["fetch", &url, "--json"]).output().unwrap();
    let fetched: Value = serde_json::from_str(&text(&output)).unwrap();
    let last = mirror.asked().pop().unwrap();
    assert_eq!((last.status, last.range.unwrap().0 as u64), (206, fetched["resumed_at"].as_u64().unwrap()));
    assert!(fetched["resumed_at"].as_u64().unwrap() >= 8 << 20 && last.sent < 2_000_000, "{fetched}");
    for name in ["a", "b", "c"] {
        assert_eq!(
            fs::read(dir.path().join(format!("models/ggml-{name}.bin"))).unwrap(),
            fs::read(demo_model()).unwrap()
        );
    }
    assert_eq!(files(dir.path()).len(), 6, "and nothing is left over: {:?}", files(dir.path()));
}

#[test]
fn what_is_no_model_gets_no_name() {
    let (dir, mirror) = (tempfile::tempdir().unwrap(), Mirror::open());
    let zeros = "0".repeat(64);
    let closed = "http://127.0.0.1:9/ggml-x.bin";
    for (how, name, args, says) in [
        ("html", "x", &[][..], &["no model but a web page", "sign-in page"][..]),
        ("truncated", "x", &[], &["cut short", "nothing of it was kept"]),
        ("damaged", "x", &["--sha256", DEMO_SHA256], &["SHA-256", DEMO_SHA256, "nothing of it was kept"]),
        ("ok", "x", &["--sha256", &zeros], &["SHA-256", DEMO_SHA256]),
        // A sane file of another model: refused by its length, before all of it has come.
        ("ok", "tiny.en", &[], &["published as 75 MiB", "10204423 bytes"]),
        // So it is where no length is told, but afterwards.
        ("endless", "tiny.en", &[], &["published as 75 MiB", "10204423 bytes"]),
        ("ok", "silero-v5.1.2", &[], &["not a Silero model"]),
        ("gone", "x", &[], &["404", "models.url"]),
        ("busy", "x", &[], &["503", "mirror"]),
    ] {
        let url = mirror.url(how, name);
        let said = refusal(&model(dir.path(), &[&["fetch", &url][..], args].concat()).output().unwrap());
        for part in says {
            assert!(said.contains(part), "{how} {name}: {part}: {said}");
        }
        assert!(files(dir.path()).is_empty(), "{how} {name}: {:?}", files(dir.path()));
    }
    let early = mirror.asked().into_iter().find(|it| it.path == "/ok/ggml-tiny.en.bin").unwrap();
    assert!(early.sent < DEMO_BYTES, "{early:?}");
    for (what, says) in [
        (closed, "HTTPS_PROXY"),
        ("tiny.enn", "did you mean tiny.en?"),
        ("ftp://x/ggml-x.bin", "catalogue"),
        ("http://127.0.0.1:9/", "--name"),
        ("http:///ggml-x.bin", "no address"),
    ] {
        let said = refusal(&model(dir.path(), &["fetch", what]).output().unwrap());
        assert!(said.contains(says), "{what}: {said}");
    }
    let wrong = model(dir.path(), &["fetch", closed, "--sha256", "12"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_disk_without_room() {
    let allowed = Command::new("unshare").args(["--mount", "true"]).status();
    if !allowed.is_ok_and(|it| it.success()) {
        println!("skipped: no mount namespace can be made (not root)");
        return;
    }
    let (dir, mirror) = (tempfile::tempdir().unwrap(), Mirror::open());
    let script = r#"mount -t tmpfs -o size=24m tmpfs "$0"; "$@" 2>&1; echo "code $?"; ls "$0"/models"#;
    for how in ["ok", "endless"] {
        // 24 MiB, of which 16 are for recordings: the model has 9.7.
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", script])
            .arg(dir.path())
            .arg(env!("CARGO_BIN_EXE_panotti"))
            .args(["model", "fetch", &mirror.url(how, "x"), "--data-dir"])
            .arg(dir.path())
            .env("PANOTTI_STORAGE__MIN_FREE_MIB", "16")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for part in ["there is no room", "storage.min_free_mib", "panotti model remove", "code 1"] {
            assert!(said.contains(part), "{how}: {part}: {said}");
        }
        assert!(!said.lines().any(|it| it == "ggml-x.bin"), "{said}");
        let asked = mirror.asked().pop().unwrap();
        assert!(how == "endless" || asked.sent < DEMO_BYTES, "it was asked before: {asked:?}");
    }
}

#[test]
fn what_root_fetches_is_the_service_users() {
    let (dir, mirror) = (tempfile::tempdir().unwrap(), Mirror::open());
    if std::os::unix::fs::chown(dir.path(), Some(4242), Some(4242)).is_err() {
        println!("skipped: not root");
        return;
    }
    text(&model(dir.path(), &["fetch", &mirror.url("ok", "mine")]).output().unwrap());
    text(&model(dir.path(), &["use", "mine"]).output().unwrap());
    let models = dir.path().join("models");
    let all = files(dir.path()).into_iter().map(|it| models.join(it)).chain([models.clone()]);
    for path in all {
        assert_eq!(fs::metadata(&path).unwrap().uid(), 4242, "{}", path.display());
    }
}
