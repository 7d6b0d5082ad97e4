//! The ways to tell people beyond the page. Owns which of them are set, and sending one message by one of
//! them; leaves what is told, when and how often to the rest of the crate.

mod desktop;
mod email;
mod ntfy;
mod post;
#[cfg(test)]
mod tests;
mod webhook;

use std::{error::Error, time::Duration};

use panotti_sdk::{Context, ContextError, SecretRef, SecretText};

pub(crate) use self::desktop::session_bus;
use crate::{config::Config, message::Message};

/// Longest that anything on the network may take; tests of those who never answer need not wait as long.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 10 });

/// A way to tell people beyond the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Desktop,
    Webhook,
    Email,
    Ntfy,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// Its secret is not there.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The address or a header cannot be sent, or nobody answered.
    #[error("the server was not reached")]
    Request(#[source] Box<ureq::Error>),
    /// The server said no.
    #[error("the server answered {status}: {said}")]
    Refused { status: u16, said: String },
    /// The message is none that can be mailed.
    #[error("the mail cannot be written")]
    Compose(#[source] Box<dyn Error + Send + Sync>),
    /// The mail server was not reached or said no.
    #[error("the mail server did not take it")]
    Mail(#[source] lettre::transport::smtp::Error),
    /// Nothing on the desktop took it.
    #[error("the desktop did not show it")]
    Desktop(#[source] zbus::Error),
    /// Nobody answered.
    #[error("there was no answer within {} s", PATIENCE.as_secs())]
    Late,
}

impl Channel {
    /// All of them, in the order in which they are tried.
    pub(crate) const ALL: [Self; 4] = [Self::Desktop, Self::Webhook, Self::Email, Self::Ntfy];

    /// Its name in events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Webhook => "webhook",
            Self::Email => "email",
            Self::Ntfy => "ntfy",
        }
    }

    /// Whether the settings have it.
    pub(crate) fn is_set(self, config: &Config) -> bool {
        let channels = &config.channels;
        match self {
            Self::Desktop => channels.desktop.enabled,
            Self::Webhook => !channels.webhook.url.is_empty(),
            Self::Email => !channels.email.host.is_empty(),
            Self::Ntfy => !channels.ntfy.url.is_empty(),
        }
    }

    /// Sends `message`; when it returns, the other side has taken it.
    ///
    /// # Errors
    /// [`SendError`] when it has not, as far as can be known.
    pub(crate) async fn send(
        self,
        context: &Context,
        config: &Config,
        bus: &str,
        message: &Message,
    ) -> Result<(), SendError> {
        let secret = |it: &Option<SecretRef>| it.as_ref().map(|it| context.secret(it)).transpose();
        let link = config.base_url.clone();
        let message = message.clone();
        match self {
            Self::Desktop => desktop::show(bus, &message, config.auto_open_notes).await,
            Self::Webhook => {
                let settings = config.channels.webhook.clone();
                let (sign, token) = (secret(&settings.secret)?, secret(&settings.token)?);
                let post = move || webhook::send(&settings, sign.as_ref(), token.as_ref(), &link, &message);
                context.blocking(post).await?
            }
            Self::Email => {
                let settings = config.channels.email.clone();
                let password = secret(&settings.password)?;
                context.blocking(move || email::send(&settings, password.as_ref(), &link, &message)).await?
            }
            Self::Ntfy => {
                let settings = config.channels.ntfy.clone();
                let token = secret(&settings.token)?;
                context.blocking(move || ntfy::send(&settings, token.as_ref(), &link, &message)).await?
            }
        }
    }
}

/// `Bearer …`.
fn bearer(token: &SecretText) -> String {
    format!("Bearer {}", token.reveal())
}
