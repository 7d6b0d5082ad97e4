//! What there is to choose from: the catalogue and the models of this box, in one list. Owns its form, which
//! is that of `GET /models` and of `panotti model list --json`.

use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Choice, Kind, Progress, Store, catalogue, catalogue::kind_of, chosen, entry, memory, shown};
use crate::config::Config;

/// All models.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelList {
    /// The catalogue, small models first, then those of this box that are not in it.
    pub items: Vec<Model>,
    /// Always `null`: all models are in `items`.
    #[schema(value_type = Option<String>)]
    pub next_cursor: (),
    /// The model that is to be used, from now or from the next start on; `null` when none is chosen.
    pub chosen: Option<Choice>,
    /// The model that the service has loaded; `null` while it has none, and where no service is asked.
    pub loaded: Option<String>,
    /// What the configuration names, when something else was chosen with `panotti model use`.
    pub configured: Option<String>,
    /// Memory of this machine, MB.
    pub memory_mb: Option<u64>,
    /// Where models come from: `models.url`, without what may be a secret in it.
    pub url: String,
}

/// One model.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Model {
    /// Its name.
    #[schema(example = "base.en-q5_1")]
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Whether it knows more languages than English; `null` of one that is not in the catalogue.
    pub multilingual: Option<bool>,
    /// Length of its file as published; `null` where none is.
    #[schema(example = "142 MiB")]
    pub published_size: Option<&'static str>,
    /// SHA-1 of its file as published; `null` where none is.
    pub published_sha1: Option<&'static str>,
    /// The most memory that it takes, MB; `null` where none is published.
    pub memory_mb: Option<u64>,
    /// Whether this machine has the memory that its size asks for, or else `memory_mb`; `null` where neither is
    /// known.
    pub fits: Option<bool>,
    /// Length of its file on this box, bytes; `null` when it is not here.
    pub installed_bytes: Option<u64>,
    /// SHA-256 of its file as recorded when it was fetched.
    pub recorded_sha256: Option<String>,
    /// Whether it is the one in use; where no service is asked, whether it will be.
    pub in_use: bool,
    /// The last fetch, when it runs or has failed.
    pub fetch: Option<Fetching>,
}

/// A fetch in the background.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Fetching {
    /// It runs.
    Running(Progress),
    /// It has come, and is read from end to end.
    Checking,
    /// It did not come.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

impl ModelList {
    /// The models as `config` and its models directory have them; no fetch is known here, and in use is what
    /// is chosen.
    pub fn of(config: &Config) -> Self {
        let dir = config.storage.models_dir();
        let store = Store::new(&dir);
        let installed = store.installed();
        let chosen = chosen(&config.transcription, &dir);
        let configured = Choice::configured(&config.transcription, &dir);
        let total = memory::total();
        let memory_mb = total.map(|it| it / 1_000_000);
        let elsewhere = installed.iter().filter(|it| entry(&it.0).is_none()).map(|it| it.0.as_str());
        let names = catalogue().iter().map(|it| it.name).chain(elsewhere);
        let items = names
            .map(|name| {
                let published = entry(name);
                let memory = published.and_then(|it| it.memory_mb);
                let whisper = published.filter(|it| it.kind() == Kind::Whisper);
                let installed_bytes = installed.iter().find(|it| it.0 == name).map(|it| it.1);
                let bytes = installed_bytes.or_else(|| Some(whisper?.size?.bytes));
                let bytes = bytes.filter(|_| kind_of(name) == Kind::Whisper);
                let is_chosen = |it: &Choice| is_file_of(&it.path, &store, name);
                let is_detector = |it: &std::path::PathBuf| is_file_of(it, &store, name);
                Model {
                    name: name.into(),
                    kind: kind_of(name),
                    multilingual: whisper.map(super::Entry::is_multilingual),
                    published_size: published.and_then(|it| it.size).map(|it| it.text),
                    published_sha1: published.and_then(|it| it.sha1),
                    memory_mb: memory,
                    fits: fits(bytes, memory, total),
                    installed_bytes,
                    recorded_sha256: store.recorded(name),
                    in_use: chosen.as_ref().is_some_and(is_chosen)
                        || config.vad.silero_model.as_ref().is_some_and(is_detector),
                    fetch: None,
                }
            })
            .collect();
        let differs = |it: &Choice| chosen.as_ref().is_some_and(|chosen| chosen.path != it.path);
        let configured = configured.filter(differs).map(|it| it.name);
        Self {
            items,
            next_cursor: (),
            chosen,
            loaded: None,
            configured,
            memory_mb,
            url: shown(&config.models.url),
        }
    }
}

/// Whether a model of `bytes`, or one that is published to take `memory_mb`, fits into `total` bytes of memory.
fn fits(bytes: Option<u64>, memory_mb: Option<u64>, total: Option<u64>) -> Option<bool> {
    let needed = bytes.map(memory::needed).or_else(|| memory_mb?.checked_mul(1_000_000))?;
    Some(needed <= total?)
}

/// Whether `path` is the file of the model `name` in `store`, whatever way it is written.
fn is_file_of(path: &Path, store: &Store, name: &str) -> bool {
    let Ok(file) = store.path(name) else { return false };
    let whole = |it: &Path| it.canonicalize().unwrap_or_else(|_| it.to_owned());
    path == file || whole(path) == whole(&file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_told_by_the_size() {
        let (mib, gb) = (1 << 20, 1_000_000_000);
        for (bytes, memory_mb, total, says) in [
            // large-v3-turbo-q5_0 on a box of 2 GB, for which no memory is published.
            (Some(547 * mib), None, Some(2 * gb), Some(true)),
            (Some(1536 * mib), None, Some(2 * gb), Some(false)),
            // A quantised file takes less than its size's figure.
            (Some(547 * mib), Some(3900), Some(2 * gb), Some(true)),
            (None, Some(3900), Some(2 * gb), Some(false)),
            (None, Some(3900), Some(8 * gb), Some(true)),
            (None, None, Some(8 * gb), None),
            (Some(mib), None, None, None),
        ] {
            assert_eq!(fits(bytes, memory_mb, total), says, "{bytes:?} {memory_mb:?} {total:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.storage.data_dir = dir.path().into();
        config.models.url = "https://ada:hunter2@nas/models?token=hunter2".into();
        let list = ModelList::of(&config);
        let of = |name: &str| list.items.iter().find(|it| it.name == name).unwrap();
        let turbo = of("large-v3-turbo-q5_0");
        assert_eq!((turbo.memory_mb, turbo.fits.is_some()), (None, true));
        assert_eq!((of("large-v3-turbo-q8_0").fits, of("silero-v6.2.0").fits), (None, None));
        assert_eq!(list.url, "https://nas/models");
    }
}
