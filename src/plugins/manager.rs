//! Which plugins run. Owns bringing what runs in line with what may run, whenever that changes; leaves
//! single steps to `slot`, and what may run to `plan`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use panotti_sdk::{BoxFuture, Descriptor, NewEvent, names, payloads::PluginConfigChanged};
use serde_json::Value;
use tokio::{
    runtime::Handle,
    sync::{Mutex, mpsc, watch},
};

use super::{
    Error, Plan, PluginStatus, Reconfigured, Roster, SettingsProblem, State,
    host::Services,
    instance::NotStarted,
    plan::{Wish, plan},
    settings,
    slot::{Next, STOP_WITHIN, Slot},
};
use crate::{
    bus::Bus,
    error_chain::chain,
    event_log::{Batch, EventLog, Table},
};

/// How often memory is looked at.
const WATCH: Duration = Duration::from_secs(2);
/// How many of those pass between two questions for health: 30 s.
const ASK: u32 = 15;

/// The one that decides.
pub(super) struct Manager {
    pub(super) slots: BTreeMap<&'static str, Arc<Slot>>,
    descriptors: &'static [Descriptor],
    services: Services,
    log: EventLog,
    pub(super) bus: Bus,
    pub(super) runtime: Handle,
    /// Held while what runs changes.
    change: Mutex<()>,
    settled: watch::Sender<bool>,
    /// Set when everything stops: nothing is started any more.
    stopping: watch::Sender<bool>,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("plugins", &self.slots.keys()).finish_non_exhaustive()
    }
}

impl Manager {
    pub(super) fn new(
        descriptors: &'static [Descriptor],
        services: Services,
        log: &EventLog,
        bus: &Bus,
        runtime: &Handle,
    ) -> Arc<Self> {
        let slot = |(index, it): (usize, &'static Descriptor)| {
            (it.name, Arc::new(Slot::new(it, index, services.clone(), log.clone(), bus.clone())))
        };
        Arc::new(Self {
            slots: descriptors.iter().enumerate().map(slot).collect(),
            descriptors,
            log: log.clone(),
            bus: bus.clone(),
            runtime: runtime.clone(),
            change: Mutex::new(()),
            settled: watch::Sender::new(false),
            stopping: watch::Sender::new(false),
            services,
        })
    }

    pub(super) async fn settled(&self) {
        // The sender is this manager's own.
        self.settled.subscribe().wait_for(|it| *it).await.ok();
    }

    pub(super) fn slot(&self, name: &str) -> Result<&Arc<Slot>, Error> {
        self.slots.get(name).ok_or_else(|| Error::unknown(name, self.descriptors))
    }

    pub(super) fn roster(&self) -> Roster {
        self.services.roster.clone()
    }

    /// Fills the roster, and keeps a place in the log for what will run, before anything is started.
    pub(super) fn foresee(&self) {
        self.plans();
    }

