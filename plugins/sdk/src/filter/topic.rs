//! Topics: patterns of event names. Owns their grammar; pure.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{EventName, EventType};

/// A pattern of event names: words of `a-z`, `0-9` and `_` joined by dots, where `*` stands for any one
/// word and `**`, only at the end, for the rest: any number of words, even none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic {
    /// `None` is any one word.
    words: Vec<Option<String>>,
    /// Whether more words may follow.
    rest: bool,
}

/// The text is not a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{topic}` is not a topic pattern: at byte {at}, {reason}")]
pub struct InvalidTopic {
    /// As given, cut to 128 characters.
    pub topic: String,
    /// Where it goes wrong, in bytes from 0.
    pub at: usize,
    /// Why.
    pub reason: &'static str,
}

impl Topic {
    /// Understands `text`.
    ///
    /// # Errors
    /// [`InvalidTopic`] says at which byte it stops being a topic.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        let wrong = |at, reason| InvalidTopic { topic: text.chars().take(128).collect(), at, reason };
        if text.len() > 128 {
            return Err(wrong(text.floor_char_boundary(128), "a pattern has at most 128 bytes"));
        }
        let mut topic = Self { words: Vec::new(), rest: false };
        let mut at = 0;
        for word in text.split('.') {
            if topic.rest {
                return Err(wrong(at, "nothing may follow `**`"));
            }
            match word {
                "" => return Err(wrong(at, "a word is missing")),
                "**" => topic.rest = true,
                "*" => topic.words.push(None),
                _ => match word.bytes().position(|b| !matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
                    None => topic.words.push(Some(word.to_owned())),
                    Some(offset) => {
                        return Err(wrong(at + offset, "words are `*`, `**` or made of a-z, 0-9 and _"));
                    }
                },
            }
            at += word.len() + 1;
        }
        if !topic.rest && topic.words.len() < 2 {
            return Err(wrong(text.len(), "event names have two words or more: add `.*` or `.**`"));
        }
        Ok(topic)
    }

    /// Whether `name` is one of those meant.
    pub fn matches(&self, name: &str) -> bool {
        let mut words = name.split('.');
        self.words.iter().all(|wanted| match (wanted, words.next()) {
            (Some(wanted), Some(word)) => wanted == word,
            (None, Some(_)) => true,
            (_, None) => false,
        }) && (self.rest || words.next().is_none())
    }

    /// How every matching name begins; empty when that is not known.
    pub fn prefix(&self) -> String {
        self.words.iter().map_while(Option::as_deref).collect::<Vec<_>>().join(".")
    }

    /// Whether it is `**` alone.
    pub fn is_all(&self) -> bool {
        self.rest && self.words.is_empty()
    }
}

impl From<EventName> for Topic {
    fn from(name: EventName) -> Self {
        Self { words: name.as_str().split('.').map(|word| Some(word.to_owned())).collect(), rest: false }
    }
}

impl<P> From<EventType<P>> for Topic {
    fn from(event: EventType<P>) -> Self {
        EventName::from(event).into()
    }
}

impl FromStr for Topic {
    type Err = InvalidTopic;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Topic {
    type Error = InvalidTopic;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.to_string()
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|word| word.as_deref().unwrap_or("*"));
        let words: Vec<_> = words.chain(self.rest.then_some("**")).collect();
        f.write_str(&words.join("."))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn topics_that_are_none_say_where() {
        for (pattern, at) in
            [("", 0), ("a", 1), ("a..b", 2), ("a.B", 2), ("a.b*", 3), ("**.b", 3), ("a.***", 2), ("*", 1)]
        {
            match Topic::parse(pattern) {
                Err(InvalidTopic { at: found, .. }) => assert_eq!(found, at, "{pattern}"),
                other => panic!("{pattern}: {other:?}"),
            }
        }
    }

    /// Names of few words, so that patterns meet them.
    fn name() -> impl Strategy<Value = String> {
        prop::collection::vec("[ab_]{1,2}", 2..5).prop_map(|words| words.join("."))
    }

    fn pattern() -> impl Strategy<Value = String> {
        let word = prop_oneof![2 => Just("*".to_owned()), 3 => "[ab_]{1,2}"];
        (prop::collection::vec(word, 2..5), any::<bool>()).prop_map(|(mut words, rest)| {
            if rest {
                words.pop();
                words.push("**".into());
            }
            words.join(".")
        })
    }

    /// The definition, word for word.
    fn naive(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            (["**"], _) | ([], []) => true,
            (["*", pattern @ ..], [_, name @ ..]) => naive(pattern, name),
            ([wanted, pattern @ ..], [word, name @ ..]) => wanted == word && naive(pattern, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn topics_mean_what_they_say(pattern in pattern(), name in name()) {
            let words = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
            let (pattern_words, name_words) = (words(&pattern), words(&name));
            let expected = naive(
                &pattern_words.iter().map(String::as_str).collect::<Vec<_>>(),
                &name_words.iter().map(String::as_str).collect::<Vec<_>>(),
            );
            let topic = Topic::parse(&pattern).unwrap();
            prop_assert_eq!(topic.matches(&name), expected);
            prop_assert_eq!(topic.to_string(), pattern);
        }

        #[test]
        fn any_text_is_a_topic_or_an_error(text in "\\PC*") {
            drop(Topic::parse(&text));
        }
    }
}
