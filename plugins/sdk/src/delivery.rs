//! What a handler is given and what it answers. Owns the types; leaves queues, retries and dead letters to
//! the bus.

use std::{error::Error, sync::Arc};

use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{ContextError, Event};

/// An event on its way to one handler.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event.
    pub event: Arc<Event>,
    /// Which attempt this is, from 1. An attempt that a crash ended is not counted.
    pub attempt: u32,
    /// The replay this belongs to; `None` when it is delivered for the first time.
    pub replay: Option<Uuid>,
}

impl Delivery {
    /// The same for every attempt at this delivery and for no other: what a handler gives to systems
    /// outside the log so that a repeated attempt has one effect. In a replay it differs from that of the
    /// first delivery, because doing it again is what was asked for.
    pub fn key(&self) -> String {
        match self.replay {
            None => self.event.id.to_string(),
            Some(replay) => format!("{}/{replay}", self.event.id),
        }
    }

    /// What the event carries, as a `T`.
    ///
    /// # Errors
    /// [`HandlerError::Permanent`], which names the key that does not fit.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        serde_path_to_error::deserialize(&self.event.payload).map_err(|error| {
            HandlerError::permanent(format!(
                "`{}` carries something else than expected at `{}`: {}",
                self.event.name,
                error.path(),
                error.inner()
            ))
        })
    }
}

/// Why an event was not handled.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// It may go better later: tried again, then parked as a dead letter.
    #[error(transparent)]
    Retryable(Box<dyn Error + Send + Sync>),
    /// It will never go better: parked as a dead letter at once.
    #[error(transparent)]
    Permanent(Box<dyn Error + Send + Sync>),
}

impl HandlerError {
    /// It may go better later.
    pub fn retryable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retryable(cause.into())
    }

    /// It will never go better.
    pub fn permanent(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Permanent(cause.into())
    }
}

impl From<ContextError> for HandlerError {
    fn from(error: ContextError) -> Self {
        if error.is_permanent() { Self::permanent(error) } else { Self::retryable(error) }
    }
}
