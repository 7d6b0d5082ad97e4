//! The energy gate: in a silent room the detector is not even asked.

use std::collections::VecDeque;

use super::Vad;

/// Quiet for this long before the gate closes: pauses between words go through the detector.
const HOLD_SAMPLES: usize = 16_000 / 2;
/// Sound shown to a detector that was not asked for a while, before the frame that opens the gate.
const LEAD_SAMPLES: usize = 16_000 / 5;

/// A detector that hears only what is louder than a level; its own frames are those of the detector.
pub struct Gate {
    detector: Box<dyn Vad>,
    /// Mean square from which a frame passes.
    open_from: f32,
    /// Frames below the level since the last one above it.
    quiet: usize,
    hold: usize,
    /// The last frames that the closed gate kept back.
    lead: VecDeque<Vec<f32>>,
    lead_frames: usize,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("detector", &self.detector.name()).finish()
    }
}

impl Gate {
    /// Frames with an RMS level below `gate_dbfs` are silence.
    pub fn new(detector: Box<dyn Vad>, gate_dbfs: f32) -> Self {
        let frame = detector.frame_samples();
        let hold = HOLD_SAMPLES.div_ceil(frame);
        let lead_frames = LEAD_SAMPLES.div_ceil(frame);
        // dBFS of an RMS level is 20·log10(rms), so that of a mean square is 10·log10.
        let open_from = 10f32.powf(gate_dbfs / 10.0);
        // Closed to begin with.
        Self { detector, open_from, quiet: hold + 1, hold, lead: VecDeque::new(), lead_frames }
    }

    fn is_loud(&self, frame: &[f32]) -> bool {
        let sum: f32 = frame.iter().map(|x| x * x).sum();
        sum / frame.len().max(1) as f32 >= self.open_from
    }
}

impl Vad for Gate {
    fn frame_samples(&self) -> usize {
        self.detector.frame_samples()
    }

    fn probability(&mut self, frame: &[f32]) -> f32 {
        let was_open = self.quiet <= self.hold;
        self.quiet = if self.is_loud(frame) { 0 } else { (self.quiet + 1).min(self.hold + 1) };
        if self.quiet <= self.hold {
            if !was_open {
                self.detector.reset();
                for kept in &self.lead {
                    self.detector.probability(kept);
                }
            }
            return self.detector.probability(frame);
        }
        let mut kept = if self.lead.len() < self.lead_frames {
            Vec::new()
        } else {
            self.lead.pop_front().unwrap_or_default()
        };
        kept.clear();
        kept.extend_from_slice(frame);
        self.lead.push_back(kept);
        0.0
    }

    fn reset(&mut self) {
        self.detector.reset();
        self.quiet = self.hold + 1;
        self.lead.clear();
    }

    fn name(&self) -> &'static str {
        self.detector.name()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use super::*;

    struct Counting(Arc<AtomicUsize>);

    impl Vad for Counting {
        fn frame_samples(&self) -> usize {
            256
        }
        fn probability(&mut self, _: &[f32]) -> f32 {
            self.0.fetch_add(1, Relaxed);
            1.0
        }
        fn reset(&mut self) {}
        fn name(&self) -> &'static str {
            "counting"
        }
    }

    #[test]
    fn the_detector_is_asked_only_while_there_is_sound() {
        let asked = Arc::new(AtomicUsize::new(0));
        let mut gate = Gate::new(Box::new(Counting(Arc::clone(&asked))), -60.0);
        let (quiet, loud) = (vec![0.0005; 256], vec![0.01; 256]);
        for _ in 0..1000 {
            assert_eq!(gate.probability(&quiet), 0.0);
        }
        assert_eq!(asked.load(Relaxed), 0);
        assert_eq!(gate.probability(&loud), 1.0);
        // The frame itself and what led to it.
        assert_eq!(asked.load(Relaxed), 1 + gate.lead_frames);
        let open = (0..1000).filter(|_| gate.probability(&quiet) > 0.0).count();
        assert_eq!(open, gate.hold);
    }
}
