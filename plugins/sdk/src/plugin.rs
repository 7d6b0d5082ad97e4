//! What a plugin is. Owns the trait an author implements and what it answers with; leaves when it is called
//! to the host.

use std::error::Error;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ContextError, Delivery, HandlerError, NewEvent, Request, Response};

/// A feature that reacts to events.
///
/// Every method runs on the plugin's own thread inside a tokio runtime. What a plugin does cannot hurt its
/// neighbours: a panic is a failure, a method that takes too long is given up, and work that keeps the
/// processor for long belongs into [`Context::blocking`](crate::Context::blocking).
#[async_trait]
pub trait Plugin: Send + Sync + 'static {
    /// Gets ready. Called once, before any event, and given up after 2 s: what takes longer (a model, a
    /// connection) is begun here and awaited where it is needed.
    ///
    /// # Errors
    /// Then the plugin is not started; a [retryable](PluginError) failure is tried again later.
    async fn start(&self) -> Result<(), PluginError> {
        Ok(())
    }

    /// Handles one event. What it returns is committed together with the note that the event is done, so
    /// that it is in the log exactly once, however often this ran. Effects elsewhere use
    /// [`Delivery::key`] to be recognised when they are repeated.
    ///
    /// Dropped when the plugin stops or the time is up; the event is then delivered again.
    ///
    /// # Errors
    /// The event is tried again or parked, as the error says.
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError>;

    /// How it is. Asked every 30 s.
    async fn health(&self) -> Health {
        Health::Healthy
    }

    /// Answers a request to one of the descriptor's routes.
    async fn call(&self, request: Request) -> Response {
        Response::not_found(&format!("there is nothing at {}", request.path))
    }

    /// Puts its things in order. Called once, after the last event, and given up after 10 s.
    async fn stop(&self) {}
}

/// What handling an event brings about, committed together with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    /// Events to publish, in order. Each becomes a child of the event that was handled: same correlation
    /// id, caused by it, published by this plugin.
    pub events: Vec<NewEvent>,
    /// Changes of the plugin's state: key, and the new value or `None` to remove it.
    pub state: Vec<(String, Option<Vec<u8>>)>,
}

impl Outbox {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Publishes `event`.
    #[must_use]
    pub fn publish(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Keeps `value` as `key`.
    #[must_use]
    pub fn put(mut self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.state.push((key.to_owned(), Some(value.into())));
        self
    }

    /// Keeps `value` as `key`, for [`Context::state_json`](crate::Context::state_json).
    ///
    /// # Errors
    /// [`ContextError::State`] when it cannot be written as JSON.
    pub fn put_json(self, key: &str, value: &impl Serialize) -> Result<Self, ContextError> {
        match serde_json::to_vec(value) {
            Ok(value) => Ok(self.put(key, value)),
            Err(error) => Err(ContextError::State { key: key.to_owned(), reason: error.to_string() }),
        }
    }

    /// Forgets `key`.
    #[must_use]
    pub fn remove(mut self, key: &str) -> Self {
        self.state.push((key.to_owned(), None));
        self
    }
}

/// How a plugin is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", content = "reason", rename_all = "snake_case")]
pub enum Health {
    /// It does its work.
    Healthy,
    /// It does a part of its work; why, for a person.
    Degraded(String),
}

/// Why a plugin cannot be built or started.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The configuration cannot be used, although it fits its schema; names the key.
    #[error("`{key}` cannot be used: {reason}")]
    Config {
        /// Path of the key, `ollama.url`.
        key: String,
        /// Why, and what to write instead.
        reason: String,
    },
    /// It may go better later: tried again with growing pauses.
    #[error(transparent)]
    Retryable(Box<dyn Error + Send + Sync>),
    /// It will not go better by itself.
    #[error(transparent)]
    Permanent(Box<dyn Error + Send + Sync>),
}

impl PluginError {
    /// It may go better later.
    pub fn retryable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retryable(cause.into())
    }

    /// It will not go better by itself.
    pub fn permanent(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Permanent(cause.into())
    }

    /// The value of `key` cannot be used.
    pub fn config(key: &str, reason: impl Into<String>) -> Self {
        Self::Config { key: key.to_owned(), reason: reason.into() }
    }
}

impl From<ContextError> for PluginError {
    fn from(error: ContextError) -> Self {
        if error.is_permanent() { Self::permanent(error) } else { Self::retryable(error) }
    }
}
