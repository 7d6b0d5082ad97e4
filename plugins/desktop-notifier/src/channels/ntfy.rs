//! A message to phones by an ntfy server. Owns its form: <https://docs.ntfy.sh/publish/#publish-as-json>,
//! which unlike ntfy's headers takes any language.

use panotti_sdk::{
    SecretText,
    payloads::Urgency,
    serde_json::{Map, Value},
};

use super::{SendError, bearer, post::post};
use crate::{config::Ntfy, message::Message};

/// Posts `message` to the topic.
pub(super) fn send(
    settings: &Ntfy,
    token: Option<&SecretText>,
    link: &str,
    message: &Message,
) -> Result<(), SendError> {
    // The settings were looked at before: there are both.
    let (server, topic) = settings.parts().unwrap_or((&settings.url, ""));
    // "3: default, 4: high, 5: really long vibration bursts", the same page.
    let (priority, tag) = match message.urgency {
        Urgency::Info => (3, "memo"),
        Urgency::Warning => (4, "warning"),
        Urgency::Error => (5, "rotating_light"),
    };
    let mut body = Map::from_iter([
        ("topic".to_owned(), topic.into()),
        ("title".to_owned(), message.title.as_str().into()),
        ("message".to_owned(), message.text.as_str().into()),
        ("priority".to_owned(), priority.into()),
        ("tags".to_owned(), Value::from(vec![tag])),
    ]);
    if !link.is_empty() {
        body.insert("click".to_owned(), link.into());
    }
    let mut headers = vec![("Idempotency-Key", message.key.clone())];
    headers.extend(token.map(|it| ("Authorization", bearer(it))));
    post(server, &headers, Value::from(body).to_string().as_bytes())
}
