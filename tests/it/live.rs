//! `GET /live` of a whole box: a hundred who look at one meeting, who is cut off, and who leaves without a
//! word; and the page with captions that still change, in a real browser.

use std::{fs, sync::Arc, time::Instant};

use futures_util::StreamExt;
use panotti::{
    bus::Bus,
    config::Config,
    event_log::EventLog,
    http::{Access, App, serve},
    live::Partial,
    plugins::{Plugins, Site},
    recordings::{Command, NewRecording, Recordings},
    security::Keys,
    speech::{Segment, desk},
    status::CaptionState,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::{
    browser::Browser,
    harness::{KEY, PATIENCE, Panotti, Setup, fixture},
};

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
        request.headers_mut().insert("x-api-key", KEY.parse().unwrap());
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
    let expected = in_the_log(&panotti, &seen[0].0[0], seen[0].0.last().unwrap()).await;
    assert_eq!(expected[0]["name"], "recording.started");
    assert!(expected.iter().filter(|it| it["name"] == "caption.published").count() >= 3, "{expected:#?}");
    for (lasting, _) in &seen {
        assert_eq!(*lasting, expected);
    }
    println!("resident: {before} MiB before, {during} MiB with a hundred who look");
    // A hundred connections in a debug build, and whatever a second meeting takes.
    assert!(during < before + 64, "{before} MiB grew to {during} MiB");

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

    // Both end when the box does, and it does not wait for them.
    let began = Instant::now();
    let (status, _) = tokio::task::spawn_blocking(|| panotti.stop()).await.unwrap();
    assert!(status.success());
    while events.next().await.is_some() {}
    while socket.next().await.is_some() {}
    println!("stopped in {:?}", began.elapsed());
}

/// A box of this process whose captions a test makes up: a pipeline that answers and hears nothing.
struct Room {
    app: App,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Room {
    async fn new(dir: &std::path::Path) -> Self {
        let mut config = Config::default();
        config.storage.data_dir = dir.to_owned();
        let log = EventLog::open(&config.storage.events_dir()).unwrap();
        let runtime = tokio::runtime::Handle::current();
        let bus = Bus::start(log.clone(), runtime.clone()).unwrap();
        let site = Site {
            settings_dir: config.plugins_dir(),
            env: Vec::new(),
            data_dir: dir.to_owned(),
            recordings_dir: config.storage.recordings_dir(),
            credentials_dir: None,
        };
        let (desk, _) = desk();
        let plugins = Plugins::start(&[], site, desk.clone(), &log, &bus, &runtime).unwrap();
        let (recordings, mut commands) =
            Recordings::open(log.clone(), &config.storage.recordings_dir(), Vec::new(), Box::new(|| false))
                .unwrap();
        std::thread::spawn(move || {
            while let Some(command) = commands.blocking_recv() {
                match command {
                    Command::Start { reply, .. } => {
                        let format = panotti::audio::StreamFormat {
                            sample: panotti::audio::SampleFormat::S16Le,
                            rate_hz: 16_000,
                            channels: 1,
                        };
                        reply.send(Ok(format)).ok();
                    }
                    Command::Pause { reply } | Command::Resume { reply } | Command::Stop { reply } => {
                        reply.send(Ok(250)).ok();
                    }
                    Command::Transcribe { .. } | Command::Forget { .. } => {}
                }
            }
        });
        let app = App {
            recordings,
            keys: Keys::new(log.clone(), None),
            log,
            bus,
            plugins,
            status: Arc::default(),
            live: Arc::default(),
            desk,
            config: Arc::new(config),
            access: Access::OpenOnLoopback,
            started: Instant::now(),
        };
        let (address, stop, served) = Self::listen(&app, "127.0.0.1:0").await;
        Self { app, address, stop, served }
    }

    async fn listen(
        app: &App,
        address: &str,
    ) -> (std::net::SocketAddr, oneshot::Sender<()>, JoinHandle<std::io::Result<()>>) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        (address, stop, tokio::spawn(serve(listener, app.clone(), async { drop(stopped.await) })))
    }

    /// The network goes, and is back after something happened.
    async fn cut(self, meanwhile: impl AsyncFnOnce(&App)) -> Self {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
        meanwhile(&self.app).await;
        let (address, stop, served) = Self::listen(&self.app, &self.address.to_string()).await;
        Self { app: self.app, address, stop, served }
    }
}

fn partial(id: &str, revision: u32, stable: &str, tentative: &str) -> Partial {
    Partial {
        recording_id: id.into(),
        lane: 0,
        speaker: Some("Ada".into()),
        start_ms: 1000,
        revision,
        stable: stable.into(),
        tentative: tentative.into(),
    }
}

