//! A small HTTP server for tests of the plugins, by feature `testing`. Owns sockets and reading requests; what
//! is answered is the test's.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use panotti_sdk::serde_json::{self, Value};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `/api/chat`.
    pub path: String,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The body; null when it is no JSON.
    pub body: Value,
}

impl Asked {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Status and body.
    Say(u16, String),
    /// 307 to a URL.
    Redirect(String),
    /// Nothing, until the client goes.
    Silence,
    /// Ends the connection.
    Close,
}

impl Answer {
    /// 200 with JSON.
    pub fn json(value: &Value) -> Self {
        Self::Say(200, value.to_string())
    }
}

type Behaviour = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server on a free port of this machine, until the test ends.
#[derive(Debug)]
pub struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers every request as `behaviour` says.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(behaviour: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, behaviour): (_, Arc<Behaviour>) = (asked.clone(), Arc::new(behaviour));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, behaviour) = (seen.clone(), behaviour.clone());
                // A client that goes away ends its thread.
                thread::spawn(move || serve(stream, &seen, &*behaviour).ok());
            }
        });
        Ok(Self { url, asked })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }
}

fn lock(asked: &Mutex<Vec<Asked>>) -> MutexGuard<'_, Vec<Asked>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Asked>>, behaviour: &Behaviour) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|it| it.0 == "content-length").and_then(|it| it.1.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body)?;
    let asked = Asked { path, headers, body: serde_json::from_slice(&body).unwrap_or_default() };
    lock(seen).push(asked.clone());
    let mut stream = stream;
    match behaviour(&asked) {
        Answer::Say(status, text) => write!(
            stream,
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        ),
        Answer::Redirect(url) => {
            write!(
                stream,
                "HTTP/1.1 307 x\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        }
        Answer::Silence => reader.read_to_end(&mut Vec::new()).map(drop),
        Answer::Close => Ok(()),
    }
}
