//! What is seen over HTTP of real deliveries: dead letters, replays, an event's status, how it all does.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use panotti_sdk::{Delivery, Filter, HandlerError};
use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::bus::{Answer as Handled, Effects, Handler, RetryPolicy, Running, Subscription};

/// Fails while it is told to, and tells of each delivery.
struct Moody {
    fails: Arc<AtomicBool>,
    seen: mpsc::UnboundedSender<Delivery>,
}

impl Handler for Moody {
    fn handle(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Handled> + Send + '_>> {
        self.seen.send(delivery).ok();
        Box::pin(async {
            match self.fails.load(Ordering::Relaxed) {
                true => Err(HandlerError::permanent("the lamp is broken")),
                false => Ok(Effects::default()),
            }
        })
    }
}

/// A subscription `lamps` of all `door.*`.
struct Lamps {
    fails: Arc<AtomicBool>,
    seen: mpsc::UnboundedReceiver<Delivery>,
    _running: Running,
}

impl Lamps {
    async fn new(bench: &Bench) -> Self {
        let fails = Arc::new(AtomicBool::new(true));
        let (sender, seen) = mpsc::unbounded_channel();
        let subscription = Subscription {
            retry: RetryPolicy { retries: 0, ..RetryPolicy::default() },
            ..Subscription::new("lamps", Filter::topic("door.*".parse().unwrap()))
        };
        let running = bench
            .app
            .bus
            .subscribe(subscription, Moody { fails: fails.clone(), seen: sender })
            .await
            .unwrap();
        Self { fails, seen, _running: running }
    }

    async fn next(&mut self) -> Delivery {
        tokio::time::timeout(Duration::from_secs(60), self.seen.recv()).await.unwrap().unwrap()
    }
}

