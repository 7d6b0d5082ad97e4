//! Asking a running service over its API. Owns where it is, which key is sent, and saying what to do when
//! it does not answer; leaves what is asked to the commands.

use std::{
    io::{BufReader, Read},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{Response, StatusCode},
};

use crate::{config::Config, security::Secret};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take to begin; a busy log makes a publisher wait 5 s.
const ANSWER: Duration = Duration::from_secs(60);
/// How long one may take to begin for which a whole model is read.
const LONG_ANSWER: Duration = Duration::from_secs(600);
/// How long an answer may pause; streams send something every 10 s.
const PAUSE: Duration = Duration::from_secs(35);

/// Which service, and with which key.
#[derive(Debug, clap::Args)]
pub(super) struct Connection {
    /// Address of the service [default: the configuration's `server.listen`]
    #[arg(long, global = true, value_name = "URL", env = "PANOTTI_SERVER", hide_env_values = true)]
    server: Option<String>,
    /// File that holds the API key; otherwise it is taken from the environment: PANOTTI_KEY or API_KEY
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// The API of one service.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    /// `http://host:port`
    base: String,
    key: Option<Secret>,
}

/// The service said no.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Refused {
    /// The HTTP status.
    pub(super) status: u16,
    text: String,
}

impl Refused {
    /// Whether the same request may go well later.
    pub(super) fn may_pass(&self) -> bool {
        self.status == 429 || self.status >= 500
    }
}

impl Connection {
    /// Whether somebody said which service.
    pub(super) fn is_named(&self) -> bool {
        self.server.as_ref().is_some_and(|it| !it.trim().is_empty())
    }

    /// The client for it.
    ///
    /// # Errors
    /// An address that is none, and a key that cannot be read or sent.
    pub(super) fn client(&self, config: &Config) -> anyhow::Result<Client> {
        let base = match &self.server {
            Some(server) if !server.trim().is_empty() => base(server)?,
            _ => {
                let mut address = config.server.listen;
                if address.ip().is_unspecified() {
                    let loopback = std::net::Ipv4Addr::LOCALHOST;
                    address.set_ip(loopback.into());
                }
                format!("http://{address}")
            }
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A key is for the service that it was given for, and for nobody on the way.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("panotti/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(PAUSE))
            .build()
            .new_agent();
        Ok(Client { agent, base, key: self.key()? })
    }

    fn key(&self) -> anyhow::Result<Option<Secret>> {
        let text = match &self.key_file {
            Some(file) => Some(
                std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read the key file `{}`", file.display()))?,
            ),
            None => ["PANOTTI_KEY", "API_KEY"]
                .into_iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|key| !key.trim().is_empty()),
        };
        let Some(key) = text.map(|text| Secret::new(text.trim().to_owned())) else { return Ok(None) };
        if key.expose().is_empty() {
            bail!("the key file is empty: put the line into it that `panotti key create` printed");
        }
        if !key.expose().bytes().all(|b| b.is_ascii_graphic()) {
            bail!("the key is not one: give the line that `panotti key create` printed");
        }
        Ok(Some(key))
    }
}

/// What comes before the path, from what somebody typed.
fn base(server: &str) -> anyhow::Result<String> {
    let rest = match server.split_once("://") {
        None => server,
        Some(("http", rest)) => rest,
        Some((scheme, _)) => {
            bail!(
                "--server: {scheme} is not spoken here: use http://HOST:PORT, on this machine or in a network you trust"
            )
        }
    };
    let authority = rest.trim_end_matches('/');
    if authority.is_empty()
        || authority.contains(['/', '?', '#', '@'])
        || authority.contains(char::is_whitespace)
    {
        bail!("--server: `{server}` is no address: use http://HOST:PORT");
    }
    Ok(format!("http://{authority}"))
}

impl Client {
    /// GET.
    ///
    /// # Errors
    /// [`Refused`], and whatever keeps the answer away: each says what to do.
    pub(super) fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        let query = query.iter().map(|(name, value)| (*name, value.as_str()));
        let request = self.agent.get(self.url(path)).query_pairs(query);
        json(self.answer(self.sign(request).call())?)
    }

