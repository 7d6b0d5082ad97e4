//! Delivering again what was delivered before. Owns choosing, pacing, progress and stopping; the
//! deliveries themselves run in the subscriptions, where they stand in line with the others.

mod run;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use panotti_sdk::{EventName, Filter, NewEvent, names};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::run::Runner;
use super::{Bus, Error, Shared};
use crate::event_log::{Batch, EventLog, Put, Table};

/// Most events of one batch.
const MOST_AT_ONCE: usize = 1000;
/// Most replays that run.
const MOST_RUNNING: usize = 8;
/// Replays that ended and are remembered.
const REMEMBERED: usize = 100;

/// What to deliver again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayRequest {
    /// Which events (time, name, correlation id, source, condition), oldest first.
    pub filter: Filter,
    /// Only dead letters; each goes to its own subscription.
    pub dead_letters: bool,
    /// Only to this subscription (a plugin's name); to all that want them when `None`.
    pub subscription: Option<String>,
    /// Events of one batch; the specification's is 100.
    pub batch_size: usize,
    /// Pause between batches; the specification's is 1 s.
    pub interval: Duration,
}

impl Default for ReplayRequest {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            dead_letters: false,
            subscription: None,
            batch_size: 100,
            interval: Duration::from_secs(1),
        }
    }
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    /// It goes on.
    Running,
    /// Everything was delivered.
    Completed,
    /// Somebody stopped it.
    Stopped,
}

/// A replay and its progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// UUIDv7.
    pub id: Uuid,
    /// What was asked for.
    pub request: ReplayRequest,
    /// How far it is.
    pub state: ReplayState,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// To whom it goes. It waits for one that does not run any more, until that runs again or is
    /// forgotten.
    pub subscriptions: Vec<String>,
    /// Those that did not run when it was asked for: it does not go to them.
    pub left_out: Vec<String>,
    /// Events up to this `seq` are done with.
    pub cursor: u64,
    /// No event above this `seq` belongs to it: what is published later is delivered anyway.
    pub until: u64,
    /// Deliveries that went well. Dead letters that went well just before a crash may be missing here:
    /// they are gone, and the batch is formed again without them.
    pub delivered: u64,
    /// Deliveries that ended as dead letters.
    pub failed: u64,
}

/// The first byte of a row; JSON follows. A new form gets a new version.
const VERSION: u8 = 1;

impl Replay {
    fn decode(key: &str, row: &[u8]) -> Result<Self, Error> {
        match row.split_first() {
            Some((&VERSION, json)) => {
                serde_json::from_slice(json).map_err(|source| Error::damaged("replay", key, source))
            }
            _ => Err(Error::damaged("replay", key, "its version is not known")),
        }
    }

    /// The change that stores it.
    fn put(&self) -> Result<Put, Error> {
        let key = self.id.to_string();
        let mut value = vec![VERSION];
        serde_json::to_writer(&mut value, self).map_err(|source| Error::damaged("replay", &key, source))?;
        Ok(Put { table: Table::Replays, key, value: Some(value) })
    }

    /// What is published of it; all of one replay are one chain.
    fn announcement(&self, name: EventName, payload: Value) -> NewEvent {
        NewEvent::new(name, payload).correlated(self.id).from_source("core")
    }

    fn checked(request: ReplayRequest) -> Result<ReplayRequest, Error> {
        if (1..=MOST_AT_ONCE).contains(&request.batch_size) {
            return Ok(request);
        }
        Err(Error::Replay(format!("a batch has 1 to {MOST_AT_ONCE} events, not {}", request.batch_size)))
    }
}

/// The stored replay called `id`.
pub(super) fn find(log: &EventLog, id: Uuid) -> Result<Option<Replay>, Error> {
    let key = id.to_string();
    log.get(Table::Replays, &key)?.map(|row| Replay::decode(&key, &row)).transpose()
}

/// All that are stored, newest first.
fn stored(log: &EventLog) -> Result<Vec<Replay>, Error> {
    let rows = log.rows_back(Table::Replays, None, usize::MAX)?;
    let decoded = rows.iter().map(|(key, row)| Replay::decode(key, row));
    // One that is damaged hides no others.
    let report =
        |error: &Error| tracing::error!(error = crate::error_chain::chain(error), "A replay is lost.");
    Ok(decoded.filter_map(|replay| replay.inspect_err(report).ok()).collect())
}

/// The replays that run.
#[derive(Debug, Default)]
pub(super) struct Replays {
    running: Mutex<BTreeMap<Uuid, Task>>,
}

