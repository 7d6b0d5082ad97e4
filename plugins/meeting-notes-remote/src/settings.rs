//! The settings. Owns keys, defaults and their manual; leaves judging addresses to `provider`.

use panotti_sdk::{
    SecretRef,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// A service that writes notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// OpenAI, or a service with the same API.
    Openai,
    /// Anthropic.
    #[default]
    Anthropic,
    /// Google's Gemini.
    Google,
}

/// Settings of the notes that a service writes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the notes go: a directory of their own, absolute or below the box's data directory.
    #[schemars(length(min = 1))]
    pub output_directory: String,
    /// Which service gets the transcripts: `openai`, `anthropic` or `google`.
    pub provider: Provider,
    /// Longest wait for one answer of the service, s.
    #[schemars(range(min = 1, max = 3600), extend("x-unit" = "s"))]
    pub timeout: u32,
    /// Used with `provider: openai`.
    pub openai: OpenAi,
    /// Used with `provider: anthropic`.
    pub anthropic: Anthropic,
    /// Used with `provider: google`.
    pub google: Google,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output_directory: "data/meeting_notes_remote".into(),
            provider: Provider::Anthropic,
            timeout: 600,
            openai: OpenAi::default(),
            anthropic: Anthropic::default(),
            google: Google::default(),
        }
    }
}

/// Makes the settings of a service: all have the same keys, each its own defaults.
macro_rules! access {
    ($(#[doc = $doc:literal] $name:ident: $secret:literal, $model:literal, $base_url:literal;)+) => {
        $(
            #[doc = $doc]
            #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
            #[serde(default, deny_unknown_fields)]
            pub struct $name {
                /// The name of the secret that holds the key: `{ secret: NAME }`. The key itself never stands here.
                // Those of the services that are not asked are not there.
                #[schemars(extend("x-may-be-missing" = true))]
                pub api_key: SecretRef,
                /// Which of its models writes.
                #[schemars(length(min = 1, max = 200))]
                pub model: String,
                /// Where the service is: the beginning of its URLs. `https`, or `http` on this machine.
                #[schemars(length(min = 1))]
                pub base_url: String,
            }

            impl Default for $name {
                fn default() -> Self {
                    let api_key = SecretRef { secret: $secret.to_owned() };
                    Self { api_key, model: $model.to_owned(), base_url: $base_url.to_owned() }
                }
            }

            impl $name {
                /// Its three values.
                pub(crate) fn access(&self) -> (&SecretRef, &str, &str) {
                    (&self.api_key, &self.model, &self.base_url)
                }
            }
        )+
    };
}

access! {
    #[doc = "The way to OpenAI."]
    OpenAi: "OPENAI_API_KEY", "gpt-4o", "https://api.openai.com/v1";
    #[doc = "The way to Anthropic."]
    Anthropic: "ANTHROPIC_API_KEY", "claude-3-5-sonnet-20241022", "https://api.anthropic.com/v1";
    #[doc = "The way to Google."]
    Google: "GOOGLE_API_KEY", "gemini-1.5-flash", "https://generativelanguage.googleapis.com/v1beta";
}
