//! Requests of the original's clients and what they must be answered.

use serde_json::json;

use super::*;

const STARTED: &str = "/api/recording-started";
const ENDED: &str = "/api/recording-ended";

impl Bench {
    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.ask(&format!("POST {path}"), body).await
    }
}

#[tokio::test]
async fn keys_come_before_bodies() {
    let it = bench();
    for line in ["GET /health", "POST /api/recording-started", "POST /api/recording-ended"] {
        for (headers, detail) in [
            (&[][..], "Not authenticated"),
            (&[("x-api-key", "")], "Not authenticated"),
            (&[("x-api-key", "wrong")], "Could not validate API key"),
        ] {
            let answer = it.send(line, headers, "{bad").await;
            assert_eq!((answer.status.as_u16(), answer.json()), (403, json!({ "detail": detail })), "{line}");
        }
    }
    assert_eq!(it.ask("GET /health", "").await.json(), json!({ "status": "ok" }));
    assert_eq!(it.ask("GET /api/nothing", "").await.json()["detail"], "Not Found");
    let wrong_method = it.ask("GET /api/recording-started", "").await;
    assert_eq!(wrong_method.json()["detail"], "Method Not Allowed");
    assert_eq!((wrong_method.status.as_u16(), wrong_method.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn a_client_records_by_itself() {
    let it = bench();
    let id = "20250117225532_4AFEA8B6";
    let start = json!({
        "recordingId": id, "event": "Recording Started", "timestamp": "2025-01-17T22:55:32Z",
        "metadata": { "eventTitle": "Weekly json sync", "eventAttendees": ["ada@example.org"] }, "unknown": 1,
    });
    let answer = it.post(STARTED, start.to_string()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "status": "success", "recording_id": id }))
    );
    let again = it.post(STARTED, start.to_string()).await;
    let told = json!({ "detail": "Recording already started with this ID" });
    assert_eq!((again.status.as_u16(), again.json()), (400, told));

    let folder = it.app.config.storage.recordings_dir();
    write_wav(&folder.join("mic.wav"));
    let end = json!({
        "recordingId": id, "recordingTimestamp": "20250117230000", "timestamp": "2025-01-01T00:00:00",
        "microphoneAudioPath": folder.join("mic.wav"), "systemAudioPath": "", "metadata": {},
    });
    let expected = json!({ "status": "success", "event_id": format!("{id}_ended_20250117230000") });
    for _ in 0..2 {
        let answer = it.post(ENDED, end.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, expected.clone()));
    }
    let ended = it.ask("GET /events?name=recording.ended", "").await.json();
    assert_eq!(ended["items"].as_array().unwrap().len(), 1, "a repeat does nothing");
    assert_eq!(it.ask(&format!("GET /recordings/{id}"), "").await.json()["title"], "Weekly json sync");

    let unknown = it.post(ENDED, json!({ "recordingId": "unknown" }).to_string()).await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.json()),
        (404, json!({ "detail": "Recording session not found" }))
    );
    let lost_start = json!({ "recordingId": "lost", "microphoneAudioPath": folder.join("mic.wav") });
    assert_eq!(it.post(ENDED, lost_start.to_string()).await.status, StatusCode::OK);
    for outside in ["/etc/passwd".to_owned(), format!("{}/../x.wav", folder.display())] {
        let body = json!({ "recordingId": "outside", "microphoneAudioPath": outside });
        let answer = it.post(ENDED, body.to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["body"]), (422, &body));
    }
}

