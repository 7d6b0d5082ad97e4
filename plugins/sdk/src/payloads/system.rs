//! What the events of the box itself carry: the service, its keys, the microphone, the model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StreamFormat;

/// The name says it all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nothing {}

/// The microphone runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaptureOpened {
    /// As configured.
    pub device: String,
    /// As negotiated.
    pub format: StreamFormat,
}

/// The microphone is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaptureLost {
    /// What went wrong and what to do.
    pub reason: String,
}

/// The device had more than its buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaptureOverrun {
    /// Overruns since the service started.
    pub total: u64,
}

/// The model is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelLoaded {
    /// File or name.
    pub model: String,
    /// What computes: `cpu`, `cuda`, `vulkan`.
    pub accelerator: String,
    /// How long reading it took, ms.
    pub ms: u64,
}

/// The model cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelFailed {
    /// File or name.
    pub model: String,
    /// Why, and what to do.
    pub reason: String,
    /// The model that stays in use in its place; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<String>,
}

/// A model was fetched and found whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelFetched {
    /// Its name.
    pub model: String,
    /// Length of its file, bytes.
    pub bytes: u64,
    /// SHA-256 of its file, 64 hex digits.
    pub sha256: String,
    /// How long fetching and checking took, ms.
    pub ms: u64,
}

/// The service runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemStarted {
    /// The program's version.
    pub version: String,
    /// Where the API listens: address and port.
    pub address: String,
}

/// A key was made or made worthless. The key itself is in no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyChanged {
    /// The key's id.
    pub key_id: String,
    /// Who holds it; empty when that cannot be read any more.
    pub name: String,
    /// What it may do: `viewer`, `operator` or `admin`.
    pub role: String,
}
