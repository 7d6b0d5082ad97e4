//! One plugin's place: its life, its settings, and the instance while there is one. Owns starting and
//! stopping it in order, and watching it; leaves deciding what runs to `manager` and `plan`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use panotti_sdk::{Descriptor, Filter, Health, NewEvent, names, payloads::PluginStateChanged};
use tokio::sync::mpsc;

use super::{
    Settings, SettingsProblem, State, Transition,
    host::Services,
    instance::{Breakdown, Instance, NotStarted},
    lifecycle::Life,
    memory::Owner,
    settings::Unusable,
};
use crate::{
    bus::{Bus, Running, Subscription},
    error_chain::chain,
    event_log::{Batch, EventLog, Put, Table},
};

/// Longest stop; the specification's limit.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Restarts within [`BUDGET_TIME`] before a plugin is given up.
const BUDGET: usize = 5;
const BUDGET_TIME: Duration = Duration::from_secs(600);
/// Pause before the first restart; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);

/// The life of a plugin as it was left. One that cannot be read is begun anew: only history is lost.
fn remembered(log: &EventLog, name: &str) -> Life {
    let row = log.get(Table::Plugins, name).ok().flatten();
    row.and_then(|row| serde_json::from_slice::<Life>(&row).ok()).map_or_else(Life::new, Life::again)
}

/// One plugin's place.
pub(super) struct Slot {
    pub(super) descriptor: &'static Descriptor,
    owner: Owner,
    services: Services,
    log: EventLog,
    bus: Bus,
    live: Mutex<Live>,
}

/// What is looked at from everywhere, never while something is awaited.
struct Live {
    life: Life,
    settings: Option<Settings>,
    /// What was wrong when the settings were read last.
    unusable: Option<Unusable>,
    instance: Option<Arc<Instance>>,
    running: Option<Running>,
    /// Of its plan when it was started: those of a higher rank stop before it.
    rank: usize,
    health: Option<Health>,
    restarts: VecDeque<Instant>,
    restarted: u32,
    /// Why it must not be started now: it was given up, until somebody enables it again, or its start
    /// failed, until it is tried again.
    held_back: Option<String>,
    /// Whether it is going to be tried again by itself.
    tried_again: bool,
}

/// What a failure leads to.
pub(super) enum Next {
    /// It is started again after a pause.
    Again(Duration),
    /// It is given up; why.
    GiveUp(String),
}

