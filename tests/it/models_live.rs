//! Models of a running box: fetched by it, and switched while it goes on recording and writing down.

use std::{fs, path::PathBuf, process::Output};

use serde_json::{Value, json};

use crate::{
    harness::{KEY, Panotti, Setup, demo_model, fixture, read_wav, text_of, track},
    mirror::Mirror,
    models::{DEMO_SHA256, model, refusal, row, text},
};

/// `panotti model ARGS` against a box.
fn of(box_: &Panotti, args: &[&str]) -> Output {
    model(&box_.data_dir(), args)
        .env("PANOTTI_SERVER__LISTEN", box_.address.to_string())
        .env("PANOTTI_KEY", KEY)
        .output()
        .unwrap()
}

/// A second model in the box's directory: the demo model under another name.
fn second(setup: &Setup, name: &str) -> PathBuf {
    let models = setup.data_dir().join("models");
    fs::create_dir_all(&models).unwrap();
    let path = models.join(format!("ggml-{name}.bin"));
    fs::copy(demo_model(), &path).unwrap();
    path
}

async fn transcript(box_: &Panotti, id: &str) -> Value {
    box_.get(&format!("/recordings/{id}/transcript?format=json")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_in_the_middle_of_a_meeting() {
    let source = fixture("speech/meeting_picked.wav");
    let setup = Setup::hearing_wav(&source);
    second(&setup, "second.en");
    let broken = second(&setup, "broken.en");
    fs::write(&broken, &fs::read(demo_model()).unwrap()[..5_000_000]).unwrap();
    let box_ = setup.start();
    box_.wait_events("model.loaded", 1).await;
    let first = box_.get("/system").await["model"]["name"].clone();
    assert_eq!(first, "panotti-demo.en-q5_1");
    let id = box_.record("Switched").await;
    box_.wait_events("caption.published", 2).await;

    // What cannot be used changes nothing.
    for (name, status, says) in [
        (json!("broken.en"), 422, "cut short"),
        (json!("nowhere.en"), 404, "no model `nowhere.en` on this box"),
        (json!("silero-v6.2.0"), 422, "vad.silero_model"),
        (json!("../x"), 422, "no model's name"),
    ] {
        let (code, problem) = box_.answer("PUT", "/models/in-use", json!({ "name": name })).await;
        assert!(code == status && problem["detail"].as_str().unwrap().contains(says), "{code} {problem}");
        assert_eq!(box_.get("/system").await["model"]["name"], first);
    }
    let captions = box_.events("caption.published").await.len();
    let chosen = text(&of(&box_, &["use", "second.en"]));
    assert_eq!(chosen, "second.en is in use.\n");
    assert_eq!(
        box_.get("/system").await["model"],
        json!({ "state": "ready", "name": "second.en", "accelerator": "cpu" })
    );
    let loaded = box_.events("model.loaded").await;
    assert_eq!(
        loaded.iter().map(|it| &it["payload"]["model"]).collect::<Vec<_>>(),
        [&first, &json!("second.en")]
    );
    box_.wait_events("caption.published", captions + 3).await;
    let recording = box_.finish(&id).await;
    assert_eq!((&recording["state"], &recording["error"]), (&json!("done"), &Value::Null));

    let written = transcript(&box_, &id).await;
    assert_eq!(written["model"], "second.en");
    // What was heard is what was played, frame by frame, before and after.
    let (heard, ..) = read_wav(&box_.audio(&id).await);
    let (played, ..) = read_wav(&fs::read(&source).unwrap());
    let sound = heard.iter().position(|it| *it != 0.0).unwrap();
    let start = played.iter().position(|it| *it != 0.0).unwrap();
    // It may have begun within the meeting: then where the first second of it is.
    let (from, at) = (sound, crate::room::find(&heard[sound..sound + 16_000], &played).0);
    assert!(at >= start && heard[from..] == played[at..at + heard.len() - from], "{from} {at}");
    assert!(heard.len() > 10 * 16_000);
    let counters = box_.get("/system").await["counters"].clone();
    assert_eq!((&counters["record_lost_frames"], &counters["listen_lost_frames"]), (&json!(0), &json!(0)));
    assert!(box_.events("caption.skipped").await.is_empty());

    // It stays so, and goes when it should.
    assert!(refusal(&of(&box_, &["remove", "second.en"])).contains("is in use"));
    let (_, setup) = box_.stop();
    let box_ = setup.start();
    box_.wait_events("model.loaded", 3).await;
    assert_eq!(box_.get("/system").await["model"]["name"], "second.en");
    let list = text(&of(&box_, &["list"]));
    assert!(
        list.lines().any(|it| it.starts_with("* second.en")) && list.contains("Chosen: second.en"),
        "{list}"
    );
    assert!(text(&of(&box_, &["use", "--configured"])).contains("is in use"));
    assert_eq!(box_.get("/system").await["model"]["name"], first);
    text(&of(&box_, &["remove", "second.en"]));
    let (code, _) = box_.answer("DELETE", "/models/second.en", Value::Null).await;
    assert_eq!(code, 404, "it is gone");
    let verified = of(&box_, &["verify"]);
    assert!(!verified.status.success() && verified.stdout.starts_with(b"DAMAGED  broken.en"));

    // One that has become unreadable since is not missed as long as there is the configured one.
    let (_, setup) = box_.stop();
    fs::write(setup.data_dir().join("models/in-use"), "broken.en\n").unwrap();
    let box_ = setup.start();
    let failed = box_.wait_events("model.failed", 1).await;
    assert_eq!(failed[0]["payload"]["model"], "broken.en", "{failed:?}");
    box_.wait_events("model.loaded", 5).await;
    assert_eq!(box_.get("/system").await["model"]["name"], first);
    // Nothing of a removed one is chosen.
    text(&of(&box_, &["remove", "broken.en", "--force"]));
    assert_eq!(box_.get("/models").await["chosen"]["by"], "configuration");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_in_the_middle_of_a_final_pass() {
    let setup = Setup::hearing_wav(&fixture("speech/silence0.wav"));
    second(&setup, "second.en");
    let box_ = setup.start();
    let id = "20250117225532_4AFEA8B6";
    let file = format!("{id}_microphone.wav");
    let said: Vec<_> =
        (0..30).map(|n| (["ex01", "ex02", "ex03", "ex04"][n % 4], n as f64 * 6.0 + 0.5)).collect();
    track(&box_.data_dir().join("recordings").join(&file), &said, 181.0);
    let metadata = json!({ "eventTitle": "Long", "microphoneLabel": "Room" });
    let start = json!({ "recordingId": id, "timestamp": "2025-01-17T22:55:32Z", "metadata": metadata });
    box_.post("/api/recording-started", start).await;
    let end = json!({
        "recordingId": id, "timestamp": "2025-01-17T22:58:33Z", "metadata": {}, "microphoneAudioPath": file,
    });
    box_.post("/api/recording-ended", end).await;
    box_.until("the final pass runs", async || {
        (box_.get("/live").await["final_pass"]["done_ms"].as_u64()? > 0).then_some(())
    })
    .await;
    let (code, answer) = box_.answer("PUT", "/models/in-use", json!({ "name": "second.en" })).await;
    assert_eq!((code, &answer["by"]), (200, &json!("use")), "{answer}");
    let recording = box_.get(&format!("/recordings/{id}")).await;
    assert_eq!(recording["state"], "transcribing", "nobody waits for the end of the pass");
    let recording = box_.done(id).await;
    assert_eq!((&recording["state"], &recording["error"]), (&json!("done"), &Value::Null));
    let written = transcript(&box_, id).await;
    assert_eq!(written["model"], "panotti-demo.en-q5_1+second.en");
    let segments = written["segments"].as_array().unwrap().len();
    assert!((28..=34).contains(&segments), "nothing is missing, nothing is there twice: {segments}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_stays() {
    let mirror = Mirror::open();
    let setup = Setup::hearing_wav(&fixture("speech/silence0.wav"));
    let path = second(&setup, "second.en");
    // Whole to the eye, but of a tensor that whisper.cpp does not know.
    let garbled = second(&setup, "garbled.en");
    let mut bytes = fs::read(&garbled).unwrap();
    let at = bytes.windows(20).position(|it| it == b"encoder.conv1.weight").unwrap();
    bytes[at + 8] = b'x';
    fs::write(&garbled, bytes).unwrap();
    let box_ = setup.start();
    box_.wait_events("model.loaded", 1).await;
    text(&of(&box_, &["use", "second.en"]));

    let (code, problem) = box_.answer("PUT", "/models/in-use", json!({ "name": "garbled.en" })).await;
    assert_eq!(code, 422, "{problem}");
    let failed = box_.wait_events("model.failed", 1).await;
    assert_eq!(
        (&failed[0]["payload"]["model"], &failed[0]["payload"]["in_use"]),
        (&json!("garbled.en"), &json!("second.en")),
    );

    // A fetch of the one in use, which stalls: to refuse the removal does not end it, and nothing is removed.
    let other = json!({ "url": mirror.url("stall", "second.en"), "sha256": "0".repeat(64) });
    assert_eq!(box_.answer("POST", "/models/second.en/fetch", other).await.0, 202);
    box_.until("it stalls", async || {
        mirror.asked().iter().any(|it| it.path.starts_with("/stall/") && it.sent >= 8_000_000).then_some(())
    })
    .await;
    let (code, problem) = box_.answer("DELETE", "/models/second.en", Value::Null).await;
    assert!(code == 409 && problem["detail"].as_str().unwrap().contains("is in use"), "{code} {problem}");
    // It goes on by itself, to its end: the sum is not the one that was asked for.
    let failed = box_.wait_events("model.fetch_failed", 1).await;
    assert!(failed[0]["payload"]["reason"].as_str().unwrap().contains("SHA-256"), "{failed:?}");
    assert!(path.exists());
    assert_eq!(row(&box_.get("/models").await, "second.en")["in_use"], true);
    assert_eq!(box_.answer("DELETE", "/models/second.en?force=true", Value::Null).await.0, 204);
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_an_address_is_told() {
    let mirror = Mirror::open();
    let with_secret = |url: String| url.replace("http://", "http://ada:hunter2@");
    let box_ = Setup::hearing_wav(&fixture("speech/silence0.wav"))
        .set("PANOTTI_TRANSCRIPTION__MODEL", "")
        .set("PANOTTI_MODELS__URL", format!("{}?token=hunter2", with_secret(mirror.base("ok"))))
        .start();
    let mut failures = 0;
    for (how, says) in [("html", "a web page"), ("gone", "404"), ("busy", "503"), ("truncated", "cut short")]
    {
        let url = format!("{}?token=hunter2", with_secret(mirror.url(how, "mine.en")));
        let (code, answer) = box_.answer("POST", "/models/mine.en/fetch", json!({ "url": url })).await;
        assert_eq!(code, 202, "{answer}");
        failures += 1;
        let failed = box_.wait_events("model.fetch_failed", failures).await;
        let told = failed.iter().filter(|it| it["payload"]["reason"].as_str().unwrap().contains(says));
        assert_eq!(told.count(), 1, "{how}: {failed:?}");
        let shown =
            async || (row(&box_.get("/models").await, "mine.en")["fetch"]["state"] == "failed").then_some(());
        box_.until("the failure is shown", shown).await;
        assert!(!box_.get("/models").await.to_string().contains("hunter2"));
    }
    let bad = json!({ "url": "https://ada:hunter2@/?token=hunter2" });
    let (code, problem) = box_.answer("POST", "/models/mine.en/fetch", bad).await;
    assert!(code == 422 && !problem.to_string().contains("hunter2"), "{problem}");
    assert!(!Value::from(box_.everything().await).to_string().contains("hunter2"));
    assert!(box_.log().contains("A model could not be fetched."), "{}", box_.log());
    assert!(!box_.log().contains("hunter2"), "{}", box_.log());
    let said = refusal(&of(&box_, &["fetch", "https://ada:hunter2@/?token=hunter2", "--name", "x"]));
    assert!(said.contains("no address") && !said.contains("hunter2"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_without_a_model_gets_one() {
    let mirror = Mirror::open();
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav"))
        .set("PANOTTI_TRANSCRIPTION__MODEL", "")
        .set("PANOTTI_MODELS__URL", mirror.base("cut"))
        .start();
    assert_eq!(box_.get("/system").await["model"]["state"], "none");
    let id = box_.record("Before").await;
    let first = box_.get("/system").await["counters"]["captured_frames"].as_u64().unwrap();
    box_.until("six seconds", async || {
        let now = box_.get("/system").await["counters"]["captured_frames"].as_u64()?;
        (now > first + 6 * 16_000).then_some(())
    })
    .await;
    let recording = box_.finish(&id).await;
    assert!(recording["error"].as_str().unwrap().contains("panotti model use"), "{recording}");

    let (status, problem) = box_.answer("POST", "/models/base.en-q51/fetch", Value::Null).await;
    assert!(
        status == 422 && problem["detail"].as_str().unwrap().contains("base.en-q5_1"),
        "{status} {problem}"
    );
    let bad = json!({ "url": mirror.url("html", "mine.en") });
    assert_eq!(box_.answer("POST", "/models/mine.en/fetch", bad).await.0, 202);
    let failed = box_.wait_events("model.fetch_failed", 1).await;
    let reason = failed[0]["payload"]["reason"].as_str().unwrap();
    assert!(reason.contains("a web page") && !reason.contains("DOCTYPE"), "{reason}");
    box_.until("the failure is shown", async || {
        let row = row(&box_.get("/models").await, "mine.en");
        (row["fetch"]["state"] == "failed").then_some(())
    })
    .await;

    // Over a connection that breaks off; the command line follows.
    let fetched = text(&of(&box_, &["fetch", "base.en-q5_1"]));
    assert!(fetched.contains(DEMO_SHA256), "{fetched}");
    let told = box_.events("model.fetched").await;
    assert_eq!(told[0]["payload"]["sha256"], DEMO_SHA256);
    let (code, answer) = box_.answer("POST", "/models/base.en-q5_1/fetch", Value::Null).await;
    assert_eq!((code, &answer["fetching"]), (200, &json!(false)), "it is here");
    text(&of(&box_, &["use", "base.en-q5_1"]));
    let (code, answer) = box_.answer("POST", &format!("/recordings/{id}/transcribe"), json!({})).await;
    assert!(code < 300, "{code} {answer}");
    let recording = box_.done(&id).await;
    assert_eq!(recording["error"], Value::Null);
    let written = transcript(&box_, &id).await;
    assert_eq!(written["model"], "base.en-q5_1");
    assert!(!text_of(&written).is_empty());
    // And from now on whoever writes recordings down does so.
    let id = box_.record("After").await;
    box_.wait_events("caption.published", 1).await;
    box_.finish(&id).await;
    let written = transcript(&box_, &id).await;
    assert!(written["model"] == "base.en-q5_1" && !text_of(&written).is_empty(), "{written}");
}
