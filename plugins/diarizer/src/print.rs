//! What a voice sounds like: windows of speech and the print of the voice in each. Owns cutting a stretch
//! into windows and what a print is made of; leaves telling prints apart to `within` and `clusters`.

use crate::{
    FRAME, HOP, RATE_HZ,
    cepstrum::{COEFFICIENTS, Cepstrum},
    pitch::{Pitch, SPAN},
};

/// Numbers in a print: mean and logarithm of the standard deviation of each cepstral coefficient, and the
/// mean logarithm of the pitch in Hz, over voiced frames.
pub(crate) const NUMBERS: usize = 2 * COEFFICIENTS + 1;
pub(crate) type Print = [f32; NUMBERS];

/// Frames in a window, 1.5 s, and from one to the next, 0.5 s.
pub(crate) const WINDOW: usize = 150;
const STEP: usize = 50;
/// Voiced frames without which there is no print, 0.2 s, and with which it is as good as it gets.
const FEWEST: usize = 20;
const PLENTY: f32 = 0.6 * WINDOW as f32;
/// Frames so much quieter than the loud ones are pauses. dB.
const PAUSE_DB: f32 = 30.0;
/// A logarithm of pitch so far from the median is an octave missed.
const OCTAVE: f32 = 0.6;
/// Keeps the logarithm of a deviation finite; small beside any there is.
const LEAST_DEVIATION: f32 = 0.05;

/// A window of speech, or the part of the meeting it speaks for.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Number of the stretch it is in.
    pub(crate) stretch: usize,
    /// What it speaks for, ms from the start of the meeting: half way to its neighbours.
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
    /// How much voice is in it, of what makes a full window: above 0, up to 1.
    pub(crate) voice: f32,
    pub(crate) print: Print,
}

impl Window {
    /// How many independent full windows it counts for: windows overlap.
    pub(crate) fn weight(&self) -> f32 {
        let window_ms = (WINDOW * HOP * 1000 / RATE_HZ) as f32;
        // Above 0 whatever happens: it is divided by.
        (self.voice * ((self.end_ms - self.start_ms) as f32 / window_ms).min(1.0)).max(1e-3)
    }
}

struct Frame {
    power_db: f32,
    ln_hz: Option<f32>,
    cepstrum: [f32; COEFFICIENTS],
}

/// Makes windows of sound.
pub(crate) struct Printer {
    cepstrum: Cepstrum,
    pitch: Pitch,
    /// `FRAME` samples with what pitch needs on both sides, and one more before.
    around: Vec<f32>,
}

impl Printer {
    pub(crate) fn new() -> Self {
        Self { cepstrum: Cepstrum::new(), pitch: Pitch::new(), around: vec![0.0; SPAN + 1] }
    }

    /// The windows of a stretch that begins at `start_ms`, one after the other and covering all of it; none
    /// where there is no voice.
    pub(crate) fn windows(&mut self, stretch: usize, start_ms: u64, samples: &[f32]) -> Vec<Window> {
        let frames = self.frames(samples);
        let mut loudness: Vec<f32> = frames.iter().map(|it| it.power_db).collect();
        loudness.sort_unstable_by(f32::total_cmp);
        let Some(loud) = loudness.get(loudness.len() * 95 / 100) else { return Vec::new() };
        let last = frames.len().saturating_sub(WINDOW);
        let mut starts: Vec<usize> = (0..=last).step_by(STEP).collect();
        if !last.is_multiple_of(STEP) {
            starts.push(last);
        }
        let ms = |frame: f32| start_ms + (frame * (HOP * 1000 / RATE_HZ) as f32) as u64;
        let mut windows: Vec<Window> = Vec::new();
        // Middle of the last window with a voice: those without leave their time to their neighbours.
        let mut before: Option<f32> = None;
        for start in starts {
            let frames = &frames[start..(start + WINDOW).min(frames.len())];
            let voiced: Vec<&Frame> =
                frames.iter().filter(|it| it.ln_hz.is_some() && it.power_db > loud - PAUSE_DB).collect();
            if voiced.len() < FEWEST {
                continue;
            }
            let middle = start as f32 + frames.len() as f32 / 2.0;
            let from = before.map_or(start_ms, |before| ms((before + middle) / 2.0));
            if let Some(last) = windows.last_mut() {
                last.end_ms = from;
            }
            windows.push(Window {
                stretch,
                start_ms: from,
                end_ms: from,
                voice: (voiced.len() as f32 / PLENTY).min(1.0),
                print: print(&voiced),
            });
            before = Some(middle);
        }
        if let Some(last) = windows.last_mut() {
            last.end_ms = start_ms + (samples.len() * 1000 / RATE_HZ) as u64;
        }
        windows
    }

