//! The API against a real log and real recordings, with a pipeline that answers but hears nothing.

mod access;
mod bus;
mod events;
mod filters;
mod live;
mod openai;
mod original;
mod page;
mod plugins;
mod publish;
mod recordings;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
    response::IntoResponse as _,
};
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::{
    audio::{SampleFormat, StreamFormat},
    recordings::Command,
};

const ADMIN: &str = "the-first-key";
const RATE_HZ: u32 = 16_000;
const FRAMES: usize = 4_000;

/// A box without a room.
struct Bench {
    dir: tempfile::TempDir,
    app: App,
    router: Router,
    operator: String,
    viewer: String,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// The `detail` of a problem with `status`.
    #[track_caller]
    fn problem(&self, status: u16) -> String {
        let body = self.json();
        assert_eq!((self.status.as_u16(), self.header("content-type")), (status, "application/problem+json"));
        assert_eq!(body["status"], status);
        body["detail"].as_str().unwrap().to_owned()
    }
}

fn app(dir: &std::path::Path, admin: Option<&str>, access: Access) -> App {
    let mut config = Config::default();
    config.storage.data_dir = dir.to_owned();
    let log = EventLog::open(&config.storage.events_dir()).unwrap();
    let bus = Bus::start(log.clone(), tokio::runtime::Handle::current()).unwrap();
    let site = crate::plugins::Site {
        settings_dir: config.plugins_dir(),
        env: Vec::new(),
        data_dir: dir.to_owned(),
        recordings_dir: config.storage.recordings_dir(),
        credentials_dir: None,
    };
    let (desk, _) = crate::speech::desk();
    let plugins =
        Plugins::start(&[], site, desk.clone(), &log, &bus, &tokio::runtime::Handle::current()).unwrap();
    let (recordings, mut commands) =
        Recordings::open(log.clone(), &config.storage.recordings_dir(), Vec::new(), Box::new(|| false))
            .unwrap();
    std::thread::spawn(move || {
        while let Some(command) = commands.blocking_recv() {
            match command {
                Command::Start { dir, reply, .. } => {
                    write_wav(&dir.join("audio-0001.wav"));
                    let format = StreamFormat { sample: SampleFormat::S16Le, rate_hz: RATE_HZ, channels: 1 };
                    drop(reply.send(Ok(format)));
                }
                Command::Pause { reply } | Command::Resume { reply } | Command::Stop { reply } => {
                    drop(reply.send(Ok(250)));
                }
                Command::Transcribe { .. } | Command::Forget { .. } => {}
            }
        }
    });
    let config = Arc::new(config);
    App {
        recordings,
        models: crate::models::Models::new(config.clone(), desk.clone(), log.clone()),
        keys: Keys::new(log.clone(), admin.map(str::to_owned)),
        log,
        bus,
        plugins,
        status: Arc::default(),
        live: Arc::default(),
        desk,
        config,
        access,
        started: Instant::now(),
    }
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let app = app(dir.path(), Some(ADMIN), Access::Keys);
    let key = |role| app.keys.create("test", role).unwrap().1.expose().to_owned();
    let (operator, viewer) = (key(Role::Operator), key(Role::Viewer));
    Bench { dir, router: router(app.clone()), app, operator, viewer }
}

fn write_wav(path: &std::path::Path) {
    write_wav_at(path, RATE_HZ);
}

fn write_wav_at(path: &std::path::Path, rate_hz: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for it in 0..FRAMES {
        wav.write_sample(i16::try_from(it).unwrap()).unwrap();
    }
    wav.finalize().unwrap();
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, bytes }
}

/// A request in one line: `POST /recordings`, headers, body.
fn request(line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let (method, uri) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(uri);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.into()).unwrap()
}

impl Bench {
    async fn send(&self, line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        send(&self.router, request(line, headers, body)).await
    }

    /// As an operator.
    async fn ask(&self, line: &str, body: impl Into<Body>) -> Answer {
        self.send(line, &[("x-api-key", &self.operator)], body).await
    }

    /// A recording that runs.
    async fn start(&self) -> String {
        let answer = self.ask("POST /recordings", "").await;
        assert_eq!(answer.status, StatusCode::CREATED);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// A recording that was stopped.
    async fn stopped(&self) -> String {
        let id = self.start().await;
        assert_eq!(self.ask(&format!("POST /recordings/{id}/stop"), "").await.status, StatusCode::OK);
        id
    }
}
