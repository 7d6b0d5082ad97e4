//! Brings the whole thing up: the real binary on port 0, in a temporary directory, with the demo model.
//! Owns processes, directories, keys and waiting; leaves what is asked of them to the tests.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Everything a test waits for comes within this, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const KEY: &str = "test-key-of-the-harness";

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn demo_model() -> PathBuf {
    fixture("panotti-demo.en-q5_1.bin")
}

/// The sentences of `meeting_picked.wav`.
pub(crate) fn reference() -> String {
    std::fs::read_to_string(fixture("speech/meeting_picked.txt")).unwrap()
}

/// Other people's recordings, where they are at hand.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if !found.exists() {
        println!("skipped: {path} is not at hand");
    }
    found.exists().then_some(found)
}

/// All the text of a transcript in JSON.
pub(crate) fn text_of(transcript: &Value) -> String {
    let segments = transcript["segments"].as_array().unwrap();
    segments.iter().map(|it| it["text"].as_str().unwrap().trim()).collect::<Vec<_>>().join(" ")
}

/// `panotti` with these arguments, and none of the environment's own settings.
pub(crate) fn panotti(args: &[&str]) -> Command {
    let mut command = without_settings(env!("CARGO_BIN_EXE_panotti"));
    command.args(args);
    command
}

fn without_settings(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        if name.starts_with("PANOTTI_")
            || name.starts_with("API_")
            || name == "RECORDINGS_DIR"
            || name == "LOG_LEVEL"
        {
            command.env_remove(name);
        }
    }
    command
}

/// How a box is set up before it starts.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) dir: Arc<TempDir>,
    settings: Vec<(String, String)>,
    launcher: Vec<String>,
    listen: String,
}

impl Setup {
    /// A box that hears `device`, with the demo model.
    pub(crate) fn hearing(device: impl Into<String>) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self { dir, settings: Vec::new(), launcher: Vec::new(), listen: "127.0.0.1:0".into() }
            .set("PANOTTI_AUDIO__DEVICE", device)
            .set("PANOTTI_TRANSCRIPTION__MODEL", demo_model().to_str().unwrap())
            // One thread: several boxes share the cores, and whisper.cpp waits by spinning.
            .set("PANOTTI_TRANSCRIPTION__THREADS", "1")
            .set("PANOTTI_LOGGING__FORMAT", "json")
            .set("API_KEY", KEY)
    }

    /// A box that hears a fixture again and again is one that hears a WAV file in real time.
    pub(crate) fn hearing_wav(path: &Path) -> Self {
        Self::hearing(format!("wav:{}", path.display()))
    }

    pub(crate) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.retain(|(it, _)| it != name);
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// A box that listens there again.
    pub(crate) fn listening(mut self, address: SocketAddr) -> Self {
        self.listen = address.to_string();
        self
    }

    /// Started by another program, which ends by becoming it: `launcher… panotti serve …`.
    pub(crate) fn behind(mut self, launcher: &[&str]) -> Self {
        self.launcher = launcher.iter().map(|it| (*it).to_owned()).collect();
        self
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(self) -> Panotti {
        self.try_start().unwrap_or_else(|(status, log)| panic!("the service ended with {status}:\n{log}"))
    }

    /// Starts it; when it ends instead, how, and what it said.
    pub(crate) fn try_start(self) -> Result<Panotti, (ExitStatus, String)> {
        let mut line = self.launcher.clone();
        line.extend(
            [env!("CARGO_BIN_EXE_panotti"), "serve", "--listen", &*self.listen, "--data-dir"]
                .map(str::to_owned),
        );
        let mut child = without_settings(&line[0])
            .args(&line[1..])
            .arg(self.data_dir())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (found, address) = mpsc::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let kept = log.clone();
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    found.send(address).ok();
                }
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        match address.recv_timeout(PATIENCE) {
            Ok(address) => {
                Ok(Panotti { setup: Some(self), child, address, log, http: reqwest::Client::new() })
            }
            Err(_) => {
                child.kill().ok();
                let status = child.wait().unwrap();
                reader.join().unwrap();
                let log = log.lock().unwrap().clone();
                Err((status, log))
            }
        }
    }
}

/// The address in the log line that says "Listening.".
fn address_in(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    (fields.get("message")? == "Listening.").then_some(())?;
    fields.get("address")?.as_str()?.parse().ok()
}

