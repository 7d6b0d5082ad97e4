//! `GET /live` of a whole box: a hundred who look at one meeting, who is cut off, and who leaves without a
//! word.

use std::{fs, time::Instant};

use futures_util::StreamExt;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{KEY, PATIENCE, Panotti, Setup, fixture};

/// Memory of a process, MiB: `VmRSS` of proc_pid_status(5).
fn resident_mib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// One who looks, by either transport; messages as of the WebSocket.
enum Viewer {
    Events { answer: reqwest::Response, text: String },
    Socket(tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>),
}

impl Viewer {
    async fn events(panotti: &Panotti, after: Option<u64>) -> Self {
        let request = panotti.request("GET", "/live").header("accept", "text/event-stream");
        let request = after.into_iter().fold(request, |it, seq| it.header("last-event-id", seq));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Self::Events { answer, text: String::new() }
    }

    async fn socket(panotti: &Panotti, after: Option<u64>) -> Self {
        let query = after.map_or(String::new(), |seq| format!("?after={seq}"));
        let mut request = format!("ws://{}/live{query}", panotti.address).into_client_request().unwrap();
        // As browsers have to.
        let offers = format!("panotti.live, panotti.key.{KEY}");
        request.headers_mut().insert("sec-websocket-protocol", offers.parse().unwrap());
        Self::Socket(tokio_tungstenite::connect_async(request).await.unwrap().0)
    }

    /// The next message; `None` at the end of all.
    async fn next(&mut self) -> Option<Value> {
        tokio::time::timeout(PATIENCE, self.take()).await.expect("something comes")
    }

    async fn take(&mut self) -> Option<Value> {
        match self {
            Self::Socket(socket) => loop {
                let message = socket.next().await?.ok()?;
                if let Ok(text) = message.to_text()
                    && message.is_text()
                {
                    return Some(serde_json::from_str(text).unwrap());
                }
            },
            Self::Events { answer, text } => loop {
                while let Some((block, rest)) = text.split_once("\n\n") {
                    let field =
                        |name: &str| block.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(": "));
                    let data = field("data").map(|it| serde_json::from_str::<Value>(it).unwrap());
                    let message = data.map(|data| {
                        let seq = field("id").map(|it| it.parse::<u64>().unwrap());
                        serde_json::json!({ "type": field("event"), "seq": seq, "data": data })
                    });
                    *text = rest.to_owned();
                    if message.is_some() {
                        return message;
                    }
                }
                text.push_str(str::from_utf8(&answer.chunk().await.ok()??).unwrap());
            },
        }
    }

    /// The events of the log among what comes, with the last of that name.
    async fn lasting_until(&mut self, name: &str) -> Vec<Value> {
        let mut lasting = Vec::new();
        loop {
            let message = self.next().await.expect("the stream goes on");
            if message["seq"].is_u64() {
                assert_eq!(message["seq"], message["data"]["seq"]);
                assert_eq!(message["type"], message["data"]["name"]);
                lasting.push(message["data"].clone());
                if message["type"] == name {
                    return lasting;
                }
            }
        }
    }
}

/// What the log has of a meeting for followers, from one event to another.
async fn in_the_log(panotti: &Panotti, first: &Value, last: &Value) -> Vec<Value> {
    let told = |it: &Value| {
        let name = it["name"].as_str().unwrap();
        ["caption.", "recording."].iter().any(|topic| name.starts_with(topic))
            || [".completed", ".error"].iter().any(|topic| name.ends_with(topic))
            || name == "plugin.state_changed"
            || name.starts_with("desktop_notification.")
    };
    let seq = |it: &Value| it["seq"].as_u64().unwrap();
    let all = panotti.everything().await.into_iter();
    all.filter(|it| (seq(first)..=seq(last)).contains(&seq(it)) && told(it)).collect()
}

