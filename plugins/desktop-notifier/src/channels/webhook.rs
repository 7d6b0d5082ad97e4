//! A POST to a program elsewhere. Owns its form, which is a promise to those programs (the plugin's
//! `README.md`), and its signature.

use hmac::{Hmac, Mac};
use panotti_sdk::{SecretText, serde_json::json};
use sha2::Sha256;

use super::{SendError, bearer, post::post};
use crate::{config::Webhook, message::Message};

/// Posts `message`.
pub(super) fn send(
    settings: &Webhook,
    secret: Option<&SecretText>,
    token: Option<&SecretText>,
    link: &str,
    message: &Message,
) -> Result<(), SendError> {
    let link = (!link.is_empty()).then_some(link);
    let body = json!({
        "key": message.key, "title": message.title, "message": message.text, "urgency": message.urgency,
        "recording_id": message.recording_id, "timestamp": message.timestamp, "link": link,
    });
    let body = body.to_string().into_bytes();
    let mut headers = vec![("Idempotency-Key", message.key.clone())];
    headers.extend(
        secret.map(|it| ("X-Panotti-Signature", format!("sha256={}", signature(it.reveal(), &body)))),
    );
    headers.extend(token.map(|it| ("Authorization", bearer(it))));
    headers.extend(settings.headers.iter().map(|(name, value)| (name.as_str(), value.clone())));
    post(&settings.url, &headers, &body)
}

/// HMAC-SHA256 (RFC 2104) of `body`, hexadecimal.
fn signature(secret: &str, body: &[u8]) -> String {
    // A key of any length will do; the type cannot say so.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // Test case 2.
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
