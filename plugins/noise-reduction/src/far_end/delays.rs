//! The delay of the far end in every stretch of a recording. Owns telling a delay that is one from chance;
//! leaves finding candidates to `align`.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{System, align::Aligner, half, mean};
use crate::{CleanError, Config, audio::Track};

/// Stretches that have no sound in common with their neighbour's neighbour: they overlap by half.
const APART: usize = 2;
/// How far a witness may be, stretches.
const NEAR: usize = 6;
/// How much two delays may differ, s, that are the same: two cheap clocks drift by 200 ppm, 6 ms in the 30 s
/// of six stretches.
const SAME_S: f64 = 0.02;

/// How much later the far end is in the microphone than in the system's track, for each stretch.
#[derive(Debug)]
pub(crate) enum Delays {
    /// Both tracks are taken as they come.
    Zero,
    /// As found, samples; none where the far end is not heard in the whole recording.
    Found(Vec<i64>),
}

impl Delays {
    /// Goes through both tracks, which are read to their ends.
    pub(crate) fn survey(
        mut microphone: Track,
        mut system: System,
        config: &Config,
        stop: &AtomicBool,
    ) -> Result<Self, CleanError> {
        let rate_hz = microphone.rate_hz();
        let half = half(config, rate_hz);
        let (mut aligner, mut found) = (Aligner::new(rate_hz), Vec::new());
        let (mut block, mut previous) = (vec![Vec::new(); microphone.channels()], Vec::new());
        loop {
            let got = microphone.read(half, &mut block).map_err(CleanError::Microphone)?;
            let (last, next) = (got < half, mean(&block));
            let mut stretch = std::mem::replace(&mut previous, next);
            if !stretch.is_empty() || last {
                stretch.extend_from_slice(&previous);
                let start = (found.len() * half) as i64 - half as i64;
                let around = system.window(start, stretch.len() + 2 * half)?;
                found.push(aligner.lag(&stretch, around));
            }
            if stop.load(Ordering::Relaxed) {
                return Err(CleanError::Stopped);
            }
            if last {
                return Ok(Self::Found(confirmed(&found, (SAME_S * f64::from(rate_hz)) as i64)));
            }
        }
    }

    /// Whether the far end is heard at all.
    pub(crate) fn is_heard(&self) -> bool {
        !matches!(self, Self::Found(lags) if lags.is_empty())
    }

    /// That of a stretch, samples; none where the far end is not heard.
    pub(super) fn of(&self, stretch: usize) -> Option<i64> {
        match self {
            Self::Zero => Some(0),
            Self::Found(lags) => lags.get(stretch).copied(),
        }
    }
}

/// Delays for all stretches, from those that stood out in some: one counts when a stretch near it that has
/// no sound in common with it found the same. By chance, one of twenty does. Other stretches take that of
/// the nearest. Nothing where none counts; in a recording too short for witnesses, all do.
pub(super) fn confirmed(found: &[Option<i64>], same: i64) -> Vec<i64> {
    let witnessed = |place: usize, lag: i64| {
        let near = place.saturating_sub(NEAR)..(place + NEAR + 1).min(found.len());
        near.into_iter()
            .filter(|it| it.abs_diff(place) >= APART)
            .any(|it| found[it].is_some_and(|other| other.abs_diff(lag) <= same.unsigned_abs()))
    };
    let counts = |place: usize| found[place].filter(|&lag| found.len() <= APART || witnessed(place, lag));
    let counted: Vec<(usize, i64)> = (0..found.len()).filter_map(|it| Some((it, counts(it)?))).collect();
    let nearest = |place: usize| counted.iter().min_by_key(|it| it.0.abs_diff(place)).map(|it| it.1);
    (0..found.len()).filter_map(nearest).collect()
}
