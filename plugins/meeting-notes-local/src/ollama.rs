//! Ollama's API. Owns its two ways of being asked, `/api/generate` and `/api/chat`, and what its answers mean
//! (<https://github.com/ollama/ollama/blob/main/docs/api.md>); leaves notes and prompts to `panotti-notes`.

use std::time::Duration;

use panotti_notes::{AskError, Budget, Model, Prompt, Reply, base_url, is_this_machine, post};
use panotti_sdk::{
    Context, async_trait,
    serde_json::{Value, json},
};

use crate::Config;

const GENERATE: &str = "/api/generate";
const CHAT: &str = "/api/chat";
/// Kept free for the answer, tokens: notes of a page have about 1000, the thoughts of a model many more.
const ANSWER: std::ops::RangeInclusive<usize> = 1024..=8192;

/// A model that Ollama runs.
#[derive(Debug, Clone)]
pub(crate) struct Ollama {
    context: Context,
    /// One of the two ways of being asked, by its end.
    url: String,
    model: String,
    num_ctx: u32,
    timeout: Duration,
}

impl Ollama {
    /// The one that the settings name; without a path of the API, `/api/chat` is asked.
    ///
    /// # Errors
    /// What is wrong with `ollama_url`.
    pub(crate) fn new(config: &Config, context: Context) -> Result<Self, &'static str> {
        let mut url = base_url(&config.ollama_url)?;
        if ![GENERATE, CHAT].iter().any(|it| url.ends_with(it)) {
            url += CHAT;
        }
        let timeout = Duration::from_secs(config.timeout.into());
        Ok(Self { context, url, model: config.model_name.clone(), num_ctx: config.num_ctx, timeout })
    }

    /// How much fits.
    pub(crate) fn budget(&self) -> Budget {
        let context = self.num_ctx as usize;
        Budget { context, answer: (context / 4).clamp(*ANSWER.start(), *ANSWER.end()) }
    }

    /// Whether it runs on this machine: then nothing that it is asked leaves the box.
    pub(crate) fn is_here(&self) -> bool {
        is_this_machine(&self.url)
    }

    fn whom(&self) -> String {
        let base = [GENERATE, CHAT].iter().find_map(|it| self.url.strip_suffix(it)).unwrap_or(&self.url);
        format!("Ollama at {base}")
    }

    fn body(&self, prompt: &Prompt) -> Value {
        let options =
            json!({ "num_ctx": self.num_ctx, "temperature": 0, "num_predict": self.budget().answer });
        let Prompt { system, user } = prompt;
        let mut body = json!({ "model": self.model, "stream": false, "options": options });
        if self.url.ends_with(GENERATE) {
            body["system"] = system.as_str().into();
            body["prompt"] = user.as_str().into();
        } else {
            let messages =
                json!([{ "role": "system", "content": system }, { "role": "user", "content": user }]);
            body["messages"] = messages;
        }
        body
    }

    fn read(&self, reply: &Reply) -> Result<String, AskError> {
        let (whom, model, said) = (self.whom(), &self.model, reply.complaint());
        match reply.status {
            200 => {}
            404 if said.contains("model") => {
                return Err(AskError::Refused(format!(
                    "{whom} does not have the model `{model}`: run `ollama pull {model}`"
                )));
            }
            404 => {
                return Err(AskError::Refused(format!(
                    "{whom} does not have this API: look at `ollama_url`"
                )));
            }
            429 | 500.. => return Err(AskError::Failed(format!("{whom} answers {}: {said}", reply.status))),
            status => return Err(AskError::Refused(format!("{whom} refuses, {status}: {said}"))),
        }
        let json = reply.json(&whom)?;
        if let Some(error) = json["error"].as_str() {
            return Err(AskError::Failed(format!("{whom} failed: {error}")));
        }
        let text = json["response"].as_str().or_else(|| json["message"]["content"].as_str());
        let Some(text) = text else {
            return Err(AskError::Failed(format!("{whom} answers without a text: is it Ollama?")));
        };
        if json["done_reason"] == "length" {
            let most = self.budget().answer;
            return Err(AskError::Unusable(format!("it was cut off after {most} tokens: be shorter")));
        }
        if text.trim().is_empty() {
            return Err(AskError::Unusable("it was empty".into()));
        }
        Ok(text.to_owned())
    }
}

#[async_trait]
impl Model for Ollama {
    async fn ask(&self, prompt: &Prompt) -> Result<String, AskError> {
        let (body, it) = (self.body(prompt), self.clone());
        let asked =
            move || post(&it.whom(), &it.url, &[], &body, it.timeout).and_then(|reply| it.read(&reply));
        let answer = self.context.blocking(asked).await;
        answer.unwrap_or_else(|error| Err(AskError::Failed(error.to_string())))
    }
}
