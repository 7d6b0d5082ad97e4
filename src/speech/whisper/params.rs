//! How whisper.cpp is asked. Owns its parameters, prepared once for each language.

use whisper_rs::{FullParams, SamplingStrategy};

use super::quality::{LOGPROB_THRESHOLD, NO_SPEECH_THRESHOLD};
use crate::config;

/// Most decoders that whisper.cpp has (`WHISPER_MAX_DECODERS`).
const MOST_BEAMS: u16 = 8;

/// Parameters for one language.
#[derive(Clone)]
pub(super) struct Prepared {
    /// Greedy, at temperature 0 alone.
    pub(super) quick: FullParams<'static, 'static>,
    /// Beam search, at temperature 0 alone.
    pub(super) thorough: FullParams<'static, 'static>,
    /// For what went wrong at first: beam search, and higher temperatures when that fails too.
    pub(super) again: FullParams<'static, 'static>,
}

impl Prepared {
    /// For a code of whisper.cpp's own. To be made once for each: whisper-rs never frees the text.
    pub(super) fn new(config: &config::Transcription, language: &'static str) -> Self {
        let threads = threads(config);
        let prepared = |strategy| {
            let mut it = FullParams::new(strategy);
            it.set_n_threads(threads);
            it.set_language(Some(language));
            it.set_no_context(true);
            // One segment: otherwise whisper.cpp goes on from the last timestamp and dreams in the rest.
            it.set_single_segment(true);
            it.set_token_timestamps(true);
            it.set_suppress_blank(true);
            it.set_suppress_nst(true);
            it.set_logprob_thold(LOGPROB_THRESHOLD);
            it.set_no_speech_thold(NO_SPEECH_THRESHOLD);
            it.set_print_special(false);
            it.set_print_progress(false);
            it.set_print_realtime(false);
            it.set_print_timestamps(false);
            it
        };
        let mut quick = prepared(SamplingStrategy::Greedy { best_of: 1 });
        let again = prepared(match config.beam_size.min(MOST_BEAMS) {
            0 | 1 => SamplingStrategy::Greedy { best_of: 5 },
            beams => SamplingStrategy::BeamSearch { beam_size: beams.into(), patience: -1.0 },
        });
        let mut thorough = again.clone();
        // No higher temperature at the first try: what failed is heard again with full context.
        quick.set_temperature_inc(0.0);
        thorough.set_temperature_inc(0.0);
        Self { quick, thorough, again }
    }
}

/// One core is left to capture and to whatever else runs, unless Whisper has cores of its own: ggml's threads
/// wait for one another by spinning, so that a thread without a core of its own makes the others burn theirs.
/// On two cores that others also wanted, two threads took 15 times the processor time of one. More than four
/// hardly help small models.
pub(super) fn threads(config: &config::Transcription) -> i32 {
    let by_itself = || {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let spared = usize::from(config.cores.is_none());
        cores.saturating_sub(spared).clamp(1, 4)
    };
    config.threads.map_or_else(by_itself, usize::from).clamp(1, 64) as i32
}
