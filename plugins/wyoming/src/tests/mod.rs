//! What every plugin passes, and a client over TCP; `protocol` is about bytes, `requests` about what is
//! answered, `limits` about what is not, `waiting` about what happens
//! until there is an answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod limits;
mod protocol;
mod requests;
mod waiting;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use panotti_sdk::{
    Dictation, Request,
    conformance::Case,
    payloads::{Segment, Transcript},
    serde_json::{self, Value, json},
    testing::Bench,
};

use crate::DESCRIPTOR;

/// Everything that a test waits for comes within this, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

panotti_sdk::conformance!(Case::of(DESCRIPTOR).config(json!({ "listen": "127.0.0.1:0" })));

fn transcript() -> Transcript {
    let segment = |text: &str, start_ms| Segment {
        start_ms,
        end_ms: start_ms + 500,
        speaker: None,
        text: text.into(),
        words: Vec::new(),
        confidence: 1.0,
    };
    Transcript {
        language: "en".into(),
        segments: vec![segment("Turn on", 0), segment("the lights – now.", 500)],
        ..Transcript::default()
    }
}

/// A bench whose plugin listens somewhere, with these settings.
fn bench(settings: Value) -> Bench {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.configure(json!({ "listen": "127.0.0.1:0" })).configure(settings).transcript(Ok(transcript()));
    bench.start().unwrap();
    bench
}

fn server(bench: &Bench) -> Value {
    serde_json::from_slice(&bench.call(Request::new("GET", "/server")).unwrap().body).unwrap()
}

fn address(bench: &Bench) -> SocketAddr {
    server(bench)["address"].as_str().unwrap().parse().unwrap()
}

/// What clients asked of the transcriber; the server itself asks for nothing once, to hear whether it is ready.
fn asked(bench: &Bench) -> Vec<Dictation> {
    let asked = bench.asked_of_transcriber().into_iter();
    let asked: Vec<_> = asked.filter(|(_, it)| !it.tracks.is_empty()).collect();
    assert!(asked.iter().all(|it| it.0.is_none()), "it is of no recording");
    asked.into_iter().map(|it| it.1).collect()
}

/// Files that wait to be written down.
fn waiting(bench: &Bench) -> usize {
    fs::read_dir(bench.data_directory().join("plugin/requests")).unwrap().count()
}

/// Asks again until it is so. For what no event tells of.
fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A client, written anew and not with the plugin's own code.
struct Client(BufReader<TcpStream>);

impl Client {
    fn of(bench: &Bench) -> Self {
        Self::at(address(bench))
    }

    fn at(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn send(&mut self, kind: &str, data: &Value) {
        self.send_with(kind, data, &[]);
    }

    fn send_with(&mut self, kind: &str, data: &Value, payload: &[u8]) {
        let data = data.to_string();
        let header = json!({ "type": kind, "version": "1", "data_length": data.len(), "payload_length": payload.len() });
        self.raw(&[format!("{header}\n{data}").as_bytes(), payload].concat());
    }

    /// Sends 16-bit audio of 16 kHz, 100 ms at a time.
    fn say(&mut self, bytes: usize) {
        let format = json!({ "rate": 16_000, "width": 2, "channels": 1, "timestamp": 0 });
        self.send("audio-start", &format);
        for chunk in vec![1; bytes].chunks(3200) {
            self.send_with("audio-chunk", &format, chunk);
        }
    }

    /// The next event; `None` at the end.
    fn read(&mut self) -> Option<(String, Value)> {
        let mut line = String::new();
        if self.0.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let header: Value = serde_json::from_str(&line).unwrap();
        let mut data = vec![0; header["data_length"].as_u64().unwrap() as usize];
        self.0.read_exact(&mut data).unwrap();
        Some((header["type"].as_str().unwrap().to_owned(), serde_json::from_slice(&data).unwrap()))
    }

    /// The data of the next event, which is of this type.
    fn answer(&mut self, kind: &str) -> Value {
        let (found, data) = self.read().unwrap();
        assert_eq!(found, kind, "{data}");
        data
    }

    /// The code and the text of the error that comes next, after which the connection is closed.
    fn error(&mut self) -> (String, String) {
        let data = self.answer("error");
        assert_eq!(self.read(), None);
        let part = |it: &str| data[it].as_str().unwrap().to_owned();
        (part("code"), part("text"))
    }
}
