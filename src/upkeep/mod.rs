//! What the log needs while it runs, on a thread of its own ("upkeep"). Owns when old events are removed
//! and when copies are made; leaves how to `event_log`.

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{bus::Bus, config::Config, event_log::EventLog};

/// How often it looks whether there is something to do.
const PERIOD: Duration = Duration::from_secs(30);

/// The running thread.
#[derive(Debug)]
pub struct Upkeep {
    /// Dropped to stop it.
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Upkeep {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(_config: &Config, _log: &EventLog, _bus: &Bus) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::Builder::new()
            .name("upkeep".into())
            .spawn(move || while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {})?;
        Ok(Self { stop, thread })
    }

    /// Ends it after the step it is at.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("The upkeep panicked.");
        }
    }
}
