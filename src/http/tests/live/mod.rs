//! `GET /live` as one answer and as server-sent events: what is of the moment, and what lasts; its parts see
//! many followers, and WebSockets.

mod many;
mod socket;

use std::collections::VecDeque;

use futures_util::StreamExt;
use panotti_sdk::NewEvent;
use serde_json::json;

use super::*;
use crate::{
    event_log::{Batch, Prune},
    live::Partial,
    status::{CaptionState, CaptureState, Level},
};

async fn publish(app: &App, name: &str, n: u64) {
    let event = NewEvent::new(name.parse().unwrap(), json!({ "n": n }));
    app.log.append(Batch { events: vec![event], ..Batch::default() }).await.unwrap();
}

/// Something that lasts and that followers get.
async fn publish_final(app: &App, n: u64) {
    publish(app, "talk.completed", n).await;
}

fn partial(lane: usize, start_ms: u64, revision: u32) -> Partial {
    Partial {
        recording_id: "r".into(),
        lane,
        speaker: Some(format!("Seat {lane}")),
        start_ms,
        revision,
        stable: "We\nwill".into(),
        tentative: "ship".into(),
    }
}

/// A message as a client of server-sent events takes it.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    kind: String,
    seq: Option<u64>,
    data: Value,
}

impl Heard {
    /// What is told of: `n` of events, the revision of partial captions.
    fn brief(&self) -> String {
        let what = &self.data;
        let of = if self.seq.is_some() { &what["payload"]["n"] } else { &what["revision"] };
        format!("{} {of}", self.kind)
    }
}

/// A client.
struct Follower {
    body: axum::body::BodyDataStream,
    text: String,
    ready: VecDeque<Heard>,
}

impl Follower {
    async fn open(bench: &Bench, query: &str, headers: &[(&str, &str)]) -> Self {
        let given = [("x-api-key", bench.viewer.as_str()), ("accept", "text/event-stream")];
        let headers = [&given, headers].concat();
        let request = request(&format!("GET /live{query}"), &headers, "");
        let response = bench.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { body: response.into_body().into_data_stream(), text: String::new(), ready: VecDeque::new() }
    }

    async fn next(&mut self) -> Heard {
        while self.ready.is_empty() {
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.body.next()).await;
            self.text.push_str(str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                if let Some(data) = field("data") {
                    let heard = Heard {
                        kind: field("event").unwrap().to_owned(),
                        seq: field("id").map(|it| it.parse().unwrap()),
                        data: serde_json::from_str(data).unwrap(),
                    };
                    assert!(heard.seq.is_none_or(|seq| heard.kind == "gap" || heard.data["seq"] == seq));
                    self.ready.push_back(heard);
                }
                self.text = rest.to_owned();
            }
        }
        self.ready.pop_front().unwrap()
    }

    /// The next message of a kind; others are passed over.
    async fn next_of(&mut self, kind: &str) -> Heard {
        loop {
            let heard = self.next().await;
            if heard.kind == kind {
                return heard;
            }
        }
    }

    async fn briefs(&mut self, count: usize) -> Vec<String> {
        let mut briefs = Vec::new();
        for _ in 0..count {
            briefs.push(self.next().await.brief());
        }
        briefs
    }
}

fn capture(app: &App) {
    let format = StreamFormat { sample: SampleFormat::S16Le, rate_hz: RATE_HZ, channels: 2 };
    app.status.update(|it| it.capture = CaptureState::Running { device: "hw:0".into(), format });
}

fn level(app: &App, rms_dbfs: f32) {
    app.status.set_level(0, Level { rms_dbfs, peak_dbfs: -3.04 });
}

#[tokio::test]
async fn one_answer() {
    let it = bench();
    capture(&it.app);
    level(&it.app, -32.512);
    it.app.live.show(partial(1, 500, 3));
    let id = it.start().await;
    let now = it.ask("GET /live", "").await.json();
    assert_eq!(now["recording"]["id"], *id);
    assert_eq!((&now["capture"]["state"], &now["model"]["state"]), (&json!("running"), &json!("none")));
    assert_eq!(now["levels"][0], json!({ "label": null, "rms_dbfs": -32.5, "peak_dbfs": -3.0 }));
    assert_eq!(now["partials"], json!([partial(1, 500, 3)]));
    for accept in ["*/*", "application/json", "text/html"] {
        let headers = [("x-api-key", it.viewer.as_str()), ("accept", accept)];
        let answer = it.send("GET /live?levels=false", &headers, "").await;
        assert_eq!(
            (answer.header("content-type"), &answer.json()["levels"]),
            ("application/json", &json!([]))
        );
    }
    for (query, headers) in [("?after=x", None), ("?what=1", None), ("", Some(("last-event-id", "x")))] {
        let given = [("x-api-key", it.viewer.as_str()), ("accept", "text/event-stream;q=1, */*")];
        let headers: Vec<_> = given.into_iter().chain(headers).collect();
        it.send(&format!("GET /live{query}"), &headers, "").await.problem(422);
    }
}

