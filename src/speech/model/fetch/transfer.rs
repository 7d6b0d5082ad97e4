//! One connection after the other to the server of a model. Owns what is asked for (the rest, if it is still
//! the same file) and what of the answer is believed; leaves trying again to its caller.

use std::{
    io::Read,
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};

use ureq::{
    Agent, Body, ResponseExt as _,
    http::{HeaderName, Response, header},
};

use super::{FetchError, Progress, Wanted, part::Part, shown};

const CONNECT: Duration = Duration::from_secs(20);
/// How long an answer may take to begin.
const ANSWER: Duration = Duration::from_secs(60);
/// How long it may pause.
const PAUSE: Duration = Duration::from_secs(30);
/// Read at once, bytes.
const BLOCK: usize = 1 << 16;
/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// `ggml` as the first four bytes of a little-endian file.
const MAGIC: &[u8] = b"lmgg";

/// Why a connection did not bring all of it.
pub(super) enum Break {
    /// Nothing of it is of use: another one would end the same way.
    Over(FetchError),
    /// Another one may bring the rest.
    Lost(FetchError),
    /// What is here is of something else than what the server has.
    Restart,
}

impl From<FetchError> for Break {
    fn from(it: FetchError) -> Self {
        Self::Over(it)
    }
}

pub(super) struct Transfer<'a> {
    wanted: &'a Wanted,
    min_free_bytes: u64,
    on_progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    agent: Agent,
    restarted: bool,
    speed: Speed,
}

/// Bytes a second, the last seconds counting most.
struct Speed {
    since: Instant,
    bytes: u64,
    per_s: f64,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        wanted: &'a Wanted,
        min_free_bytes: u64,
        on_progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Self {
        let agent = agent(&wanted.url);
        let speed = Speed { since: Instant::now(), bytes: 0, per_s: 0.0 };
        Self { wanted, min_free_bytes, on_progress, agent, restarted: false, speed }
    }

    /// Its address as it may be told.
    fn shown(&self) -> String {
        shown(&self.wanted.url)
    }

    pub(super) fn name(&self) -> &str {
        &self.wanted.name
    }

    /// Waits before the next connection.
    pub(super) fn wait(&mut self, time: Duration, done_bytes: u64) -> Result<(), FetchError> {
        let until = Instant::now() + time;
        self.speed.per_s = 0.0;
        loop {
            self.tell(done_bytes, None)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(TELL_EVERY));
        }
    }

    /// Fetches what is missing.
    pub(super) fn run(&mut self, part: &mut Part) -> Result<(), Break> {
        if part.is_complete() {
            return Ok(());
        }
        let mut request = self.agent.get(&self.wanted.url).header(header::ACCEPT_ENCODING, "identity");
        if let Some(version) = part.version() {
            request = request
                .header(header::RANGE, format!("bytes={}-", part.done()))
                .header(header::IF_RANGE, version);
        }
        let response = request.call().map_err(|it| self.lost(it))?;
        match response.status().as_u16() {
            200 => {
                let total = response.body().content_length();
                part.begin(version_of(&response), total)?;
            }
            206 if range_of(&response) == Some(part.done()) => {}
            206 | 416 if !self.restarted => {
                self.restarted = true;
                return Err(Break::Restart);
            }
            status => return Err(self.refused(status, shown(&response.get_uri().to_string()))),
        }
        self.ask_for_room(part)?;
        self.take(response, part)
    }

    fn take(&mut self, response: Response<Body>, part: &mut Part) -> Result<(), Break> {
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut block = vec![0; BLOCK];
        let total = part.total();
        if let (Some(size), Some(total)) = (self.wanted.size, total)
            && !size.fits(total)
        {
            let (url, expected) = (self.shown(), size.text);
            return Err(FetchError::Size { url, expected, found: total }.into());
        }
        if part.done() == 0 {
            // The first bytes tell a page from a model before all of it has come.
            let n = self.fill(&mut body, &mut block[..64])?;
            if !block[..n].starts_with(MAGIC) {
                let found = if is_page(&block[..n]) { "a web page" } else { "something else" };
                return Err(FetchError::NotModel { url: self.shown(), found }.into());
            }
            part.push(&block[..n])?;
        }
        self.speed = Speed { since: Instant::now(), bytes: part.done(), per_s: 0.0 };
        self.tell(part.done(), total)?;
        loop {
            let n = body.read(&mut block).map_err(|it| self.lost(it.into()))?;
            if n == 0 {
                break;
            }
            if part.push(&block[..n])? {
                self.ask_for_room(part)?;
            }
            if self.speed.since.elapsed() >= TELL_EVERY {
                self.speed.measure(part.done());
                self.tell(part.done(), total)?;
            }
        }
        self.tell(part.done(), total)?;
        match total {
            Some(total) if part.done() < total => {
                Err(Break::Lost(FetchError::Short { url: self.shown(), done: part.done(), total }))
            }
            _ => Ok(()),
        }
    }

    /// Reads until `block` is full or there is no more.
    fn fill(&self, body: &mut impl Read, block: &mut [u8]) -> Result<usize, Break> {
        let mut n = 0;
        while n < block.len() {
            match body.read(&mut block[n..]).map_err(|it| self.lost(it.into()))? {
                0 => break,
                more => n += more,
            }
        }
        Ok(n)
    }

    /// Whether the rest fits the disk, as far as it is known.
    fn ask_for_room(&self, part: &Part) -> Result<(), FetchError> {
        let dir = part.path().parent().unwrap_or(Path::new("."));
        let asked = rustix::fs::statvfs(dir);
        let free = asked.map(|it| it.f_bavail * it.f_frsize).map_err(|error| FetchError::Disk {
            what: "ask for the free room of",
            path: dir.into(),
            source: error.into(),
        })?;
        let all = part.total().or_else(|| self.wanted.size.map(|it| it.bytes));
        let rest = all.unwrap_or_default().saturating_sub(part.done());
        let needed = rest + self.min_free_bytes;
        if needed <= free {
            return Ok(());
        }
        Err(FetchError::Room {
            url: self.shown(),
            needed_mib: (needed - free).div_ceil(1 << 20),
            free_mib: free >> 20,
            kept_mib: self.min_free_bytes >> 20,
            dir: dir.into(),
        })
    }

    fn tell(&mut self, done_bytes: u64, total_bytes: Option<u64>) -> Result<(), FetchError> {
        let bytes_per_s = self.speed.per_s as u64;
        let left = total_bytes.map(|it| it.saturating_sub(done_bytes)).filter(|_| bytes_per_s > 0);
        let progress = Progress {
            done_bytes,
            total_bytes,
            bytes_per_s,
            left_s: left.map(|it| it.div_ceil(bytes_per_s)),
        };
        match (self.on_progress)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(FetchError::Cancelled),
        }
    }

    fn lost(&self, error: ureq::Error) -> Break {
        let source = match error {
            ureq::Error::RequireHttpsOnly(_) => {
                return Break::Over(FetchError::Insecure { url: self.shown() });
            }
            // Its text has the address.
            ureq::Error::BadUri(_) => ureq::Error::BadUri("a redirection leads to no address".into()),
            error => error,
        };
        Break::Lost(FetchError::Connection { url: self.shown(), source: Box::new(source) })
    }

    /// `url` is where redirections led.
    fn refused(&self, status: u16, url: String) -> Break {
        let advice = match status {
            404 | 410 => "it is not there; look at models.url, or at the address",
            401 | 403 | 407 => "it is not for everyone; use a mirror (models.url, --from) that is",
            429 | 500..=599 => {
                "it has a problem of its own; try again later, or use a mirror (models.url, --from)"
            }
            _ => "that is not the answer of a server of files; look at models.url, or at the address",
        };
        let error = FetchError::Refused { url, status, advice };
        if matches!(status, 429 | 500..=599) { Break::Lost(error) } else { Break::Over(error) }
    }
}

