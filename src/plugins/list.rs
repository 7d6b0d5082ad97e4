//! Which plugins there are. Owns the one explicit list; a feature and a folder belong to each entry, which
//! a test holds in step.

use panotti_sdk::Descriptor;

/// The plugins of this binary. A plugin from outside this repository is one dependency in `Cargo.toml` and
/// one line here.
pub const PLUGINS: &[Descriptor] = &[
    #[cfg(feature = "plugin-example")]
    panotti_example::DESCRIPTOR,
];

/// A plugin of ours, in this binary or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// The cargo feature that compiles it in.
    pub feature: &'static str,
}

/// All plugins of this repository.
pub const KNOWN: &[Known] = &[Known { name: "example", feature: "plugin-example" }];
