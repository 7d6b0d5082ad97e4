//! What runs beside the handlers: one worker for each pair. Owns when it looks, and keeping and telling what
//! came of it; leaves the looking to `mirror`.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use panotti_sdk::{
    Context, ContextError, NewEvent, Outbox,
    jiff::Timestamp,
    names,
    payloads::{StageError, Sync, SyncCompleted, SyncError},
    serde_json::{Map, Value, json},
};
use tokio::sync::Notify;

use crate::{
    config::{Config, Route},
    mirror::{Mirror, Round, in_words},
    state::{self, CopyRow, Owned, Owner},
};

/// A look that takes longer than this is worth a word: the share may hang.
const LONG: Duration = Duration::from_secs(300);

/// One pair's worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) route: Route,
    context: Context,
    interval: Duration,
    rest: Duration,
    /// There from the first look on.
    mirror: Arc<Mutex<Option<Mirror>>>,
    wake: Arc<Notify>,
    stop: Arc<AtomicBool>,
    health: Mutex<Condition>,
}

/// How it is.
#[derive(Debug, Default)]
struct Condition {
    problem: Option<String>,
    looking_since: Option<Instant>,
    /// Looks that failed one after the other.
    failures: u32,
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    pub(crate) fn new(route: Route, config: &Config, context: Context) -> Self {
        Self {
            route,
            context,
            interval: Duration::from_secs(config.interval_s.into()),
            rest: Duration::from_millis(config.settle_ms.into()),
            mirror: Arc::default(),
            wake: Arc::default(),
            stop: Arc::default(),
            health: Mutex::default(),
        }
    }

    /// Ends a look that is on: what is not copied yet is copied after the next start.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Why it does only a part of its work.
    pub(crate) fn problem(&self) -> Option<String> {
        let health = locked(&self.health);
        let since = health.looking_since.map(|it| it.elapsed()).filter(|it| *it > LONG);
        let destination = self.route.destination.display();
        let hangs =
            since.map(|it| format!("copying to {destination} has been going on for {} s", it.as_secs()));
        hangs.or_else(|| health.problem.clone())
    }