/// A running box.
#[derive(Debug)]
pub(crate) struct Panotti {
    setup: Option<Setup>,
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    http: reqwest::Client,
}

impl Panotti {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request with the administrator's key.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, self.url(path)).header("X-API-Key", KEY)
    }

    /// GET, JSON.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.json("GET", path, None).await
    }

    /// POST, JSON both ways.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.json("POST", path, Some(body)).await
    }

    async fn json(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let request = self.request(method, path);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}\n{}", self.log());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A request that may be refused: status and JSON. `null` sends no body.
    pub(crate) async fn answer(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The audio of a recording, as a WAV file.
    pub(crate) async fn audio(&self, id: &str) -> Vec<u8> {
        let response = self.request("GET", &format!("/recordings/{id}/audio")).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        response.bytes().await.unwrap().to_vec()
    }

    /// Stops a recording and waits until it has been written down.
    pub(crate) async fn finish(&self, id: &str) -> Value {
        self.post(&format!("/recordings/{id}/stop"), json!({})).await;
        self.done(id).await
    }

    /// Starts a recording; its id.
    pub(crate) async fn record(&self, title: &str) -> String {
        let recording = self.post("/recordings", json!({ "title": title })).await;
        recording["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a recording is done or has failed.
    pub(crate) async fn done(&self, id: &str) -> Value {
        self.until(&format!("recording {id} is done"), async || {
            let recording = self.get(&format!("/recordings/{id}")).await;
            matches!(recording["state"].as_str(), Some("done" | "failed")).then_some(recording)
        })
        .await
    }

    /// Asks again until there is an answer. For what no event tells of.
    pub(crate) async fn until<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All events of a name so far, oldest first.
    pub(crate) async fn events(&self, name: &str) -> Vec<Value> {
        let page = self.get(&format!("/events?order=asc&limit=200&name={name}")).await;
        page["items"].as_array().unwrap().clone()
    }

    /// Everything that happened so far, oldest first.
    pub(crate) async fn everything(&self) -> Vec<Value> {
        let (mut events, mut path) = (Vec::new(), "/events?order=asc&limit=200".to_owned());
        loop {
            let page = self.get(&path).await;
            events.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else { return events };
            path = format!("/events?order=asc&limit=200&cursor={cursor}");
        }
    }

    /// Waits for `count` events of a name.
    pub(crate) async fn wait_events(&self, name: &str, count: usize) -> Vec<Value> {
        self.until(&format!("{count} events {name}"), async || {
            let events = self.events(name).await;
            (events.len() >= count).then_some(events)
        })
        .await
    }

    /// What the service wrote to its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Where its data lie.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.setup.as_ref().unwrap().data_dir()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Pulls the plug: SIGKILL. The box can be started again.
    pub(crate) fn kill(mut self) -> Setup {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.setup.take().unwrap()
    }

    /// SIGTERM; waits for the end.
    pub(crate) fn stop(mut self) -> (ExitStatus, Setup) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        (self.child.wait().unwrap(), self.setup.take().unwrap())
    }
}

impl Drop for Panotti {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A WAV file of 16-bit samples as `f32`, interleaved, with its rate and channels.
pub(crate) fn read_wav(bytes: &[u8]) -> (Vec<f32>, u32, u16) {
    let mut reader = hound::WavReader::new(std::io::Cursor::new(bytes)).unwrap();
    let spec = reader.spec();
    let samples = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(Result::unwrap).collect(),
        hound::SampleFormat::Int => {
            let full = (1_i64 << (spec.bits_per_sample - 1)) as f32;
            reader.samples::<i32>().map(|it| it.unwrap() as f32 / full).collect()
        }
    };
    (samples, spec.sample_rate, spec.channels)
}

/// A WAV file of 16 kHz, one channel, that says `sentences`, each at a time in s, and is silent else.
pub(crate) fn track(path: &Path, sentences: &[(&str, f64)], seconds: f64) {
    let mut samples = vec![0_i16; (seconds * 16_000.0) as usize];
    for (name, at) in sentences {
        let mut said = hound::WavReader::open(fixture(&format!("speech/{name}.wav"))).unwrap();
        let at = (at * 16_000.0) as usize;
        for (place, sample) in said.samples::<i16>().enumerate() {
            samples[at + place] = sample.unwrap();
        }
    }
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.into_iter().for_each(|it| writer.write_sample(it).unwrap());
    writer.finalize().unwrap();
}
