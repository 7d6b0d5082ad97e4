//! What goes wrong around the box: models that are not there or broken, a full disk, a bad configuration,
//! requests that make no sense. Each is answered with what to do, and leaves nothing half-done.

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};

use crate::harness::{KEY, Panotti, Setup, demo_model, fixture, panotti, read_wav};

/// The box hears the meeting; one that is started with a bad model.
async fn with_model(model: &Path) -> (Panotti, String) {
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav"))
        .set("PANOTTI_TRANSCRIPTION__MODEL", model.to_str().unwrap())
        .start();
    let reason = box_
        .until("the model is refused", async || {
            let model = box_.get("/system").await["model"].clone();
            (model["state"] == "failed").then(|| model["reason"].as_str().unwrap().to_owned())
        })
        .await;
    (box_, reason)
}

#[cfg(feature = "whisper")]
#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(demo_model()).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for (path, says) in [
        (dir.path().join("missing.bin"), "missing.bin"),
        (file("short.bin", &whole[..whole.len() / 2]), "short.bin"),
        (file("header.bin", &whole[..20]), "header.bin"),
        (file("empty.bin", b""), "empty.bin"),
        (file("text.bin", "This is not a model. ".repeat(1000).as_bytes()), "text.bin"),
        (file("gguf.bin", &[b"GGUF".as_slice(), &whole[4..]].concat()), "gguf.bin"),
        (fixture("speech/ex01.wav"), "ex01.wav"),
        (dir.path().to_owned(), "it is not a file"),
    ] {
        let (box_, reason) = with_model(&path).await;
        println!("{reason}");
        assert!(reason.contains(says), "{says}: {reason}");
        let (status, ready) = box_.answer("GET", "/health/ready", Value::Null).await;
        assert_eq!(status, 503);
        assert!(ready["reasons"][0].as_str().unwrap().contains(&reason), "{ready}");
        assert_eq!(box_.events("model.failed").await[0]["payload"]["reason"], *reason);
        assert_eq!(box_.get("/health").await["status"], "ok");
    }
}

#[cfg(feature = "whisper")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_bad_model_left_is_written_down_with_a_good_one() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model.bin");
    fs::write(&model, &fs::read(demo_model()).unwrap()[..1_000_000]).unwrap();
    let (box_, reason) = with_model(&model).await;
    let id = box_.record("Unwritten").await;
    box_.until("six seconds", async || {
        (box_.get("/system").await["counters"]["captured_frames"].as_u64()? > 16_000 * 6).then_some(())
    })
    .await;
    let recording = box_.finish(&id).await;
    assert_eq!(recording["state"], "failed");
    assert!(recording["error"].as_str().unwrap().contains(&reason), "{recording}");
    assert_eq!(box_.events("transcription_local.error").await.len(), 1);
    let (status, problem) = box_.answer("GET", &format!("/recordings/{id}/transcript"), Value::Null).await;
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().unwrap().contains(&reason), "{problem}");
    let kept = box_.audio(&id).await;

    let (_, setup) = box_.stop();
    fs::copy(demo_model(), &model).unwrap();
    let box_ = setup.start();
    assert_eq!(box_.get(&format!("/recordings/{id}")).await["state"], "failed", "nobody asked yet");
    let (status, again) = box_.answer("POST", &format!("/recordings/{id}/transcribe"), Value::Null).await;
    assert_eq!((status, &again["state"]), (202, &json!("transcribing")));
    let recording = box_.done(&id).await;
    assert_eq!((&recording["state"], &recording["error"]), (&json!("done"), &Value::Null));
    let text = box_.get(&format!("/recordings/{id}/transcript")).await["text"].to_string();
    assert!(text.split_whitespace().count() > 5, "{text}");
    assert_eq!(box_.audio(&id).await, kept);
}

