//! Where log lines go: to journald with their fields when standard error is connected to it, else to
//! standard error as text or JSON.

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, Logging};

/// What went wrong when the log was started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is none.
    #[error("cannot read the log filter {level:?}; write a level such as info, or info,panotti::audio=debug")]
    Filter {
        /// As it was written.
        level: String,
        /// Why.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// There is a log already.
    #[error("cannot start the log twice in one process")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts the log of this process.
///
/// # Errors
/// When the filter cannot be read, or the log was started before.
pub fn init(logging: &Logging) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&logging.level)
        .map_err(|source| Error::Filter { level: logging.level.clone(), source })?;
    let registry = tracing_subscriber::registry().with(filter);
    if let Some(journal) = crate::systemd::journal_layer() {
        return registry.with(journal).try_init().map_err(Error::Twice);
    }
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match logging.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .map_err(Error::Twice)
}
