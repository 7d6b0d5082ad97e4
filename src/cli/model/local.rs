//! Models without a service: the directory itself. Owns what the answers are then; they have the form of the
//! API's.

use std::ops::ControlFlow;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::show::Shown;
use crate::{
    config::Config,
    data_dir,
    error_chain::chain,
    models::{in_use, usable},
    speech::model::{self, By, Choice, ModelList, Store, Wanted, chosen},
};

fn store(config: &Config) -> Store {
    Store::new(&config.storage.models_dir())
}

/// Root's work on somebody else's data directory stays theirs.
fn hand_over(config: &Config) -> anyhow::Result<()> {
    let dir = config.storage.models_dir();
    data_dir::hand_over(&config.storage.data_dir, &dir)
        .with_context(|| format!("cannot give `{}` to the service's user", dir.display()))
}

pub(super) fn list(config: &Config) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(ModelList::of(config))?)
}

pub(super) fn fetch(config: &Config, wanted: &Wanted, shown: &mut Shown) -> anyhow::Result<Value> {
    let store = store(config);
    let is_wanted = |sha256: &str| wanted.sha256.as_deref().is_none_or(|it| it == sha256);
    if let Some(it) = store.verify(&wanted.name).ok().filter(|it| is_wanted(&it.sha256)) {
        return Ok(json!({ "name": it.name, "bytes": it.bytes, "sha256": it.sha256, "fetched": false }));
    }
    let fetched = model::fetch(&store, wanted, config.storage.min_free_mib << 20, &mut |progress| {
        shown.progress(&wanted.name, &progress);
        ControlFlow::Continue(())
    })?;
    hand_over(config)?;
    let mut answer = serde_json::to_value(&fetched)?;
    answer["fetched"] = true.into();
    Ok(answer)
}

pub(super) fn verify(config: &Config, name: Option<&str>) -> anyhow::Result<Value> {
    let store = store(config);
    let names = match name {
        Some(name) => {
            store.present(name)?;
            vec![name.to_owned()]
        }
        None => store.installed().into_iter().map(|it| it.0).collect(),
    };
    let items: Vec<_> = names
        .into_iter()
        .map(|name| match store.verify(&name) {
            Ok(found) => json!({ "name": name, "ok": true, "found": found, "problem": null }),
            Err(error) => json!({ "name": name, "ok": false, "found": null, "problem": chain(&error) }),
        })
        .collect();
    Ok(json!({ "items": items }))
}

pub(super) fn choose(config: &Config, name: Option<&str>) -> anyhow::Result<Value> {
    let (store, dir) = (store(config), config.storage.models_dir());
    if let Some(name) = name {
        usable(name)?;
        store.verify(name)?;
    }
    store.set_in_use(name)?;
    if name.is_some() {
        hand_over(config)?;
    }
    let choice = match name {
        Some(name) => Some(Choice::of(name, &dir)),
        None => Choice::configured(&config.transcription, &dir),
    };
    let Some(choice) = choice else {
        return Ok(json!({ "name": null, "by": By::Configuration, "now": false }));
    };
    let mut answer = serde_json::to_value(choice)?;
    answer["now"] = false.into();
    Ok(answer)
}

pub(super) fn remove(config: &Config, name: &str, force: bool) -> anyhow::Result<Value> {
    let store = store(config);
    let path = store.path(name)?;
    let used = chosen(&config.transcription, store.dir()).is_some_and(|it| it.path == path);
    if used && path.exists() && !force {
        bail!("{}", in_use(name));
    }
    store.remove(name)?;
    Ok(json!({ "name": name }))
}
