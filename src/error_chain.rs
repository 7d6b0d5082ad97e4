//! An error with its causes, for logs and for people. Owns the joining; what an error says is its own.

use std::{error::Error, iter::successors};

/// `error`, then whatever caused it, joined by `: `.
pub(crate) fn chain(error: &dyn Error) -> String {
    texts(error).join(": ")
}

/// `error`, then whatever caused it, one by one.
pub(crate) fn texts(error: &dyn Error) -> Vec<String> {
    successors(Some(error), |error: &&dyn Error| (*error).source()).map(ToString::to_string).collect()
}
