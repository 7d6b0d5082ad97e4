//! What clients are told of the service. Owns the answer to `describe`.

use panotti_sdk::{
    SpeechModel,
    serde_json::{Value, json},
};

/// The data of an `info` event. Without a model nothing can be written down, so the program counts as not
/// installed: Home Assistant then says that there are no services, not that there is one without languages.
pub(crate) fn info(model: Option<&SpeechModel>) -> Value {
    let models: Vec<_> = model
        .map(|it| {
            json!({
                "name": it.name,
                "description": format!("Whisper model {}", it.name),
                "attribution": { "name": "Whisper, in the form of whisper.cpp", "url": "https://github.com/ggml-org/whisper.cpp" },
                "installed": true,
                "version": null,
                "languages": it.languages,
            })
        })
        .into_iter()
        .collect();
    let program = json!({
        "name": "panotti",
        "description": "Speech to text on a Panotti box",
        "attribution": { "name": "Panotti", "url": env!("CARGO_PKG_REPOSITORY") },
        "installed": model.is_some(),
        "version": env!("CARGO_PKG_VERSION"),
        "models": models,
        "supports_transcript_streaming": false,
        // Speech is found in what was sent; when a command is over the client has to know.
        "requires_external_vad": true,
    });
    json!({
        "asr": [program], "tts": [], "handle": [], "intent": [], "wake": [], "mic": [], "snd": [],
    })
}
