//! What can be set. Owns keys, defaults and limits; what they do is in the stages that they are handed to.

use panotti_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// Settings of the cleaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where cleaned audio is kept: a whole path, or one below the box's data directory.
    #[schemars(length(min = 1))]
    pub output_directory: String,
    /// How much of the sound is replaced by the one without noise: 0 leaves the noise, 1 takes all of it
    /// away. What is left of the original keeps quiet speech whole.
    #[schemars(range(min = 0, max = 1))]
    pub noise_reduce_factor: f64,
    /// How strongly the far end is taken out of the spectrum: 1 takes out what was estimated, more is on
    /// the safe side, 0 nothing.
    #[schemars(range(min = 0, max = 10))]
    pub wiener_alpha: f64,
    /// Below this frequency there is no speech but rumble, and it is removed. 0: nothing is.
    #[schemars(range(min = 0, max = 1000), extend("x-unit" = "Hz"))]
    pub highpass_cutoff: f64,
    /// The share of the amplitude that is always left, of every frequency: what is cut whole makes the
    /// rest sound like bells. 0.12 is 18 dB less.
    #[schemars(range(min = 0, max = 1))]
    pub spectral_floor: f64,
    /// Over how many neighbours, to each side in frequency and back in time, the far end's share of the
    /// spectrum is averaged. More is smoother, fewer tells voices better apart.
    #[schemars(range(min = 0, max = 10))]
    pub smoothing_factor: u32,
    /// Whether the far end is subtracted as a wave, through the room's estimated response. It takes less
    /// away than the spectrum does, and nothing else with it. With both, this comes first.
    pub time_domain_subtraction: bool,
    /// Whether the far end is taken out of the spectrum.
    pub freq_domain_bleed_removal: bool,
    /// Whether the far end's delay is looked for, up to half of `alignment_chunk_seconds` either way.
    /// Without, both tracks must have begun together.
    pub use_fft_alignment: bool,
    /// Length of the stretches in which delay and room are estimated. At most 2^20 samples are taken.
    #[schemars(range(min = 2, max = 30), extend("x-unit" = "s"))]
    pub alignment_chunk_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output_directory: "data/cleaned_audio".into(),
            noise_reduce_factor: 0.25,
            wiener_alpha: 1.2,
            highpass_cutoff: 80.0,
            spectral_floor: 0.12,
            smoothing_factor: 2,
            time_domain_subtraction: false,
            freq_domain_bleed_removal: true,
            use_fft_alignment: true,
            alignment_chunk_seconds: 10,
        }
    }
}
