//! A question over HTTP. Owns sending one JSON body and telling apart the ways in which it fails; leaves what
//! stands in bodies, and what a status means, to the plugins. Blocking; TLS certificates are always checked,
//! no redirect is followed: text goes to the host that was named and to no other.

use std::{io::ErrorKind, time::Duration};

use panotti_sdk::serde_json::{self, Value};
use ureq::{Agent, Error, Timeout, http::Uri};

use crate::{AskError, text::one_line};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Largest answer that is read, bytes: a hundred times that of any notes.
const LARGEST: u64 = 8 << 20;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`AskError::Failed`] when it is none; `whom` says whose it is.
    pub fn json(&self, whom: &str) -> Result<Value, AskError> {
        let read = serde_json::from_slice(&self.body);
        read.map_err(|error| {
            AskError::Failed(format!("the answer of {whom} is no JSON ({error}): is it that service?"))
        })
    }

    /// What the other side says of a failure, at most 200 characters: the usual places of JSON, or the text.
    pub fn complaint(&self) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let places = [&json["error"]["message"], &json["error"], &json["message"], &json["detail"]];
        let said = places.into_iter().find_map(Value::as_str).map(str::to_owned);
        let said = said.unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        one_line(&said).chars().take(200).collect()
    }
}

/// Sends `body` and waits for the whole answer, whatever its status, `timeout` at most. `whom` names the
/// service to people.
///
/// # Errors
/// [`AskError::Unreachable`] when there is no connection, [`AskError::Failed`] when it breaks or takes too long.
pub fn post(
    whom: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &Value,
    timeout: Duration,
) -> Result<Reply, AskError> {
    let mut config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .timeout_connect(Some(CONNECT.min(timeout)))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false);
    if url.starts_with("http://") {
        // Plain text is for this network alone.
        config = config.proxy(None);
    }
    let agent = Agent::new_with_config(config.build());
    let mut request = agent.post(url).header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let failed = |error: Error| failure(whom, &error, timeout);
    let mut response = request.send(&body.to_string().into_bytes()[..]).map_err(failed)?;
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(failed)?;
    Ok(Reply { status, body })
}

fn failure(whom: &str, error: &Error, timeout: Duration) -> AskError {
    let unreachable = |reason: &str| AskError::Unreachable(format!("{whom} cannot be reached: {reason}"));
    match error {
        Error::Timeout(Timeout::Connect | Timeout::Resolve) => unreachable("no connection in time"),
        Error::Timeout(_) => {
            let seconds = timeout.as_secs_f32();
            AskError::Failed(format!(
                "{whom} has not answered within {seconds} s: raise `timeout`, or take a smaller model"
            ))
        }
        Error::HostNotFound => unreachable("there is no such host"),
        Error::ConnectionFailed => unreachable("the connection failed"),
        Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => unreachable("nothing listens there"),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
                unreachable("there is no way to that network")
            }
            _ => AskError::Failed(format!("the connection to {whom} broke: {error}")),
        },
        error => AskError::Failed(format!("the connection to {whom} broke: {error}")),
    }
}

/// The URL that a setting names, without a slash at its end.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn base_url(setting: &str) -> Result<String, &'static str> {
    let url: Uri = setting.trim().parse().map_err(|_| "it is no URL: write http://HOST:PORT")?;
    let authority = url.authority().map_or("", |it| it.as_str());
    if !matches!(url.scheme_str(), Some("http" | "https")) || authority.is_empty() {
        return Err("it is no URL: write http://HOST:PORT or https://HOST");
    }
    if authority.contains('@') {
        return Err("it has a user or password in it: leave them out");
    }
    if url.query().is_some() {
        return Err("it has a `?`: leave it and what follows out");
    }
    Ok(url.to_string().trim_end_matches('/').to_owned())
}

/// Whether a URL leads to this machine itself.
pub fn is_this_machine(url: &str) -> bool {
    let url: Option<Uri> = url.parse().ok();
    let host = url.as_ref().and_then(Uri::host).unwrap_or_default().trim_matches(['[', ']']).to_owned();
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}