#[test]
fn a_malformed_configuration_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("panotti.yaml");
    fs::write(&file, "audio:\n  device: hw:1\n  chanels: 2\nserver:\n  listen: here\nrecord: {sync_ms: 0}\n")
        .unwrap();
    let output = panotti(&["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&file)
        .arg("--data-dir")
        .arg(dir.path().join("data"))
        .env("PANOTTI_VAD__THRESHOLD", "2")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let file = file.display();
    for part in [&*format!("{file}:3"), &*format!("{file}:6"), "channels", "PANOTTI_VAD__THRESHOLD"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!dir.path().join("data").exists(), "nothing half-done");
}

/// A box whose data lie on a small disk of its own, in a mount namespace of its own, and the folder of that
/// disk as we see it. `None`, and said, where that is not allowed.
fn on_a_small_disk(mib: u32) -> Option<(Panotti, std::path::PathBuf)> {
    let allowed = std::process::Command::new("unshare").args(["--mount", "true"]).status();
    if !allowed.is_ok_and(|it| it.success()) {
        println!("skipped: no mount namespace can be made (not root)");
        return None;
    }
    let setup =
        Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).set("PANOTTI_STORAGE__MIN_FREE_MIB", "16");
    let disk = setup.data_dir();
    fs::create_dir(&disk).unwrap();
    let mount = format!("mount -t tmpfs -o size={mib}m tmpfs '{}'; exec \"$0\" \"$@\"", disk.display());
    let box_ = setup.behind(&["unshare", "--mount", "sh", "-ec", &mount]).start();
    let seen =
        Path::new("/proc").join(box_.id().to_string()).join("root").join(disk.strip_prefix("/").unwrap());
    Some((box_, seen))
}