#[derive(Debug)]
struct Task {
    progress: watch::Receiver<Replay>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Replays {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Task>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a running replay is.
    fn progress(&self, id: Uuid) -> Option<Replay> {
        self.lock().get(&id).map(|task| task.progress.borrow().clone())
    }
}

fn begin(shared: &Arc<Shared>, replay: Replay) {
    let id = replay.id;
    let (sender, progress) = watch::channel(replay);
    let stop = CancellationToken::new();
    // The lock is held until the task is listed: it takes itself off at its end.
    let mut running = shared.replays.lock();
    let runner = Runner { shared: Arc::clone(shared), progress: sender, stop: stop.clone() };
    let task = shared.runtime.spawn(runner.run());
    running.insert(id, Task { progress, stop, task });
}

/// Goes on with what was running when the process ended.
pub(super) fn resume(shared: &Arc<Shared>) -> Result<(), Error> {
    for replay in stored(&shared.log)? {
        if replay.state == ReplayState::Running {
            begin(shared, replay);
        }
    }
    Ok(())
}

impl Bus {
    /// Begins a replay. It goes on after a restart.
    ///
    /// # Errors
    /// [`Error::UnknownSubscription`], [`Error::Replay`] when the request makes no sense, [`Error::Log`].
    pub async fn replay(&self, request: ReplayRequest) -> Result<Replay, Error> {
        let request = Replay::checked(request)?;
        let shared = &self.shared;
        let _no_start = shared.starting.lock().await;
        if shared.replays.lock().len() >= MOST_RUNNING {
            let text = format!("{MOST_RUNNING} replays are running: wait for one to end, or stop one");
            return Err(Error::Replay(text));
        }
        let known = shared.log.rows(Table::Subscriptions, None, usize::MAX)?;
        let mut known: Vec<_> = known.into_iter().map(|(name, _)| name).collect();
        if let Some(wanted) = &request.subscription {
            known.retain(|name| name == wanted);
            if known.is_empty() {
                return Err(Error::UnknownSubscription(wanted.clone()));
            }
        }
        if request.dead_letters {
            known.retain(|name| shared.letters.count(name) > 0);
        }
        let (subscriptions, left_out): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|name| shared.commands(name).is_some());
        if let (Some(name), false) = (&request.subscription, left_out.is_empty()) {
            return Err(Error::Replay(format!("the subscription `{name}` is not running: start it first")));
        }
        let replay = Replay {
            id: Uuid::now_v7(),
            request,
            state: ReplayState::Running,
            started_at: Timestamp::now(),
            ended_at: None,
            subscriptions,
            left_out,
            cursor: 0,
            until: *shared.log.tail().borrow(),
            delivered: 0,
            failed: 0,
        };
        let payload = json!({
            "id": replay.id,
            "subscription": replay.request.subscription,
            "dead_letters": replay.request.dead_letters,
            "until": replay.until,
        });
        let events = vec![replay.announcement(names::REPLAY_STARTED, payload)];
        let ended = stored(&shared.log)?.into_iter().filter(|replay| replay.state != ReplayState::Running);
        let forgotten = ended.skip(REMEMBERED - 1).map(|replay| Put {
            table: Table::Replays,
            key: replay.id.to_string(),
            value: None,
        });
        let puts = forgotten.chain([replay.put()?]).collect();
        shared.log.append(Batch { events, puts, ..Batch::default() }).await?;
        begin(shared, replay.clone());
        Ok(replay)
    }

    /// Stops a replay after the deliveries that are running. One that has ended stays as it is.
    ///
    /// # Errors
    /// [`Error::UnknownReplay`], [`Error::Log`] and [`Error::Damaged`].
    pub async fn stop_replay(&self, id: Uuid) -> Result<Replay, Error> {
        let task = self.shared.replays.lock().get(&id).map(|task| (task.progress.clone(), task.stop.clone()));
        if let Some((mut progress, stop)) = task {
            stop.cancel();
            if let Ok(replay) = progress.wait_for(|replay| replay.state != ReplayState::Running).await {
                return Ok(replay.clone());
            }
        }
        self.get_replay(id)
    }

    /// The replay called `id`.
    ///
    /// # Errors
    /// [`Error::UnknownReplay`], [`Error::Log`] and [`Error::Damaged`].
    pub fn get_replay(&self, id: Uuid) -> Result<Replay, Error> {
        let running = self.shared.replays.progress(id);
        running.map_or_else(|| find(&self.shared.log, id)?.ok_or(Error::UnknownReplay(id)), Ok)
    }

    /// All replays that are remembered, newest first: those that run and the last 100.
    ///
    /// # Errors
    /// [`Error::Log`].
    pub fn replays(&self) -> Result<Vec<Replay>, Error> {
        let now = |replay: Replay| self.shared.replays.progress(replay.id).unwrap_or(replay);
        Ok(stored(&self.shared.log)?.into_iter().map(now).collect())
    }

    /// Leaves the running replays where they are: they go on when a bus starts on the log again.
    /// Subscriptions are stopped one by one, by their [`super::Running`], before or after.
    pub async fn stop(&self) {
        let running = std::mem::take(&mut *self.shared.replays.lock());
        for (id, task) in running {
            task.task.abort();
            if task.task.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(%id, "A replay panicked.");
            }
        }
    }
}
