//! Home Assistant's side: the official Wyoming client, unchanged, against a whole box with the demo model.

use std::fs;

use panotti::speech::word_error_rate;
use serde_json::{Value, json};

use crate::{
    clients::python,
    harness::{Panotti, Setup, fixture},
    plugins::rested,
};

const FIRST: &str = "Everyone will postpone the battery plan next Wednesday.";
const SECOND: &str = "Our supplier complained about the documentation status.";

fn setup() -> Setup {
    Setup::hearing_wav(&fixture("speech/meeting_picked.wav"))
        .set("PANOTTI_PLUGIN_WYOMING__ENABLED", "true")
        .set("PANOTTI_PLUGIN_WYOMING__LISTEN", "127.0.0.1:0")
}

fn speech(name: &str) -> String {
    fixture(&format!("speech/{name}.wav")).to_str().unwrap().to_owned()
}

async fn server(box_: &Panotti) -> Value {
    box_.get("/plugins/wyoming/server").await
}

/// The official client's answer.
async fn client(box_: &Panotti, arguments: &[&str]) -> Value {
    let address = box_
        .until("Wyoming clients are served", async || {
            let (status, server) = box_.answer("GET", "/plugins/wyoming/server", Value::Null).await;
            (status == 200).then(|| server["address"].as_str().unwrap().to_owned())
        })
        .await;
    let mut command = python("wyoming_client.py");
    command.arg(address.rsplit_once(':').unwrap().1).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), box_.log());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn says(answer: &Value, expected: &str) {
    assert_eq!((&answer["type"], &answer["language"]), (&json!("transcript"), &json!("en")), "{answer}");
    let text = answer["text"].as_str().unwrap();
    assert!(word_error_rate(expected, text) < 0.3, "{text}");
}

/// Nothing of what clients said is kept.
async fn nothing_left(box_: &Panotti) {
    let folder = box_.data_dir().join("plugins/wyoming/requests");
    box_.until("nobody is connected and no audio is left", async || {
        let is_empty = fs::read_dir(&folder).unwrap().next().is_none();
        (is_empty && server(box_).await["clients"] == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_is_told_of_the_model_and_gets_the_words() {
    let box_ = setup().start();
    // Also when the model is still being read.
    let info = client(&box_, &["describe"]).await;
    assert_eq!(info["pong"], "hello");
    let program = &info["asr"][0];
    assert_eq!((&program["name"], &program["installed"]), (&json!("panotti"), &json!(true)));
    let model = &program["models"][0];
    assert_eq!((&model["name"], &model["languages"]), (&json!("panotti-demo.en-q5_1"), &json!(["en"])));

    // Five clients at once, three in other formats, while a meeting is on.
    let id = box_.record("Weekly").await;
    let (first, second) = (speech("ex02"), speech("ex03"));
    let form = |it: &str| format!("{first}@{it}");
    let forms = [form("16000,1,1"), form("44100,3,1"), form("48000,4,2")];
    let arguments = ["transcribe", "en", &first, &second, &forms[0], &forms[1], &forms[2]];
    let said = client(&box_, &arguments).await;
    for (answer, expected) in said.as_array().unwrap().iter().zip([FIRST, SECOND, FIRST, FIRST, FIRST]) {
        says(answer, expected);
    }
    let silence = client(&box_, &["transcribe", "en-GB", &speech("silence0")]).await;
    assert_eq!(silence[0]["text"], "");
    nothing_left(&box_).await;
    assert_eq!(
        (&server(&box_).await["answered"], box_.finish(&id).await["state"].as_str()),
        (&json!(6), Some("done"))
    );
    // What clients say is in no log.
    assert!(!box_.log().contains("postpone"));
    let told: Vec<_> = box_.everything().await;
    assert!(!told.iter().any(|it| it["context"]["source_plugin"] == "wyoming"), "{told:#?}");
    assert!(box_.stop().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_or_talks_nonsense_hurts_nobody() {
    let box_ = setup().start();
    let long = speech("meeting-0");
    for when in ["midway", "waiting"] {
        client(&box_, &["leave", &long, when]).await;
        nothing_left(&box_).await;
    }
    for (text, code) in [("GET / HTTP/1.1\r\n\r\n", "protocol"), ("{\"type\": \"audio-stop\"}\n", "protocol")]
    {
        let said = client(&box_, &["garbage", text]).await;
        assert_eq!((&said["code"], &said["closed"]), (&json!(code), &json!(true)), "{said}");
    }
    let said = client(&box_, &["transcribe", "de", &speech("ex02")]).await;
    assert_eq!(said[0]["code"], "language", "{said}");
    says(&client(&box_, &["transcribe", "en", &speech("ex03")]).await[0], SECOND);
    nothing_left(&box_).await;
    // What was asked for by those who left was taken back.
    assert_eq!(server(&box_).await["answered"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_without_a_model_says_so() {
    let box_ = setup().set("PANOTTI_TRANSCRIPTION__MODEL", "").start();
    assert_eq!(rested(&box_, "wyoming").await["state"], "running");
    assert_eq!(client(&box_, &["describe"]).await["asr"][0]["installed"], false);
    let said = client(&box_, &["transcribe", "en", &speech("ex02")]).await;
    assert_eq!(said[0]["type"], "error");
    let (code, text) = (&said[0]["code"], said[0]["text"].as_str().unwrap());
    assert!(code == "no-model" && text.contains("transcription.model"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_served_before_somebody_turns_it_on() {
    let box_ = Setup::hearing_wav(&fixture("speech/silence0.wav")).start();
    assert_eq!(rested(&box_, "wyoming").await["state"], "disabled");
    let (status, _) = box_.answer("GET", "/plugins/wyoming/server", Value::Null).await;
    assert_ne!(status, 200);
}
