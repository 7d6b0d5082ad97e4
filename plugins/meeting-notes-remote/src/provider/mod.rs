//! Services that write notes. Owns the one way of asking them: key, address, what a status means; what each
//! service's requests and answers look like is in a file of its own.

mod anthropic;
mod google;
mod openai;

use std::{fmt, time::Duration};

use panotti_notes::{AskError, Budget, Model, Prompt, Reply, base_url, is_this_machine, post};
use panotti_sdk::{
    Context, ContextError, PluginError, SecretRef, SecretText, async_trait, serde_json::Value,
};

use crate::{Config, Provider};

/// Longest answer, tokens.
const ANSWER: usize = 8192;

/// The smallest context among the default models is gpt-4o's with 128 000 tokens
/// (<https://platform.openai.com/docs/models/gpt-4o>); a meeting of about 6 h fits.
pub(crate) const BUDGET: Budget = Budget { context: 128_000, answer: ANSWER };

/// What differs between services.
trait Api: fmt::Debug + Send + Sync {
    /// Its name for people.
    fn name(&self) -> &'static str;

    /// Where `model` is asked.
    fn url(&self, base: &str, model: &str) -> String;

    /// The headers that carry the key, and others that it wants.
    fn headers(&self, key: &str) -> Vec<(&'static str, String)>;

    /// The request.
    fn body(&self, model: &str, prompt: &Prompt) -> Value;

    /// The text of an answer, and whether it was cut off. `None` when it has none.
    fn text(&self, answer: &Value) -> Option<(String, bool)>;
}

/// The service that is set.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    api: &'static dyn Api,
    base: String,
    model: String,
    api_key: SecretRef,
    timeout: Duration,
}

impl Remote {
    /// The one that the settings choose.
    ///
    /// # Errors
    /// [`PluginError::Config`] for an address that cannot be used or would send text in the clear.
    pub(crate) fn new(config: &Config) -> Result<Self, PluginError> {
        let services: [(&'static dyn Api, _, _, _); 3] = [
            (&openai::OpenAi, Provider::Openai, config.openai.access(), "openai"),
            (&anthropic::Anthropic, Provider::Anthropic, config.anthropic.access(), "anthropic"),
            (&google::Google, Provider::Google, config.google.access(), "google"),
        ];
        let mut chosen = None;
        for (api, provider, (api_key, model, url), name) in services {
            let refused = |reason: &str| PluginError::config(&format!("{name}.base_url"), reason);
            let base = base_url(url).map_err(refused)?;
            if !base.starts_with("https://") && !is_this_machine(&base) {
                return Err(refused("transcripts are sent over https alone; http is for this machine"));
            }
            if provider == config.provider {
                let timeout = Duration::from_secs(config.timeout.into());
                chosen = Some(Self { api, base, model: model.to_owned(), api_key: api_key.clone(), timeout });
            }
        }
        chosen.ok_or_else(|| PluginError::config("provider", "it is no service that is known"))
    }

    /// Name and address, for people.
    pub(crate) fn whom(&self) -> String {
        format!("{} ({})", self.api.name(), self.base)
    }

    /// Which model writes.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Ready to be asked.
    ///
    /// # Errors
    /// [`ContextError::NoSecret`] when the key is not there.
    pub(crate) fn with_key(&self, context: &Context) -> Result<Asking, ContextError> {
        Ok(Asking { remote: self.clone(), context: context.clone(), key: context.secret(&self.api_key)? })
    }
}

/// A service with its key.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    remote: Remote,
    context: Context,
    key: SecretText,
}

impl Asking {
    fn asked(&self, prompt: &Prompt) -> Result<String, AskError> {
        let Remote { api, base, model, timeout, .. } = &self.remote;
        // A key from a file has the file's last line break.
        let headers = api.headers(self.key.reveal().trim());
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let url = api.url(base, model);
        let reply = post(&self.remote.whom(), &url, &headers, &api.body(model, prompt), *timeout)?;
        self.read(&reply)
    }

    fn read(&self, reply: &Reply) -> Result<String, AskError> {
        let (whom, status, said) = (self.remote.whom(), reply.status, reply.complaint());
        match status {
            200 => {}
            401 | 403 => {
                return Err(AskError::Refused(format!("{whom} does not take the key, {status}: {said}")));
            }
            404 => {
                let model = &self.remote.model;
                return Err(AskError::Refused(format!("{whom} does not have the model `{model}`: {said}")));
            }
            408 | 429 | 500.. => return Err(AskError::Failed(format!("{whom} answers {status}: {said}"))),
            _ => return Err(AskError::Refused(format!("{whom} refuses, {status}: {said}"))),
        }
        let text = self.remote.api.text(&reply.json(&whom)?);
        match text {
            None => Err(AskError::Failed(format!("{whom} answers without a text"))),
            Some((_, true)) => {
                Err(AskError::Unusable(format!("it was cut off after {ANSWER} tokens: be shorter")))
            }
            Some((text, _)) if text.trim().is_empty() => Err(AskError::Unusable("it was empty".into())),
            Some((text, _)) => Ok(text),
        }
    }

    /// Some services say the key again in their complaints.
    fn redacted(&self, text: String) -> String {
        let key = self.key.reveal().trim();
        if key.is_empty() { text } else { text.replace(key, "[secret]") }
    }
}

#[async_trait]
impl Model for Asking {
    async fn ask(&self, prompt: &Prompt) -> Result<String, AskError> {
        let (it, prompt) = (self.clone(), prompt.clone());
        let answer = self.context.blocking(move || it.asked(&prompt)).await;
        let answer = answer.unwrap_or_else(|error| Err(AskError::Failed(error.to_string())));
        answer.map_err(|error| match error {
            AskError::Unreachable(text) => AskError::Unreachable(self.redacted(text)),
            AskError::Refused(text) => AskError::Refused(self.redacted(text)),
            AskError::Failed(text) => AskError::Failed(self.redacted(text)),
            AskError::Unusable(text) => AskError::Unusable(self.redacted(text)),
        })
    }
}