    fn frames(&mut self, samples: &[f32]) -> Vec<Frame> {
        let aside = (SPAN - FRAME) / 2 + 1;
        (0..samples.len().saturating_sub(FRAME - 1))
            .step_by(HOP)
            .map(|at| {
                for (i, it) in self.around.iter_mut().enumerate() {
                    let sample = (at + i).checked_sub(aside).and_then(|i| samples.get(i)).copied();
                    *it = sample.filter(|it| it.is_finite()).unwrap_or(0.0).clamp(-1.0, 1.0);
                }
                let frame = &self.around[aside..aside + FRAME];
                let power = frame.iter().map(|it| it * it).sum::<f32>() / FRAME as f32;
                Frame {
                    power_db: 10.0 * (power + 1e-10).log10(),
                    ln_hz: self.pitch.of(&self.around[1..]).map(f32::ln),
                    cepstrum: self.cepstrum.of(self.around[aside - 1], frame),
                }
            })
            .collect()
    }
}

fn print(voiced: &[&Frame]) -> Print {
    let count = voiced.len() as f32;
    let mut print = [0.0; NUMBERS];
    for k in 0..COEFFICIENTS {
        let mean = voiced.iter().map(|it| it.cepstrum[k]).sum::<f32>() / count;
        let variance = voiced.iter().map(|it| (it.cepstrum[k] - mean).powi(2)).sum::<f32>() / count;
        print[k] = mean;
        print[COEFFICIENTS + k] = (variance.sqrt() + LEAST_DEVIATION).ln();
    }
    let mut pitches: Vec<f32> = voiced.iter().filter_map(|it| it.ln_hz).collect();
    pitches.sort_unstable_by(f32::total_cmp);
    let median = pitches.get(pitches.len() / 2).copied().unwrap_or_default();
    pitches.retain(|it| (it - median).abs() < OCTAVE);
    print[NUMBERS - 1] = pitches.iter().sum::<f32>() / pitches.len().max(1) as f32;
    print
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buzz of 120 Hz with all harmonics, as long as that many samples.
    fn buzz(samples: usize) -> Vec<f32> {
        (0..samples).map(|i| if i % 133 < 8 { 0.5 } else { -0.03 }).collect()
    }

    #[test]
    fn windows_cover_the_stretch_and_know_how_much_voice_is_in_it() {
        // Samples, windows.
        let cases =
            [(0, 0), (399, 0), (2000, 0), (4800, 1), (24_400, 2), (32_000, 2), (48_000, 4), (160_000, 18)];
        for (samples, count) in cases {
            let windows = Printer::new().windows(7, 1000, &buzz(samples));
            assert_eq!(windows.len(), count, "{samples} samples");
            let mut at = 1000;
            for window in &windows {
                assert_eq!((window.stretch, window.start_ms), (7, at), "{samples} samples");
                at = window.end_ms;
                assert!(window.weight() > 0.0 && window.weight() <= 1.0);
                assert!(window.print.iter().all(|it| it.is_finite()));
            }
            assert_eq!(at, 1000 + if count > 0 { samples as u64 / 16 } else { 0 }, "{samples} samples");
        }
    }

    #[test]
    fn a_print_does_not_depend_on_loudness_and_knows_the_pitch() {
        let loud = Printer::new().windows(0, 0, &buzz(24_000));
        let quiet: Vec<f32> = buzz(24_000).iter().map(|it| it * 0.1).collect();
        let quiet = Printer::new().windows(0, 0, &quiet);
        for (a, b) in loud[0].print.iter().zip(&quiet[0].print) {
            assert!((a - b).abs() < 0.05, "{a} {b}");
        }
        let hz = loud[0].print[NUMBERS - 1].exp();
        assert!((hz - 16_000.0 / 133.0).abs() < 1.0, "{hz} Hz");
    }

    #[test]
    fn a_window_is_small() {
        // Ten hours of speech have 72,000.
        assert!(size_of::<Window>() <= 160, "{} bytes", size_of::<Window>());
    }
}
