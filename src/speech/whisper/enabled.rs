//! The real Whisper. Owns the loaded model, how it is asked, and what of its answer is believed; leaves
//! checking the file to `model` and finding speech to `Listener`.

use std::path::Path;

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError, WhisperState,
    WhisperTokenId,
};

use super::{
    log_to_tracing,
    words::{Token, repeats, segments, words},
};
use crate::{
    config,
    speech::{Effort, Error, How, SAMPLE_RATE_HZ, Segment, TranscribeError, Transcriber, Utterance},
};

/// whisper.cpp 1.8.3 reads out of bounds on audio much shorter than a second: silence is added up to this.
const LEAST_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 11 / 10;
/// Samples that one position of the encoder's context stands for: 20 ms.
const SAMPLES_PER_POSITION: usize = SAMPLE_RATE_HZ as usize / 50;
/// Below these contexts models lose words even when the audio is shorter.
const LEAST_LIVE_CONTEXT: usize = 256;
const LEAST_FINAL_CONTEXT: usize = 512;
/// Context is rounded up to this, so that few sizes of compute graph occur.
const CONTEXT_STEP: usize = 64;
/// A caption with a token less likely than this is heard again with beam search. On five synthesised
/// meetings (661 words) greedy decoding alone makes 15.9 % word errors, beam search alone 11.0 %; greedy
/// with a second hearing of these, one utterance in five, makes 9.8 %. More context did not help at all
/// (`benches/transcribe.rs`).
const DOUBTFUL_TOKEN: f32 = 0.2;
/// Mean log probability below which a decoding has failed; OpenAI's own `logprob_threshold`.
const LOGPROB_THRESHOLD: f32 = -1.0;
/// OpenAI's own `no_speech_threshold`.
const NO_SPEECH_THRESHOLD: f32 = 0.6;
/// An utterance below this level is not shown to Whisper, which would dream: −70 dBFS as mean square.
const SILENCE_MEAN_SQUARE: f32 = 1e-7;
/// A segment longer than this ends at the next end of a sentence, ms.
const LONG_SEGMENT_MS: u64 = 6_000;
/// Most decoders that whisper.cpp has (`WHISPER_MAX_DECODERS`).
const MOST_BEAMS: u16 = 8;

/// Whisper with one model, loaded once, and one state that is used again and again.
pub struct WhisperTranscriber {
    state: WhisperState,
    name: String,
    language: String,
    /// Made once: whisper-rs never frees the strings in them.
    live: FullParams<'static, 'static>,
    thorough: FullParams<'static, 'static>,
    /// For what went wrong at first: full context, and higher temperatures when that fails too.
    again: FullParams<'static, 'static>,
    /// Tokens from here on are not text.
    end_of_text: WhisperTokenId,
    full_context: usize,
    gpu: bool,
    audio: Vec<f32>,
}

impl std::fmt::Debug for WhisperTranscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WhisperTranscriber").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What came of one decoding.
struct Attempt {
    tokens: Vec<Token>,
    mean_logprob: f32,
    /// Of the least likely token; 1 when there is none.
    least_probability: f32,
    no_speech: f32,
}

/// Loads a model whose file has been checked.
pub(in crate::speech) fn load(
    path: &Path,
    config: &config::Transcription,
) -> Result<Box<dyn Transcriber>, Error> {
    Ok(Box::new(WhisperTranscriber::load(path, config)?))
}

