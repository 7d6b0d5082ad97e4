//! An error with its causes in one line, for logs and for people. Owns the joining; what an error says
//! is its own.

use std::error::Error;

/// `error`, then whatever caused it, joined by `: `.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
