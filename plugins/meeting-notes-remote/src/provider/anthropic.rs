//! Anthropic's Messages (<https://docs.anthropic.com/en/api/messages>). Owns their form.

use panotti_notes::Prompt;
use panotti_sdk::serde_json::{Value, json};

use super::{ANSWER, Api};

#[derive(Debug)]
pub(super) struct Anthropic;

impl Api for Anthropic {
    fn name(&self) -> &'static str {
        "Anthropic"
    }

    fn url(&self, base: &str, _: &str) -> String {
        format!("{base}/messages")
    }

    fn headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![("x-api-key", key.to_owned()), ("anthropic-version", "2023-06-01".to_owned())]
    }

    fn body(&self, model: &str, prompt: &Prompt) -> Value {
        let messages = json!([{ "role": "user", "content": prompt.user }]);
        json!({
            "model": model, "system": prompt.system, "messages": messages, "temperature": 0, "max_tokens": ANSWER,
        })
    }

    fn text(&self, answer: &Value) -> Option<(String, bool)> {
        let parts = answer["content"].as_array()?.iter();
        let text: String = parts.filter_map(|it| it["text"].as_str()).collect();
        Some((text, answer["stop_reason"] == "max_tokens"))
    }
}