impl WhisperTranscriber {
    /// Loads a model whose file has been checked ([`crate::speech::model::check_whisper`]).
    pub fn load(path: &Path, config: &config::Transcription) -> Result<Self, Error> {
        log_to_tracing();
        let failed = |it: WhisperError| Error::Load { path: path.into(), reason: it.to_string() };
        let gpu = config.gpu && cfg!(any(feature = "cuda", feature = "vulkan"));
        let mut parameters = WhisperContextParameters::default();
        parameters.use_gpu(gpu);
        let context = WhisperContext::new_with_params(path, parameters).map_err(failed)?;
        let state = context.create_state().map_err(failed)?;

        let threads = config.threads.map_or_else(default_threads, usize::from).clamp(1, 64);
        let language = if context.is_multilingual() { config.language.clone() } else { "en".into() };
        let prepared = |strategy| {
            let mut it = FullParams::new(strategy);
            it.set_n_threads(threads as i32);
            let text = |it: &str| it.replace('\0', "");
            it.set_language(Some(&*Box::leak(text(&language).into_boxed_str())));
            if let Some(prompt) = &config.initial_prompt {
                it.set_initial_prompt(&text(prompt));
            }
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
        let mut live = prepared(SamplingStrategy::Greedy { best_of: 1 });
        let again = prepared(match config.beam_size.min(MOST_BEAMS) {
            0 | 1 => SamplingStrategy::Greedy { best_of: 5 },
            beams => SamplingStrategy::BeamSearch { beam_size: beams.into(), patience: -1.0 },
        });
        let mut thorough = again.clone();
        // No higher temperature at the first try: what failed is heard again with full context.
        live.set_temperature_inc(0.0);
        thorough.set_temperature_inc(0.0);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut it = Self {
            state,
            name: stem.strip_prefix("ggml-").unwrap_or(&stem).into(),
            language,
            live,
            thorough,
            again,
            end_of_text: context.token_eot(),
            full_context: usize::try_from(context.n_audio_ctx()).unwrap_or(1500),
            gpu,
            audio: Vec::new(),
        };
        // The first run allocates and, on a GPU, compiles: better now than in the first caption.
        it.audio.resize(LEAST_SAMPLES, 0.0);
        it.attempt(&it.live.clone(), LEAST_LIVE_CONTEXT.min(it.full_context)).map_err(failed)?;
        Ok(it)
    }

    /// Decodes `self.audio` with `context` positions of the encoder.
    fn attempt(
        &mut self,
        params: &FullParams<'static, 'static>,
        context: usize,
    ) -> Result<Attempt, WhisperError> {
        let mut params = params.clone();
        // 0 is the model's own.
        let context = if context >= self.full_context { 0 } else { context };
        params.set_audio_ctx(context as i32);
        self.state.full(params, &self.audio)?;
        let mut it =
            Attempt { tokens: Vec::new(), mean_logprob: 0.0, least_probability: 1.0, no_speech: 0.0 };
        for segment in self.state.as_iter() {
            it.no_speech = segment.no_speech_probability().max(it.no_speech);
            for token in (0..segment.n_tokens()).filter_map(|i| segment.get_token(i)) {
                if token.token_id() >= self.end_of_text {
                    continue;
                }
                let data = token.token_data();
                it.mean_logprob += data.plog;
                it.least_probability = it.least_probability.min(data.p);
                it.tokens.push(Token {
                    bytes: token.to_bytes()?.to_vec(),
                    // Hundredths of a second.
                    start_ms: data.t0 * 10,
                    end_ms: data.t1 * 10,
                    probability: data.p,
                });
            }
        }
        it.mean_logprob /= it.tokens.len().max(1) as f32;
        Ok(it)
    }

    /// Encoder positions that hold the audio, with a little silence after it.
    fn fitted_context(&self, least: usize) -> usize {
        let positions = self.audio.len().div_ceil(SAMPLES_PER_POSITION) + 16;
        positions.next_multiple_of(CONTEXT_STEP).clamp(least, self.full_context.max(least))
    }
}

impl Transcriber for WhisperTranscriber {
    fn transcribe(&mut self, utterance: &Utterance, how: &How) -> Result<Vec<Segment>, TranscribeError> {
        let samples = utterance.samples.len();
        self.audio.clear();
        let finite = |x: &f32| if x.is_finite() { *x } else { 0.0 };
        self.audio.extend(utterance.samples.iter().map(finite));
        let energy: f32 = self.audio.iter().map(|x| x * x).sum();
        if energy < SILENCE_MEAN_SQUARE * samples as f32 || samples == 0 {
            return Ok(Vec::new());
        }
        self.audio.resize(samples.max(LEAST_SAMPLES), 0.0);

        let failed = |it: WhisperError| TranscribeError::Engine { samples, reason: it.to_string() };
        let length_ms = samples as u64 * 1000 / u64::from(SAMPLE_RATE_HZ);
        let written = |it: &Attempt| words(&it.tokens, utterance.start_ms(), length_ms);
        let (params, least) = match how.effort {
            Effort::Partial | Effort::Live => (self.live.clone(), LEAST_LIVE_CONTEXT),
            Effort::Final => (self.thorough.clone(), LEAST_FINAL_CONTEXT),
        };
        let context = self.fitted_context(least);
        let mut best = self.attempt(&params, context).map_err(failed)?;
        if how.effort == Effort::Live && best.least_probability < DOUBTFUL_TOKEN {
            let second = self.attempt(&self.thorough.clone(), context).map_err(failed)?;
            if second.mean_logprob >= best.mean_logprob {
                best = second;
            }
        }
        let mut words = written(&best);
        if best.mean_logprob < LOGPROB_THRESHOLD || repeats(&words) {
            best = self.attempt(&self.again.clone(), self.full_context).map_err(failed)?;
            words = written(&best);
        }
        let is_dream = best.no_speech > NO_SPEECH_THRESHOLD && best.mean_logprob < LOGPROB_THRESHOLD;
        let text: String = words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ");
        if is_dream || repeats(&words) || is_stage_direction(&text) {
            return Ok(Vec::new());
        }
        let mut segments = segments(words, LONG_SEGMENT_MS);
        // Where speech begins and ends the detector knows better than Whisper's timestamps do.
        if let Some(first) = segments.first_mut() {
            first.start_ms = utterance.start_ms();
        }
        if let Some(last) = segments.last_mut() {
            last.end_ms = utterance.start_ms() + length_ms;
        }
        Ok(segments)
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn language(&self) -> String {
        self.language.clone()
    }

    fn accelerator(&self) -> String {
        match (self.gpu, cfg!(feature = "cuda")) {
            (true, true) => "cuda".into(),
            (true, false) => "vulkan".into(),
            _ => "cpu".into(),
        }
    }
}

/// One core is left to capture and to whatever else runs: ggml's threads wait for one another by spinning,
/// so that a thread without a core of its own makes the others burn theirs. On two cores that others also
/// wanted, two threads took 15 times the processor time of one. More than four hardly help small models.
fn default_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.saturating_sub(1).clamp(1, 4)
}

/// `[BLANK_AUDIO]`, `(music)`, or nothing but punctuation.
fn is_stage_direction(text: &str) -> bool {
    (text.starts_with('[') && text.ends_with(']'))
        || (text.starts_with('(') && text.ends_with(')'))
        || !text.chars().any(char::is_alphanumeric)
}