    /// POST; the status, which tells whether something is new, and what was answered.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let request = headers
            .iter()
            .fold(self.agent.post(self.url(path)), |request, (name, value)| request.header(*name, *value));
        let response = self.answer(self.sign(request).send_json(body))?;
        Ok((response.status(), json(response)?))
    }

    /// PUT; what was answered.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.sign(self.agent.put(self.url(path)));
        json(self.answer(request.content_type("application/json").send(body.to_string()))?)
    }

    /// PUT that may take minutes; what was answered.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn put_patiently(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.sign(self.agent.put(self.url(path))).content_type("application/json");
        json(self.answer(patient(request).send(body.to_string()))?)
    }

    /// POST that may take minutes; what was answered.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn post_patiently(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        json(self.answer(patient(self.sign(self.agent.post(self.url(path)))).send_json(body))?)
    }

    /// DELETE.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.answer(self.sign(self.agent.delete(self.url(path))).call())?;
        Ok(())
    }

    /// The event stream behind `last_seen`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn stream(
        &self,
        query: &[(&str, String)],
        last_seen: u64,
    ) -> anyhow::Result<impl std::io::BufRead + use<>> {
        let query = query.iter().map(|(name, value)| (*name, value.as_str()));
        let request = self.agent.get(self.url("/events/stream")).query_pairs(query);
        let request = self.sign(request).header("Last-Event-ID", last_seen.to_string());
        Ok(BufReader::new(reader(self.answer(request.call())?)))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn sign<T>(&self, request: ureq::RequestBuilder<T>) -> ureq::RequestBuilder<T> {
        match &self.key {
            Some(key) => request.header("X-API-Key", key.expose()),
            None => request,
        }
    }

    fn answer(&self, answer: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Response<Body>> {
        let base = &self.base;
        let response = answer.map_err(|error| {
            let advice = match &error {
                ureq::Error::Io(_) | ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => {
                    "start it with `panotti serve`, or name another with --server"
                }
                ureq::Error::Timeout(_) => "it took too long: look at its log",
                _ => "look at --server",
            };
            anyhow!(error).context(format!("no service answers at {base}: {advice}"))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        // Only Panotti's own refusals are quoted.
        let detail = json(response).ok().and_then(|body| Some(body.get("detail")?.as_str()?.to_owned()));
        let Some(detail) = detail else {
            bail!(
                "{base} answers {status}, and not as Panotti does: is it another program? Look at --server"
            );
        };
        let text = match status.as_u16() {
            401 if self.key.is_none() => format!(
                "{base} wants a key ({detail}): give it with --key-file or in PANOTTI_KEY; `panotti key create` makes one"
            ),
            401 => format!(
                "{base} does not take this key ({detail}): `panotti key list` on the box shows those it takes"
            ),
            403 => format!("{base} does not allow that: {detail}"),
            _ => detail,
        };
        Err(Refused { status: status.as_u16(), text }.into())
    }
}

/// A large model is read from a slow card for minutes.
fn patient<T>(request: ureq::RequestBuilder<T>) -> ureq::RequestBuilder<T> {
    let limits = request.config().timeout_recv_response(Some(LONG_ANSWER));
    limits.timeout_per_read(Some(LONG_ANSWER)).build()
}

fn reader(response: Response<Body>) -> impl Read {
    // As long as it is: a page of large events, or a stream without end.
    response.into_body().into_with_config().limit(u64::MAX).reader()
}

fn json(response: Response<Body>) -> anyhow::Result<Value> {
    serde_json::from_reader(BufReader::new(reader(response)))
        .context("the service's answer is not understood")
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn addresses() {
        for (typed, expected) in [
            ("http://box:54789", "http://box:54789"),
            ("http://box:54789/", "http://box:54789"),
            ("127.0.0.1:1", "http://127.0.0.1:1"),
            ("[::1]:1", "http://[::1]:1"),
        ] {
            assert_eq!(base(typed).unwrap(), expected);
        }
        for typed in ["", "http://", "https://box", "http://box/x", "http://a@box", "ftp://box", "a b"] {
            assert!(base(typed).unwrap_err().to_string().contains("http://HOST:PORT"), "{typed}");
        }
    }
}
