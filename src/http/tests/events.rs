//! The log over HTTP: pages and the stream.

use std::collections::VecDeque;

use futures_util::StreamExt;
use panotti_sdk::NewEvent;
use serde_json::json;

use super::*;
use crate::event_log::Batch;

async fn publish(app: &App, name: &str, n: u64) {
    let event = NewEvent::new(name.parse().unwrap(), json!({ "n": n }));
    app.log.append(Batch { events: vec![event], ..Batch::default() }).await.unwrap();
}

/// Events of a stream, as they arrive: `id`, `event`, `data.payload.n`.
struct Reader {
    body: axum::body::BodyDataStream,
    text: String,
    ready: VecDeque<(u64, String, u64)>,
}

impl Reader {
    async fn open(bench: &Bench, query: &str, headers: &[(&str, &str)]) -> Self {
        let headers = [&[("x-api-key", bench.viewer.as_str())], headers].concat();
        let request = request(&format!("GET /events/stream{query}"), &headers, "");
        let response = bench.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new(), ready: VecDeque::new() }
    }

    async fn next(&mut self) -> (u64, String, u64) {
        while self.ready.is_empty() {
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.body.next()).await;
            self.text.push_str(str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or("")
                };
                if let Ok(data) = serde_json::from_str::<Value>(field("data")) {
                    let id: u64 = field("id").parse().unwrap();
                    assert_eq!(data["seq"], id);
                    let n = data["payload"]["n"].as_u64().unwrap();
                    self.ready.push_back((id, field("event").to_owned(), n));
                }
                self.text = rest.to_owned();
            }
        }
        self.ready.pop_front().unwrap()
    }
}

#[tokio::test]
async fn pages_in_both_orders() {
    let it = bench();
    for n in 0..7 {
        publish(&it.app, if n % 2 == 0 { "even.seen" } else { "odd.seen" }, n).await;
    }
    for (query, expected) in [
        ("name=even.seen", vec![6, 4, 2, 0]),
        ("name=even.*&order=desc", vec![6, 4, 2, 0]),
        ("name=*.seen&order=asc", vec![0, 1, 2, 3, 4, 5, 6]),
        ("name=nothing.**", vec![]),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = it.ask(&format!("GET /events?limit=3&{query}{cursor}"), "").await.json();
            let items = page["items"].as_array().unwrap_or_else(|| panic!("{query}: {page}"));
            seen.extend(items.iter().map(|it| it["payload"]["n"].as_u64().unwrap()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, expected, "{query}");
    }
    let desc = it.ask("GET /events?limit=1", "").await.json();
    let cursor = desc["next_cursor"].as_str().unwrap();
    for query in [
        &*format!("order=asc&cursor={cursor}"),
        "order=up",
        "name=A.b",
        "name=..",
        "correlation_id=x",
        "after=1",
    ] {
        it.ask(&format!("GET /events?{query}"), "").await.problem(422);
    }
}

#[tokio::test]
async fn a_stream_goes_on_where_the_client_was_cut_off() {
    let it = bench();
    let begin = *it.app.log.tail().borrow();
    for n in 0..600 {
        publish(&it.app, if n % 2 == 0 { "even.seen" } else { "odd.seen" }, n).await;
    }
    let mut first = Reader::open(&it, &format!("?after={begin}"), &[]).await;
    let mut last = 0;
    for n in 0..300 {
        let (id, _, got) = first.next().await;
        assert_eq!(got, n);
        last = id;
    }
    drop(first);
    publish(&it.app, "odd.seen", 601).await;
    // The header wins over the query.
    let mut second = Reader::open(&it, "?after=0", &[("last-event-id", &last.to_string())]).await;
    for n in (300..600).chain([601]) {
        assert_eq!(second.next().await.2, n);
    }
    publish(&it.app, "odd.seen", 602).await;
    assert_eq!(second.next().await.1, "odd.seen");

    let mut filtered = Reader::open(&it, &format!("?after={begin}&name=even.*"), &[]).await;
    for n in (0..600).step_by(2) {
        assert_eq!(filtered.next().await.2, n);
    }
    publish(&it.app, "odd.seen", 603).await;
    publish(&it.app, "even.seen", 604).await;
    assert_eq!(filtered.next().await.2, 604);
}

#[tokio::test]
async fn a_stream_without_a_place_begins_now() {
    let it = bench();
    publish(&it.app, "old.seen", 1).await;
    let mut stream = Reader::open(&it, "", &[]).await;
    publish(&it.app, "new.seen", 2).await;
    assert_eq!(stream.next().await.2, 2);
    let bad = it.send("GET /events/stream", &[("x-api-key", ADMIN), ("last-event-id", "x")], "").await;
    bad.problem(422);
}

#[tokio::test]
async fn streams_end_when_the_box_stops() {
    let it = bench();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, it.app.clone(), async { drop(stopped.await) }));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /events/stream?after=0 HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n", it.viewer);
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    assert_eq!(stop.send(()), Ok(()));
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "the stream is ended, not cut");
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_passes_what_fits_all_that_is_asked_for() {
    let it = bench();
    let filter = r#"{"name": "late", "where": "payload.n >= 10"}"#;
    assert_eq!(it.ask("POST /events/filter", filter).await.status, StatusCode::CREATED);
    let begin = *it.app.log.tail().borrow();
    for n in 0..20 {
        publish(&it.app, if n % 2 == 0 { "even.seen" } else { "odd.seen" }, n).await;
    }
    let query = format!("?after={begin}&filter=late&name=even.*&where=payload.n%20!%3D%2012");
    let mut stream = Reader::open(&it, &query, &[]).await;
    for n in [10, 14, 16, 18] {
        assert_eq!(stream.next().await.2, n);
    }
    publish(&it.app, "even.seen", 3).await;
    publish(&it.app, "odd.seen", 30).await;
    publish(&it.app, "even.seen", 30).await;
    assert_eq!(stream.next().await.2, 30);
}

