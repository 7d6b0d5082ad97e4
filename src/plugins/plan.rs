//! What may run, and in which order. Owns resolving dependencies by name and version; pure.

use std::collections::BTreeMap;

use panotti_sdk::Descriptor;

/// What is to become of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It is to run, once those of a lower rank do.
    Run {
        /// 0 for one that needs no other.
        rank: usize,
    },
    /// It is not to run.
    Disabled,
    /// It cannot run; why, for a person.
    Failed(String),
}

/// What is to become of each plugin. `enabled` says which are to run and settles those that cannot for
/// reasons of their own (`Err`).
pub fn plan(
    descriptors: &[Descriptor],
    _enabled: impl Fn(&str) -> Result<bool, String>,
) -> BTreeMap<&'static str, Plan> {
    descriptors.iter().map(|it| (it.name, Plan::Disabled)).collect()
}
