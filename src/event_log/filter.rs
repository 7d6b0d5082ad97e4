//! Which events a reader wants. Owns topic patterns and their grammar; leaves finding the events to `store`.

use panotti_sdk::Event;
use uuid::Uuid;

use super::Error;

/// Which events a reader wants. Empty wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Topic pattern: `*` is one word, `**` the rest; `None` is all.
    pub name: Option<String>,
    /// Only this meeting's.
    pub correlation_id: Option<Uuid>,
}

/// A pattern of event names: words of `a-z`, `0-9` and `_` joined by dots, where `*` stands for any one
/// word and `**`, only at the end, for the rest: any number of words, even none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// `None` is any one word.
    words: Vec<Option<String>>,
    /// Whether more words may follow.
    rest: bool,
}

impl Pattern {
    /// Understands `text`, or says at which byte it stops being a pattern.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |at, reason| Error::Pattern { pattern: text.chars().take(128).collect(), at, reason };
        if text.len() > 128 {
            return Err(wrong(128, "a pattern has at most 128 bytes"));
        }
        let mut pattern = Self { words: Vec::new(), rest: false };
        let mut at = 0;
        for word in text.split('.') {
            if pattern.rest {
                return Err(wrong(at, "nothing may follow `**`"));
            }
            match word {
                "" => return Err(wrong(at, "a word is missing")),
                "**" => pattern.rest = true,
                "*" => pattern.words.push(None),
                _ => match word.bytes().position(|b| !matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
                    None => pattern.words.push(Some(word.to_owned())),
                    Some(offset) => {
                        return Err(wrong(at + offset, "words are `*`, `**` or made of a-z, 0-9 and _"));
                    }
                },
            }
            at += word.len() + 1;
        }
        if !pattern.rest && pattern.words.len() < 2 {
            return Err(wrong(text.len(), "event names have two words or more: add `.*` or `.**`"));
        }
        Ok(pattern)
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
    pub(super) fn prefix(&self) -> String {
        self.words.iter().map_while(Option::as_deref).collect::<Vec<_>>().join(".")
    }

    /// Whether it is `**` alone.
    pub(super) fn is_all(&self) -> bool {
        self.rest && self.words.is_empty()
    }
}

/// A filter that was understood.
#[derive(Debug, Clone, Default)]
pub(super) struct Parsed {
    /// `None` is all.
    pub(super) name: Option<Pattern>,
    /// `None` is all.
    pub(super) correlation_id: Option<Uuid>,
}

impl Parsed {
    /// Understands `filter`.
    pub(super) fn new(filter: &Filter) -> Result<Self, Error> {
        let name = filter.name.as_deref().map(Pattern::parse).transpose()?;
        Ok(Self { name: name.filter(|name| !name.is_all()), correlation_id: filter.correlation_id })
    }

    /// Whether `event` is wanted.
    pub(super) fn wants(&self, event: &Event) -> bool {
        self.name.as_ref().is_none_or(|name| name.matches(event.name.as_str()))
            && self.correlation_id.is_none_or(|id| id == event.context.correlation_id)
    }
}
