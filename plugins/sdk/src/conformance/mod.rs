//! The tests that every plugin passes, by feature `testing`. Owns what is asked of a plugin; the bench that
//! it is asked on is [`crate::testing`].
//!
//! A check answers with everything it has against a plugin, so that the checks are tested themselves: each
//! has a plugin in this crate's tests that fails it.

mod config;
mod descriptor;
mod life;
mod repetition;
mod schema;
#[cfg(test)]
mod tests;

use std::error::Error;

use serde_json::Value;

pub use self::{
    config::{unknown_keys, wrong_types},
    descriptor::{descriptor, example, schema},
    life::{health, lifecycle, permissions, routes, samples},
    repetition::{cancel, panic, redelivery},
};
use crate::{
    Descriptor, NewEvent,
    payloads::Transcript,
    testing::{Bench, BenchError},
};

/// A plugin to be examined, and what its author gives along.
#[derive(Debug, Clone)]
pub struct Case {
    descriptor: Descriptor,
    config: Value,
    secrets: Vec<(String, String)>,
    events: Vec<NewEvent>,
    poison: Vec<NewEvent>,
    transcript: Option<Transcript>,
}

impl Case {
    /// The plugin as its example configures it.
    pub fn of(descriptor: Descriptor) -> Self {
        Self {
            descriptor,
            config: Value::Null,
            secrets: Vec::new(),
            events: Vec::new(),
            poison: Vec::new(),
            transcript: None,
        }
    }

    /// Keys of the configuration to set over those of the example.
    #[must_use]
    pub fn config(mut self, changes: Value) -> Self {
        self.config = changes;
        self
    }

    /// A secret that the box has.
    #[must_use]
    pub fn secret(mut self, name: &str, secret: &str) -> Self {
        self.secrets.push((name.to_owned(), secret.to_owned()));
        self
    }

    /// What the box's transcriber says to every request.
    #[must_use]
    pub fn transcript(mut self, transcript: Transcript) -> Self {
        self.transcript = Some(transcript);
        self
    }

    /// An event that the plugin handles well. One that gets events gives at least one.
    #[must_use]
    pub fn event(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }

    /// An event that makes `handle` panic, where there is one.
    #[must_use]
    pub fn poison(mut self, event: NewEvent) -> Self {
        self.poison.push(event);
        self
    }

    fn bench(&self) -> Result<Bench, BenchError> {
        let mut bench = Bench::new(self.descriptor)?;
        bench.configure(self.config.clone());
        for (name, secret) in &self.secrets {
            bench.secret(name, secret);
        }
        if let Some(transcript) = &self.transcript {
            bench.transcript(Ok(transcript.clone()));
        }
        Ok(bench)
    }

    fn started(&self) -> Result<Bench, String> {
        let mut bench = self.bench().map_err(|it| chain(&it))?;
        bench.start().map_err(|it| chain(&it))?;
        Ok(bench)
    }
}

/// Makes a test of each check of this module, in a module `conformance`:
/// `panotti_sdk::conformance!(Case::of(DESCRIPTOR).event(sample()));`
#[macro_export]
macro_rules! conformance {
    ($case:expr) => {
        $crate::conformance!(@each $case;
            descriptor schema example unknown_keys wrong_types samples permissions routes health lifecycle
            redelivery cancel panic
        );
    };
    (@each $case:expr; $($check:ident)+) => {
        mod conformance {
            #[allow(unused_imports)]
            use super::*;

            $(#[test]
            fn $check() {
                $crate::conformance::hold(&$crate::conformance::$check(&$case));
            })+
        }
    };
}

/// Fails the test that calls it when there are problems.
///
/// # Panics
/// When there are problems, with all of them.
pub fn hold(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Problems of a check that ends at its first.
fn first(result: Result<(), String>) -> Vec<String> {
    result.err().into_iter().collect()
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
