//! Which plugins are to be reckoned with. Owns the one answer that other plugins and the core go by when
//! they leave work to a plugin; the manager keeps it true.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Names of the plugins that run, are being started or are started again after a failure.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<Mutex<BTreeSet<&'static str>>>);

impl Roster {
    /// Whether work may be left to the plugin called `name`.
    pub fn expects(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Not this one any more. It comes before the event that tells of it: who hears that looks here.
    pub(super) fn remove(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// These and no others.
    pub(super) fn set(&self, names: impl IntoIterator<Item = &'static str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names.into_iter().collect();
    }
}
