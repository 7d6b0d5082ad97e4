//! How much of captions this box can do. Owns that judgement: partial captions give way first, then final
//! ones are late; audio never suffers. Pure: it is told of time.
//!
//! ```text
//!         MANY_MISSED in a row            LATE_MS of speech wait behind the first
//!   live ─────────────────────▶ without ─────────────────────────▶ behind
//!     ▲                        partials ◀────────────────────────
//!     └───── GOOD in a row ───────┘       none waits behind the first any more
//! ```

use std::time::{Duration, Instant};

use crate::status::CaptionState;

/// Partial captions in a row that could not be made, until it is said that there are none.
const MANY_MISSED: u32 = 5;
/// Partial captions in a row that could, until it is said that there are.
const GOOD: u32 = 3;
/// Speech that waits behind the first utterance in line, which may be of any length and taken at once, from
/// which captions are late, ms.
const LATE_MS: u64 = 10_000;

#[derive(Debug)]
pub(super) struct Pace {
    /// How often a microphone's partial caption is wanted.
    interval: Duration,
    /// No partial caption is begun before.
    not_before: Option<Instant>,
    missed: u32,
    good: u32,
    without_partials: bool,
    behind: bool,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, not_before: None, missed: 0, good: 0, without_partials: false, behind: false }
    }

    /// How long to wait until a partial caption may be begun.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |it| it.saturating_duration_since(now))
    }

    /// The transcriber worked on a partial caption for `took`, and `waiting` other microphones want one. When
    /// that is more than it can do within the interval, it is left alone for as long: for final captions,
    /// and for all else on this box.
    pub(super) fn worked(&mut self, took: Duration, waiting: usize, now: Instant) {
        let all = took * (1 + waiting as u32);
        self.not_before = (all > self.interval).then(|| now + took);
    }

    /// A partial caption was made.
    pub(super) fn made(&mut self) {
        self.missed = 0;
        self.good += 1;
        self.without_partials &= self.good < GOOD;
    }

    /// One was wanted, and was not.
    pub(super) fn missed(&mut self) {
        self.good = 0;
        self.missed += 1;
        self.without_partials |= self.missed >= MANY_MISSED;
    }

    /// Nobody speaks any more: what was says nothing of the next meeting.
    pub(super) fn rest(&mut self) {
        *self = Self { behind: self.behind, ..Self::new(self.interval) };
    }

    /// How captions are while `waiting_ms` of speech wait for theirs, the first utterance of `first_ms`.
    pub(super) fn state(&mut self, waiting_ms: u64, first_ms: u64) -> CaptionState {
        let behind_it = waiting_ms.saturating_sub(first_ms);
        self.behind = if self.behind { behind_it > 0 } else { behind_it >= LATE_MS };
        match (self.behind, self.without_partials) {
            (true, _) => CaptionState::Behind { waiting_ms },
            (false, true) => CaptionState::WithoutPartials,
            (false, false) => CaptionState::Live,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_partial_is_followed_by_a_pause_as_long() {
        let mut it = Pace::new(Duration::from_secs(1));
        let now = Instant::now();
        assert_eq!(it.wait(now), Duration::ZERO);
        // Took, others that wait, pause.
        for (took_ms, waiting, pause_ms) in
            [(900, 0, 0), (1100, 0, 1100), (600, 1, 600), (400, 1, 0), (300, 3, 300)]
        {
            it.worked(Duration::from_millis(took_ms), waiting, now);
            assert_eq!(it.wait(now), Duration::from_millis(pause_ms), "{took_ms} ms, {waiting} wait");
        }
        it.worked(Duration::from_secs(2), 0, now);
        assert_eq!(it.wait(now + Duration::from_secs(3)), Duration::ZERO);
    }

    #[test]
    fn the_state_does_not_flicker() {
        let mut it = Pace::new(Duration::from_secs(1));
        let behind = |waiting_ms| CaptionState::Behind { waiting_ms };
        // Made (+) and missed (-) partial captions, waiting speech in ms, state.
        let steps = [
            ("+-+----", 0, CaptionState::Live),
            ("-", 0, CaptionState::WithoutPartials),
            ("++-++", 9_999, CaptionState::WithoutPartials),
            ("", 10_000, behind(10_000)),
            ("", 1, behind(1)),
            ("", 0, CaptionState::WithoutPartials),
            ("+", 9_000, CaptionState::Live),
            ("-----", 12_000, behind(12_000)),
            ("+++", 500, behind(500)),
            ("", 0, CaptionState::Live),
        ];
        for (i, (events, waiting_ms, want)) in steps.into_iter().enumerate() {
            events.chars().for_each(|it_was| if it_was == '+' { it.made() } else { it.missed() });
            assert_eq!(it.state(waiting_ms, 0), want, "step {i}");
        }
        assert_eq!(it.state(25_000, 25_000), CaptionState::Live, "it is taken at once");
        (0..5).for_each(|_| it.missed());
        it.rest();
        assert_eq!(it.state(0, 0), CaptionState::Live);
    }
}