#[tokio::test]
async fn what_is_of_the_moment_and_what_lasts() {
    let it = bench();
    it.app.live.show(partial(0, 500, 1));
    let (mut all, mut still) =
        (Follower::open(&it, "", &[]).await, Follower::open(&it, "?levels=false", &[]).await);
    for follower in [&mut all, &mut still] {
        assert_eq!(follower.next_of("caption.partial").await.data, json!(partial(0, 500, 1)));
        // It came before or comes after.
        follower.ready.clear();
    }
    capture(&it.app);
    assert_eq!(all.next_of("state").await.data["capture"]["device"], "hw:0");
    let quiet = all.next_of("level").await;
    assert_eq!((&quiet.data["levels"][1]["rms_dbfs"], quiet.seq), (&json!(0.0), None));
    level(&it.app, -20.0);
    assert_eq!(all.next().await.data["levels"][0]["rms_dbfs"], -20.0, "nothing else came meanwhile");
    // A hundredth of a decibel is no change; what follows is the next thing that is.
    level(&it.app, -20.01);
    it.app.live.show(partial(0, 500, 2));
    publish(&it.app, "nothing.seen", 1).await;
    publish_final(&it.app, 2).await;
    it.app.live.clear(0);
    assert_eq!(all.next_of("caption.partial").await.data["revision"], 2);
    assert_eq!(all.briefs(2).await, ["talk.completed 2", "caption.gone null"], "the final one first");
    level(&it.app, -21.0);
    let id = it.start().await;
    let started = all.next_of("recording.started").await;
    assert_eq!(started.data["payload"]["recording_id"], *id);
    assert_eq!(all.next_of("state").await.data["recording"]["id"], *id);
    it.ask(&format!("POST /recordings/{id}/stop"), "").await;
    assert_eq!(all.next_of("recording.ended").await.seq.unwrap(), it.app.log.last_seq().unwrap());
    while all.next_of("state").await.data["recording"] != Value::Null {}
    it.app.status.update(|it| it.captions = CaptionState::Behind { waiting_ms: 7000 });
    let behind = json!({ "state": "behind", "waiting_ms": 7000 });
    assert_eq!(all.next_of("state").await.data["captions"], behind);
    it.app.status.update(|it| it.capture = CaptureState::Ended);
    while all.next_of("state").await.data["capture"]["state"] != "ended" {}
    assert_eq!(still.next_of("caption.partial").await.data["revision"], 2);
    loop {
        let heard = still.next().await;
        assert_ne!(heard.kind, "level");
        if heard.kind == "state" && heard.data["capture"]["state"] == "ended" {
            break;
        }
    }
}

#[tokio::test]
async fn who_was_cut_off_misses_nothing_that_lasts() {
    let it = bench();
    let mut first = Follower::open(&it, "", &[]).await;
    for n in 0..3 {
        publish_final(&it.app, n).await;
    }
    let mut last = 0;
    for n in 0..3 {
        let heard = first.next_of("talk.completed").await;
        assert_eq!(heard.data["payload"]["n"], n);
        last = heard.seq.unwrap();
    }
    drop(first);
    for n in 3..600 {
        publish_final(&it.app, n).await;
    }
    it.app.live.show(partial(0, 500, 7));
    let last = last.to_string();
    let by_query = format!("?after={last}");
    for (query, headers) in [(&*by_query, vec![]), ("?after=1", vec![("last-event-id", &*last)])] {
        let mut again = Follower::open(&it, query, &headers).await;
        for n in 3..600 {
            assert_eq!(again.next().await.brief(), format!("talk.completed {n}"), "before anything else");
        }
        let mut shown = again.briefs(2).await;
        shown.sort();
        assert_eq!(shown, ["caption.partial 7", "state null"]);
    }
    let mut fresh = Follower::open(&it, "", &[]).await;
    assert_eq!(fresh.next_of("caption.partial").await.brief(), "caption.partial 7", "nothing that was");
    publish_final(&it.app, 600).await;
    assert_eq!(fresh.next_of("talk.completed").await.brief(), "talk.completed 600");

    let log = it.app.log.clone();
    let kept = log.last_seq().unwrap();
    let prune = Prune { before_seq: kept, down_to_bytes: None };
    tokio::task::spawn_blocking(move || log.prune(prune)).await.unwrap().unwrap();
    let mut late = Follower::open(&it, &by_query, &[]).await;
    let gap = late.next().await;
    assert_eq!((&*gap.kind, gap.seq, &gap.data["to"]), ("gap", Some(kept - 1), &json!(kept - 1)));
    assert_eq!(late.next().await.brief(), "talk.completed 600");
}
