//! Gemini's `generateContent` (<https://ai.google.dev/api/generate-content>). Owns its form. The key goes into a
//! header, not into the URL, where proxies would write it down.

use panotti_notes::Prompt;
use panotti_sdk::serde_json::{Value, json};

use super::{ANSWER, Api};

#[derive(Debug)]
pub(super) struct Google;

impl Api for Google {
    fn name(&self) -> &'static str {
        "Google"
    }

    fn url(&self, base: &str, model: &str) -> String {
        format!("{base}/models/{model}:generateContent")
    }

    fn headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![("x-goog-api-key", key.to_owned())]
    }

    fn body(&self, _: &str, prompt: &Prompt) -> Value {
        json!({
            "systemInstruction": { "parts": [{ "text": prompt.system }] },
            "contents": [{ "role": "user", "parts": [{ "text": prompt.user }] }],
            "generationConfig": { "temperature": 0, "maxOutputTokens": ANSWER },
        })
    }

    fn text(&self, answer: &Value) -> Option<(String, bool)> {
        let candidate = &answer["candidates"][0];
        let parts = candidate["content"]["parts"].as_array()?.iter();
        let text: String = parts.filter_map(|it| it["text"].as_str()).collect();
        Some((text, candidate["finishReason"] == "MAX_TOKENS"))
    }
}