#[tokio::test]
async fn mistakes_are_named_as_pydantic_does() {
    let it = bench();
    let expected = "'recording.started' or 'recording.ended'";
    let literal = |input: Value| {
        json!({ "type": "literal_error", "loc": ["body", "event"], "msg": format!("Input should be {expected}"),
            "input": input, "ctx": { "expected": expected } })
    };
    let string = |field: &str, input: Value| json!({ "type": "string_type", "loc": ["body", field], "msg": "Input should be a valid string", "input": input });
    for (path, body, mistakes) in [
        (
            STARTED,
            json!({ "a": 1 }),
            vec![json!({ "type": "missing", "loc": ["body", "recordingId"],
            "msg": "Field required", "input": { "a": 1 } })],
        ),
        (
            ENDED,
            json!({ "recording_id": "a" }),
            vec![json!({ "type": "missing", "loc": ["body", "recordingId"],
            "msg": "Field required", "input": { "recording_id": "a" } })],
        ),
        (STARTED, json!({ "recordingId": 5 }), vec![string("recordingId", json!(5))]),
        (
            ENDED,
            json!({ "recordingId": "a", "systemAudioPath": 5 }),
            vec![string("systemAudioPath", json!(5))],
        ),
        (
            ENDED,
            json!({ "recordingId": "a", "metadata": [] }),
            vec![json!({ "type": "dict_type",
            "loc": ["body", "metadata"], "msg": "Input should be a valid dictionary", "input": [] })],
        ),
        (
            STARTED,
            json!({ "recordingId": "a", "event": "noise_reduction.completed" }),
            vec![literal(json!("noise_reduction.completed"))],
        ),
        (STARTED, json!({ "recordingId": "a", "event": 5 }), vec![literal(json!(5))]),
        (
            STARTED,
            json!({ "recordingId": null, "event": null }),
            vec![string("recordingId", json!(null)), literal(json!(null))],
        ),
        (
            STARTED,
            json!([1]),
            vec![json!({ "type": "model_attributes_type", "loc": ["body"], "input": [1],
            "msg": "Input should be a valid dictionary or object to extract fields from" })],
        ),
        (
            STARTED,
            json!(null),
            vec![json!({ "type": "missing", "loc": ["body"], "msg": "Field required", "input": null })],
        ),
    ] {
        let answer = it.post(path, body.to_string()).await;
        assert_eq!(answer.status.as_u16(), 422, "{body}");
        assert_eq!(answer.json(), json!({ "detail": mistakes, "body": body }));
    }
    for id in ["", "../../etc/x", "a/b", ".a", "a b", "ä", &"a".repeat(129)] {
        let answer = it.post(STARTED, json!({ "recordingId": id }).to_string()).await;
        assert_eq!(answer.status.as_u16(), 422, "{id}");
        assert_eq!(answer.json()["detail"][0]["loc"], json!(["body", "recordingId"]));
    }
    for (path, field) in [
        (STARTED, "timestamp"),
        (STARTED, "recording_timestamp"),
        (ENDED, "timestamp"),
        (ENDED, "recordingTimestamp"),
    ] {
        let answer = it.post(path, json!({ "recordingId": "a", field: "garbage" }).to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["detail"][0]["loc"][1]), (422, &json!(field)));
    }
}

#[tokio::test]
async fn bodies_that_are_not_json() {
    let it = bench();
    for (text, position, message) in [
        ("{bad", 1, "Expecting property name enclosed in double quotes"),
        ("bad", 0, "Expecting value"),
        ("{\"a\" 1}", 5, "Expecting ':' delimiter"),
        ("{\"a\":1} x", 8, "Extra data"),
        ("{\"a\":", 5, "Expecting value"),
        ("{\"ä\":1\n}x", 8, "Extra data"),
    ] {
        let answer = it.post(STARTED, text).await;
        let detail = json!([{ "type": "json_invalid", "loc": ["body", position], "msg": "JSON decode error",
            "input": {}, "ctx": { "error": message } }]);
        assert_eq!(answer.status.as_u16(), 422);
        assert_eq!(answer.json(), json!({ "detail": detail, "body": text }));
    }
    let empty = it.post(STARTED, "").await;
    let detail = json!([{ "type": "missing", "loc": ["body"], "msg": "Field required", "input": null }]);
    assert_eq!((empty.status.as_u16(), empty.json()), (422, json!({ "detail": detail, "body": null })));
    let form = [("x-api-key", it.operator.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let answer = it.send("POST /api/recording-started", &form, "recordingId=a").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["body"]), (422, &json!("recordingId=a")));
    assert_eq!(answer.json()["detail"][0]["type"], "model_attributes_type");
    let large = it.post(STARTED, vec![b' '; 10_000_000]).await;
    assert!(large.status.as_u16() == 413 && large.json()["detail"].is_string());
}
