//! The real Whisper. Owns the loaded model and the way of an utterance through it: which effort makes which
//! attempts. What of an answer is believed is in `quality`; checking the file is left to `model` and finding
//! speech to `Listener`.

use std::{
    collections::BTreeMap,
    ffi::c_void,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use whisper_rs::{
    FullParams, WhisperContext, WhisperContextParameters, WhisperError, WhisperState, WhisperTokenId,
};

use super::{
    languages, log_to_tracing,
    params::{Prepared, threads},
    prompt,
    quality::Attempt,
    words::{Token, segments, words},
};
use crate::{
    config,
    speech::{
        Effort, Error, Hints, How, SAMPLE_RATE_HZ, Segment, TranscribeError, Transcriber, Utterance, music,
    },
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
/// A narrower model than OpenAI's smallest (tiny has 384) was trained by others, on single utterances and not
/// on talk that goes on, and takes a prompt for part of what it hears: the demo model's word errors in captions
/// of five synthesised meetings rise from 11 % to 79 % with one (`benches/transcribe.rs`).
const LEAST_WIDTH_FOR_PROMPTS: i32 = 384;
/// An utterance below this level is not shown to Whisper, which would dream: −70 dBFS as mean square.
const SILENCE_MEAN_SQUARE: f32 = 1e-7;
/// A segment longer than this ends at the next end of a sentence, ms.
const LONG_SEGMENT_MS: u64 = 6_000;

/// Whisper with one model, loaded once, and one state that is used again and again.
pub struct WhisperTranscriber {
    context: WhisperContext,
    /// Made when it is first needed. Beam search draws from a random generator in here that `full` does not
    /// set back (whisper.cpp 1.8.3).
    state: Option<WhisperState>,
    name: String,
    config: config::Transcription,
    /// Languages asked for so far.
    prepared: BTreeMap<&'static str, Prepared>,
    /// What was known last, and its tokens.
    prompt: (Arc<Hints>, Vec<WhisperTokenId>),
    /// The language of the last utterance and its probability, where it was not given.
    heard: Option<(&'static str, f32)>,
    /// Tokens from here on are not text.
    end_of_text: WhisperTokenId,
    full_context: usize,
    gpu: bool,
    audio: Vec<f32>,
}

/// The state there is, or a new one.
fn fresh<'a>(
    state: &'a mut Option<WhisperState>,
    context: &WhisperContext,
) -> Result<&'a mut WhisperState, WhisperError> {
    let there = match state.take() {
        Some(it) => it,
        None => context.create_state()?,
    };
    Ok(state.insert(there))
}

impl std::fmt::Debug for WhisperTranscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WhisperTranscriber").field("name", &self.name).finish_non_exhaustive()
    }
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
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut it = Self {
            state: Some(state),
            name: stem.strip_prefix("ggml-").unwrap_or(&stem).into(),
            config: config.clone(),
            prepared: BTreeMap::new(),
            prompt: Default::default(),
            heard: None,
            end_of_text: context.token_eot(),
            full_context: usize::try_from(context.n_audio_ctx()).unwrap_or(1500),
            gpu,
            audio: Vec::new(),
            context,
        };
        it.prompt.1 = it.prompt_tokens(&Hints::default());
        if !it.takes_prompts() && prompt::text(config, &Hints::default()).is_some() {
            tracing::warn!(
                model = it.name,
                "This model is too small for transcription.initial_prompt and hot_words; they are not used."
            );
        }
        // The first run allocates and, on a GPU, compiles: better now than in the first caption.
        it.audio.resize(LEAST_SAMPLES, 0.0);
        let context = LEAST_LIVE_CONTEXT.min(it.full_context);
        let quick = it.prepared("en").quick;
        it.attempt(&quick, context, &AtomicBool::new(false)).map_err(failed)?;
        Ok(it)
    }

    fn prepared(&mut self, language: &'static str) -> Prepared {
        self.prepared.entry(language).or_insert_with(|| Prepared::new(&self.config, language)).clone()
    }

    fn takes_prompts(&self) -> bool {
        self.context.model_n_audio_state() >= LEAST_WIDTH_FOR_PROMPTS
    }

    fn prompt_tokens(&self, hints: &Hints) -> Vec<WhisperTokenId> {
        if !self.takes_prompts() {
            return Vec::new();
        }
        // Half of the text's context is for what came before, less the token that says so.
        let most = (usize::try_from(self.context.n_text_ctx()).unwrap_or(448) / 2).saturating_sub(1);
        let text = prompt::text(&self.config, hints);
        text.map_or_else(Vec::new, |text| prompt::tokens(&self.context, &text, most))
    }

    /// The language to write: what is known, what is configured, or what Whisper hears in `self.audio`. `None`
    /// for a partial caption that would have to find it out: that is a pass of the encoder that cannot be
    /// given up, and a final caption might wait for it.
    fn language_of(
        &mut self,
        hints: &Hints,
        effort: Effort,
    ) -> Result<Option<&'static str>, TranscribeError> {
        self.heard = None;
        let given = hints.language.as_deref();
        let known = given.map(languages::code);
        if !self.context.is_multilingual() {
            if known.is_some_and(|it| it != Some("en")) {
                tracing::warn!(language = given, model = self.name, "This model writes English only.");
            }
            return Ok(Some("en"));
        }
        match known {
            Some(Some(known)) => return Ok(Some(known)),
            Some(None) => {
                return Err(TranscribeError::Language { language: given.unwrap_or_default().into() });
            }
            None => {}
        }
        if let Some(configured) = languages::code(&self.config.language) {
            return Ok(Some(configured));
        }
        if effort == Effort::Partial {
            return Ok(None);
        }
        // whisper.cpp hears this with the encoder's context of the last `full`, which it lets nobody set.
        let samples = self.audio.len();
        let failed = |it: WhisperError| TranscribeError::Engine { samples, reason: it.to_string() };
        let threads = threads(&self.config) as usize;
        let state = fresh(&mut self.state, &self.context).map_err(failed)?;
        state.pcm_to_mel(&self.audio, threads).map_err(failed)?;
        let (id, probabilities) = state.lang_detect(0, threads).map_err(failed)?;
        let language = whisper_rs::get_lang_str(id).unwrap_or("en");
        let probability = usize::try_from(id).ok().and_then(|it| probabilities.get(it));
        self.heard = Some((language, probability.copied().unwrap_or(0.0)));
        Ok(Some(language))
    }

    /// One hearing of `utterance`, which is in `self.audio`.
    fn hear(
        &mut self,
        utterance: &Utterance,
        how: &How,
        params: &FullParams<'static, 'static>,
        context: usize,
    ) -> Result<Attempt, TranscribeError> {
        let is_abandoned = || how.abandon.load(Ordering::Relaxed);
        if is_abandoned() {
            return Err(TranscribeError::Abandoned);
        }
        match self.attempt(params, context, &how.abandon) {
            Ok(it) => {
                let words = words(&it.tokens, utterance.start_ms(), length_ms(utterance));
                Ok(Attempt { words, ..it })
            }
            Err(_) if is_abandoned() => Err(TranscribeError::Abandoned),
            Err(error) => {
                Err(TranscribeError::Engine { samples: utterance.samples.len(), reason: error.to_string() })
            }
        }
    }

    /// Decodes `self.audio` with `context` positions of the encoder, unless it is abandoned on the way.
    fn attempt(
        &mut self,
        params: &FullParams<'static, 'static>,
        context: usize,
        abandon: &AtomicBool,
    ) -> Result<Attempt, WhisperError> {
        let mut params: FullParams<'static, '_> = params.clone();
        // 0 is the model's own.
        let context = if context >= self.full_context { 0 } else { context };
        params.set_audio_ctx(context as i32);
        if !self.prompt.1.is_empty() {
            params.set_tokens(&self.prompt.1);
        }
        watch(&mut params, abandon);
        let state = fresh(&mut self.state, &self.context)?;
        state.full(params, &self.audio)?;
        let mut it = Attempt { least_probability: 1.0, ..Attempt::default() };
        for segment in state.as_iter() {
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

/// Has whisper.cpp look at `abandon`: it does so after each pass of the encoder and after each token.
#[expect(
    unsafe_code,
    reason = "the safe form of whisper-rs 0.16 reads a closure as another type, and leaks it"
)]
fn watch(params: &mut FullParams<'_, '_>, abandon: &AtomicBool) {
    // SAFETY: the callback has the type that whisper.cpp calls, does not unwind and only reads the flag, which
    // any thread may; `params` are used for one call of `full`, which is over before the borrow of the flag
    // that its caller holds.
    unsafe {
        params.set_abort_callback(Some(is_abandoned));
        params.set_abort_callback_user_data(std::ptr::from_ref(abandon).cast_mut().cast());
    }
}

