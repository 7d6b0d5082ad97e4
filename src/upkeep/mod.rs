//! What the log needs while it runs, on a thread of its own ("upkeep"). Owns when old events are removed
//! and when copies are made; leaves how to `event_log`.

mod backups;
mod clock;
mod retention;
#[cfg(test)]
mod tests;

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError, TryRecvError},
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;

use self::{
    backups::Backups,
    retention::{Clock, Retention},
};
use crate::{
    bus::{self, Bus},
    config::Config,
    error_chain::chain,
    event_log::{self, EventLog},
};

/// How often it looks whether there is something to do.
const PERIOD: Duration = Duration::from_secs(30);

/// What went wrong with the upkeep.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log said no.
    #[error("the event log does not take or give it")]
    Log(#[from] event_log::Error),
    /// The bus does not say who has seen what.
    #[error("the event bus does not say what subscriptions have seen")]
    Bus(#[from] bus::Error),
}

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
    pub fn start(config: &Config, log: &EventLog, bus: &Bus) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let retention = Retention::new(&config.events, log.clone(), bus.clone());
        let backups = Backups::new(config, log);
        let run = move || run(retention, backups, &stopped);
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

fn run(mut retention: Retention, mut backups: Backups, stopped: &mpsc::Receiver<()>) {
    let stopping = || stopped.try_recv() != Err(TryRecvError::Empty);
    let mut trouble = Trouble::default();
    loop {
        let clock = Clock { now: Timestamp::now(), is_synchronised: clock::is_synchronised() };
        trouble.note("Removing old events", retention.run(clock, &stopping));
        backups.step(&stopping);
        if stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// What a chore last failed of: it is told once, not every half minute.
#[derive(Debug, Default)]
struct Trouble(Option<String>);

impl Trouble {
    /// Tells of a failure when it is another than the last, and when it is over. Whether it told.
    fn note(&mut self, chore: &str, result: Result<(), Error>) -> bool {
        let now = result.err().map(|error| chain(&error));
        let changed = now != self.0;
        match &now {
            Some(error) if changed => tracing::error!(error, "{chore} fails; it is tried again and again."),
            None if changed => tracing::info!("{chore} works again."),
            _ => {}
        }
        self.0 = now;
        changed
    }
}