/// With redirections and the environment's proxies as ureq has them, but never from https to http.
fn agent(url: &str) -> Agent {
    Agent::config_builder()
        .https_only(url.starts_with("https://"))
        .http_status_as_error(false)
        .user_agent(concat!("panotti/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(PAUSE))
        .build()
        .new_agent()
}

/// Whether it begins like HTML.
fn is_page(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    ["<!doctype html", "<html", "<head", "<!--"].iter().any(|it| text.starts_with(it))
}

impl Speed {
    fn measure(&mut self, bytes: u64) {
        let now = (bytes - self.bytes) as f64 / self.since.elapsed().as_secs_f64();
        self.per_s = if self.per_s == 0.0 { now } else { 0.8 * self.per_s + 0.2 * now };
        (self.since, self.bytes) = (Instant::now(), bytes);
    }
}

/// What names this version and no other: a strong entity tag, or the date of the last change (RFC 9110, 13.1.5).
fn version_of(response: &Response<Body>) -> Option<String> {
    let text = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    text(header::ETAG).filter(|it| it.starts_with('"')).or_else(|| text(header::LAST_MODIFIED))
}

/// The place of the first byte that comes.
fn range_of(response: &Response<Body>) -> Option<u64> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_stays_https() {
        let secure = agent("https://nas/ggml-x.bin");
        assert!(secure.config().https_only());
        // What ureq does with any address without it, so also with one that a redirection leads to.
        let refused = secure.get("http://127.0.0.1:9/ggml-x.bin").call().unwrap_err();
        assert!(matches!(refused, ureq::Error::RequireHttpsOnly(_)), "{refused}");
        assert!(!agent("http://nas/ggml-x.bin").config().https_only(), "a mirror in the house");
    }

    #[test]
    fn a_page_is_told_from_other_things() {
        for (bytes, page) in [
            (&b"<!DOCTYPE html><title>"[..], true),
            (b"\xef\xbb\xbf\r\n <HTML lang", true),
            (b"<?xml version", false),
            (b"{\"secret\": 1}", false),
            (b"", false),
        ] {
            assert_eq!(is_page(bytes), page, "{}", bytes.escape_ascii());
        }
    }
}
