//! What fuzzers call: any bytes, and what has to be true of whatever comes of them. Owns these rules; the
//! targets in `tests/fuzz` and the ordinary tests in `tests/it/fuzz.rs` only bring the bytes.
//!
//! Each function panics where a rule is broken, and answers whether the bytes were understood.
#![allow(clippy::panic, clippy::expect_used, reason = "a broken rule ends the fuzzer")]

use panotti_sdk::{
    Event, EventName,
    filter::{Condition, InvalidCondition, Topic},
};

use crate::event_log::envelope as stored;

/// A stored event: decoded and encoded again it is the same event.
pub fn envelope(data: &[u8]) -> bool {
    let Ok(event) = stored::decode(7, data) else { return false };
    let again = encode(&event);
    assert_eq!(stored::decode(7, &again).expect("what was encoded is decoded"), event);
    assert_eq!(stored::timestamp(&again).ok(), Some(event.context.timestamp));
    true
}

/// The stored form of `event`.
pub fn encode(event: &Event) -> Vec<u8> {
    let json = |it| serde_json::to_vec(it).expect("JSON is written");
    let metadata = serde_json::to_vec(&event.context.metadata).expect("JSON is written");
    stored::encode(event, &json(&event.payload), &metadata).expect("an event is encoded")
}

/// A condition and, behind a zero byte, a stored event that it is asked of. An error lies inside the text;
/// what is understood is printed as it was written, and `not` makes it the opposite.
pub fn condition(data: &[u8]) -> bool {
    let (text, event) = split(data);
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let condition = match Condition::parse(text) {
        Ok(condition) => condition,
        Err(InvalidCondition { at, reason }) => {
            assert!(text.is_char_boundary(at) && !reason.is_empty(), "{at}: {reason}");
            return false;
        }
    };
    assert_eq!(condition.to_string(), text);
    let json = serde_json::to_string(&condition).expect("JSON is written");
    assert_eq!(serde_json::from_str::<Condition>(&json).ok().as_ref(), Some(&condition));
    // Limits may refuse the longer one.
    if let (Ok(opposite), Ok(event)) = (Condition::parse(&format!("not ({text})")), stored::decode(7, event))
    {
        assert_ne!(condition.holds(&event), opposite.holds(&event), "{text}");
    }
    true
}

/// A topic and, behind a zero byte, a name. An error lies inside the text; what is understood is printed as
/// it was written, and admits the names that it should.
pub fn topic(data: &[u8]) -> bool {
    let (text, name) = split(data);
    let (Ok(text), Ok(name)) = (std::str::from_utf8(text), std::str::from_utf8(name)) else { return false };
    let topic = match Topic::parse(text) {
        Ok(topic) => topic,
        Err(error) => {
            assert!(text.is_char_boundary(error.at) && !error.reason.is_empty(), "{error}");
            return false;
        }
    };
    assert_eq!(topic.to_string(), text);
    assert_eq!(topic.is_all(), text == "**");
    let Ok(name) = name.parse::<EventName>() else { return true };
    let words = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, name_words) = (words(text), words(name.as_str()));
    assert_eq!(topic.matches(name.as_str()), fits(&pattern, &name_words), "{text} {name}");
    assert!(!topic.matches(name.as_str()) || name.as_str().starts_with(&topic.prefix()), "{text} {name}");
    assert!(Topic::from(name.clone()).matches(name.as_str()), "{name}");
    true
}

/// The definition, word for word.
fn fits(pattern: &[String], name: &[String]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((wanted, [])), _) if wanted == "**" => true,
        (Some((wanted, pattern)), Some((word, name))) => {
            (wanted == "*" || wanted == word) && fits(pattern, name)
        }
        _ => false,
    }
}

/// What stands in front of the first zero byte, and what behind it.
fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}
