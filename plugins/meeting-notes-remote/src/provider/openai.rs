//! OpenAI's Chat Completions (<https://platform.openai.com/docs/api-reference/chat>), which many other servers
//! speak too. Owns their form.

use panotti_notes::Prompt;
use panotti_sdk::serde_json::{Value, json};

use super::{ANSWER, Api};

#[derive(Debug)]
pub(super) struct OpenAi;

impl Api for OpenAi {
    fn name(&self) -> &'static str {
        "OpenAI"
    }

    fn url(&self, base: &str, _: &str) -> String {
        format!("{base}/chat/completions")
    }

    fn headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![("Authorization", format!("Bearer {key}"))]
    }

    fn body(&self, model: &str, prompt: &Prompt) -> Value {
        let Prompt { system, user } = prompt;
        let messages = json!([{ "role": "system", "content": system }, { "role": "user", "content": user }]);
        json!({ "model": model, "messages": messages, "temperature": 0, "max_tokens": ANSWER })
    }

    fn text(&self, answer: &Value) -> Option<(String, bool)> {
        let choice = &answer["choices"][0];
        Some((choice["message"]["content"].as_str()?.to_owned(), choice["finish_reason"] == "length"))
    }
}
