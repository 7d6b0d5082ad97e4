//! Settings of the sync. Owns their form, defaults, and that no pair feeds another; leaves whether the
//! folders are there to `target` and `tree`.

use std::path::{Path, PathBuf};

use panotti_sdk::{
    Context, PluginError,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Settings of the sync.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which folders are copied where. Empty: nothing is.
    #[schemars(length(max = 32))]
    pub pairs: Vec<Pair>,
    /// How often everything is compared again, s: what the kernel did not tell of is found then, and a
    /// destination that was away.
    #[schemars(range(min = 1, max = 86_400), extend("x-unit" = "s"))]
    pub interval_s: u32,
    /// How long a file must not have changed before it is copied, ms: what is still being written is not.
    #[schemars(range(max = 600_000), extend("x-unit" = "ms"))]
    pub settle_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { pairs: Vec::new(), interval_s: 60, settle_ms: 2000 }
    }
}

/// A folder, and where it is copied to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The folder, with all below it: a whole path, or below the data directory, for which `data` stands.
    #[schemars(length(min = 1))]
    pub source: String,
    /// Where its copies go: as `source`. It is made when the folder that it lies in is there.
    #[schemars(length(min = 1))]
    pub destination: String,
    /// Whether copies are removed when their files are gone. Only what was copied is removed.
    #[serde(default)]
    pub delete: bool,
    /// Which files: names, or their ends after a `*`, such as `*.md`. Empty: all.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub include: Vec<String>,
    /// The folder that something must be mounted at before anything is copied, so that a share that is away
    /// is not mistaken for an empty folder. Empty: not looked at.
    #[serde(default)]
    pub mount_point: String,
}

/// A pair with its settings' paths made whole.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The same as long as the settings name the same folders.
    pub(crate) id: String,
    pub(crate) source: PathBuf,
    pub(crate) destination: PathBuf,
    pub(crate) delete: bool,
    pub(crate) include: Vec<String>,
    pub(crate) mount_point: Option<PathBuf>,
}

impl Route {
    fn of(pair: &Pair, at: usize, context: &Context) -> Result<Self, PluginError> {
        let path = |key: &str, setting: &str| {
            let path = context.resolve(setting);
            path.map_err(|error| PluginError::config(&format!("pairs[{at}].{key}"), error.to_string()))
        };
        let (source, destination) = (path("source", &pair.source)?, path("destination", &pair.destination)?);
        let mount_point = match pair.mount_point.as_str() {
            "" => None,
            setting => Some(path("mount_point", setting)?),
        };
        if mount_point.as_ref().is_some_and(|it| !destination.starts_with(it)) {
            let reason = "the destination is not below it";
            return Err(PluginError::config(&format!("pairs[{at}].mount_point"), reason));
        }
        if let Some(bad) = pair.include.iter().find(|it| it.is_empty() || it[1..].contains('*')) {
            let reason = format!("`{bad}` is neither a name nor `*` and the end of one");
            return Err(PluginError::config(&format!("pairs[{at}].include"), reason));
        }
        // Of the settings' own words: the data directory may move.
        let hash = Sha256::digest([pair.source.as_bytes(), pair.destination.as_bytes()].join(&0));
        let id = hash.iter().take(8).map(|it| format!("{it:02x}")).collect();
        let (delete, include) = (pair.delete, pair.include.clone());
        Ok(Self { id, source, destination, delete, include, mount_point })
    }

    /// Whether a file called `name` is copied.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let fits = |it: &String| it.strip_prefix('*').map_or(it == name, |end| name.ends_with(end));
        self.include.is_empty() || self.include.iter().any(fits)
    }
}

/// The pairs, made whole.
///
/// # Errors
/// [`PluginError::Config`] names a path that cannot be used, and pairs that would copy copies.
pub(crate) fn routes(config: &Config, context: &Context) -> Result<Vec<Route>, PluginError> {
    let pairs = config.pairs.iter().enumerate();
    let routes = pairs.map(|(at, pair)| Route::of(pair, at, context)).collect::<Result<Vec<_>, _>>()?;
    for (at, route) in routes.iter().enumerate() {
        let key = format!("pairs[{at}].destination");
        if let Some(other) = routes.iter().find(|it| overlap(&it.source, &route.destination)) {
            let reason = format!(
                "it and the source {} lie in one another, so that copies would be copied again",
                other.source.display()
            );
            return Err(PluginError::config(&key, reason));
        }
        if routes[..at].iter().any(|it| overlap(&it.destination, &route.destination)) {
            let reason = "another pair's destination is there: give each a folder of its own";
            return Err(PluginError::config(&key, reason));
        }
    }
    Ok(routes)
}

/// Whether one of them lies in the other.
pub(crate) fn overlap(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}
