//! A POST of JSON, as webhook and ntfy need it. Owns limits and what counts as taken; leaves headers and body
//! to them.

use ureq::Agent;

use super::{PATIENCE, SendError};

/// Most of a server's answer that is told to people, bytes.
const MOST_SAID: u64 = 300;

/// Posts `body`; the server has taken it when it answers 2xx. A redirect is none: where it leads nobody has
/// configured.
pub(super) fn post(url: &str, headers: &[(&str, String)], body: &[u8]) -> Result<(), SendError> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        // Where messages go is a matter of settings, not of the environment.
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("panotti-desktop-notifier/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut request = agent.post(url).content_type("application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let mut response = request.send(body).map_err(|error| SendError::Request(Box::new(error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let said = response.body_mut().with_config().limit(MOST_SAID).lossy_utf8(true).read_to_string();
    // A longer answer is no answer to a person.
    let said = said.unwrap_or_else(|_| "more than a sentence".to_owned());
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = if said.is_empty() { "nothing else".to_owned() } else { said };
    Err(SendError::Refused { status: status.as_u16(), said })
}
