//! The stages of the real service, from the times of their events.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::fixture;

const KEY: &str = "benchmark";
const PATIENCE: Duration = Duration::from_secs(300);
/// Meetings of each run; the median counts.
const RUNS: usize = 5;
/// Stages with their event and the one before it.
const STAGES: [(&str, &str, &str); 4] = [
    ("noise and far end removed (two tracks)", "recording.ended", "noise_reduction.completed"),
    ("both tracks written down", "noise_reduction.completed", "transcription_local.completed"),
    ("notes without a language model", "transcription_local.completed", "meeting_notes_local.completed"),
    ("message", "meeting_notes_local.completed", "desktop_notification.completed"),
];

pub(crate) fn run() {
    let threads = ["1", "2"];
    let measured = threads.map(meetings);
    println!("| stage | 1 thread, s per minute of audio | 2 threads |\n|---|---|---|");
    for (index, (stage, ..)) in STAGES.iter().enumerate() {
        println!("| {stage} | {:.2} | {:.2} |", measured[0][index], measured[1][index]);
    }
    println!();
}

/// The median of each stage, s per minute of audio, with `threads` for Whisper.
fn meetings(threads: &str) -> [f64; 4] {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut child = Command::new(env!("CARGO_BIN_EXE_panotti"))
        .args(["serve", "--listen", "127.0.0.1:0", "--device"])
        .arg(format!("wav:{}", fixture("speech/silence0.wav").display()))
        .arg("--data-dir")
        .arg(&data)
        .env("API_KEY", KEY)
        .env("PANOTTI_LOGGING__FORMAT", "json")
        .env("PANOTTI_TRANSCRIPTION__THREADS", threads)
        .env("PANOTTI_TRANSCRIPTION__MODEL", fixture("panotti-demo.en-q5_1.bin"))
        .env("PANOTTI_PLUGIN_MEETING_NOTES_LOCAL__WRITER", "extract")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let listening = |line: String| {
        let line: Value = serde_json::from_str(&line).ok()?;
        (line["message"] == "Listening.")
            .then(|| line["address"].as_str()?.parse::<SocketAddr>().ok())
            .flatten()
    };
    let address = lines.find_map(listening).expect("the service listens");
    std::thread::spawn(move || lines.for_each(drop));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let box_ = Box_ { address, http: reqwest::Client::new(), runtime };
    for (from, to) in [("meeting-0.wav", "m.wav"), ("meeting_picked.wav", "s.wav")] {
        fs::copy(fixture("speech").join(from), data.join("recordings").join(to)).unwrap();
    }
    let minutes =
        hound::WavReader::open(fixture("speech/meeting-0.wav")).unwrap().duration() as f64 / 16_000.0 / 60.0;
    let mut found: [Vec<f64>; 4] = Default::default();
    for run in 0..RUNS {
        for (stage, seconds) in box_.meeting(&format!("run-{run}")).into_iter().enumerate() {
            found[stage].push(seconds / minutes);
        }
    }
    child.kill().ok();
    child.wait().ok();
    found.map(|mut it| {
        it.sort_by(f64::total_cmp);
        it[it.len() / 2]
    })
}

struct Box_ {
    address: SocketAddr,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Box_ {
    fn ask(&self, request: reqwest::RequestBuilder) -> Value {
        self.runtime.block_on(async {
            let response = request.header("X-API-Key", KEY).send().await.unwrap().error_for_status().unwrap();
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
        })
    }

    /// How long each stage took, s.
    fn meeting(&self, id: &str) -> [f64; 4] {
        let ended = json!({
            "recordingId": id, "timestamp": "2025-01-17T22:55:48Z", "metadata": {},
            "microphoneAudioPath": "m.wav", "systemAudioPath": "s.wav",
        });
        let url = |path: &str| format!("http://{}{path}", self.address);
        self.ask(self.http.post(url("/api/recording-ended")).json(&ended));
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Newest first: what ended last is on this page.
            let page = self.ask(self.http.get(url("/events?limit=200")));
            let at = |name: &str| {
                let items = page["items"].as_array().unwrap().iter();
                let mut of = items.filter(|it| it["payload"]["recording_id"] == id);
                of.find(|it| it["name"] == name)?["context"]["timestamp"]
                    .as_str()?
                    .parse::<jiff::Timestamp>()
                    .ok()
            };
            if at(STAGES[3].2).is_some() {
                return STAGES.map(|(_, from, to)| {
                    let (from, to) = (at(from).unwrap(), at(to).unwrap());
                    to.duration_since(from).as_secs_f64()
                });
            }
            assert!(Instant::now() < deadline, "no notes of {id}: {page}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