#[expect(unsafe_code, reason = "called from C++")]
unsafe extern "C" fn is_abandoned(flag: *mut c_void) -> bool {
    // SAFETY: `watch` gave a pointer to a flag that outlives the call of `full` this happens in.
    let flag: &AtomicBool = unsafe { &*flag.cast() };
    flag.load(Ordering::Relaxed)
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
        if music::is_music(&self.audio) {
            return Ok(Vec::new());
        }
        self.audio.resize(samples.max(LEAST_SAMPLES), 0.0);
        if *self.prompt.0 != *how.hints {
            self.prompt = (how.hints.clone(), self.prompt_tokens(&how.hints));
        }
        let Some(language) = self.language_of(&how.hints, how.effort)? else { return Ok(Vec::new()) };

        let Prepared { quick, thorough, again } = self.prepared(language);
        let live_context = self.fitted_context(LEAST_LIVE_CONTEXT);
        let (first, context) = match how.effort {
            Effort::Partial | Effort::Live => (&quick, live_context),
            Effort::Final => (&thorough, self.fitted_context(LEAST_FINAL_CONTEXT)),
        };
        let mut best = self.hear(utterance, how, first, context)?;
        if how.effort == Effort::Live && best.is_doubtful() {
            let second = self.hear(utterance, how, &thorough, live_context)?;
            if second.mean_logprob >= best.mean_logprob {
                best = second;
            }
        }
        if best.has_failed() {
            if how.effort == Effort::Partial {
                return Ok(Vec::new());
            }
            best = self.hear(utterance, how, &again, self.full_context)?;
        }
        if best.is_nothing() {
            return Ok(Vec::new());
        }
        let mut segments = segments(best.words, LONG_SEGMENT_MS);
        // Where speech begins and ends the detector knows better than Whisper's timestamps do.
        if let Some(first) = segments.first_mut() {
            first.start_ms = utterance.start_ms();
        }
        if let Some(last) = segments.last_mut() {
            last.end_ms = utterance.start_ms() + length_ms(utterance);
        }
        Ok(segments)
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn language(&self) -> String {
        if self.context.is_multilingual() { self.config.language.clone() } else { "en".into() }
    }

    fn languages(&self) -> Vec<String> {
        if self.context.is_multilingual() {
            languages::all().map(Into::into).collect()
        } else {
            vec!["en".into()]
        }
    }

    fn renew(&mut self) {
        self.state = None;
    }

    fn heard_language(&self) -> Option<(&str, f32)> {
        self.heard
    }

    fn accelerator(&self) -> String {
        match (self.gpu, cfg!(feature = "cuda")) {
            (true, true) => "cuda".into(),
            (true, false) => "vulkan".into(),
            _ => "cpu".into(),
        }
    }
}

fn length_ms(utterance: &Utterance) -> u64 {
    utterance.samples.len() as u64 * 1000 / u64::from(SAMPLE_RATE_HZ)
}
