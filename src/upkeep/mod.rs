//! What the log needs while it runs, on a thread of its own ("upkeep"). Owns when old events are removed
//! and when copies are made; leaves how to `event_log`.

mod backups;

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError, TryRecvError},
    thread::{self, JoinHandle},
    time::Duration,
};

use self::backups::Backups;
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
    pub fn start(config: &Config, log: &EventLog, _bus: &Bus) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let mut backups = Backups::new(config, log);
        let run = move || {
            loop {
                backups.step(&|| stopped.try_recv() == Err(TryRecvError::Disconnected));
                if stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("upkeep".into()).spawn(run)?;
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