impl Bench {
    async fn publish(&self, name: &str) -> Value {
        let answer = self.ask("POST /events", json!({ "name": name }).to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        answer.json()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(&format!("GET {path}"), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.bytes.escape_ascii().to_string());
        answer.json()
    }

    /// Asks again until `holds`; each step of a delivery and a replay ends with a commit.
    async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let asked = async {
            loop {
                let body = self.get(path).await;
                if holds(&body) {
                    return body;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap_or_else(|_| panic!("{path}"))
    }
}

#[tokio::test]
async fn what_could_not_be_handled_is_listed_repeated_and_dropped() {
    let it = bench();
    let mut lamps = Lamps::new(&it).await;
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(it.publish("door.opened").await);
        lamps.next().await;
    }
    it.publish("lamp.lit").await;
    let page = it.until("/events/dead-letters", |page| page["items"].as_array().unwrap().len() == 3).await;
    for (letter, event) in page["items"].as_array().unwrap().iter().zip(&events) {
        assert_eq!(letter["subscription"], "lamps");
        assert_eq!((&letter["event"]["id"], &letter["event"]["seq"]), (&event["id"], &event["seq"]));
        assert_eq!((&letter["errors"], &letter["attempts"]), (&json!(["the lamp is broken"]), &json!(1)));
    }
    assert_eq!(page["next_cursor"], Value::Null);
    let first = it.get("/events/dead-letters?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = it.get(&format!("/events/dead-letters?limit=2&cursor={cursor}")).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
    for query in
        ["subscription=others", "name=lamp.*", "where=seq%20%3D%3D%200", "priority=high", "source=core"]
    {
        let page = it.get(&format!("/events/dead-letters?{query}")).await;
        assert_eq!(page["items"], json!([]), "{query}");
    }

    // What became of the events, one by one and as a filter of the list.
    let path = format!("/events/{}", events[0]["id"].as_str().unwrap());
    assert_eq!(
        it.get(&path).await["delivery"],
        json!({ "status": "failed", "pending": [], "failed": ["lamps"] })
    );
    for order in ["asc", "desc"] {
        let failed = it.get(&format!("/events?status=failed&name=door.*&order={order}&limit=2")).await;
        assert_eq!(failed["items"].as_array().unwrap().len(), 2, "{failed}");
        let next = failed["next_cursor"].as_str().unwrap();
        let failed =
            it.get(&format!("/events?status=failed&name=door.*&order={order}&limit=2&cursor={next}")).await;
        assert_eq!(failed["items"].as_array().unwrap().len(), 1, "{failed}");
        let processed = it.get(&format!("/events?status=processed&source=api&order={order}")).await;
        assert_eq!(processed["items"][0]["name"], "lamp.lit", "{processed}");
    }

    // One again: this time it goes well.
    lamps.fails.store(false, Ordering::Relaxed);
    let letter = format!("/events/dead-letters/lamps/{}", events[1]["seq"]);
    let begun = it.ask(&format!("POST {letter}/replay"), "").await;
    assert_eq!((begun.status, &begun.json()["status"]), (StatusCode::ACCEPTED, &json!("replay_started")));
    let delivery = lamps.next().await;
    assert_eq!(json!(delivery.event.id), events[1]["id"]);
    assert_eq!(json!(delivery.replay), begun.json()["id"]);
    let replay = format!("/events/replay/{}", begun.json()["id"].as_str().unwrap());
    let replay = it.until(&replay, |it| it["state"] == "completed").await;
    assert_eq!((&replay["delivered"], &replay["failed"]), (&json!(1), &json!(0)));

    // One is dropped. What is gone is unknown.
    let letter = format!("/events/dead-letters/lamps/{}", events[0]["seq"]);
    assert_eq!(it.ask(&format!("DELETE {letter}"), "").await.status, StatusCode::NO_CONTENT);
    for line in [
        format!("DELETE {letter}"),
        format!("POST {letter}/replay"),
        "DELETE /events/dead-letters/x/y".into(),
    ] {
        it.ask(&line, "").await.problem(404);
    }
    let left = it.get("/events/dead-letters").await;
    assert_eq!(left["items"].as_array().unwrap().len(), 1, "{left}");
    assert_eq!(left["items"][0]["event"]["id"], events[2]["id"]);
    let status = it.get("/events/status").await;
    assert_eq!(status["dead_letters"]["count"], 1);
    assert!(status["dead_letters"]["oldest_age_s"].as_i64().unwrap() < 600, "{status}");
}

#[tokio::test]
async fn events_are_delivered_again_and_a_replay_can_be_stopped() {
    let it = bench();
    let mut lamps = Lamps::new(&it).await;
    lamps.fails.store(false, Ordering::Relaxed);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(it.publish("door.opened").await["id"].clone());
        assert_eq!(lamps.next().await.replay, None);
    }
    let ask = async |body: Value| it.ask("POST /events/replay", body.to_string()).await;
    let begun = ask(json!({ "name": "door.opened", "plugin": "lamps", "interval_ms": 0 })).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    let begun = begun.json();
    for id in &ids {
        let delivery = lamps.next().await;
        assert_eq!((&json!(delivery.event.id), &json!(delivery.replay)), (id, &begun["id"]));
    }
    let path = format!("/events/replay/{}", begun["id"].as_str().unwrap());
    let done = it.until(&path, |it| it["state"] == "completed").await;
    assert_eq!(
        (&done["delivered"], &done["failed"], &done["plugin"]),
        (&json!(3), &json!(0), &json!("lamps"))
    );

    // A named filter and a condition of its own.
    let named = json!({ "name": "doors", "topics": ["door.*"], "where": "seq > 0" });
    assert_eq!(it.ask("POST /events/filter", named.to_string()).await.status, StatusCode::CREATED);
    let condition = format!("id == {}", ids[2]);
    let begun = ask(json!({ "filter": "doors", "where": condition })).await.json();
    assert_eq!(begun["filter"]["where"], format!("(seq > 0) and ({condition})"));
    assert_eq!(json!(lamps.next().await.event.id), ids[2]);

    // Nothing fits: done at once.
    let nothing = ask(json!({ "from": "2001-01-01T00:00:00Z", "to": "2001-01-02T00:00:00Z" })).await.json();
    let path = format!("/events/replay/{}", nothing["id"].as_str().unwrap());
    assert_eq!(it.until(&path, |it| it["state"] == "completed").await["delivered"], 0);

    // One event a minute: it waits to be stopped.
    let slow = json!({ "name": "door.*", "batch_size": 1, "interval_ms": 60_000 });
    let (first, second) = (ask(slow.clone()).await.json(), ask(slow).await.json());
    let stop = format!("POST /events/replay/{}/stop", first["id"].as_str().unwrap());
    assert_eq!(it.ask(&stop, "").await.json()["state"], "stopped");
    let stopped = it.ask("POST /events/stop-replay", "").await.json();
    assert_eq!(stopped["status"], "replay_stopped");
    assert!(stopped["items"].as_array().unwrap().iter().any(|it| it["id"] == second["id"]), "{stopped}");
    assert_eq!(it.ask("POST /events/stop-replay", "").await.json()["items"], json!([]));
    let all = it.get("/events/replay").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 5);
    assert!(all["items"].as_array().unwrap().iter().all(|it| it["state"] != "running"), "{all}");
}

#[tokio::test]
async fn a_replay_that_makes_no_sense_is_refused() {
    let it = bench();
    let named = json!({ "name": "doors", "topics": ["door.*"] });
    it.ask("POST /events/filter", named.to_string()).await;
    let stored = it.app.log.last_seq().unwrap();
    for (body, status, says) in [
        (json!({}), 422, "say what"),
        (json!({ "name": "a.B" }), 422, "at byte 2"),
        (json!({ "name": "recordng.*" }), 422, "did you mean"),
        (json!({ "where": "payload.x ==" }), 422, "at byte 12"),
        (json!({ "filter": "none" }), 422, "none"),
        (json!({ "filter": "doors", "topics": ["lamp.*"] }), 422, "topics"),
        (json!({ "name": "door.*", "batch_size": 0 }), 422, "batch_size"),
        (json!({ "name": "door.*", "batch_size": 1001 }), 422, "batch_size"),
        (json!({ "name": "door.*", "interval_ms": 60_001 }), 422, "interval_ms"),
        (json!({ "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }), 422, "before"),
        (json!({ "nam": "door.*" }), 422, "nam"),
        (json!({ "name": "door.*", "plugin": "nobody" }), 404, "nobody"),
    ] {
        let detail = it.ask("POST /events/replay", body.to_string()).await.problem(status);
        assert!(detail.contains(says), "{body}: {detail}");
    }
    for line in ["GET /events/replay/x", "GET /events/replay/0199f3a0-8c1e-7c3a-9d5e-2f6b8a1c4d70"] {
        it.ask(line, "").await.problem(404);
    }
    assert_eq!(it.app.log.last_seq().unwrap(), stored, "nothing was stored");
    assert_eq!(it.ask("GET /events/replay", "").await.json()["items"], json!([]));
}

#[tokio::test]
async fn how_it_all_does_is_told() {
    let it = bench();
    let mut lamps = Lamps::new(&it).await;
    lamps.fails.store(false, Ordering::Relaxed);
    let event = it.publish("door.opened").await;
    lamps.next().await;
    let handled = |status: &Value| status["subscriptions"][0]["handled"] == 1;
    let status = it.until("/events/status", handled).await;
    let lamps = &status["subscriptions"][0];
    assert_eq!((&lamps["name"], &lamps["running"]), (&json!("lamps"), &json!(true)));
    let log = &status["log"];
    assert_eq!((&log["first_seq"], &log["durability"]), (&json!(1), &json!("every_commit")));
    assert!(log["last_seq"].as_u64() >= event["seq"].as_u64(), "{status}");
    assert!(log["events_per_second"].as_f64().unwrap() > 0.0 && log["last_commit"].is_string(), "{status}");
    assert!(log["bytes_used"].as_u64().unwrap() > 0 && log["bytes_file"].as_u64().unwrap() > 0, "{status}");
    assert_eq!((&log["queue_limit"], &log["payload_limit_bytes"]), (&json!(1000), &json!(262_144)));
    assert_eq!(status["retention"], json!({ "days": 30, "bytes": 1 << 30, "hard_limit_bytes": 4_u64 << 30 }));
    assert_eq!(status["dead_letters"], json!({ "count": 0, "oldest": null, "oldest_age_s": null }));
    assert_eq!((&status["replays_running"], &status["streams_open"]), (&json!(0), &json!(0)));
    assert_eq!(status["last_backup"], Value::Null);
}
