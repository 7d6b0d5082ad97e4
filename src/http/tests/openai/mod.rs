//! OpenAI's API: what is refused and how, what reaches the transcriber, what is told of its work, and that
//! nothing is left behind. The transcriber's side of the desk is the test's.

mod asked;
mod told;

use std::{fs, io, path::PathBuf};

use panotti_sdk::SpeechModel;
use serde_json::json;

use super::*;
use crate::speech::{self, DeskError, Hints, Order, Requests, Segment, Transcript, Word};

const BOUNDARY: &str = "between-the-parts";
const FORM: &str = "multipart/form-data; boundary=between-the-parts";

type Part<'a> = (&'a str, &'a str);

/// A box whose transcriber is the test, with a model that writes English and German.
fn bench_at_the_desk(change: impl FnOnce(&mut Config)) -> (Bench, Requests) {
    let mut it = bench();
    let (desk, requests) = speech::desk();
    let languages = ["en", "de"].map(str::to_owned).to_vec();
    requests.model.send_replace(Some(SpeechModel { name: "tiny-q5_1".into(), languages }));
    let mut config = Config::clone(&it.app.config);
    change(&mut config);
    (it.app.desk, it.app.config) = (desk, Arc::new(config));
    it.router = router(it.app.clone());
    (it, requests)
}

/// The next audio that is handed in.
async fn asked_of(requests: &mut Requests) -> speech::Request {
    match requests.incoming.recv().await {
        Some(Order::Audio(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in parts {
        let file = if *name == "file" { "; filename=\"a.wav\"\r\nContent-Type: audio/wav" } else { "" };
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend([head.as_bytes(), value.as_bytes(), b"\r\n"].concat());
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn word(text: &str, start_ms: u64, confidence: f32) -> Word {
    Word { start_ms, end_ms: start_ms + 400, text: text.into(), confidence }
}

fn segment(text: &str, start_ms: u64) -> Segment {
    let words: Vec<_> =
        (start_ms..).step_by(500).zip(text.split(' ')).map(|(at, it)| word(it, at, 0.5)).collect();
    let end_ms = start_ms + 500 * words.len() as u64;
    Segment { start_ms, end_ms, speaker: None, text: text.into(), words, confidence: 0.5 }
}

fn transcript() -> Transcript {
    let segments = vec![segment("Guten Tag.", 1_500), segment("Es geht los.", 4_000)];
    Transcript { language: "de".into(), duration_ms: 6_250, model: "tiny-q5_1".into(), segments }
}

impl Bench {
    fn upload(&self, body: impl Into<Body>) -> Request<Body> {
        let headers = [("authorization", &*format!("Bearer {}", self.operator)), ("content-type", FORM)];
        request("POST /v1/audio/transcriptions", &headers, body)
    }

    async fn transcribe(&self, parts: &[Part<'_>]) -> Answer {
        send(&self.router, self.upload(form(parts))).await
    }

    fn uploads(&self) -> Vec<PathBuf> {
        let dir = fs::read_dir(self.dir.path().join("uploads"));
        dir.into_iter().flatten().map(|it| it.unwrap().path()).collect()
    }

    /// Waits until no file of a client is left.
    async fn cleared(&self) {
        let clear = async {
            while !self.uploads().is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), clear).await.expect("no file is left");
    }
}

impl Answer {
    /// The `error` of an answer in OpenAI's form.
    #[track_caller]
    fn refusal(&self, status: u16) -> Value {
        let body = String::from_utf8_lossy(&self.bytes).into_owned();
        assert_eq!(
            (self.status.as_u16(), self.header("content-type")),
            (status, "application/json"),
            "{body}"
        );
        let error = self.json()["error"].clone();
        let keys: Vec<_> = error.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["code", "message", "param", "type"]);
        assert!(error["message"].as_str().is_some_and(|it| it.len() > 10), "{error}");
        error
    }
}
