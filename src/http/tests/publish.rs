//! Publishing over HTTP: what is stored, what a repetition is, and what is refused with nothing stored.

use serde_json::json;

use super::*;
use crate::event_log;

impl Bench {
    fn stored(&self) -> u64 {
        self.app.log.last_seq().unwrap()
    }
}

#[tokio::test]
async fn what_is_published_is_in_the_log() {
    let it = bench();
    let body = json!({
        "name": "door.opened", "payload": { "door": 3 }, "priority": "high", "metadata": { "by": "panel" },
    });
    let answer = it.ask("POST /events", body.to_string()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("idempotent-replay"), "false");
    let accepted = answer.json();
    assert_eq!(accepted["seq"], it.stored());
    let path = format!("/events/{}", accepted["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), path);

    let event = it.ask(&format!("GET {path}"), "").await.json();
    assert_eq!(event["seq"], accepted["seq"]);
    assert_eq!((&event["name"], &event["payload"]), (&json!("door.opened"), &json!({ "door": 3 })));
    assert_eq!(
        (&event["priority"], &event["context"]["metadata"]),
        (&json!("high"), &json!({ "by": "panel" }))
    );
    assert_eq!(event["context"]["source_plugin"], "api");
    assert_eq!(event["delivery"], json!({ "status": "processed", "pending": [], "failed": [] }));

    // What follows from it belongs to the same meeting.
    let child = json!({ "name": "light.switched_on", "causation_id": accepted["id"] }).to_string();
    let child = it.ask("POST /events", child).await.json();
    let child = it.ask(&format!("GET /events/{}", child["id"].as_str().unwrap()), "").await.json();
    assert_eq!(child["context"]["correlation_id"], event["context"]["correlation_id"]);
    assert_eq!(child["context"]["causation_id"], event["id"]);
    assert_eq!(child["payload"], json!({}));

    for id in ["0199f3a0-8c1e-7c3a-9d5e-2f6b8a1c4d70", "x"] {
        assert!(it.ask(&format!("GET /events/{id}"), "").await.problem(404).contains(id));
    }
}

#[tokio::test]
async fn a_repetition_is_answered_with_the_first_event() {
    let it = bench();
    let publish = async |key: &str, idempotency: &str, door: u64| {
        let body = json!({ "name": "door.opened", "payload": { "door": door } }).to_string();
        it.send("POST /events", &[("x-api-key", key), ("idempotency-key", idempotency)], body).await
    };
    let first = publish(&it.operator, "a b/1", 1).await;
    assert_eq!((first.status, first.header("idempotent-replay")), (StatusCode::CREATED, "false"));
    let stored = it.stored();
    let again = publish(&it.operator, "a b/1", 1).await;
    assert_eq!((again.status, again.header("idempotent-replay")), (StatusCode::OK, "true"));
    assert_eq!((again.json(), again.header("location")), (first.json(), first.header("location")));
    assert!(publish(&it.operator, "a b/1", 2).await.problem(422).contains("Idempotency-Key"));
    assert_eq!(it.stored(), stored, "nothing was stored");

    // Another client's key is another key.
    let other = publish(ADMIN, "a b/1", 1).await;
    assert_eq!(other.status, StatusCode::CREATED);
    assert_ne!(other.json()["id"], first.json()["id"]);
    let events = it.ask("GET /events?name=door.opened", "").await.json();
    for event in events["items"].as_array().unwrap() {
        assert_eq!(event["context"]["source_plugin"], "api");
    }
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_and_not_stored() {
    let it = bench();
    let first = it.ask("POST /events", r#"{"name": "door.opened"}"#).await.json();
    let stored = it.stored();
    let long = format!("a.{}", "b".repeat(127));
    let names = ["", "a", "A.b", "a..b", ".a", "a.", "a.b c", "a.ä", "a b.c", &long];
    for name in names {
        let detail = it.ask("POST /events", json!({ "name": name }).to_string()).await.problem(422);
        assert!(detail.contains("`name` in the body") && detail.contains("recording.ended"), "{detail}");
    }
    let (id, other) = (first["id"].as_str().unwrap(), "0199f3a0-8c1e-7c3a-9d5e-2f6b8a1c4d70");
    let large = "x".repeat(300 << 10);
    let deep = format!(r#"{{"name": "a.b", "payload": {{"a": {}{}}}}}"#, "[".repeat(70), "]".repeat(70));
    for (body, status, says) in [
        ("{".to_owned(), 422, "not JSON"),
        ("[]".into(), 422, "JSON object"),
        ("".into(), 422, "name"),
        (r#"{"name": "a.b", "seq": 1}"#.into(), 422, "seq"),
        (r#"{"name": "a.b", "payload": [1]}"#.into(), 422, "`payload` in the body"),
        (r#"{"name": "a.b", "priority": "urgent"}"#.into(), 422, "critical"),
        (r#"{"name": "a.b", "correlation_id": "x"}"#.into(), 422, "correlation_id"),
        (json!({ "name": "a.b", "causation_id": other }).to_string(), 422, other),
        (
            json!({ "name": "a.b", "causation_id": id, "correlation_id": other }).to_string(),
            422,
            "leave it out",
        ),
        (json!({ "name": "a.b", "payload": { "x": large } }).to_string(), 413, "262144"),
        (json!({ "name": "a.b", "metadata": { "x": large } }).to_string(), 413, "262144"),
        (" ".repeat(3 << 20), 413, "larger"),
        (deep, 422, "nested"),
        (r#"{"name": "recording.ended", "payload": {}}"#.into(), 403, "core"),
        (r#"{"name": "recording.unheard_of", "payload": {}}"#.into(), 403, "core"),
    ] {
        let short: String = body.chars().take(100).collect();
        let detail = it.ask("POST /events", body).await.problem(status);
        assert!(detail.contains(says), "{short}: {detail}");
    }
    for key in ["", "\t", "a\tb", "ä", &"x".repeat(256)] {
        let headers = [("x-api-key", it.operator.as_str()), ("idempotency-key", key)];
        let detail = it.send("POST /events", &headers, r#"{"name": "a.b"}"#).await.problem(422);
        assert!(detail.contains("Idempotency-Key"), "{key}: {detail}");
    }
    // An administrator may publish in another's name, but not anything.
    let headers = [("x-api-key", ADMIN)];
    let body = r#"{"name": "caption.published", "payload": {"segment": {"start_ms": "now"}}}"#;
    let detail = it.send("POST /events", &headers, body).await.problem(422);
    assert!(detail.contains("caption.published") && detail.contains("payload."), "{detail}");
    assert_eq!(it.stored(), stored, "nothing was stored");
    let ended = it.send("POST /events", &headers, r#"{"name": "capture.ended"}"#).await;
    assert_eq!(ended.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_log_that_takes_no_more_says_what_to_do() {
    let busy = error::Problem::from(event_log::Error::Backpressure).into_response();
    assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (503, "5"));
    let full =
        event_log::Error::Full { path: "/data".into(), source: heed::Error::Mdb(heed::MdbError::MapFull) };
    assert_eq!(error::Problem::from(full).into_response().status().as_u16(), 507);
}

#[tokio::test]
async fn what_events_carry_is_told() {
    let it = bench();
    let list = it.ask("GET /events/schemas", "").await.json();
    let names: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"recording.ended") && names.contains(&"caption.published"));
    let one = it.ask("GET /events/schemas/recording.ended", "").await.json();
    assert!(list["items"].as_array().unwrap().contains(&one));
    assert_eq!((&one["owner"], &one["schema"]["type"]), (&json!("core"), &json!("object")));
    for name in ["door.opened", "x"] {
        assert!(it.ask(&format!("GET /events/schemas/{name}"), "").await.problem(404).contains(name));
    }
}
