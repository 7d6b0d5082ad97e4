//! The newest events as they were published. Owns that subscribers and streams need not decode what was
//! committed a moment ago; leaves everything older, and what other processes wrote, to the store.

use std::{
    collections::VecDeque,
    mem::size_of,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use panotti_sdk::{Event, Filter};
use serde_json::Value;

use super::{Error, EventLog};

/// Most events that are kept.
const EVENTS: usize = 4096;
/// Most memory that they take together, bytes.
const BYTES: usize = 8 << 20;
/// Events that a reader takes under the lock, so that the writer never waits long for it.
const CHUNK: usize = 256;

/// Shared by all clones of a log.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Ring>);

/// Events whose `seq` follow one another without a gap, and what each takes.
#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<(Arc<Event>, usize)>,
    bytes: usize,
}

impl Recent {
    pub(super) fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Puts the newest event at the end.
    pub(super) fn push(&mut self, event: Arc<Event>, footprint: usize) {
        // Another process wrote in between: what was before the gap no longer leads here.
        if self.events.back().is_some_and(|(last, _)| last.seq + 1 != event.seq) {
            self.events.clear();
            self.bytes = 0;
        }
        self.events.push_back((event, footprint));
        self.bytes += footprint;
        while self.events.len() > EVENTS || self.bytes > BYTES {
            self.pop();
        }
    }

    /// Drops what lies before `seq`.
    pub(super) fn forget_before(&mut self, seq: u64) {
        while self.events.front().is_some_and(|(event, _)| event.seq < seq) {
            self.pop();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    fn pop(&mut self) {
        self.bytes -= self.events.pop_front().map_or(0, |(_, footprint)| footprint);
    }

    /// The next events behind `after`, or `None` when what follows it is not here.
    fn behind(&self, after: u64) -> Option<Vec<Arc<Event>>> {
        let first = self.events.front()?.0.seq;
        let skipped = usize::try_from(after.saturating_add(1).checked_sub(first)?).ok()?;
        let events = self.events.iter().skip(skipped).take(CHUNK);
        Some(events.map(|(event, _)| event.clone()).collect())
    }
}

impl EventLog {
    /// What [`Self::read`] answers, for those who are near the end: from memory where that reaches back to
    /// `after`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_new(&self, after: u64, limit: usize, filter: &Filter) -> Result<Vec<Arc<Event>>, Error> {
        let (mut found, mut at) = (Vec::new(), after);
        while found.len() < limit {
            let events = self.inner.recent.lock().behind(at).unwrap_or_default();
            if events.is_empty() {
                break;
            }
            for event in events {
                at = event.seq;
                if found.len() < limit && filter.wants(&event) {
                    found.push(event);
                }
            }
        }
        // Up to the newest of this process it is complete. Nothing there: the store knows more.
        if at == after || at < *self.inner.tail.borrow() && found.len() < limit {
            let more = self.read(at, limit - found.len(), filter)?;
            found.extend(more.into_iter().map(Arc::new));
        }
        Ok(found)
    }
}

/// What an event takes in memory, bytes; a little more rather than less.
pub(super) fn footprint(event: &Event) -> usize {
    /// Blocks of the allocator are this much larger than what was asked for.
    const BLOCK: usize = 16;
    /// A node of `serde_json`'s tree of fields has room for eleven and is at least half full.
    const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 2 * BLOCK;
    fn fields<'a>(fields: impl ExactSizeIterator<Item = (&'a String, &'a Value)>) -> usize {
        let nodes = fields.len().div_ceil(5) * NODE;
        nodes + fields.map(|(key, value)| key.len() + BLOCK + heap(value)).sum::<usize>()
    }
    fn heap(value: &Value) -> usize {
        match value {
            Value::String(text) => text.capacity() + BLOCK,
            Value::Array(items) => {
                BLOCK + items.capacity() * size_of::<Value>() + items.iter().map(heap).sum::<usize>()
            }
            Value::Object(object) => fields(object.iter()),
            _ => 0,
        }
    }
    let source = event.context.source_plugin.as_ref().map_or(0, |source| source.capacity() + BLOCK);
    let texts = event.name.as_str().len() + BLOCK + source;
    2 * BLOCK + size_of::<Event>() + texts + heap(&event.payload) + fields(event.context.metadata.iter())
}