impl Slot {
    pub(super) fn new(
        descriptor: &'static Descriptor,
        index: usize,
        services: Services,
        log: EventLog,
        bus: Bus,
    ) -> Self {
        let live = Live {
            life: remembered(&log, descriptor.name),
            settings: None,
            unusable: None,
            instance: None,
            running: None,
            rank: 0,
            health: None,
            restarts: VecDeque::new(),
            restarted: 0,
            held_back: None,
            tried_again: false,
        };
        Self { descriptor, owner: Owner::of(index), services, log, bus, live: Mutex::new(live) }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn rank(&self) -> usize {
        self.live().rank
    }

    pub(super) fn set_rank(&self, rank: usize) {
        self.live().rank = rank;
    }

    pub(super) fn state(&self) -> State {
        self.live().life.state()
    }

    pub(super) fn since(&self) -> Timestamp {
        self.live().life.since()
    }

    pub(super) fn transition(&self) -> Option<Transition> {
        self.live().life.history().next_back().cloned()
    }

    pub(super) fn history(&self) -> Vec<Transition> {
        self.live().life.history().rev().cloned().collect()
    }

    pub(super) fn settings(&self) -> Option<Settings> {
        self.live().settings.clone()
    }

    /// Keeps what was read. What is wrong is logged once, each with its place: the state has room for the
    /// first only.
    pub(super) fn set_settings(&self, read: Result<Settings, Unusable>) {
        let (settings, unusable) = match read {
            Ok(settings) => (Some(settings), None),
            Err(unusable) => (None, Some(unusable)),
        };
        let mut live = self.live();
        live.settings = settings;
        if live.unusable != unusable {
            for problem in unusable.iter().flat_map(|it| &it.problems) {
                tracing::warn!(plugin = self.descriptor.name, "{problem}");
            }
            live.unusable = unusable;
        }
    }

    /// Everything that is wrong with its settings.
    pub(super) fn problems(&self) -> Vec<SettingsProblem> {
        self.live().unusable.as_ref().map_or_else(Vec::new, |it| it.problems.clone())
    }

    /// Whether its settings say that it is to run.
    pub(super) fn is_wanted(&self) -> bool {
        let live = self.live();
        live.settings.as_ref().is_some_and(|it| it.enabled)
            || live.unusable.as_ref().is_some_and(|it| it.enabled)
    }

    pub(super) fn instance(&self) -> Option<Arc<Instance>> {
        self.live().instance.clone()
    }

    pub(super) fn health(&self) -> Option<Health> {
        self.live().health.clone()
    }

    pub(super) fn restarts(&self) -> u32 {
        self.live().restarted
    }

    pub(super) fn held_back(&self) -> Option<String> {
        self.live().held_back.clone()
    }

    /// Whether it is going to be started again by itself.
    pub(super) fn is_tried_again(&self) -> bool {
        self.live().tried_again
    }

    /// It is not to be started until [`Self::release`].
    pub(super) fn hold_back(&self, reason: &str) {
        self.live().held_back = Some(reason.to_owned());
    }

    /// It may be started again.
    pub(super) fn release(&self) {
        let mut live = self.live();
        live.held_back = None;
        live.tried_again = false;
    }

    /// Lets it be tried anew.
    pub(super) fn forgive(&self) {
        let mut live = self.live();
        live.held_back = None;
        live.tried_again = false;
        live.restarts.clear();
    }

    /// Takes the step to `to`, keeps it and publishes it. A step that may not be is a defect of the host:
    /// it is refused and logged.
    pub(super) async fn enter(&self, to: State, reason: &str) {
        let (transition, row) = {
            let mut live = self.live();
            if live.life.state() == to && live.life.reason().unwrap_or_default() == reason {
                return;
            }
            match live.life.enter(to, reason) {
                Ok(transition) => (transition, serde_json::to_vec(&live.life).unwrap_or_default()),
                Err(error) => {
                    tracing::error!(
                        plugin = self.descriptor.name,
                        error = chain(&error),
                        "A step was refused."
                    );
                    return;
                }
            }
        };
        let plugin = self.descriptor.name;
        match to {
            State::Failed => tracing::warn!(plugin, from = %transition.from, %to, reason, "Plugin."),
            _ => tracing::info!(plugin, from = %transition.from, %to, reason, "Plugin."),
        }
        let payload = PluginStateChanged {
            plugin: self.descriptor.name.to_owned(),
            from: transition.from.to_string(),
            to: to.to_string(),
            reason: reason.to_owned(),
        };
        let event = NewEvent::of(names::PLUGIN_STATE_CHANGED, &payload).from_source("core");
        let put = Put { table: Table::Plugins, key: self.descriptor.name.to_owned(), value: Some(row) };
        let batch = Batch { events: vec![event], puts: vec![put], idempotency_key: None };
        if let Err(error) = self.log.append(batch).await {
            tracing::error!(plugin = self.descriptor.name, error = chain(&error), "A step was not kept.");
        }
    }

    /// Builds it from its settings, without starting it.
    pub(super) async fn build(
        &self,
        settings: &Settings,
        breakdowns: mpsc::UnboundedSender<Breakdown>,
    ) -> Result<Instance, NotStarted> {
        let config = settings.config.clone();
        Instance::build(self.descriptor, self.owner, config, &self.log, &self.services, breakdowns).await
    }

    /// Starts a built instance and lets it have its events.
    pub(super) async fn start(&self, instance: Instance, settings: &Settings) -> Result<(), NotStarted> {
        self.enter(State::Starting, "").await;
        let instance = Arc::new(instance);
        if let Err(error) = instance.start().await {
            instance.host.stopping.cancel();
            instance.stop(super::instance::START_WITHIN).await.ok();
            return Err(error);
        }
        let running = match self.subscription(settings) {
            None => None,
            Some(subscription) => match self.bus.subscribe(subscription, instance.handler()).await {
                Ok(running) => Some(running),
                Err(error) => {
                    instance.stop(super::instance::START_WITHIN).await.ok();
                    return Err(NotStarted::Retryable(chain(&error)));
                }
            },
        };
        {
            let mut live = self.live();
            live.instance = Some(instance);
            live.running = running;
            live.health = Some(Health::Healthy);
        }
        self.enter(State::Running, "").await;
        Ok(())
    }

    /// What it subscribes to; nothing when it has no topics.
    fn subscription(&self, settings: &Settings) -> Option<Subscription> {
        let topics: Vec<_> = self.descriptor.topics.iter().filter_map(|it| it.parse().ok()).collect();
        (!topics.is_empty()).then(|| Subscription {
            max_concurrent_tasks: settings.max_concurrent_tasks,
            timeout: Duration::from_secs(settings.timeout_s.into()),
            named_filter: settings.event_filter.clone(),
            ..Subscription::new(self.descriptor.name, Filter { topics, ..Filter::default() })
        })
    }

    /// Keeps its place in the log from the moment it is wanted: however long its first start takes, and
    /// whatever happens meanwhile, it misses nothing.
    pub(super) fn hold_place(&self) {
        let Some(subscription) = self.settings().and_then(|it| self.subscription(&it)) else { return };
        if let Err(error) = self.bus.hold_place(&subscription) {
            // The start asks the same log, and fails with the reason.
            tracing::error!(plugin = self.descriptor.name, error = chain(&error), "Its place is not kept.");
        }
    }

    /// Takes its events away and stops it within `patience`. Nothing when it does not run.
    pub(super) async fn stop(&self, reason: &str, patience: Duration) {
        let (instance, running) = {
            let mut live = self.live();
            live.health = None;
            (live.instance.take(), live.running.take())
        };
        let Some(instance) = instance else { return };
        self.enter(State::Stopping, reason).await;
        let began = Instant::now();
        instance.host.stopping.cancel();
        if let Some(running) = running {
            // Half of the time for the deliveries, half for the plugin itself.
            running.stop(patience / 2).await;
        }
        let left = patience.saturating_sub(began.elapsed()).max(patience / 4);
        match instance.stop(left).await {
            Ok(()) => self.enter(State::Stopped, reason).await,
            Err(bad) => self.enter(State::Failed, &bad).await,
        }
    }

    /// What is to follow a failure: a restart while the budget lasts.
    pub(super) fn failed(&self, reason: &str) -> Next {
        let mut live = self.live();
        let now = Instant::now();
        while live.restarts.front().is_some_and(|it| now.duration_since(*it) > BUDGET_TIME) {
            live.restarts.pop_front();
        }
        if live.restarts.len() >= BUDGET {
            let reason = format!("given up after {BUDGET} restarts: {reason}");
            live.held_back = Some(reason.clone());
            live.tried_again = false;
            return Next::GiveUp(reason);
        }
        let pause = PAUSE * 2_u32.pow(u32::try_from(live.restarts.len()).unwrap_or(0).min(6));
        live.restarts.push_back(now);
        live.restarted += 1;
        live.tried_again = true;
        Next::Again(pause)
    }

    /// Looks after a running plugin: why it has to be stopped, if so.
    pub(super) async fn watch(&self) -> Option<Breakdown> {
        let instance = self.instance()?;
        let limit_mib = self.settings().map_or(256, |it| it.memory_limit_mib);
        if let Some(bytes) = instance.memory_bytes()
            && bytes > u64::from(limit_mib) << 20
        {
            return Some(format!("it holds {} MiB, more than its {limit_mib} MiB", bytes >> 20));
        }
        None
    }

    /// Asks it how it is.
    pub(super) async fn ask(&self) -> Option<Breakdown> {
        let instance = self.instance()?;
        if !instance.answers(super::instance::START_WITHIN * 5).await {
            return Some("its thread is stuck".to_owned());
        }
        let health = match instance.health().await {
            Ok(health) => health,
            Err(bad) => return Some(bad),
        };
        let (to, reason) = match &health {
            Health::Healthy => (State::Running, String::new()),
            Health::Degraded(why) => (State::Degraded, why.clone()),
        };
        {
            let mut live = self.live();
            // It may have been stopped meanwhile.
            live.instance.as_ref().filter(|it| Arc::ptr_eq(it, &instance))?;
            live.health = Some(health);
        }
        if self.state() != to {
            self.enter(to, &reason).await;
        }
        None
    }
}
