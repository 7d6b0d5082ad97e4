//! Which model is used. Owns what is stronger: the command line, what `panotti model use` chose (kept in
//! `in-use` beside the models, so that it outlives restarts), then the configuration.

use std::path::{Path, PathBuf};

use serde::Serialize;
use utoipa::ToSchema;

use super::{Store, resolve};
use crate::config::Transcription;

/// A model to be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Choice {
    /// Its name, or the path of its file.
    pub name: String,
    /// Who chose it.
    pub by: By,
    /// Its file.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// The SHA-256 that its file must have, where the configuration says.
    #[serde(skip)]
    pub(crate) sha256: Option<String>,
}

/// Who chose a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// `--model`.
    CommandLine,
    /// `panotti model use`.
    Use,
    /// `transcription.model`.
    Configuration,
}

impl Choice {
    /// What the configuration or the command line names.
    pub fn configured(config: &Transcription, models_dir: &Path) -> Option<Self> {
        let name = config.model.clone()?;
        Some(Self {
            by: if config.model_on_command_line { By::CommandLine } else { By::Configuration },
            path: resolve(&name, models_dir),
            sha256: config.model_sha256.clone(),
            name,
        })
    }

    /// The model `name` of the models directory.
    pub fn of(name: &str, models_dir: &Path) -> Self {
        let path = models_dir.join(super::file_name(name));
        Self { name: name.into(), by: By::Use, path, sha256: None }
    }
}

/// The model that is used with `config`; `None` when none is chosen anywhere.
pub fn chosen(config: &Transcription, models_dir: &Path) -> Option<Choice> {
    let configured = Choice::configured(config, models_dir);
    if configured.as_ref().is_some_and(|it| it.by == By::CommandLine) {
        return configured;
    }
    let used = Store::new(models_dir).in_use();
    used.map(|name| Choice::of(&name, models_dir)).or(configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_then_what_was_chosen_then_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        let mut config = Transcription::default();
        let now = |config: &Transcription| chosen(config, dir.path()).map(|it| (it.name, it.by));
        assert_eq!(now(&config), None);
        config.model = Some("base.en".into());
        config.model_sha256 = Some("aa".into());
        assert_eq!(now(&config), Some(("base.en".into(), By::Configuration)));
        store.set_in_use(Some("tiny.en")).unwrap();
        assert_eq!(now(&config), Some(("tiny.en".into(), By::Use)));
        assert_eq!(chosen(&config, dir.path()).unwrap().sha256, None, "the sum is that of the other one");
        config.model_on_command_line = true;
        assert_eq!(now(&config), Some(("base.en".into(), By::CommandLine)));
        config.model_on_command_line = false;
        store.set_in_use(None).unwrap();
        assert_eq!(now(&config), Some(("base.en".into(), By::Configuration)));
        // What somebody wrote by hand, and is no name, is not followed.
        std::fs::write(dir.path().join("in-use"), "../../etc/passwd\n").unwrap();
        assert_eq!(now(&config), Some(("base.en".into(), By::Configuration)));
    }
}
