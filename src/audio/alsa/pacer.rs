//! Keeps a device that has no clock from running ahead of the wall clock. Owns the rule; real sound cards
//! never meet it.

use std::time::{Duration, Instant};

/// How far ahead a device may be: more than any buffer a real one empties at once after a delay.
const SLACK: Duration = Duration::from_millis(1000);
/// How much faster than its rate a device may run for ever. Quartz is within 0.01 %, bad USB clocks within
/// 0.1 %; alsa-lib's `file` and `null` plugins deliver thousands of times faster.
const DRIFT: f64 = 1.005;

/// Watches one run of frames at one rate.
#[derive(Debug)]
pub(super) struct Pacer {
    rate_hz: f64,
    began: Instant,
    frames: u64,
}

impl Pacer {
    pub(super) fn new(rate_hz: u32, now: Instant) -> Self {
        Self { rate_hz: f64::from(rate_hz), began: now, frames: 0 }
    }

    /// `frames` more have come: how long to wait before the next read.
    pub(super) fn pause(&mut self, frames: usize, now: Instant) -> Duration {
        self.frames += frames as u64;
        let captured = self.frames as f64 / self.rate_hz;
        let passed = now.duration_since(self.began).as_secs_f64() * DRIFT;
        if captured < passed {
            // On time: no credit is saved up for later.
            (self.began, self.frames) = (now, 0);
        }
        Duration::from_secs_f64((captured - passed - SLACK.as_secs_f64()).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_card_is_never_held_and_a_file_is() {
        let began = Instant::now();
        let at = |seconds: f64| began + Duration::from_secs_f64(seconds);
        // A day of a clock that is 0.1 % fast, in bursts of half a second.
        let mut pacer = Pacer::new(48_000, began);
        for burst in 1..=172_800_u32 {
            assert_eq!(pacer.pause(24_000, at(f64::from(burst) * 0.5 / 1.001)), Duration::ZERO);
        }
        // A file: ten minutes at once.
        let mut pacer = Pacer::new(48_000, began);
        let (mut now, mut captured) = (0.0, 0.0);
        while captured < 600.0 {
            captured += 0.02;
            now += pacer.pause(960, at(now)).as_secs_f64();
            assert!(captured - now * DRIFT <= 1.021, "{captured} s after {now} s");
        }
        assert!(now > 595.0);
    }
}