#[tokio::test]
async fn a_stream_tells_of_what_retention_has_removed() {
    let it = bench();
    let begin = *it.app.log.tail().borrow();
    for n in 0..10 {
        publish(&it.app, "even.seen", n).await;
    }
    let log = it.app.log.clone();
    let prune = crate::event_log::Prune { before_seq: begin + 6, down_to_bytes: None };
    tokio::task::spawn_blocking(move || log.prune(prune)).await.unwrap().unwrap();

    let raw = async |headers: &[(&str, &str)], query: &str| {
        let headers = [&[("x-api-key", it.viewer.as_str())], headers].concat();
        let request = request(&format!("GET /events/stream{query}"), &headers, "");
        let body = it.router.clone().oneshot(request).await.unwrap().into_body();
        let chunk = tokio::time::timeout(Duration::from_secs(60), body.into_data_stream().next()).await;
        String::from_utf8(chunk.unwrap().unwrap().unwrap().to_vec()).unwrap()
    };
    // Two were seen, three are missing.
    let seen = (begin + 2).to_string();
    let first = raw(&[("last-event-id", &seen)], "").await;
    let gap = json!({ "from": begin + 3, "to": begin + 5 });
    let field = |name: &str| first.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
    assert_eq!((field("event:"), field("id:")), ("gap", (begin + 5).to_string().as_str()), "{first}");
    assert_eq!(serde_json::from_str::<Value>(field("data:")).unwrap(), gap);
    // Whoever asks for the beginning, or has seen all that is gone, misses nothing.
    for query in ["?after=0".to_owned(), format!("?after={}", begin + 5)] {
        let first = raw(&[], &query).await;
        assert!(first.contains(&format!("id: {}", begin + 6)) || query == "?after=0", "{first}");
        assert!(!first.contains("event: gap"), "{first}");
    }
}
