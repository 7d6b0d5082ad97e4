//! Why a delivery failed, in words that can be kept. Owns the words' limits.

use std::{any::Any, time::Duration};

use panotti_sdk::HandlerError;

use crate::error_chain;

/// Most causes that are kept of one error, and most bytes of each.
const MOST_CAUSES: usize = 16;
const MOST_BYTES: usize = 2048;

/// Why a delivery failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// Whether it will never go better.
    pub(super) permanent: bool,
    /// Outermost first.
    pub(super) errors: Vec<String>,
}

impl Failure {
    pub(super) fn of(error: &HandlerError) -> Self {
        Self::new(matches!(error, HandlerError::Permanent(_)), error_chain::texts(error))
    }

    pub(super) fn timeout(limit: Duration) -> Self {
        Self::new(false, vec![format!("the handler took longer than {limit:?}")])
    }

    pub(super) fn panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Self::new(false, vec!["the handler panicked".into(), text.unwrap_or("without a text").into()])
    }

    /// What the handler answered cannot be stored.
    pub(super) fn refused(error: &dyn std::error::Error) -> Self {
        let mut errors = vec!["what the handler answered cannot be stored".to_owned()];
        errors.extend(error_chain::texts(error));
        Self::new(true, errors)
    }

    fn new(permanent: bool, mut errors: Vec<String>) -> Self {
        errors.truncate(MOST_CAUSES);
        errors.iter_mut().for_each(|text| text.truncate(text.floor_char_boundary(MOST_BYTES)));
        Self { permanent, errors }
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        self.errors.join(": ")
    }
}
