//! The notifier's settings, and whether they can be used together. Owns their form and defaults; leaves
//! sending by them to `channels`.

use std::{collections::BTreeMap, net::IpAddr};

use lettre::message::Mailbox;
use panotti_sdk::{
    PluginError, SecretRef,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderName, HeaderValue, Uri};

/// Settings of the notifier.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether new notes are opened at once where there is a desktop (`xdg-open`). On a box without one it
    /// does nothing.
    pub auto_open_notes: bool,
    /// Whether people are also told when a recording has ended and is being written down.
    pub status_updates: bool,
    /// Whether people are also told when something went wrong on the box.
    pub alerts: bool,
    /// How long the same alert about the same thing is not repeated, s.
    #[schemars(range(max = 604_800), extend("x-unit" = "s"))]
    pub alert_pause_s: u32,
    /// Where people reach the box's page, for links in messages: `http://panotti.local:54789`. Empty: no
    /// links.
    #[schemars(length(max = 2000))]
    pub base_url: String,
    /// The ways to tell people. What has no address is off.
    pub channels: Channels,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            auto_open_notes: true,
            status_updates: false,
            alerts: true,
            alert_pause_s: 3600,
            base_url: String::new(),
            channels: Channels::default(),
        }
    }
}

/// The ways to tell people.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Channels {
    /// The box's own page, for whoever has it open.
    pub page: Page,
    /// A desktop session on the box.
    pub desktop: Desktop,
    /// A program elsewhere that takes a POST.
    pub webhook: Webhook,
    /// Mail.
    pub email: Email,
    /// A phone, by an ntfy server.
    pub ntfy: Ntfy,
}

/// The box's own page.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// Whether messages are offered to it.
    pub enabled: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// A desktop session on the box.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Desktop {
    /// Whether it is used where there is one.
    pub enabled: bool,
    /// Its D-Bus address, such as `unix:path=/run/user/1000/bus`. Empty: the session that the service runs
    /// in, which a system service has not.
    #[schemars(length(max = 500))]
    pub address: String,
}

impl Default for Desktop {
    fn default() -> Self {
        Self { enabled: true, address: String::new() }
    }
}

/// A program elsewhere that takes a POST.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// Its address, `http://` or `https://`. Empty: off.
    #[schemars(length(max = 2000))]
    pub url: String,
    /// What the body is signed with, HMAC-SHA256, in the header `X-Panotti-Signature`. In the file:
    /// `secret: { secret: WEBHOOK }`. Absent: not signed.
    pub secret: Option<SecretRef>,
    /// What goes into `Authorization: Bearer …`. Absent: nothing.
    pub token: Option<SecretRef>,
    /// More headers. They stand in the file as they are: no secrets here.
    pub headers: BTreeMap<String, String>,
}

/// How a connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// It begins in the clear and goes on encrypted, or not at all: port 587.
    Starttls,
    /// It is encrypted from the start: port 465.
    Implicit,
    /// It is not: for a mail server on the box itself.
    None,
}

/// Mail.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Email {
    /// The mail server. Empty: off.
    #[schemars(length(max = 253))]
    pub host: String,
    /// Its port.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// How the connection is kept private; `none` only to the box itself.
    pub tls: Tls,
    /// Who the box is there. Empty: it does not log in.
    #[schemars(length(max = 320))]
    pub username: String,
    /// The password. In the file: `password: { secret: MAIL }`.
    pub password: Option<SecretRef>,
    /// Who the mail is from: `Meeting room <room@example.com>`.
    #[schemars(length(max = 320))]
    pub from: String,
    /// Who gets it.
    #[schemars(length(max = 50))]
    pub to: Vec<String>,
}

impl Default for Email {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            tls: Tls::Starttls,
            username: String::new(),
            password: None,
            from: String::new(),
            to: Vec::new(),
        }
    }
}

/// A phone, by an ntfy server.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ntfy {
    /// Server and topic: `https://ntfy.sh/our-meeting-room`. Empty: off.
    #[schemars(length(max = 2000))]
    pub url: String,
    /// The access token. In the file: `token: { secret: NTFY }`. Absent: none is needed.
    pub token: Option<SecretRef>,
}

impl Ntfy {
    /// The server's address and the topic, where the setting has both.
    pub(crate) fn parts(&self) -> Option<(&str, &str)> {
        let (server, topic) = self.url.trim_end_matches('/').rsplit_once('/')?;
        (!server.ends_with('/') && !topic.is_empty()).then_some((server, topic))
    }
}

impl Config {
    /// Whether the settings can be used.
    ///
    /// # Errors
    /// [`PluginError::Config`] names the first that cannot.
    pub(crate) fn check(&self) -> Result<(), PluginError> {
        address("base_url", &self.base_url)?;
        let Channels { webhook, email, ntfy, .. } = &self.channels;
        address("channels.webhook.url", &webhook.url)?;
        for (name, value) in &webhook.headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
                let reason = format!("`{name}: {value}` is no HTTP header");
                return Err(PluginError::config("channels.webhook.headers", reason));
            }
        }
        address("channels.ntfy.url", &ntfy.url)?;
        if !ntfy.url.is_empty() && ntfy.parts().is_none() {
            let reason = "the topic is missing: write https://ntfy.sh/a-topic-of-your-own";
            return Err(PluginError::config("channels.ntfy.url", reason));
        }
        if email.host.is_empty() { Ok(()) } else { email.check() }
    }
}

impl Email {
    fn check(&self) -> Result<(), PluginError> {
        let no_mailbox = |text: &str| {
            let parsed = text.parse::<Mailbox>();
            parsed.err().map(|error| format!("`{text}` is no address: {error}"))
        };
        if let Some(reason) = no_mailbox(&self.from) {
            return Err(PluginError::config("channels.email.from", reason));
        }
        if self.to.is_empty() {
            let reason = "nobody gets the mail: name somebody, or leave `host` empty";
            return Err(PluginError::config("channels.email.to", reason));
        }
        if let Some(reason) = self.to.iter().find_map(|it| no_mailbox(it)) {
            return Err(PluginError::config("channels.email.to", reason));
        }
        if self.tls == Tls::None && !is_this_box(&self.host) {
            let reason = "without TLS, mail and password could be read on the way: use `starttls` or \
                          `implicit`; `none` is for a mail server on the box itself";
            return Err(PluginError::config("channels.email.tls", reason));
        }
        if !self.username.is_empty() && self.password.is_none() {
            let reason = "there is a user name and no password: name its secret, `{ secret: MAIL }`";
            return Err(PluginError::config("channels.email.password", reason));
        }
        Ok(())
    }
}

fn is_this_box(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

fn address(key: &str, url: &str) -> Result<(), PluginError> {
    let uri = url.parse::<Uri>().ok();
    let of_web = |it: &Uri| matches!(it.scheme_str(), Some("http" | "https")) && it.host().is_some();
    if url.is_empty() || uri.is_some_and(|it| of_web(&it)) {
        return Ok(());
    }
    Err(PluginError::config(key, "it is no address: write http://… or https://…, or leave it empty"))
}
