//! A mail. Owns its form and the connection to the mail server.

use std::time::SystemTime;

use lettre::{
    Message as Mail, SmtpTransport, Transport,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls as Connection, TlsParameters},
    },
};
use panotti_sdk::SecretText;

use super::{PATIENCE, SendError};
use crate::{
    config::{Email, Tls},
    message::Message,
};

/// Mails `message`.
pub(super) fn send(
    settings: &Email,
    password: Option<&SecretText>,
    link: &str,
    message: &Message,
) -> Result<(), SendError> {
    let parameters = || TlsParameters::new(settings.host.clone()).map_err(SendError::Mail);
    let tls = match settings.tls {
        Tls::Starttls => Connection::Required(parameters()?),
        Tls::Implicit => Connection::Wrapper(parameters()?),
        Tls::None => Connection::None,
    };
    // The name says that nothing is decided for its user; the line before does.
    let mut server =
        SmtpTransport::builder_dangerous(&settings.host).port(settings.port).timeout(Some(PATIENCE)).tls(tls);
    if let Some(password) = password.filter(|_| !settings.username.is_empty()) {
        server =
            server.credentials(Credentials::new(settings.username.clone(), password.reveal().to_owned()));
    }
    server.build().send(&compose(settings, link, message)?).map(drop).map_err(SendError::Mail)
}

fn compose(settings: &Email, link: &str, message: &Message) -> Result<Mail, SendError> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| SendError::Compose(Box::new(error)));
    let mut mail = Mail::builder()
        .from(mailbox(&settings.from)?)
        .subject(&message.title)
        .date(SystemTime::from(message.timestamp))
        // The same for every attempt: a mail server or a reader may leave out the second one.
        .message_id(Some(format!("<{}@panotti>", message.key.replace('/', "."))))
        .header(ContentType::TEXT_PLAIN);
    for to in &settings.to {
        mail = mail.to(mailbox(to)?);
    }
    let link = if link.is_empty() { String::new() } else { format!("\r\n\r\n{link}") };
    let text = format!("{}{link}\r\n\r\nSent by Panotti, the meeting room's box.\r\n", message.text);
    mail.body(text).map_err(|error| SendError::Compose(Box::new(error)))
}
