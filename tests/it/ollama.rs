//! A language model for tests: a small server that speaks the part of Ollama's HTTP API that is used
//! (<https://github.com/ollama/ollama/blob/main/docs/api.md>). Owns what it answers; leaves what becomes of
//! the answer to the tests.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// How it answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mood {
    /// With this text.
    Says(String),
    /// With an error of its own.
    Broken,
    /// Not at all, for a long time.
    Slow,
}

/// The running server.
#[derive(Debug, Clone)]
pub(crate) struct Ollama {
    port: u16,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Ollama {
    pub(crate) fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = Self { port, mood: Arc::new(Mutex::new(mood)), asked: Arc::default() };
        let server = this.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        this
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/api/generate", self.port)
    }

    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut length = 0;
        for line in reader.by_ref().lines().map_while(Result::ok).take_while(|it| !it.is_empty()) {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        if let Ok(asked) = serde_json::from_slice(&body) {
            self.asked.lock().unwrap().push(asked);
        }
        let mood = self.mood.lock().unwrap().clone();
        let (status, answer) = match mood {
            Mood::Says(text) => ("200 OK", json!({ "model": "m", "response": text, "done": true })),
            Mood::Broken => ("500 Internal Server Error", json!({ "error": "out of memory" })),
            Mood::Slow => {
                thread::sleep(Duration::from_secs(600));
                return;
            }
        };
        let answer = answer.to_string();
        // Who asked may have gone.
        drop(write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        ));
    }
}