async fn said(app: &App, id: &str, start_ms: u64, text: &str) {
    let (recordings, id) = (app.recordings.clone(), id.to_owned());
    let segment = Segment {
        start_ms,
        end_ms: start_ms + 900,
        speaker: Some("Ada".into()),
        text: text.into(),
        words: Vec::new(),
        confidence: 0.9,
    };
    tokio::task::spawn_blocking(move || recordings.caption(&id, &segment)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_is_being_said() {
    let Some(browser) = Browser::open().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let room = Room::new(dir.path()).await;
    browser.visit(&format!("http://{}/", room.address)).await;
    browser.until("document.getElementById('connection').textContent === 'Connected'").await;
    let new = NewRecording { title: "Live".into(), ..NewRecording::default() };
    let id = room.app.recordings.start(new).await.unwrap().id;
    browser.until("document.getElementById('running-title').textContent === 'Live'").await;

    browser.until("document.querySelectorAll('#recordings li').length === 1").await;

    room.app.live.show(partial(&id, 1, "", "we"));
    browser.until("document.querySelector('#partials .tentative')?.textContent === 'we'").await;
    // The row stays when its words change; every frame from here on is looked at.
    browser
        .run(
            "document.querySelector('#partials li').id = 'first';
             window.frames = [];
             (function look() {
               frames.push([document.querySelectorAll('#captions li').length, document.querySelectorAll('#partials li').length].join());
               requestAnimationFrame(look);
             })();",
        )
        .await;
    room.app.live.show(partial(&id, 2, "We will", "shi"));
    browser.until("document.querySelector('#first .stable')?.textContent === 'We will'").await;
    let row = "document.getElementById('first')";
    assert_eq!(browser.run(&format!("return {row}.textContent")).await, "00:01Ada: We will shi");
    let color = |of: &str| format!("getComputedStyle({row}.querySelector('.{of}')).color");
    let differ = format!("return {} !== {}", color("stable"), color("tentative"));
    assert_eq!(browser.run(&differ).await, true, "words that may change look lighter");
    let quiet = "return document.querySelector('#partials').closest('[aria-live]') === null";
    assert_eq!(browser.run(quiet).await, true, "screen readers hear final captions alone");
    browser.picture("partial").await;

    said(&room.app, &id, 1200, "We will ship on Friday.").await;
    room.app.live.clear(0);
    let captions = "[...document.querySelectorAll('#captions li')].map((it) => it.textContent).join('|')";
    browser.until(&format!("{captions} === '00:01Ada: We will ship on Friday.'")).await;
    browser.until("!document.querySelector('#partials li')").await;
    let frames = browser.run("return [...new Set(frames)]").await;
    assert_eq!(frames, serde_json::json!(["0,1", "1,0"]), "never nothing, never both");

    // A box that is too slow says so.
    let slow = "document.getElementById('slow')";
    for (state, says) in [
        (CaptionState::WithoutPartials, "while somebody speaks"),
        (CaptionState::Behind { waiting_ms: 12_300 }, "about 15 s"),
    ] {
        room.app.status.update(|it| it.captions = state);
        browser.until(&format!("{slow}.checkVisibility() && {slow}.textContent.includes('{says}')")).await;
        browser.picture("slow").await;
    }
    room.app.status.update(|it| it.captions = CaptionState::Live);
    browser.until(&format!("!{slow}.checkVisibility()")).await;

    // The network goes; what is of the moment is forgotten, what lasts comes once.
    room.app.live.show(partial(&id, 1, "And", "then"));
    browser.until("document.querySelector('#partials li')").await;
    let room = room
        .cut(async |app| {
            browser.until("document.getElementById('connection').textContent.includes('lost')").await;
            said(app, &id, 3000, "Then we test.").await;
            app.live.clear(0);
        })
        .await;
    let both = "00:01Ada: We will ship on Friday.|00:03Ada: Then we test.";
    browser.until(&format!("{captions} === '{both}'")).await;
    browser.until("!document.querySelector('#partials li')").await;
    browser.until("document.getElementById('connection').textContent === 'Connected'").await;

    // A second one who comes late sees the same, and so does the first after the end.
    browser.visit(&format!("http://{}/", room.address)).await;
    browser.until(&format!("{captions} === '{both}'")).await;
    room.app.recordings.stop(&id).await.unwrap();
    browser.until("document.getElementById('running-state').textContent === 'Ready'").await;
    assert_eq!(browser.run(&format!("return {captions}")).await, both);
}
