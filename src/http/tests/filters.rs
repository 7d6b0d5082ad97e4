//! Filters with a name: made, used, replaced and removed over HTTP.

use serde_json::json;

use super::*;
use crate::event_log::{Batch, Put, Table};

#[tokio::test]
async fn a_filter_is_made_used_replaced_and_removed() {
    let it = bench();
    let filter =
        json!({ "name": "doors-1", "topics": ["door.*"], "where": "payload.n >= 2", "priority": "high" });
    let made = it.ask("POST /events/filter", filter.to_string()).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::CREATED, "/events/filter/doors-1"));
    assert_eq!(made.json(), filter);
    assert_eq!(it.ask("POST /events/filter", filter.to_string()).await.status, StatusCode::OK);
    let other = json!({ "name": "doors-1", "topics": ["door.**"] });
    assert!(it.ask("POST /events/filter", other.to_string()).await.problem(409).contains("PUT"));
    assert_eq!(it.ask("GET /events/filter/doors-1", "").await.json(), filter);
    assert_eq!(
        it.ask("GET /events/filter", "").await.json(),
        json!({ "items": [filter], "next_cursor": null })
    );

    for (n, name, priority) in [
        (1, "door.opened", "high"),
        (2, "door.opened", "high"),
        (3, "door.shut", "normal"),
        (4, "lamp.lit", "high"),
    ] {
        let body = json!({ "name": name, "payload": { "n": n }, "priority": priority }).to_string();
        assert_eq!(it.ask("POST /events", body).await.status, StatusCode::CREATED);
    }
    let list = async |query: &str| {
        let page = it.ask(&format!("GET /events?{query}"), "").await.json();
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{query}: {page}")).clone();
        items.iter().map(|it| it["payload"]["n"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(list("filter=doors-1").await, [2]);
    assert_eq!(list("filter=doors-1&name=door.shut").await, [0; 0], "all that is given holds");
    assert_eq!(list("where=payload.n%20%3E%3D%202&name=door.*").await, [3, 2]);
    assert_eq!(list("priority=high&source=api&order=asc").await, [1, 2, 4]);
    assert_eq!(list("name=door.*&source=core").await, [0; 0]);

    let replaced = it.ask("PUT /events/filter/doors-1", r#"{"topics": ["door.**"]}"#).await;
    assert_eq!((replaced.status, replaced.json()), (StatusCode::OK, other));
    assert_eq!(list("filter=doors-1").await, [3, 2, 1]);
    assert_eq!(it.ask("PUT /events/filter/new", "{}").await.status, StatusCode::CREATED);
    let page = it.ask("GET /events/filter?limit=1", "").await.json();
    assert_eq!(page["items"][0]["name"], "doors-1");
    let rest = format!("GET /events/filter?cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(it.ask(&rest, "").await.json(), json!({ "items": [{ "name": "new" }], "next_cursor": null }));
    assert_eq!(it.ask("DELETE /events/filter/doors-1", "").await.status, StatusCode::NO_CONTENT);
    for line in ["GET /events/filter/doors-1", "DELETE /events/filter/doors-1", "GET /events/filter/A%00"] {
        it.ask(line, "").await.problem(404);
    }
    assert!(it.ask("GET /events?filter=doors-1", "").await.problem(422).contains("doors-1"));
    it.ask("GET /events/stream?filter=doors-1", "").await.problem(422);
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_refused_and_not_stored() {
    let it = bench();
    let long = "a".repeat(65);
    let many = vec!["a.b"; 65];
    for (body, says) in [
        (json!({ "topics": ["a.b"] }), "`name` in the body is missing"),
        (json!({ "name": "" }), "1 to 64"),
        (json!({ "name": "A" }), "1 to 64"),
        (json!({ "name": "a/b" }), "1 to 64"),
        (json!({ "name": long }), "1 to 64"),
        (json!({ "name": "x", "topic": "a.b" }), "topic"),
        (json!({ "name": "x", "topics": ["a.b", "a.B"] }), "at byte 2"),
        (json!({ "name": "x", "topics": ["**.b"] }), "at byte 3"),
        (json!({ "name": "x", "topics": many }), "64"),
        (json!({ "name": "x", "topics": ["recordng.*"] }), "did you mean"),
        (json!({ "name": "x", "topics": ["recording.endet"] }), "recording.ended"),
        (json!({ "name": "x", "where": "payload.n >" }), "at byte 11"),
        (json!({ "name": "x", "where": "payload.n = 1" }), "at byte 10"),
        (json!({ "name": "x", "priority": "loud" }), "critical"),
        (json!({ "name": "x", "from": "yesterday" }), "`from` in the body"),
        (json!({ "name": "x", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }), "before"),
        (json!({ "name": "x", "source": "s".repeat(257) }), "256"),
    ] {
        let detail = it.ask("POST /events/filter", body.to_string()).await.problem(422);
        assert!(detail.contains(says), "{says}: {detail}");
        let detail = it.ask("PUT /events/filter/x", body.to_string()).await;
        assert!(says.contains("missing") || detail.status == StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        it.ask("DELETE /events/filter/x", "").await;
    }
    assert_eq!(it.ask("GET /events/filter", "").await.json()["items"], json!([]));
    it.ask("PUT /events/filter/A", "{}").await.problem(422);
    // The same in the query of a list and of a stream.
    for (query, says) in [
        ("name=a.B", "at byte 2"),
        ("name=recordng.*", "did you mean"),
        ("where=payload.n%20%3E", "at byte 11"),
        ("priority=loud", "critical"),
        ("correlation_id=x", "correlation_id"),
        ("sorce=api", "source"),
    ] {
        for path in ["/events", "/events/stream", "/events/dead-letters"] {
            let detail = it.ask(&format!("GET {path}?{query}"), "").await.problem(422);
            assert!(detail.contains(says), "{path}?{query}: {detail}");
        }
    }
    for query in ["from=now", "status=lost", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "limit=201"]
    {
        it.ask(&format!("GET /events?{query}"), "").await.problem(422);
    }
    // Names of their own that clients have published are known too.
    it.ask("GET /events?name=recordings.*", "").await.problem(422);
    assert_eq!(it.ask("POST /events", r#"{"name": "recordings.sorted"}"#).await.status, StatusCode::CREATED);
    assert_eq!(
        it.ask("GET /events?name=recordings.*", "").await.json()["items"][0]["name"],
        "recordings.sorted"
    );
}

#[tokio::test]
async fn filters_are_not_without_number() {
    let it = bench();
    let put = |n: u32| Put { table: Table::Filters, key: format!("f{n}"), value: Some(b"{}".to_vec()) };
    it.app.log.append(Batch { puts: (0..1000).map(put).collect(), ..Batch::default() }).await.unwrap();
    assert!(it.ask("POST /events/filter", r#"{"name": "more"}"#).await.problem(409).contains("delete one"));
    it.ask("PUT /events/filter/more", "{}").await.problem(409);
    assert_eq!(it.ask("PUT /events/filter/f7", "{}").await.status, StatusCode::OK);
}

#[tokio::test]
async fn cursors_belong_to_their_list() {
    let it = bench();
    for n in 0..3 {
        it.ask("PUT /events/filter/f", "{}").await;
        it.ask("POST /events", json!({ "name": "a.b", "payload": { "n": n } }).to_string()).await;
    }
    it.ask("PUT /events/filter/g", "{}").await;
    let cursor = async |line: &str| {
        let page = it.ask(line, "").await.json();
        page["next_cursor"].as_str().unwrap_or_else(|| panic!("{line}: {page}")).to_owned()
    };
    let cursors = [
        ("GET /events?", cursor("GET /events?limit=1").await),
        ("GET /events?order=asc&", cursor("GET /events?limit=1&order=asc").await),
        ("GET /events/filter?", cursor("GET /events/filter?limit=1").await),
    ];
    for (list, _) in &cursors {
        for (from, cursor) in &cursors {
            let answer = it.ask(&format!("{list}cursor={cursor}"), "").await;
            let expected = if list == from { 200 } else { 422 };
            assert_eq!(answer.status.as_u16(), expected, "{list} with the cursor of {from}");
        }
        for cursor in ["", "x", "00"] {
            it.ask(&format!("{list}cursor={cursor}"), "").await.problem(422);
        }
    }
    it.ask(&format!("GET /events/dead-letters?cursor={}", cursors[0].1), "").await.problem(422);
}