#[cfg(feature = "whisper")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_look_at_one_meeting() {
    let panotti = Setup::hearing_wav(&fixture("speech/meeting-0.wav")).start();
    let warm = panotti.record("Warm").await;
    panotti.wait_events("caption.published", 1).await;
    panotti.finish(&warm).await;
    let before = resident_mib(panotti.id());

    let mut viewers = Vec::new();
    for it in 0..100 {
        viewers.push(match it % 2 {
            0 => Viewer::events(&panotti, None).await,
            _ => Viewer::socket(&panotti, None).await,
        });
    }
    assert_eq!(panotti.get("/system").await["viewers"], 100);
    let id = panotti.record("Looked at").await;
    // Ten who never take anything.
    let mut deaf = Vec::new();
    for _ in 0..10 {
        deaf.push(Viewer::events(&panotti, None).await);
    }
    let looking: Vec<JoinHandle<_>> = viewers
        .into_iter()
        .map(|mut it| tokio::spawn(async move { (it.lasting_until("recording.ended").await, it) }))
        .collect();
    panotti
        .until("three captions of it", async || {
            let captions = panotti.events("caption.published").await;
            (captions.iter().filter(|it| it["payload"]["recording_id"] == *id).count() >= 3).then_some(())
        })
        .await;
    let during = resident_mib(panotti.id());
    panotti.post(&format!("/recordings/{id}/stop"), serde_json::json!({})).await;
    let mut seen = Vec::new();
    for it in looking {
        seen.push(it.await.unwrap());
    }
    // What is made of the first meeting may still come while they come.
    for (lasting, _) in &mut seen {
        let of_this = lasting.iter().position(|it| it["name"] == "recording.started").unwrap();
        lasting.drain(..of_this);
    }
    let expected = in_the_log(&panotti, &seen[0].0[0], seen[0].0.last().unwrap()).await;
    assert!(expected.iter().filter(|it| it["name"] == "caption.published").count() >= 3, "{expected:#?}");
    for (lasting, _) in &seen {
        assert_eq!(*lasting, expected);
    }
    println!("resident: {before} MiB before, {during} MiB with a hundred who look");
    // A hundred and ten connections in a debug build, and whatever is made of two meetings meanwhile: who
    // kept a megabyte for each would be over it.
    assert!(during < before + 96, "{before} MiB grew to {during} MiB");

    // Who leaves without a word leaves nothing behind.
    drop((seen, deaf));
    panotti
        .until("nobody looks", async || (panotti.get("/system").await["viewers"] == 0).then_some(()))
        .await;
}

#[cfg(feature = "whisper")]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_off_goes_on_where_that_was() {
    let panotti = Setup::hearing_wav(&fixture("speech/meeting-0.wav")).start();
    let (mut events, mut socket) =
        (Viewer::events(&panotti, None).await, Viewer::socket(&panotti, None).await);
    let id = panotti.record("Cut off").await;
    let mut seen =
        [events.lasting_until("caption.published").await, socket.lasting_until("caption.published").await];
    drop((events, socket));
    let captions = panotti.events("caption.published").await.len();
    panotti.wait_events("caption.published", captions + 1).await;
    let after = |seen: &[Value]| seen.last().unwrap()["seq"].as_u64();
    let mut events = Viewer::events(&panotti, after(&seen[0])).await;
    let mut socket = Viewer::socket(&panotti, after(&seen[1])).await;
    // What is of the moment comes again, what lasts does not.
    seen[0].extend(events.lasting_until("caption.published").await);
    seen[1].extend(socket.lasting_until("caption.published").await);
    panotti.finish(&id).await;
    seen[0].extend(events.lasting_until("recording.ended").await);
    seen[1].extend(socket.lasting_until("recording.ended").await);
    for seen in &seen {
        assert_eq!(*seen, in_the_log(&panotti, &seen[0], seen.last().unwrap()).await);
    }

    assert!(!panotti.log().contains(KEY), "keys are not written down");
    // Both end when the box does, and it does not wait for them.
    let began = Instant::now();
    let (status, _) = tokio::task::spawn_blocking(|| panotti.stop()).await.unwrap();
    assert!(status.success());
    while events.next().await.is_some() {}
    while socket.next().await.is_some() {}
    println!("stopped in {:?}", began.elapsed());
}
