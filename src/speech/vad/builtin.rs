//! The detector whose weights are in the program: earshot, a small recurrent network.

use super::Vad;

/// Samples in a frame: 16 ms, earshot's own.
const FRAME_SAMPLES: usize = 256;

/// earshot's detector with its built-in weights (40 KiB).
#[derive(Default)]
pub struct BuiltIn {
    detector: Box<earshot::Detector>,
    frame: Vec<f32>,
}

impl std::fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BuiltIn")
    }
}

impl Vad for BuiltIn {
    fn frame_samples(&self) -> usize {
        FRAME_SAMPLES
    }

    fn probability(&mut self, frame: &[f32]) -> f32 {
        // The detector demands full scale ±1, and resampled or float audio may overshoot; its recurrent
        // state would keep a NaN for ever.
        self.frame.clear();
        let whole = |x: &f32| if x.is_finite() { x.clamp(-1.0, 1.0) } else { 0.0 };
        self.frame.extend(frame.iter().map(whole));
        self.frame.resize(FRAME_SAMPLES, 0.0);
        self.detector.predict_f32(&self.frame).clamp(0.0, 1.0)
    }

    fn reset(&mut self) {
        self.detector.reset();
    }

    fn name(&self) -> &'static str {
        "built-in"
    }
}
