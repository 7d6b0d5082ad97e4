//! Clients of the original: its golden requests against the running binary, and a recording that such a
//! client makes.

use serde_json::{Map, Value, json};

use crate::harness::{KEY, Setup, fixture, text_of, track};

/// `tests/cases/original_api.json`: requests in their order, each with what it must be answered. In an
/// expected answer `"*"` stands for anything, a text that ends in `*` for every text that begins so, and the
/// key `"**"` for further keys.
#[tokio::test(flavor = "multi_thread")]
async fn golden_requests() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../cases/original_api.json")).expect("the cases are JSON");
    let box_ = Setup::hearing_wav(&fixture("speech/silence0.wav")).start();
    let http = reqwest::Client::new();
    for case in &cases {
        let (name, request) = (&case["name"], &case["request"]);
        let method = request["method"].as_str().unwrap().parse().unwrap();
        let mut sent = http.request(method, box_.url(request["path"].as_str().unwrap()));
        if let Some(key) = request.get("key").map_or(Some(KEY), Value::as_str) {
            sent = sent.header("X-API-Key", key);
        }
        if let Some(json) = request.get("json") {
            sent = sent.json(json);
        }
        if let Some(text) = request.get("text").and_then(Value::as_str) {
            sent = sent.body(text.to_owned());
            match request.get("content_type").map_or("application/json", |it| it.as_str().unwrap()) {
                "" => {}
                kind => sent = sent.header("content-type", kind),
            }
        }
        let response = sent.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        assert_eq!(json!(status), case["status"], "{name}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(fits(&case["answer"], &answer), "{name}: {answer}, expected {}", case["answer"]);
        for (header, expected) in case.get("headers").and_then(Value::as_object).unwrap_or(&Map::new()) {
            let found = headers.get(header).map(|it| it.to_str().unwrap());
            assert!(fits(expected, &json!(found)), "{name}: {header}: {found:?}");
        }
    }
    assert!(cases.len() > 50, "the cases are gone");
}

fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(any), _) if any == "*" => !found.is_null(),
        (Value::String(pattern), Value::String(found)) => match pattern.strip_suffix('*') {
            Some(begin) => found.starts_with(begin),
            None => pattern == found,
        },
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(a, b)| fits(a, b))
        }
        (Value::Object(expected), Value::Object(found)) => {
            let named = expected.iter().filter(|it| it.0 != "**");
            let open = expected.contains_key("**");
            (open || named.clone().count() == found.len())
                && named.clone().all(|(key, it)| found.get(key).is_some_and(|found| fits(it, found)))
        }
        _ => expected == found,
    }
}

#[test]
fn what_fits() {
    for (expected, found, yes) in [
        (json!("*"), json!([1]), true),
        (json!("*"), json!(null), false),
        (json!("a*"), json!("ab"), true),
        (json!("a*"), json!("ba"), false),
        (json!({ "a": "*" }), json!({ "a": 1, "b": 2 }), false),
        (json!({ "a": "*", "**": "*" }), json!({ "a": 1, "b": 2 }), true),
        (json!({ "a": "*", "**": "*" }), json!({ "b": 2 }), false),
        (json!([1, "*"]), json!([1]), false),
    ] {
        assert_eq!(fits(&expected, &found), yes, "{expected} {found}");
    }
}

#[cfg(feature = "whisper")]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_records_two_tracks() {
    let box_ = Setup::hearing_wav(&fixture("speech/silence0.wav")).start();
    let id = "20250117225532_4AFEA8B6";
    let recordings = box_.data_dir().join("recordings");
    let (microphone, system) =
        (recordings.join(format!("{id}_microphone.wav")), recordings.join(format!("{id}_system_audio.wav")));
    track(&microphone, &[("ex01", 0.5), ("ex04", 11.0)], 16.0);
    track(&system, &[("ex03", 6.0)], 15.0);
    let metadata = json!({
        "eventTitle": "Audit", "eventAttendees": ["ada@example.org"],
        "microphoneLabel": "Room", "systemLabel": "Remote",
    });
    let start = json!({ "recordingId": id, "timestamp": "2025-01-17T22:55:32Z", "metadata": metadata });
    box_.post("/api/recording-started", start).await;
    let recording = box_.get(&format!("/recordings/{id}")).await;
    assert_eq!((&recording["origin"], &recording["state"]), (&json!("client"), &json!("recording")));
    // One path relative to the recordings directory, one absolute; the labels are those of the start.
    let end = json!({
        "recordingId": id, "timestamp": "2025-01-17T22:55:48Z", "metadata": {},
        "microphoneAudioPath": microphone, "systemAudioPath": format!("{id}_system_audio.wav"),
    });
    let answer = box_.post("/api/recording-ended", end.clone()).await;
    let event_id = format!("{id}_ended_2025-01-17T22:55:48Z");
    assert_eq!(answer, json!({ "status": "success", "event_id": event_id }));
    let recording = box_.done(id).await;
    assert_eq!((&recording["state"], &recording["error"]), (&json!("done"), &Value::Null));
    assert_eq!((&recording["title"], &recording["duration_ms"]), (&json!("Audit"), &json!(16_000)));
    assert_eq!(
        box_.post("/api/recording-ended", end).await["event_id"],
        *event_id,
        "a repeat changes nothing"
    );

    let transcript = box_.get(&format!("/recordings/{id}/transcript?format=json")).await;
    let said: Vec<_> = transcript["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["speaker"].as_str().unwrap(), it["start"].as_f64().unwrap()))
        .collect();
    let expected = [("Room", 0.5), ("Remote", 6.0), ("Room", 11.0)];
    assert_eq!(said.len(), expected.len(), "{transcript}");
    for ((speaker, start), (label, at)) in said.iter().zip(expected) {
        assert!(*speaker == label && (start - at).abs() < 0.7, "{speaker} at {start}, {label} at {at}");
    }
    let words = text_of(&transcript);
    let reference = "Sam, could you please clean the interview plan next week? Our supplier complained about \
        the documentation status. I will prepare the audit status by the end of the day.";
    let errors = panotti::speech::word_error_rate(reference, &words);
    assert!(errors <= 0.2, "{errors}: {words}");
    let markdown =
        box_.request("GET", &format!("/recordings/{id}/transcript?format=md")).send().await.unwrap();
    let markdown = markdown.text().await.unwrap();
    assert!(markdown.contains("Room: Sam") && markdown.contains("Remote: Our supplier"), "{markdown}");

    // One meeting, one correlation id, from the first event to the last.
    let correlation = recording["correlation_id"].as_str().unwrap();
    let events = box_.get(&format!("/events?order=asc&limit=200&correlation_id={correlation}")).await;
    let names = events["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap());
    // What follows is the plugins' own affair.
    let names: Vec<_> = names.take(4).collect();
    let begin = ["recording.started", "recording.ended", "noise_reduction.completed"];
    assert_eq!(names, [&begin[..], &["transcription_local.completed"]].concat());
    for event in box_.events("recording.*").await {
        assert_eq!(event["context"]["correlation_id"], *correlation, "{event}");
    }
    assert!(microphone.exists() && system.exists(), "a client's files are its own");
}
