//! Captions that still change, on the page in a real browser; a test makes up what is said, since what a
//! model hears cannot be told beforehand word by word.

use std::{sync::Arc, time::Instant};

use panotti::{
    bus::Bus,
    config::Config,
    event_log::EventLog,
    http::{Access, App, serve},
    live::Partial,
    models::Models,
    plugins::{Plugins, Site},
    recordings::{Command, NewRecording, Recordings},
    security::Keys,
    speech::{Segment, desk},
    status::CaptionState,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::browser::Browser;

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
        let config = Arc::new(config);
        let app = App {
            models: Models::new(config.clone(), desk.clone(), log.clone()),
            recordings,
            keys: Keys::new(log.clone(), None),
            log,
            bus,
            plugins,
            status: Arc::default(),
            live: Arc::default(),
            desk,
            config,
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
    // The next frame may not have been looked at yet.
    browser.until("frames.at(-1) === '1,0'").await;
    let frames = browser.run("return [...new Set(frames)]").await;
    assert_eq!(frames, serde_json::json!(["0,1", "1,0"]), "never nothing, never both");

    // What nobody is named for is not taken away by what another microphone heard.
    let unnamed = Partial { lane: 1, speaker: None, start_ms: 2000, ..partial(&id, 1, "", "and") };
    room.app.live.show(unnamed);
    browser.until("document.querySelector('#partials .tentative')?.textContent === 'and'").await;
    said(&room.app, &id, 2100, "Ours.").await;
    browser.until(&format!("{captions}.endsWith('|00:02Ada: Ours.')")).await;
    assert_eq!(browser.run("return document.querySelectorAll('#partials li').length").await, 1);
    room.app.live.clear(1);
    browser.until("!document.querySelector('#partials li')").await;

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
    room.app.live.show(Partial { start_ms: 2900, ..partial(&id, 1, "And", "then") });
    browser.until("document.querySelector('#partials li')").await;
    let room = room
        .cut(async |app| {
            browser.until("document.getElementById('connection').textContent.includes('lost')").await;
            said(app, &id, 3000, "Then we test.").await;
            app.live.clear(0);
        })
        .await;
    let both = "00:01Ada: We will ship on Friday.|00:02Ada: Ours.|00:03Ada: Then we test.";
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
