//! In what order the events of one subscription are handled. Owns chains, urgency and fairness; pure: the
//! caller tells the time and does the work.
//!
//! # The rule
//! - Events of one correlation id are a *chain*: first in, first out, one at a time. One that failed stays
//!   at the head until it is due again.
//! - A chain is as urgent as its most urgent event, so that a critical one is not stuck behind a low one
//!   that came before it.
//! - The most urgent chain goes first; among equals the one whose head came first.
//! - Every [`FAIR`]th pick takes the chain whose head came first, however urgent the others are: of `n`
//!   chains that waited before it, none keeps one waiting for more than [`FAIR`] × (`n` + 1) picks.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, VecDeque},
    time::Instant,
};

use panotti_sdk::Priority;
use uuid::Uuid;

/// Which pick looks at the waiting time alone.
pub(super) const FAIR: u64 = 8;

/// What waits and what runs.
#[derive(Debug)]
pub(super) struct Scheduler<T> {
    chains: HashMap<Uuid, Chain<T>>,
    /// Chains that may go: most urgent first, then by the arrival of the head.
    ready: BTreeSet<(Reverse<Priority>, u64, Uuid)>,
    /// The same chains by the arrival of the head alone.
    waiting: BTreeSet<(u64, Uuid)>,
    /// Chains whose head failed, by when it is tried again.
    later: BTreeSet<(Instant, Uuid)>,
    arrivals: u64,
    picks: u64,
    len: usize,
}

#[derive(Debug)]
struct Chain<T> {
    items: VecDeque<Item<T>>,
    /// How many there are of each priority.
    priorities: [usize; 4],
    state: State,
}

#[derive(Debug)]
struct Item<T> {
    arrival: u64,
    priority: Priority,
    value: T,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Ready,
    /// The head is being handled, or what came of it is being stored.
    Busy,
    Later(Instant),
}

impl<T> Chain<T> {
    /// Its place among those that may go; `None` for a chain of nothing.
    fn rank(&self) -> Option<(Reverse<Priority>, u64)> {
        let urgency = [Priority::Critical, Priority::High, Priority::Normal, Priority::Low]
            .into_iter()
            .find(|priority| self.priorities[*priority as usize] > 0)?;
        Some((Reverse(urgency), self.items.front()?.arrival))
    }

    fn count(&mut self) {
        self.priorities = [0; 4];
        for item in &self.items {
            self.priorities[item.priority as usize] += 1;
        }
    }
}

impl<T> Scheduler<T> {
    pub(super) fn new() -> Self {
        Self {
            chains: HashMap::new(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            later: BTreeSet::new(),
            arrivals: 0,
            picks: 0,
            len: 0,
        }
    }

    /// All that is here, waiting or busy.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts `value` at the end of `chain`.
    pub(super) fn push(&mut self, chain: Uuid, priority: Priority, value: T) {
        self.leave(chain);
        self.arrivals += 1;
        self.len += 1;
        let entry = self.chains.entry(chain).or_insert_with(|| Chain {
            items: VecDeque::new(),
            priorities: [0; 4],
            state: State::Ready,
        });
        entry.items.push_back(Item { arrival: self.arrivals, priority, value });
        entry.priorities[priority as usize] += 1;
        self.enter(chain);
    }

    /// The head of the chain whose turn it is. The chain is busy until [`Self::finish`] or [`Self::delay`].
    pub(super) fn pick(&mut self) -> Option<(Uuid, &mut T)> {
        let longest = self.waiting.first().map(|(_, chain)| *chain);
        let fair = (self.picks + 1).is_multiple_of(FAIR);
        let chain = if fair { longest } else { self.ready.first().map(|(.., chain)| *chain) }?;
        self.picks += 1;
        self.leave(chain);
        let entry = self.chains.get_mut(&chain)?;
        entry.state = State::Busy;
        entry.items.front_mut().map(|item| (chain, &mut item.value))
    }

    /// The head of `chain`.
    pub(super) fn head(&mut self, chain: Uuid) -> Option<&mut T> {
        self.chains.get_mut(&chain)?.items.front_mut().map(|item| &mut item.value)
    }

    /// Takes the head off `chain`: it is done with, and the next may go.
    pub(super) fn finish(&mut self, chain: Uuid) -> Option<T> {
        self.leave(chain);
        let entry = self.chains.get_mut(&chain)?;
        let item = entry.items.pop_front()?;
        entry.priorities[item.priority as usize] -= 1;
        entry.state = State::Ready;
        self.len -= 1;
        self.enter(chain);
        Some(item.value)
    }

    /// Leaves the head of `chain` where it is until `due`.
    pub(super) fn delay(&mut self, chain: Uuid, due: Instant) {
        self.leave(chain);
        if let Some(entry) = self.chains.get_mut(&chain) {
            entry.state = State::Later(due);
        }
        self.enter(chain);
    }

    /// Makes ready what is due.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some((_, chain)) = self.later.first().copied().filter(|(due, _)| *due <= now) {
            self.leave(chain);
            if let Some(entry) = self.chains.get_mut(&chain) {
                entry.state = State::Ready;
            }
            self.enter(chain);
        }
    }

    /// When [`Self::wake`] has something to do next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.later.first().map(|(due, _)| *due)
    }

    /// Takes out what waits and is not kept. What is busy stays.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        for chain in self.chains.keys().copied().collect::<Vec<_>>() {
            self.leave(chain);
            if let Some(entry) = self.chains.get_mut(&chain) {
                let before = (entry.items.len(), entry.items.front().map(|item| item.arrival));
                let busy = before.1.filter(|_| entry.state == State::Busy);
                entry.items.retain(|item| Some(item.arrival) == busy || keep(&item.value));
                entry.count();
                if entry.items.front().map(|item| item.arrival) != before.1 {
                    entry.state = State::Ready;
                }
                self.len -= before.0 - entry.items.len();
            }
            self.enter(chain);
        }
    }

    /// The head that came first of those that wait.
    pub(super) fn oldest(&self) -> Option<&T> {
        let later = self.later.iter().map(|(_, chain)| chain);
        let chains = self.waiting.first().map(|(_, chain)| chain).into_iter().chain(later);
        let heads = chains.filter_map(|chain| self.chains.get(chain)?.items.front());
        heads.min_by_key(|item| item.arrival).map(|item| &item.value)
    }

    /// Takes `chain` out of the sets, before it changes.
    fn leave(&mut self, chain: Uuid) {
        let Some(entry) = self.chains.get(&chain) else { return };
        match (entry.state, entry.rank()) {
            (State::Ready, Some((urgency, arrival))) => {
                self.ready.remove(&(urgency, arrival, chain));
                self.waiting.remove(&(arrival, chain));
            }
            (State::Later(due), _) => drop(self.later.remove(&(due, chain))),
            _ => {}
        }
    }

    /// Puts `chain` where it belongs now.
    fn enter(&mut self, chain: Uuid) {
        let Some(entry) = self.chains.get(&chain) else { return };
        match (entry.state, entry.rank()) {
            (_, None) => drop(self.chains.remove(&chain)),
            (State::Ready, Some((urgency, arrival))) => {
                self.ready.insert((urgency, arrival, chain));
                self.waiting.insert((arrival, chain));
            }
            (State::Later(due), _) => drop(self.later.insert((due, chain))),
            (State::Busy, _) => {}
        }
    }
}
