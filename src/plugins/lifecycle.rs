//! The states of a plugin's life and how they follow each other. Owns the rule and the history; pure, who
//! enters a state and why is the host's.
//!
//! ```text
//!  discovered ─▶ configured ─▶ starting ─▶ running ⇄ degraded
//!      │          ▲  ▲  │          │          │          │
//!      │          │  │  └─▶ stopped ◀─ stopping ◀────────┘
//!      │          │  └──── stopped, failed: tried again
//!      └▶ disabled ┘
//! ```
//! `failed` follows every state, itself for another reason: settings that cannot be used, a dependency that is gone, a start
//! that went wrong, a crash, a stop that did not end. `disabled` follows only what does not run.

use std::{collections::VecDeque, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;

/// Transitions that are kept.
const HISTORY: usize = 50;

/// Where in its life a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is in the binary.
    Discovered,
    /// Its settings fit.
    Configured,
    /// It gets ready.
    Starting,
    /// It gets events.
    Running,
    /// It gets events and does a part of its work.
    Degraded,
    /// It gets no new events and puts its things in order.
    Stopping,
    /// It does not run; it may be started.
    Stopped,
    /// It cannot run.
    Failed,
    /// It is not to run.
    Disabled,
}

impl State {
    /// Whether `to` may follow.
    pub fn may_become(self, to: Self) -> bool {
        use State::{
            Configured, Degraded, Disabled, Discovered, Failed, Running, Starting, Stopped, Stopping,
        };
        match self {
            Discovered => matches!(to, Configured | Failed | Disabled),
            Configured => matches!(to, Starting | Stopped | Failed | Disabled),
            Starting => matches!(to, Running | Degraded | Stopping | Failed),
            Running => matches!(to, Degraded | Stopping | Failed),
            Degraded => matches!(to, Running | Stopping | Failed),
            Stopping => matches!(to, Stopped | Failed),
            Stopped => matches!(to, Configured | Starting | Failed | Disabled),
            Failed => matches!(to, Configured | Starting | Failed | Disabled),
            Disabled => matches!(to, Configured | Failed),
        }
    }

    /// Whether events are delivered to it. One that gets none keeps its place in the log.
    pub fn gets_events(self) -> bool {
        matches!(self, Self::Running | Self::Degraded)
    }

    /// Whether requests to its routes are handed to it.
    pub fn answers_calls(self) -> bool {
        matches!(self, Self::Running | Self::Degraded)
    }

    /// The word for it, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discovered => "discovered",
            Self::Configured => "configured",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A step from one state to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transition {
    /// From where.
    pub from: State,
    /// To where.
    pub to: State,
    /// Why, for a person.
    pub reason: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A plugin's life so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Life {
    state: State,
    since: Timestamp,
    reason: Option<String>,
    /// Newest last.
    history: VecDeque<Transition>,
}

impl Life {
    /// One that begins now.
    pub(super) fn new() -> Self {
        let since = Timestamp::now();
        Self { state: State::Discovered, since, reason: None, history: VecDeque::new() }
    }

    /// The same life in a new process: it begins anew and remembers.
    pub(super) fn again(self) -> Self {
        Self { history: self.history, ..Self::new() }
    }

    /// Where it is.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Since when.
    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    /// Why, where there is a reason.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The last 50 transitions, newest last.
    pub(super) fn history(&self) -> impl DoubleEndedIterator<Item = &Transition> {
        self.history.iter()
    }

    /// Takes a step; an empty `reason` is none.
    ///
    /// # Errors
    /// [`Error::Transition`] for a step that is not allowed; nothing has changed then.
    pub(super) fn enter(&mut self, to: State, reason: impl Into<String>) -> Result<Transition, Error> {
        let from = self.state;
        if !from.may_become(to) {
            return Err(Error::Transition { from, to });
        }
        // The clock may be set back; a history does not run backwards.
        let at = Timestamp::now().max(self.since);
        let step = Transition { from, to, reason: reason.into(), at };
        self.state = to;
        self.since = at;
        self.reason = Some(step.reason.clone()).filter(|it| !it.is_empty());
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(step.clone());
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [State; 9] = [
        State::Discovered,
        State::Configured,
        State::Starting,
        State::Running,
        State::Degraded,
        State::Stopping,
        State::Stopped,
        State::Failed,
        State::Disabled,
    ];

    #[test]
    fn the_rule_is_as_drawn() {
        let steps: Vec<String> = ALL
            .iter()
            .map(|from| {
                let to: Vec<_> =
                    ALL.iter().filter(|to| from.may_become(**to)).map(ToString::to_string).collect();
                format!("{from}: {}", to.join(" "))
            })
            .collect();
        assert_eq!(
            steps,
            [
                "discovered: configured failed disabled",
                "configured: starting stopped failed disabled",
                "starting: running degraded stopping failed",
                "running: degraded stopping failed",
                "degraded: running stopping failed",
                "stopping: stopped failed",
                "stopped: configured starting failed disabled",
                "failed: configured starting failed disabled",
                "disabled: configured failed",
            ]
        );
    }

    #[test]
    fn what_runs_is_stopped_before_it_is_disabled() {
        for state in ALL.into_iter().filter(|it| it.gets_events()) {
            assert!(!state.may_become(State::Disabled) && !state.may_become(State::Stopped), "{state}");
        }
        assert!(ALL.iter().all(|it| !it.may_become(*it) || *it == State::Failed));
        assert!(ALL.iter().all(|it| serde_json::to_value(it).unwrap() == it.as_str()));
    }

    proptest! {
        #[test]
        fn only_allowed_steps_happen(walk in proptest::collection::vec((0..ALL.len(), ".{0,8}"), 0..200)) {
            let mut life = Life::new();
            let mut taken = Vec::new();
            for (to, reason) in walk {
                let (before, to) = (life.clone(), ALL[to]);
                match life.enter(to, reason.as_str()) {
                    Ok(step) => {
                        prop_assert!(before.state.may_become(to));
                        prop_assert_eq!((step.from, step.to), (before.state, to));
                        prop_assert_eq!((life.state(), life.since()), (to, step.at));
                        prop_assert_eq!(life.reason().unwrap_or_default(), reason);
                        taken.push(step);
                    }
                    Err(Error::Transition { from, to: refused }) => {
                        prop_assert!(!before.state.may_become(to));
                        prop_assert_eq!((from, refused), (before.state, to));
                        prop_assert_eq!(&life, &before);
                    }
                    Err(other) => prop_assert!(false, "{other}"),
                }
            }
            let kept: Vec<_> = life.history().cloned().collect();
            prop_assert_eq!(&kept[..], &taken[taken.len().saturating_sub(HISTORY)..]);
            for pair in kept.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
                prop_assert!(pair[0].at <= pair[1].at);
            }
            let stored = serde_json::to_vec(&life).unwrap();
            let read: Life = serde_json::from_slice(&stored).unwrap();
            prop_assert_eq!(&read, &life);
            let again = read.again();
            prop_assert_eq!(again.state(), State::Discovered);
            prop_assert_eq!(again.history().count(), kept.len());
        }
    }
}