/// Takes all but `left_mib` of a disk.
fn fill(disk: &Path, left_mib: u64) {
    let free = rustix::fs::statvfs(disk).map(|it| it.f_bavail * it.f_frsize).unwrap();
    let bytes = free.saturating_sub(left_mib << 20) as usize;
    fs::write(disk.join("ballast"), vec![1; bytes]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up() {
    let Some((box_, disk)) = on_a_small_disk(64) else { return };
    let id = box_.record("Filling up").await;
    box_.until("two seconds", async || {
        let audio = disk.join("recordings").join(&id).join("audio-0000.wav");
        (fs::metadata(audio).ok()?.len() > 2 * 32_000).then_some(())
    })
    .await;
    fill(&disk, 12);
    // By itself: nobody stops it.
    let recording = box_.done(&id).await;
    let error = recording["error"].as_str().unwrap_or_default();
    for part in ["what was recorded is kept", "the disk is full", "storage.min_free_mib", "delete recordings"]
    {
        assert!(error.contains(part), "{part}: {recording}");
    }
    assert_eq!(recording["state"], "done", "what there is, is written down");
    let (heard, rate, _) = read_wav(&box_.audio(&id).await);
    let heard_ms = heard.len() as u64 * 1000 / u64::from(rate);
    assert!(heard_ms >= 2000 && recording["duration_ms"] == heard_ms, "{heard_ms}: {recording}");
    let ended = box_.events("recording.ended").await;
    assert_eq!(ended[0]["payload"]["problem"], *error);

    // The next one is refused, and leaves nothing.
    let before = fs::read_dir(disk.join("recordings")).unwrap().count();
    let (status, problem) = box_.answer("POST", "/recordings", json!({ "title": "Next" })).await;
    assert!(matches!(status, 503 | 507), "{status} {problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("the disk is full") && detail.contains("delete recordings"), "{detail}");
    assert_eq!(fs::read_dir(disk.join("recordings")).unwrap().count(), before, "nothing half-done");
    assert_eq!(box_.get("/recordings").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(box_.get("/health/live").await["status"], "ok");

    // Not one byte left: what is there can still be read, and room can be made.
    fill(&disk, 0);
    box_.get(&format!("/recordings/{id}")).await;
    fs::remove_file(disk.join("ballast")).unwrap();
    let id = box_.record("With room again").await;
    box_.post(&format!("/recordings/{id}/stop"), json!({})).await;
    assert_eq!(box_.done(&id).await["error"], Value::Null);
}

/// Everything that a request could have left behind.
async fn traces(box_: &Panotti) -> (Value, Value, Vec<String>) {
    let mut folders: Vec<_> = fs::read_dir(box_.data_dir().join("recordings"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let events = box_.get("/events?order=desc&limit=200").await;
    (box_.get("/recordings").await, events, folders)
}

const ROUTES: [(&str, &str); 9] = [
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/stop"),
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("POST", "/transcribe"),
    ("GET", "/audio"),
    ("GET", "/transcript"),
];

/// Sends a line as it is, past a client library that would tidy the path; status, content type, body.
pub(crate) async fn raw(box_: &Panotti, line: &str) -> (u16, String, Value) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(box_.address).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|it| it.strip_prefix("content-type: ")).unwrap_or_default().to_owned();
    (status, kind, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_name_nothing() {
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    box_.wait_events("model.loaded", 1).await;
    fs::write(box_.data_dir().join("audio-0000.wav"), fs::read(fixture("speech/ex01.wav")).unwrap()).unwrap();
    let before = traces(&box_).await;
    let long = "a".repeat(129);
    for id in [
        "20250117225532_4AFEA8B6",
        "unknown",
        "..%2f",
        "%2e%2e",
        "%2e%2e%2f",
        "..",
        ".",
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "..%5c..",
        "%252e%252e",
        "a%00b",
        "%ff",
        "%20",
        "..;",
        "a%2fb",
        "~",
        &long,
    ] {
        for (method, tail) in ROUTES {
            let (status, kind, body) = raw(&box_, &format!("{method} /recordings/{id}{tail}")).await;
            assert_eq!(status, 404, "{method} {id}{tail}: {body}");
            assert_eq!(kind, "application/problem+json", "{method} {id}{tail}");
            assert!(body["detail"].is_string(), "{method} {id}{tail}: {body}");
        }
    }
    for line in
        ["GET /nothing", "POST /api/nothing", "GET /..%2fetc", "GET //etc/passwd", "GET /../../etc/passwd"]
    {
        let (status, _, body) = raw(&box_, line).await;
        assert!(status == 404 && body["detail"] == "Not Found", "{line}: {status} {body}");
    }
    assert_eq!(traces(&box_).await, before, "nothing half-done");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_lead_elsewhere() {
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    box_.wait_events("model.loaded", 1).await;
    let recordings = box_.data_dir().join("recordings");
    let secret = box_.data_dir().join("secret.wav");
    fs::copy(fixture("speech/ex01.wav"), &secret).unwrap();
    std::os::unix::fs::symlink(&secret, recordings.join("link.wav")).unwrap();
    std::os::unix::fs::symlink(box_.data_dir(), recordings.join("link")).unwrap();
    let before = traces(&box_).await;
    for path in [
        "/etc/passwd".to_owned(),
        "../secret.wav".to_owned(),
        "a/../../secret.wav".to_owned(),
        format!("{}/../secret.wav", recordings.display()),
        secret.display().to_string(),
        "link.wav".to_owned(),
        "link/secret.wav".to_owned(),
        ".".to_owned(),
        "a\0b".to_owned(),
    ] {
        for (route, field) in [
            ("recording-ended", "microphoneAudioPath"),
            ("recording-ended", "systemAudioPath"),
            ("recording-started", "microphone_audio_path"),
        ] {
            let body = json!({ "recordingId": "elsewhere", field: path });
            let (status, answer) = box_.answer("POST", &format!("/api/{route}"), body).await;
            assert_eq!(status, 422, "{route} {path:?}: {answer}");
            let said = answer["detail"][0]["msg"].as_str().unwrap();
            assert!(said.contains("recordings directory") && said.contains("recordings_dir"), "{said}");
        }
    }
    // An encoded path is a name like any other: a file that is not there.
    for path in ["..%2fsecret.wav", "%2e%2e/secret.wav"] {
        let body = json!({ "recordingId": format!("encoded{}", path.len()), "microphoneAudioPath": path });
        let (status, answer) = box_.answer("POST", "/api/recording-ended", body.clone()).await;
        assert_eq!(status, 200, "{answer}");
        let recording = box_.done(body["recordingId"].as_str().unwrap()).await;
        assert_eq!(recording["state"], "failed", "{recording}");
        let error = recording["error"].as_str().unwrap();
        assert!(error.contains(path) && error.contains("No such file"), "{error}");
        box_.request("DELETE", &format!("/recordings/{}", recording["id"].as_str().unwrap()))
            .send()
            .await
            .unwrap();
    }
    assert_eq!(traces(&box_).await.2, before.2, "nothing half-done");
    assert_eq!(traces(&box_).await.0, before.0);
    assert!(secret.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_make_no_sense() {
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    box_.wait_events("model.loaded", 1).await;
    let id = box_.record("Patched").await;
    let one = format!("/recordings/{id}");
    let before = traces(&box_).await;
    let long = "x".repeat(301);
    let many = json!({ "attendees": vec!["a"; 201] }).to_string();
    let large = json!({ "metadata": { "a": "x".repeat(70_000) } }).to_string();
    let title = json!({ "title": long }).to_string();
    for (body, says) in [
        ("{bad", "the body is not JSON: key must be a string"),
        ("[]", "not acceptable"),
        ("5", "not acceptable"),
        ("null", "not acceptable"),
        (r#"["Title"]"#, "not acceptable"),
        ("{} x", "not JSON"),
        ("\u{feff}{}", "not acceptable"),
        (r#"{"title": 5}"#, "`title`"),
        (r#"{"attendees": "Ada"}"#, "`attendees`"),
        (r#"{"attendees": [1]}"#, "`attendees[0]`"),
        (r#"{"metadata": []}"#, "`metadata`"),
        (r#"{"tittle": "x"}"#, "tittle"),
        (r#"{"title": "a\u0000b"}"#, "control characters"),
        (&title, "at most 300"),
        (&many, "at most 200"),
        (&large, "65,536"),
    ] {
        for (method, path) in [("POST", "/recordings"), ("PATCH", &*one)] {
            let request = box_.request(method, path).header("content-type", "application/json");
            let response = request.body(body.to_owned()).send().await.unwrap();
            let (status, kind) = (response.status().as_u16(), response.headers()["content-type"].clone());
            let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            assert_eq!(
                (status, kind.to_str().unwrap()),
                (422, "application/problem+json"),
                "{method} {body}"
            );
            assert!(problem["detail"].as_str().unwrap().contains(says), "{method} {body}: {problem}");
        }
    }
    let form = box_.request("POST", "/recordings").header("content-type", "text/plain").body("title=x");
    assert_eq!(form.send().await.unwrap().status().as_u16(), 422);
    let huge = vec![b' '; 10_000_000];
    for (method, path) in [
        ("POST", "/recordings"),
        ("PATCH", &*one),
        ("POST", "/api/recording-started"),
        ("POST", "/api/recording-ended"),
    ] {
        let request = box_.request(method, path).header("content-type", "application/json");
        let response = request.body(huge.clone()).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 413, "{method} {path}");
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains("larger than"), "{problem}");
    }
    for path in [
        "/recordings?limit=0",
        "/recordings?limit=x",
        "/recordings?cursor=x",
        "/recordings?limmit=1",
        "/events?order=up",
        "/events?name=a..b",
        "/events?limit=-1",
        &*format!("{one}/transcript?format=doc"),
    ] {
        let (status, problem) = box_.answer("GET", path, Value::Null).await;
        assert!(status == 422 && problem["detail"].is_string(), "{path}: {status} {problem}");
    }
    // Captions come in the meantime: everything but them is as it was.
    let after = traces(&box_).await;
    let quiet = |traces: &(Value, Value, Vec<String>)| {
        let events = traces.1["items"].as_array().unwrap().clone();
        let named = events.into_iter().filter(|it| it["name"] != "caption.published");
        (traces.0.clone(), named.collect::<Vec<_>>(), traces.2.clone())
    };
    assert_eq!(quiet(&after), quiet(&before), "nothing half-done");
}
