//! A server of model files, with the faults that such servers and the ways to them have. Owns what is sent, and
//! keeps count of it; leaves what must come of it to the tests.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use crate::harness::demo_model;

/// What was asked for and what was sent.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// First byte, and the version it must be of.
    pub(crate) range: Option<(usize, String)>,
    pub(crate) status: u16,
    /// Of the body, bytes that were sent.
    pub(crate) sent: usize,
}

/// Serves the demo model under any name. The first word of the path says how:
/// `ok`, `cut` (the first connection ends after 3 MB), `changed` (so it does, and then it is another version),
/// `stall` (the first stops after 9 MB and waits), `endless` (no length is told), `html`, `damaged` (a bit of a
/// weight), `truncated`, `moved` (to `ok`), `busy`; anything else is not there.
#[derive(Debug)]
pub(crate) struct Mirror {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Mirror {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, model) = (asked.clone(), Arc::new(std::fs::read(demo_model()).unwrap()));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, model) = (seen.clone(), model.clone());
                // A client that goes in the middle is one of the cases.
                std::thread::spawn(move || serve(stream, &seen, &model).ok());
            }
        });
        Self { address, asked }
    }

    /// `http://…/HOW`, for `--from` and `models.url`.
    pub(crate) fn base(&self, how: &str) -> String {
        format!("http://{}/{how}", self.address)
    }

    pub(crate) fn url(&self, how: &str, name: &str) -> String {
        format!("{}/ggml-{name}.bin", self.base(how))
    }

    /// All that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Asked>>, model: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let Some(path) = lines.first().and_then(|it| it.split(' ').nth(1)).map(str::to_owned) else {
        return Ok(());
    };
    let header = |name: &str| {
        let fields = lines.iter().filter_map(|it| it.split_once(": "));
        fields.filter(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.to_owned()).next()
    };
    let from =
        header("range").and_then(|it| it.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let range = from.map(|from| (from, header("if-range").unwrap_or_default()));
    let how = path.split('/').nth(1).unwrap_or_default().to_owned();
    let (at, earlier) = {
        let mut seen = seen.lock().unwrap();
        let earlier = seen.iter().filter(|it| it.path == path).count();
        seen.push(Asked { path: path.clone(), range: range.clone(), status: 0, sent: 0 });
        (seen.len() - 1, earlier)
    };
    let mut stream = reader.into_inner();
    let mut body = model.to_vec();
    let version = if how == "changed" && earlier > 0 { "\"2\"" } else { "\"1\"" };
    let (mut most, mut extra) = (usize::MAX, String::new());
    let status = match how.as_str() {
        "ok" | "endless" => 200,
        "cut" | "changed" if earlier == 0 => {
            most = 3_000_000;
            200
        }
        "stall" if earlier == 0 => {
            most = 9_000_000;
            200
        }
        "cut" | "changed" | "stall" => 200,
        "html" => {
            body = b"<!DOCTYPE html><title>Please sign in</title>".repeat(1000);
            200
        }
        "damaged" => {
            let last = body.len() - 9;
            body[last] ^= 1;
            200
        }
        "truncated" => {
            body.truncate(body.len() - 100);
            200
        }
        "moved" => {
            extra = format!("Location: {}\r\n", path.replace("/moved/", "/ok/"));
            body.clear();
            302
        }
        "busy" => 503,
        _ => 404,
    };
    let resumed = range.filter(|it| status == 200 && it.1 == version && it.0 < body.len()).map(|it| it.0);
    let status = if resumed.is_some() { 206 } else { status };
    let (first, total) = (resumed.unwrap_or_default(), body.len());
    if status >= 400 {
        body = b"no".to_vec();
    }
    let body = &body[first.min(body.len())..];
    if resumed.is_some() {
        extra = format!("Content-Range: bytes {first}-{}/{total}\r\n", total - 1);
    }
    if how != "endless" {
        extra = format!("{extra}Content-Length: {}\r\n", body.len());
    }
    write!(stream, "HTTP/1.1 {status} As asked\r\nETag: {version}\r\nConnection: close\r\n{extra}\r\n")?;
    seen.lock().unwrap()[at].status = status;
    for block in body[..body.len().min(most)].chunks(1 << 16) {
        stream.write_all(block)?;
        seen.lock().unwrap()[at].sent += block.len();
    }
    if how == "stall" && earlier == 0 {
        // Until the client goes.
        while stream.read(&mut [0])? > 0 {}
    }
    stream.shutdown(Shutdown::Write)?;
    // Closing with unread input would take back what is still on its way.
    while stream.read(&mut [0])? > 0 {}
    Ok(())
}
