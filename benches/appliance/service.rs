//! The running service as a benchmark sees it. Owns starting it as systemd would, what /proc says of it, and
//! asking its API.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::THREADS;

const KEY: &str = "benchmark";
const PATIENCE: Duration = Duration::from_secs(60);

/// A service of its own, in a directory of its own; killed when dropped.
pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
    /// From starting the process to its READY, ms.
    pub(crate) ready_ms: f64,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    _dir: TempDir,
}

/// The program that is measured: the one just built, or what `MEASURE` names, such as an installed one.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("MEASURE").map_or_else(|| env!("CARGO_BIN_EXE_panotti").into(), PathBuf::from)
}

/// The program, without settings from this environment.
pub(crate) fn panotti() -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PANOTTI_")) {
        command.env_remove(name);
    }
    command
}

pub(crate) fn now_s() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

impl Service {
    /// Starts a service and waits for READY.
    pub(crate) fn start(device: &str, model: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = panotti();
        command.args(["serve", "--listen", "127.0.0.1:0", "--device", device, "--data-dir"]);
        command.arg(dir.path().join("data")).env("NOTIFY_SOCKET", &path).env("API_KEY", KEY);
        command.env("PANOTTI_TRANSCRIPTION__THREADS", THREADS);
        if let Some(model) = model {
            command.arg("--model").arg(model);
        }
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut bytes = [0; 4096];
        let (ready_ms, address) = loop {
            let length = socket.recv(&mut bytes).expect("the service says READY");
            let ready_ms = began.elapsed().as_secs_f64() * 1000.0;
            let text = String::from_utf8_lossy(&bytes[..length]);
            if text.contains("READY=1") {
                // The status line ends with the address.
                let address = text.trim_end().rsplit(' ').next().and_then(|it| it.parse().ok());
                break (ready_ms, address.expect("READY comes with the address"));
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { child, address, ready_ms, runtime, http: reqwest::Client::new(), _dir: dir }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        request = request.header("X-API-Key", KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await.unwrap().error_for_status().unwrap();
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default()
        })
    }

    /// Waits until there are `count` events of a name; all of them.
    pub(crate) fn wait_for(&self, name: &str, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.ask("GET", &format!("/events?order=asc&limit=100&name={name}"), None);
            let items = page["items"].as_array().cloned().unwrap_or_default();
            if items.len() >= count {
                return items;
            }
            assert!(Instant::now() < deadline, "no event {name}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts a recording; its id.
    pub(crate) fn record(&self) -> String {
        let it = self.ask("POST", "/recordings", Some(&json!({ "title": "Benchmark" })));
        it["id"].as_str().unwrap().to_owned()
    }

    /// Stops it and waits for its transcript.
    pub(crate) fn stop(&self, id: &str) {
        self.ask("POST", &format!("/recordings/{id}/stop"), None);
        self.wait_for("transcription_local.completed", 1);
    }

    /// Captions from now on, each with the moment it arrived, s since 1970. A plain socket on a thread of
    /// its own: nothing is between the bytes and the clock.
    pub(crate) fn captions(&self) -> mpsc::Receiver<(f64, Value)> {
        let mut socket = TcpStream::connect(self.address).unwrap();
        let path = "/events/stream?name=caption.published";
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {}\r\nX-API-Key: {KEY}\r\n\r\n", self.address).unwrap();
        let (send, arrivals) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(socket).lines().map_while(Result::ok) {
                let at = now_s();
                if let Some(event) = line.strip_prefix("data:").and_then(|it| serde_json::from_str(it).ok())
                    && send.send((at, event)).is_err()
                {
                    return;
                }
            }
        });
        arrivals
    }

    /// Share of one core, in percent, over `time` from now.
    pub(crate) fn cpu_share(&self, time: Duration) -> f64 {
        // The start-up's last work is over.
        std::thread::sleep(Duration::from_secs(3));
        let (before, began) = (self.cpu_seconds(), Instant::now());
        std::thread::sleep(time);
        (self.cpu_seconds() - before) / began.elapsed().as_secs_f64() * 100.0
    }

    /// User and system time so far, of all threads, also of those that have ended (proc(5), fields 14, 15).
    fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name = stat.rsplit_once(") ").unwrap().1;
        let ticks: f64 = after_name.split(' ').skip(11).take(2).map(|it| it.parse::<f64>().unwrap()).sum();
        ticks / rustix::param::clock_ticks_per_second() as f64
    }

    /// A line of /proc/PID/status in MiB.
    pub(crate) fn memory(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        format!("{:.1} MiB", kib / 1024.0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