    /// Works until the plugin is to stop.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut stopping = self.context.stopping();
        loop {
            tokio::select! {
                () = &mut stopping => return self.stop(),
                () = self.step() => {}
            }
        }
    }

    /// One look, and the pause after it.
    async fn step(&self) {
        locked(&self.health).looking_since = Some(Instant::now());
        let looked = self.look().await;
        let pause = {
            let mut health = locked(&self.health);
            health.looking_since = None;
            let (problem, failed, pause) = match looked {
                Ok(round) if !round.problems.is_empty() => {
                    (Some(round.problems.join("; ")), true, self.interval)
                }
                Ok(round) if round.more => (round.unwatched, false, Duration::ZERO),
                Ok(round) if round.unsettled => {
                    (round.unwatched, false, self.rest.max(Duration::from_millis(10)))
                }
                Ok(round) => (round.unwatched, false, self.interval),
                Err(error) => (Some(in_words(&error)), true, self.interval),
            };
            health.problem = problem;
            health.failures = if failed { health.failures.saturating_add(1) } else { 0 };
            // 1 s, 2 s, 4 s, …: a share that is away for a moment is not away for an interval.
            let again = Duration::from_secs(1 << health.failures.saturating_sub(1).min(20));
            if failed { again.min(self.interval) } else { pause }
        };
        if tokio::time::timeout(pause, self.wake.notified()).await.is_ok() {
            // What has begun to change goes on for a moment.
            tokio::time::sleep(self.rest).await;
        }
    }

    async fn look(&self) -> Result<Round, ContextError> {
        let gone = state::all_gone(&self.context, &self.route.id)?;
        let unwanted: BTreeSet<PathBuf> = gone.iter().flat_map(|(_, it)| it.paths.clone()).collect();
        if locked(&self.mirror).is_none() {
            let copies = state::copies(&self.context, &self.route.id)?;
            let mirror = Mirror::new(self.route.clone(), copies, self.rest, self.wake.clone());
            *locked(&self.mirror) = Some(mirror);
        }
        let (mirror, stop) = (self.mirror.clone(), self.stop.clone());
        let look = move || locked(&mirror).as_mut().map(|it| it.look(&unwanted, &stop)).unwrap_or_default();
        let round = self.context.blocking(look).await?;
        self.keep(&round, &gone).await?;
        Ok(round)
    }

    /// Keeps and tells what came of a look, in one step.
    async fn keep(&self, round: &Round, gone: &[(String, Owned)]) -> Result<(), ContextError> {
        let pair = &self.route.id;
        let mut outbox = Outbox::new();
        for (path, stamp) in round.copied.iter().chain(&round.found) {
            let row = CopyRow { path: path.clone(), stamp: *stamp };
            outbox = outbox.put_json(&state::copy(pair, path), &row)?;
        }
        for path in &round.removed {
            outbox = outbox.remove(&state::copy(pair, path));
        }
        for (key, owned) in gone {
            if owned.paths.is_subset(&round.gone) {
                outbox = outbox.remove(key);
            }
        }
        let away = state::away(pair);
        let was_away = self.context.state(&away)?.is_some();
        let is_back = was_away && round.problems.is_empty();
        if is_back || !round.copied.is_empty() || !round.removed.is_empty() {
            outbox = outbox.publish(self.completed(round, gone)?);
        }
        if is_back {
            outbox = outbox.remove(&away);
        } else if !was_away && !round.problems.is_empty() {
            outbox = outbox.put_json(&away, &Timestamp::now())?.publish(self.failed(round));
        }
        if outbox != Outbox::new() {
            self.context.commit(outbox).await?;
        }
        Ok(())
    }

    fn completed(&self, round: &Round, gone: &[(String, Owned)]) -> Result<NewEvent, ContextError> {
        let owner = self.owner(round, gone)?;
        let did = Sync {
            status: Default::default(),
            timestamp: Timestamp::now(),
            source: self.route.source.to_string_lossy().into_owned(),
            destination: self.route.destination.to_string_lossy().into_owned(),
            copied: round.copied.len() as u64,
            removed: round.removed.len() as u64,
            bytes: round.bytes,
        };
        let recording_id = owner.as_ref().map(|it| it.recording_id.clone()).unwrap_or_default();
        let payload = SyncCompleted { recording_id, directory_sync: did, metadata: Map::new() };
        let event = NewEvent::of(names::DIRECTORY_SYNC_COMPLETED, &payload);
        Ok(match owner {
            Some(owner) => event.correlated(owner.correlation_id),
            None => event,
        })
    }

    /// Whose files those of a look are; nobody's when they are several recordings', or of unknown ones.
    fn owner(&self, round: &Round, gone: &[(String, Owned)]) -> Result<Option<Owner>, ContextError> {
        let mut owner = None;
        for path in round.copied.iter().map(|(path, _)| path).chain(&round.removed) {
            let deleted = gone.iter().find(|(_, it)| it.has(path)).map(|(_, it)| it.owner.clone());
            let of_file: Option<Owner> = match deleted {
                None => self.context.state_json(&state::file(&self.route.source.join(path)))?,
                some => some,
            };
            if of_file.is_none() || owner.as_ref().is_some_and(|it| Some(it) != of_file.as_ref()) {
                return Ok(None);
            }
            owner = of_file;
        }
        Ok(owner)
    }

    fn failed(&self, round: &Round) -> NewEvent {
        let (source, destination) = (&self.route.source, &self.route.destination);
        let config = [("source".to_owned(), json!(source)), ("destination".to_owned(), json!(destination))];
        failed("", round.problems.join("; "), Map::from_iter(config))
    }
}

/// Files could not be copied.
pub(crate) fn failed(recording_id: &str, error: String, config: Map<String, Value>) -> NewEvent {
    let failed = StageError { status: Default::default(), timestamp: Timestamp::now(), error, config };
    let payload =
        SyncError { recording_id: recording_id.to_owned(), directory_sync: failed, metadata: Map::new() };
    NewEvent::of(names::DIRECTORY_SYNC_ERROR, &payload)
}
