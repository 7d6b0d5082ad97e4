//! Small real servers for tests: one that speaks HTTP, one that speaks SMTP. Each lives on a thread until the
//! tests end.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What an HTTP server was sent.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// A server that answers with given statuses, the last of them for ever; 200 without any.
pub(crate) struct Web {
    port: u16,
    requests: Arc<Mutex<Vec<Posted>>>,
}

impl Web {
    pub(crate) fn new(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, statuses) = (requests.clone(), statuses.to_vec());
        thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                let status = statuses.get(at).or(statuses.last()).copied().unwrap_or(200);
                answer(stream.unwrap(), status, &kept);
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Posted> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads one request and answers; the request is kept before its sender can know.
fn answer(mut stream: TcpStream, status: u16, kept: &Mutex<Vec<Posted>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let path = line().split(' ').nth(1).unwrap().to_owned();
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line().split_once(':') {
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    kept.lock().unwrap().push(Posted { path, headers, body });
    let said = if status < 400 { "" } else { "out  of\norder" };
    let length = said.len();
    write!(stream, "HTTP/1.1 {status} -\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{said}")
        .unwrap();
}

/// A mail server that knows nobody called `nobody@…`.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = heard.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                speak(stream.unwrap(), &kept);
            }
        });
        Self { port, heard }
    }

    /// What was said to it, line by line.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// One dialogue of RFC 5321.
fn speak(mut stream: TcpStream, heard: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    stream.write_all(b"220 a.test ESMTP\r\n").unwrap();
    let mut in_mail = false;
    for line in lines.map_while(Result::ok) {
        heard.lock().unwrap().push(line.clone());
        let command = line.split(' ').next().unwrap_or_default().to_uppercase();
        let answer = match command.as_str() {
            "." => {
                in_mail = false;
                "250 kept"
            }
            _ if in_mail => continue,
            "EHLO" => "250-a.test\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "RCPT" if line.contains("nobody@") => "550 nobody of that name",
            "DATA" => {
                in_mail = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
    }
}