    /// What the settings let run, which the roster and the places in the log are brought in line with.
    fn plans(&self) -> BTreeMap<&'static str, Plan> {
        let read: BTreeMap<_, _> = self.slots.iter().map(|(name, slot)| (*name, self.read(slot))).collect();
        let plans = plan(self.descriptors, |name| read.get(name).cloned().unwrap_or(Wish::Disabled));
        let expected = |(name, plan): (&&'static str, &Plan)| {
            let again = || self.slots.get(name).is_some_and(|slot| slot.is_tried_again());
            (matches!(plan, Plan::Run { .. }) || (*plan != Plan::Disabled && again())).then_some(*name)
        };
        self.services.roster.set(plans.iter().filter_map(expected));
        for (name, _) in plans.iter().filter(|it| matches!(it.1, Plan::Run { .. })) {
            if let Some(slot) = self.slots.get(name) {
                slot.hold_place();
            }
        }
        plans
    }

    /// Brings what runs in line with the settings.
    pub(super) async fn reconcile(self: &Arc<Self>) {
        let _change = self.change.lock().await;
        self.bring_in_line().await;
        self.settled.send_replace(true);
    }

    /// What a plugin's settings ask for; what is wrong with them is a reason to fail.
    fn read(&self, slot: &Slot) -> Wish {
        let read = settings::load(&self.services.site, slot.descriptor);
        let wish = match (&read, slot.held_back()) {
            (Ok(it), _) if !it.enabled => Wish::Disabled,
            (Err(it), _) if !it.enabled => Wish::Disabled,
            (Err(unusable), _) => Wish::Failed(unusable.to_string()),
            (Ok(_), Some(reason)) => Wish::Failed(reason),
            (Ok(it), None) => Wish::Run(it.dependencies.clone()),
        };
        slot.set_settings(read);
        wish
    }

    /// The caller holds `change`.
    async fn bring_in_line(self: &Arc<Self>) {
        loop {
            let plans = self.plans();
            self.stop_what_must_not_run(&plans).await;
            if *self.stopping.borrow() || self.start_what_may_run(&plans).await {
                return;
            }
            // One could not be started: those that need it may not run either.
        }
    }

    async fn stop_what_must_not_run(&self, plans: &BTreeMap<&'static str, Plan>) {
        let mut of_rank: BTreeMap<usize, Vec<&Arc<Slot>>> = BTreeMap::new();
        for slot in self.slots.values().filter(|it| it.instance().is_some()) {
            if !matches!(plans.get(slot.descriptor.name), Some(Plan::Run { .. })) {
                of_rank.entry(slot.rank()).or_default().push(slot);
            }
        }
        for slots in of_rank.into_values().rev() {
            join_all(slots.into_iter().map(|slot| async move {
                let reason = match plans.get(slot.descriptor.name) {
                    Some(Plan::Failed(reason)) => reason,
                    _ => "it was disabled",
                };
                slot.stop(reason, STOP_WITHIN).await;
            }))
            .await;
        }
        for (name, plan) in plans {
            let Some(slot) = self.slots.get(name) else { continue };
            match plan {
                Plan::Disabled => slot.enter(State::Disabled, "it is not enabled").await,
                Plan::Failed(reason) => slot.enter(State::Failed, reason).await,
                Plan::Run { .. } => {}
            }
        }
    }

    /// `false` when one could not be started.
    async fn start_what_may_run(self: &Arc<Self>, plans: &BTreeMap<&'static str, Plan>) -> bool {
        let mut of_rank: BTreeMap<usize, Vec<&Arc<Slot>>> = BTreeMap::new();
        for (name, plan) in plans {
            if let (Plan::Run { rank }, Some(slot)) = (plan, self.slots.get(name))
                && slot.instance().is_none()
            {
                slot.set_rank(*rank);
                of_rank.entry(*rank).or_default().push(slot);
            }
        }
        for slots in of_rank.into_values() {
            let started = join_all(slots.into_iter().map(|slot| self.launch(slot))).await;
            if started.contains(&false) {
                return false;
            }
        }
        true
    }

    /// `false` when it does not run.
    async fn launch(self: &Arc<Self>, slot: &Arc<Slot>) -> bool {
        let Some(settings) = slot.settings() else { return true };
        slot.enter(State::Configured, "").await;
        let (sender, breakdowns) = mpsc::unbounded_channel();
        let started = match slot.build(&settings, sender).await {
            Ok(instance) => slot.start(instance, &settings).await,
            Err(error) => Err(error),
        };
        match started {
            Ok(()) => {
                self.watch(slot.clone(), breakdowns);
                true
            }
            Err(NotStarted::Permanent(reason)) => {
                slot.hold_back(&reason);
                self.services.roster.remove(slot.descriptor.name);
                slot.enter(State::Failed, &reason).await;
                false
            }
            Err(NotStarted::Retryable(reason)) => {
                // Those that need it wait with it.
                slot.hold_back(&reason);
                self.after_failure(slot, &reason).await;
                false
            }
        }
    }

    /// Looks after a running plugin until it is stopped or breaks down.
    fn watch(self: &Arc<Self>, slot: Arc<Slot>, mut breakdowns: mpsc::UnboundedReceiver<String>) {
        let manager = self.clone();
        // Weak: a stopped plugin goes, and with it the sender, which ends this.
        let Some(of) = slot.instance().map(|it| Arc::downgrade(&it)) else { return };
        self.runtime.spawn(async move {
            let same = |slot: &Slot| slot.instance().is_some_and(|now| Arc::downgrade(&now).ptr_eq(&of));
            let mut tick = tokio::time::interval(WATCH);
            let mut ticks = 0_u32;
            let reason = loop {
                let breakdown = tokio::select! {
                    breakdown = breakdowns.recv() => match breakdown {
                        Some(it) => Some(it),
                        None => return,
                    },
                    _ = tick.tick() => {
                        ticks = ticks.wrapping_add(1);
                        let seen = slot.watch().await;
                        if seen.is_none() && ticks.is_multiple_of(ASK) { slot.ask().await } else { seen }
                    }
                };
                if !same(&slot) {
                    return;
                }
                if let Some(reason) = breakdown {
                    break reason;
                }
            };
            let _change = manager.change.lock().await;
            // Somebody may have stopped it while this waited.
            if same(&slot) {
                slot.stop(&reason, STOP_WITHIN).await;
                if !manager.after_failure(&slot, &reason).await {
                    manager.bring_in_line().await;
                }
            }
        });
    }

    /// Lets a plugin be started after `pause`, unless everything stops.
    fn start_later(self: Arc<Self>, slot: Arc<Slot>, pause: Duration) -> BoxFuture<()> {
        Box::pin(async move {
            let mut stopping = self.stopping.subscribe();
            let stopped = tokio::time::timeout(pause, stopping.wait_for(|it| *it)).await.is_ok();
            if !stopped {
                slot.release();
                self.reconcile().await;
            }
        })
    }

    /// Arranges the restart of a plugin that does not run any more. `false` when it is given up.
    async fn after_failure(self: &Arc<Self>, slot: &Arc<Slot>, reason: &str) -> bool {
        match slot.failed(reason) {
            Next::GiveUp(reason) => {
                self.services.roster.remove(slot.descriptor.name);
                slot.enter(State::Failed, &reason).await;
                false
            }
            Next::Again(pause) => {
                slot.enter(State::Failed, &format!("{reason}; tried again in {} s", pause.as_secs())).await;
                self.runtime.spawn(self.clone().start_later(slot.clone(), pause));
                true
            }
        }
    }

    pub(super) async fn switch(self: &Arc<Self>, name: &str, on: bool) -> Result<PluginStatus, Error> {
        let slot = self.slot(name)?.clone();
        let _change = self.change.lock().await;
        settings::set_enabled(&self.services.site, slot.descriptor, on)?;
        if on {
            slot.forgive();
        }
        self.bring_in_line().await;
        Ok(self.status(&slot))
    }

    pub(super) async fn configure(
        self: &Arc<Self>,
        name: &str,
        config: Value,
    ) -> Result<Reconfigured, Error> {
        let slot = self.slot(name)?.clone();
        let _change = self.change.lock().await;
        let current = slot.settings().map_or(Value::Null, |it| it.shown);
        let revision = settings::revise(&self.services.site, slot.descriptor, &current, config)?;
        let (settings, changed) = (revision.settings.clone(), revision.changed.clone());
        if let Some(filter) = &settings.event_filter
            && self.log.get(Table::Filters, filter)?.is_none()
        {
            let what = format!("there is no filter `{filter}`");
            return Err(refused(
                name,
                "event_filter",
                what,
                "make it by POST /events/filter, nothing was kept",
            ));
        }
        // Built before anything is kept: values that fit the schema may still be unusable.
        let (sender, _) = mpsc::unbounded_channel();
        match slot.build(&settings, sender).await {
            Ok(instance) => instance.discard(),
            Err(NotStarted::Permanent(what) | NotStarted::Retryable(what)) => {
                return Err(refused(name, "", what, "change the value, nothing was kept"));
            }
        }
        revision.write()?;
        if !changed.is_empty() {
            self.tell(slot.descriptor, &changed).await;
        }
        slot.forgive();
        slot.stop("it has a new configuration", STOP_WITHIN).await;
        self.bring_in_line().await;
        Ok(Reconfigured { changed, config: settings.shown, status: self.status(&slot) })
    }

    async fn tell(&self, descriptor: &Descriptor, changed: &[String]) {
        let payload = PluginConfigChanged {
            plugin: descriptor.name.to_owned(),
            version: descriptor.version.to_owned(),
            changed: changed.to_vec(),
        };
        let event = NewEvent::of(names::PLUGIN_CONFIG_CHANGED, &payload).from_source("core");
        if let Err(error) = self.log.append(Batch { events: vec![event], ..Batch::default() }).await {
            tracing::error!(error = chain(&error), "An event was lost.");
        }
    }

    pub(super) async fn stop(&self, patience: Duration) {
        self.stopping.send_replace(true);
        let began = Instant::now();
        let Ok(_change) = tokio::time::timeout(patience, self.change.lock()).await else {
            tracing::error!("Plugins are still being started and are abandoned.");
            return;
        };
        let mut of_rank: BTreeMap<usize, Vec<&Arc<Slot>>> = BTreeMap::new();
        for slot in self.slots.values().filter(|it| it.instance().is_some()) {
            of_rank.entry(slot.rank()).or_default().push(slot);
        }
        let mut levels = u32::try_from(of_rank.len()).unwrap_or(u32::MAX);
        for slots in of_rank.into_values().rev() {
            let share = patience.saturating_sub(began.elapsed()) / levels.max(1);
            levels -= 1;
            join_all(slots.into_iter().map(|slot| slot.stop("the service stops", share.min(STOP_WITHIN))))
                .await;
        }
    }
}

/// A configuration that fits its schema and still cannot be used.
fn refused(name: &str, key: &str, what: String, instead: &str) -> Error {
    let problem = SettingsProblem {
        source: None,
        line: None,
        column: None,
        key: key.to_owned(),
        what,
        instead: instead.to_owned(),
    };
    Error::Settings { name: name.to_owned(), problems: vec![problem] }
}
