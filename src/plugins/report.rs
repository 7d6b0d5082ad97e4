//! How plugins are, for people. Owns putting it together from their places and their subscriptions.

use super::{PluginStatus, manager::Manager, slot::Slot};
use crate::bus::SubscriptionStatus;

impl Manager {
    pub(super) fn list(&self) -> Vec<PluginStatus> {
        let deliveries = self.deliveries();
        self.slots.values().map(|slot| Self::told(slot, &deliveries)).collect()
    }

    pub(super) fn status(&self, slot: &Slot) -> PluginStatus {
        Self::told(slot, &self.deliveries())
    }

    /// How the subscriptions do; a log that cannot be read is told elsewhere.
    fn deliveries(&self) -> Vec<SubscriptionStatus> {
        self.bus.subscriptions().unwrap_or_default()
    }

    fn told(slot: &Slot, deliveries: &[SubscriptionStatus]) -> PluginStatus {
        let descriptor = slot.descriptor;
        let (transition, settings, instance) = (slot.transition(), slot.settings(), slot.instance());
        let delivery = deliveries.iter().find(|it| it.name == descriptor.name);
        let mut dependencies: Vec<_> = descriptor.dependencies.iter().map(|it| it.name.to_owned()).collect();
        dependencies.extend(settings.iter().flat_map(|it| it.dependencies.clone()));
        PluginStatus {
            name: descriptor.name.to_owned(),
            version: descriptor.version.to_owned(),
            description: descriptor.description.to_owned(),
            enabled: settings.is_some_and(|it| it.enabled),
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
