//! The task of one replay. Owns its batches, the waits and its end.
//!
//! A batch is handed out, waited for, and then the replay's cursor is stored. After a crash in between the
//! same batch is formed again, and each subscription passes over what its row says it has settled of it.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use futures_util::future::join_all;
use jiff::Timestamp;
use panotti_sdk::{Event, NewEvent, names};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        Error, Shared, dead_letter,
        item::{Command, Report},
        loader,
    },
    Replay, ReplayState,
};
use crate::{error_chain::chain, event_log::Batch};

/// The wait after the log said no.
const PAUSE: Duration = Duration::from_secs(1);
/// Sorts behind every subscription's name.
const BEHIND_NAMES: &str = "~";

pub(super) struct Runner {
    pub(super) shared: Arc<Shared>,
    pub(super) progress: watch::Sender<Replay>,
    pub(super) stop: CancellationToken,
}

/// What is handed out at once.
#[derive(Default)]
struct Step {
    /// By subscription.
    events: BTreeMap<String, Vec<Arc<Event>>>,
    /// Everything up to here belongs to this step or an earlier one.
    scanned: u64,
}

impl Runner {
    pub(super) async fn run(self) {
        loop {
            let replay = self.progress.borrow().clone();
            if self.stop.is_cancelled() {
                return self.end(ReplayState::Stopped).await;
            }
            if replay.cursor >= replay.until {
                return self.end(ReplayState::Completed).await;
            }
            let (shared, interval) = (Arc::clone(&self.shared), replay.request.interval);
            let Ok(step) = tokio::task::spawn_blocking(move || step(&shared, &replay)).await else { return };
            let step = match step {
                Ok(step) => step,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "A replay waits for the event log.");
                    self.unless_stopped(tokio::time::sleep(PAUSE)).await;
                    continue;
                }
            };
            let idle = step.events.is_empty();
            join_all(step.events.into_iter().map(|(name, events)| self.hand_out(name, events))).await;
            if self.stop.is_cancelled() {
                continue;
            }
            let mut replay = self.progress.borrow().clone();
            replay.cursor = step.scanned;
            self.store(&replay, None).await;
            let done = replay.cursor >= replay.until;
            self.progress.send_replace(replay);
            if !idle && !done {
                self.unless_stopped(tokio::time::sleep(interval)).await;
            }
        }
    }

    /// Waits for `event`, or for the stop.
    async fn unless_stopped(&self, event: impl Future) {
        tokio::select! {
            _ = event => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Has `name` deliver what it wants of `events`, and returns when all of it is settled.
    async fn hand_out(&self, name: String, events: Vec<Arc<Event>>) {
        let (id, after, letters) = {
            let replay = self.progress.borrow();
            (replay.id, replay.cursor, replay.request.dead_letters)
        };
        let mut open: BTreeMap<u64, Arc<Event>> = events.into_iter().map(|it| (it.seq, it)).collect();
        loop {
            let mut slots = self.shared.slots.subscribe();
            match self.shared.standing(&name) {
                // What it once wanted and could not handle, it gets back.
                Ok(Some(standing)) => open.retain(|_, event| letters || standing.wants(event)),
                // It was forgotten.
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "A replay waits for the event log.");
                    self.unless_stopped(tokio::time::sleep(PAUSE)).await;
                    if !self.stop.is_cancelled() {
                        continue;
                    }
                }
            }
            if open.is_empty() || self.stop.is_cancelled() {
                return;
            }
            let Some(commands) = self.shared.commands(&name) else {
                self.unless_stopped(slots.changed()).await;
                continue;
            };
            let (report, mut reports) = mpsc::unbounded_channel();
            let events = open.values().cloned().collect();
            if commands.send(Command::Replay { id, after, events, report }).await.is_err() {
                continue;
            }
            let mut told = false;
            loop {
                tokio::select! {
                    report = reports.recv() => match report {
                        Some(Report { seq, well }) => {
                            open.remove(&seq);
                            self.progress.send_modify(|replay| match well {
                                true => replay.delivered += 1,
                                false => replay.failed += 1,
                            });
                        }
                        // All are settled, or it stopped: then the rest is handed out when it runs again.
                        None => break,
                    },
                    () = self.stop.cancelled(), if !told => {
                        told = true;
                        // If it stopped meanwhile, nothing of it is begun either.
                        commands.send(Command::StopReplay(id)).await.ok();
                    }
                }
            }
        }
    }

    /// Stores `replay`; returns when it is on disk.
    async fn store(&self, replay: &Replay, event: Option<NewEvent>) {
        let put = match replay.put() {
            Ok(put) => put,
            Err(error) => return tracing::error!(error = chain(&error), "A replay cannot be stored."),
        };
        let batch = Batch { events: event.into_iter().collect(), puts: vec![put], ..Batch::default() };
        while let Err(error) = self.shared.log.append(batch.clone()).await {
            tracing::warn!(error = chain(&error), "A replay waits for the event log.");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn end(&self, state: ReplayState) {
        let mut replay = self.progress.borrow().clone();
        (replay.state, replay.ended_at) = (state, Some(Timestamp::now()));
        let name = match state {
            ReplayState::Stopped => names::REPLAY_STOPPED,
            ReplayState::Completed | ReplayState::Running => names::REPLAY_COMPLETED,
        };
        let counts = json!({ "id": replay.id, "delivered": replay.delivered, "failed": replay.failed });
        self.store(&replay, Some(replay.announcement(name, counts))).await;
        for name in &replay.subscriptions {
            if let Some(commands) = self.shared.commands(name) {
                // One that stopped forgets it when it starts.
                commands.send(Command::EndReplay(replay.id)).await.ok();
            }
        }
        let id = replay.id;
        self.progress.send_replace(replay);
        self.shared.replays.lock().remove(&id);
    }
}

/// What comes next; blocks on the disk.
fn step(shared: &Shared, replay: &Replay) -> Result<Step, Error> {
    if replay.request.dead_letters { letters(shared, replay) } else { events(shared, replay) }
}

fn events(shared: &Shared, replay: &Replay) -> Result<Step, Error> {
    let request = &replay.request;
    let mut page = loader::page(&shared.log, replay.cursor, request.batch_size, &request.filter)?;
    page.events.retain(|event| event.seq <= replay.until);
    let mut step = Step { scanned: page.scanned.min(replay.until), ..Step::default() };
    if !page.events.is_empty() {
        step.events = replay.subscriptions.iter().map(|name| (name.clone(), page.events.clone())).collect();
    }
    Ok(step)
}

fn letters(shared: &Shared, replay: &Replay) -> Result<Step, Error> {
    let (log, limit) = (&shared.log, replay.request.batch_size);
    // What is parked while it runs is not taken up again.
    let wants = |letter: &dead_letter::DeadLetter| {
        letter.event.seq <= replay.until
            && letter.parked_at <= replay.started_at
            && replay.subscriptions.contains(&letter.subscription)
            && replay.request.filter.wants(&letter.event)
    };
    let mut found = dead_letter::list(log, Some((replay.cursor, BEHIND_NAMES)), limit, wants)?;
    let mut step = Step { scanned: replay.until, ..Step::default() };
    if let Some(last) = found.last().filter(|_| found.len() >= limit) {
        // All letters of one event are of one step: the cursor knows events only.
        step.scanned = last.event.seq;
        let (seq, after) = (last.event.seq, last.subscription.clone());
        for holder in shared.letters.holders(seq).into_iter().filter(|name| *name > after) {
            found.extend(dead_letter::find(log, seq, &holder)?.filter(wants));
        }
    }
    for letter in found {
        step.events.entry(letter.subscription).or_default().push(Arc::new(letter.event));
    }
    Ok(step)
}
