//! What is told of plugins. Owns its form; leaves what is true to `slot` and the bus.

use jiff::Timestamp;
use panotti_sdk::Health;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{SettingsProblem, State, Transition, manager::Manager, settings, slot::Slot};
use crate::bus::SubscriptionStatus;

/// How a plugin is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PluginStatus {
    /// Its name, which is its id.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// Where in its life it is.
    pub state: State,
    /// Why, where there is a reason.
    pub reason: Option<String>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What it says of itself; `None` when it does not run.
    #[schema(value_type = Option<Object>)]
    pub health: Option<Health>,
    /// Names of the plugins it needs.
    pub dependencies: Vec<String>,
    /// Times it was started again after a failure, since the process started.
    pub restarts: u32,
    /// Memory it holds, bytes; `None` when this build does not measure it.
    pub memory_bytes: Option<u64>,
    /// Processor time it has taken, ms.
    pub cpu_ms: u64,
    /// Deliveries that went well, and attempts that failed, since the process started.
    pub handled: u64,
    /// See `handled`.
    pub failed_attempts: u64,
    /// Dead letters that are parked now.
    pub dead_letters: u64,
    /// Events of the log behind the newest.
    pub lag: u64,
}

/// A plugin in full.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PluginDetail {
    /// How it is.
    #[serde(flatten)]
    pub status: PluginStatus,
    /// JSON Schema of its configuration, with the settings every plugin has.
    #[schema(value_type = Object)]
    pub schema: Value,
    /// Its configuration, with every default; secrets only by name.
    #[schema(value_type = Object)]
    pub config: Value,
    /// What it may do.
    #[schema(value_type = Object)]
    pub permissions: Value,
    /// Everything that is wrong with its settings; empty when they fit.
    #[schema(value_type = Vec<Object>)]
    pub problems: Vec<SettingsProblem>,
    /// Its routes.
    #[schema(value_type = Vec<Object>)]
    pub routes: Value,
    /// The last transitions, newest first.
    pub history: Vec<Transition>,
}

/// What a new configuration changed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Reconfigured {
    /// Paths of the keys that have another value now.
    pub changed: Vec<String>,
    /// The configuration, as in [`PluginDetail::config`].
    #[schema(value_type = Object)]
    pub config: Value,
    /// How the plugin is with it.
    pub status: PluginStatus,
}

impl PluginStatus {
    pub(super) fn of(slot: &Slot, deliveries: &[SubscriptionStatus]) -> Self {
        let descriptor = slot.descriptor;
        let (transition, settings, instance) = (slot.transition(), slot.settings(), slot.instance());
        let delivery = deliveries.iter().find(|it| it.name == descriptor.name);
        let mut dependencies: Vec<_> = descriptor.dependencies.iter().map(|it| it.name.to_owned()).collect();
        dependencies.extend(settings.iter().flat_map(|it| it.dependencies.clone()));
        Self {
            name: descriptor.name.to_owned(),
            version: descriptor.version.to_owned(),
            description: descriptor.description.to_owned(),
            enabled: slot.is_wanted(),
            state: slot.state(),
            reason: transition.map(|it| it.reason).filter(|it| !it.is_empty()),
            since: slot.since(),
            health: slot.health(),
            dependencies,
            restarts: slot.restarts(),
            memory_bytes: instance.as_ref().and_then(|it| it.memory_bytes()),
            cpu_ms: instance.map_or(0, |it| u64::try_from(it.cpu_time().as_millis()).unwrap_or(u64::MAX)),
            handled: delivery.map_or(0, |it| it.handled),
            failed_attempts: delivery.map_or(0, |it| it.failed_attempts),
            dead_letters: delivery.map_or(0, |it| it.dead_letters),
            lag: delivery.map_or(0, |it| it.lag),
        }
    }
}

impl PluginDetail {
    pub(super) fn of(slot: &Slot, status: PluginStatus) -> Self {
        let descriptor = slot.descriptor;
        Self {
            status,
            schema: settings::schema(descriptor),
            config: slot.settings().map_or(Value::Null, |it| it.shown),
            permissions: serde_json::to_value(descriptor.permissions).unwrap_or_default(),
            problems: slot.problems(),
            routes: serde_json::to_value(descriptor.routes).unwrap_or_default(),
            history: slot.history(),
        }
    }
}

impl Manager {
    pub(super) fn list(&self) -> Vec<PluginStatus> {
        let deliveries = self.deliveries();
        self.slots.values().map(|slot| PluginStatus::of(slot, &deliveries)).collect()
    }

    pub(super) fn status(&self, slot: &Slot) -> PluginStatus {
        PluginStatus::of(slot, &self.deliveries())
    }

    pub(super) fn detail(&self, slot: &Slot) -> PluginDetail {
        PluginDetail::of(slot, self.status(slot))
    }

    /// How the subscriptions do; a log that cannot be read is told elsewhere.
    fn deliveries(&self) -> Vec<SubscriptionStatus> {
        self.bus.subscriptions().unwrap_or_default()
    }
}
