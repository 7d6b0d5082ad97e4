//! What a form asks for. Owns the meaning of its fields, which of OpenAI's this box has, and what is said of
//! the others; pure, it touches nothing.

use std::fmt::Display;

use axum::http::StatusCode;
use panotti_sdk::SpeechModel;

use super::{
    super::error::Problem,
    error::Refusal,
    form::Form,
    models::{self, WHISPER_1},
    upload::Upload,
};
use crate::{config::language_name, speech::Hints};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `{"text"}`
    Json,
    /// A line a segment.
    Text,
    /// SubRip.
    Srt,
    /// With times.
    VerboseJson {
        /// Of the words.
        words: bool,
        /// Of the segments.
        segments: bool,
    },
    /// WebVTT.
    Vtt,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) file: Upload,
    pub(super) format: Format,
    /// Whether the text is wanted as it is written down.
    pub(super) stream: bool,
    pub(super) hints: Hints,
}

impl Asked {
    /// What `form` asks for, of a box that has `model` in use, or is `loading` one.
    ///
    /// # Errors
    /// 400 with the field that does not fit, 404 for a model that is not in use, 503 before that is known.
    pub(super) fn new(mut form: Form, model: Option<&SpeechModel>, loading: bool) -> Result<Self, Refusal> {
        let file = form.file.take().ok_or_else(|| {
            Refusal::field("file", "there is no file: send the sound as the field `file` of the form")
        })?;
        let asked = form
            .last("model")
            .ok_or_else(|| Refusal::field("model", format!("there is no `model`: send {WHISPER_1}")))?;
        check_model(asked, model, loading)?;
        let format = format(&form)?;
        let stream = stream(&form, format)?;
        if let Some(text) = form.last("temperature")
            && !text.parse::<f64>().is_ok_and(|it| (0.0..=1.0).contains(&it))
        {
            return Err(Refusal::field("temperature", misfit("temperature", text, "a number from 0 to 1")));
        }
        refuse_the_rest(&form)?;
        Ok(Self {
            file,
            format,
            stream,
            hints: Hints { language: language(&form, model)?, prompt: prompt(&form) },
        })
    }
}

/// One model is in use at a time, and any name of it will do.
fn check_model(asked: &str, model: Option<&SpeechModel>, loading: bool) -> Result<(), Refusal> {
    match model {
        // Nobody knows yet what it will be called; `whisper-1` can wait for it.
        _ if asked == WHISPER_1 => Ok(()),
        Some(model) if asked == model.name => Ok(()),
        Some(model) => Err(models::unknown(asked, &[WHISPER_1, &model.name])),
        None if loading => {
            let detail = "the model is being loaded: try again in a moment";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).try_again(2).into())
        }
        None => Err(models::unknown(asked, &[])),
    }
}

fn format(form: &Form) -> Result<Format, Refusal> {
    let mut granularities = Vec::new();
    for it in form.all("timestamp_granularities") {
        if !["word", "segment"].contains(&it) {
            let message = misfit("timestamp_granularities[]", it, "`word` or `segment`");
            return Err(Refusal::field("timestamp_granularities", message));
        }
        granularities.push(it);
    }
    let words = granularities.contains(&"word");
    let segments = granularities.is_empty() || granularities.contains(&"segment");
    let format = match form.last("response_format").unwrap_or("json") {
        "json" => Format::Json,
        "text" => Format::Text,
        "srt" => Format::Srt,
        "verbose_json" => Format::VerboseJson { words, segments },
        "vtt" => Format::Vtt,
        "diarized_json" => {
            let message = "`diarized_json` is not to be had: this box does not tell voices apart in files \
                           that are sent; use json, text, srt, verbose_json or vtt";
            return Err(Refusal::field("response_format", message));
        }
        other => {
            let message = misfit("response_format", other, "json, text, srt, verbose_json or vtt");
            return Err(Refusal::field("response_format", message));
        }
    };
    if !granularities.is_empty() && !matches!(format, Format::VerboseJson { .. }) {
        let message = "`timestamp_granularities[]` needs `response_format` to be verbose_json";
        return Err(Refusal::field("timestamp_granularities", message));
    }
    Ok(format)
}

fn stream(form: &Form, format: Format) -> Result<bool, Refusal> {
    let stream = match form.last("stream").map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(other) => return Err(Refusal::field("stream", misfit("stream", other, "true or false"))),
    };
    if stream && !matches!(format, Format::Json | Format::Text) {
        let message = "`stream` gives text without times: leave `response_format` out, or leave `stream` out";
        return Err(Refusal::field("stream", message));
    }
    Ok(stream)
}

/// The language, from `language` or from newer models' `languages[]`.
fn language(form: &Form, model: Option<&SpeechModel>) -> Result<Option<String>, Refusal> {
    let mut asked: Option<String> = None;
    for it in form.last("language").into_iter().chain(form.all("languages")) {
        let code = it.to_ascii_lowercase();
        if language_name(&code).is_none() {
            let message = misfit("language", it, "an ISO 639-1 code that Whisper knows, such as en or de");
            return Err(Refusal::field("language", message).coded("invalid_language_format"));
        }
        if asked.as_ref().is_some_and(|it| *it != code) {
            let message = "there is more than one language: send the one that is spoken, or none";
            return Err(Refusal::field("language", message));
        }
        asked = Some(code);
    }
    if let (Some(code), Some(model)) = (&asked, model)
        && !model.languages.iter().any(|it| it == code || it == "auto")
    {
        let message = format!(
            "the model in use, {}, does not write `{code}` but {}",
            model.name,
            model.languages.join(", ")
        );
        return Err(Refusal::field("language", message));
    }
    Ok(asked)
}

/// Words that are likely to be said: `prompt`, and newer models' `keywords[]`.
fn prompt(form: &Form) -> Option<String> {
    let keywords = form.all("keywords").collect::<Vec<_>>().join(", ");
    let parts: Vec<&str> = form.last("prompt").into_iter().chain(Some(keywords.as_str())).collect();
    Some(parts.join(" ").trim().to_owned()).filter(|it| !it.is_empty())
}

/// Fields whose absence from the answer would mislead. What else there may be is for other servers, and
/// does no harm.
fn refuse_the_rest(form: &Form) -> Result<(), Refusal> {
    if form.all("include").next().is_some() {
        let message = "`include[]` is not to be had: confidences of words are, with verbose_json and \
                       `timestamp_granularities[]=word`";
        return Err(Refusal::field("include", message));
    }
    if form.has("chunking_strategy") && form.last("chunking_strategy") != Some("auto") {
        let message =
            "`chunking_strategy` can only be auto: the box finds speech as its own settings `vad.*` say";
        return Err(Refusal::field("chunking_strategy", message));
    }
    for name in ["known_speaker_names", "known_speaker_references"] {
        if form.has(name) {
            let message = format!(
                "`{name}[]` is not to be had: this box does not tell voices apart in files that are sent"
            );
            return Err(Refusal::field(name, message));
        }
    }
    Ok(())
}

fn misfit(name: &str, value: impl Display, instead: &str) -> String {
    format!("`{name}` cannot be `{value}`: send {instead}")
}
