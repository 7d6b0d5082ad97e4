//! The models of a running service: fetched in the background, switched while it runs. Owns one fetch at a
//! time and that nothing is chosen that the transcriber has not loaded; leaves files to `speech::model`, loading
//! to the pipeline and what is said over HTTP to `http`.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use panotti_sdk::{EventType, NewEvent, names, payloads};

use crate::{
    config::Config,
    error_chain::chain,
    event_log::{Batch, EventLog},
    speech::{
        Desk, DeskError,
        model::{
            self, By, Choice, FetchError, Fetching, Kind, Model, ModelList, Progress, Store, StoreError,
            Verified, Wanted,
        },
    },
};

/// What was asked for cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not here, damaged, or the disk does not let us.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Something else is in the way.
    #[error("{0}")]
    Conflict(String),
    /// It cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// The transcriber does not take it.
    #[error(transparent)]
    Switch(DeskError),
    /// Reading a model takes the disk for seconds: one is read at a time.
    #[error("another model is being checked: try again when that is done")]
    Checking,
    /// It is in use, and that cannot be kept.
    #[error("the model is in use now, but not after the next start of the service")]
    NotKept(#[source] StoreError),
    /// A thread that read or wrote models ended before its work.
    #[error("the work on the model ended early")]
    Panicked(#[source] tokio::task::JoinError),
    /// No thread can be had.
    #[error("cannot start the thread that fetches")]
    Thread(#[source] std::io::Error),
}

/// The models of a running service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Models(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    store: Store,
    desk: Desk,
    log: EventLog,
    fetches: Mutex<Fetches>,
    /// Held while the choice changes, so that what is kept is what is loaded.
    choosing: tokio::sync::Mutex<()>,
    /// Held while a whole model is read.
    checking: Mutex<()>,
}

#[derive(Debug, Default)]
struct Fetches {
    /// The one that runs, and what stops it.
    running: Option<(String, Arc<AtomicBool>)>,
    /// How they are, the running one and those that failed.
    last: BTreeMap<String, Fetching>,
}

impl Models {
    /// Those of `config`, used through `desk`.
    pub fn new(config: Arc<Config>, desk: Desk, log: EventLog) -> Self {
        let store = Store::new(&config.storage.models_dir());
        Self(Arc::new(Inner {
            config,
            store,
            desk,
            log,
            fetches: Mutex::default(),
            choosing: tokio::sync::Mutex::default(),
            checking: Mutex::default(),
        }))
    }

    /// The catalogue and the models of this box. Reads the disk.
    pub fn list(&self) -> ModelList {
        let mut list = ModelList::of(&self.0.config);
        let loaded = self.0.desk.model().map(|it| it.name);
        list.loaded.clone_from(&loaded);
        let fetches = self.fetches();
        for model in &mut list.items {
            if model.kind == Kind::Whisper {
                model.in_use = loaded.as_ref() == Some(&model.name) && model.installed_bytes.is_some();
            }
            model.fetch = fetches.last.get(&model.name).cloned();
        }
        let here = |name: &String| list.items.iter().any(|it| it.name == *name);
        // What is on its way and in no catalogue.
        let coming: Vec<_> = fetches.last.iter().filter(|it| !here(it.0)).collect();
        let coming = coming.into_iter().map(|(name, fetch)| Model {
            name: name.clone(),
            kind: Kind::Whisper,
            multilingual: None,
            published_size: None,
            published_sha1: None,
            memory_mb: None,
            fits: None,
            installed_bytes: None,
            recorded_sha256: None,
            in_use: false,
            fetch: Some(fetch.clone()),
        });
        let coming: Vec<_> = coming.collect();
        list.items.extend(coming);
        list
    }

    /// Begins to fetch a model in the background: by its name from `models.url`, or from `url`. `false` when it is
    /// here already and whole. Reads the disk.
    ///
    /// # Errors
    /// [`Error::Conflict`] while another one is fetched, [`Error::Checking`] while another one is read,
    /// [`Error::Fetch`] for an unknown name.
    pub fn fetch(&self, name: &str, url: Option<&str>, sha256: Option<String>) -> Result<bool, Error> {
        let inner = &self.0;
        inner.store.path(name)?;
        let wanted = match url {
            Some(url) => Wanted::at(name, url)?,
            None => Wanted::named(name, &inner.config.models.url)?,
        };
        let wanted = Wanted { sha256, ..wanted };
        let is_wanted = |it: &Verified| wanted.sha256.as_ref().is_none_or(|sum| *sum == it.sha256);
        match self.verify(name) {
            Err(Error::Checking) => return Err(Error::Checking),
            Ok(found) if is_wanted(&found) => return Ok(false),
            _ => {}
        }
        let stop = Arc::new(AtomicBool::new(false));
        {
            let mut fetches = self.fetches();
            if let Some((running, _)) = &fetches.running {
                return Err(Error::Conflict(format!(
                    "`{running}` is being fetched: one model is fetched at a time, try again when it is here"
                )));
            }
            fetches.running = Some((name.to_owned(), stop.clone()));
            fetches.last.insert(name.to_owned(), Fetching::Running(Progress::default()));
        }
        let models = self.clone();
        let started = thread::Builder::new().name("fetch".into()).spawn(move || models.run(&wanted, &stop));
        if let Err(error) = started {
            let mut fetches = self.fetches();
            fetches.running = None;
            fetches.last.remove(name);
            return Err(Error::Thread(error));
        }
        Ok(true)
    }

    fn run(&self, wanted: &Wanted, stop: &AtomicBool) {
        let inner = &self.0;
        let name = &wanted.name;
        let fetched =
            model::fetch(&inner.store, wanted, inner.config.storage.min_free_mib << 20, &mut |progress| {
                let all = progress.total_bytes == Some(progress.done_bytes);
                let now = if all { Fetching::Checking } else { Fetching::Running(progress) };
                self.fetches().last.insert(name.clone(), now);
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        // Told first: who sees that it has ended finds the event.
        match &fetched {
            Ok(it) => {
                tracing::info!(model = name, bytes = it.bytes, sha256 = it.sha256, "A model was fetched.");
                let (model, sha256) = (name.clone(), it.sha256.clone());
                self.tell(
                    names::MODEL_FETCHED,
                    &payloads::ModelFetched { model, bytes: it.bytes, sha256, ms: it.ms },
                );
            }
            Err(FetchError::Cancelled) => {}
            Err(error) => {
                let reason = chain(error);
                tracing::warn!(model = name, reason, "A model could not be fetched.");
                self.tell(
                    names::MODEL_FETCH_FAILED,
                    &payloads::ModelFailed { model: name.clone(), reason, in_use: None },
                );
            }
        }
        // It was removed meanwhile: that is true of what came since, too.
        if stop.load(Ordering::Relaxed)
            && let Err(error) = inner.store.remove(name)
            && !matches!(error, StoreError::Missing { .. })
        {
            tracing::warn!(
                model = name,
                error = chain(&error),
                "What has come of a model cannot be removed."
            );
        }
        let mut fetches = self.fetches();
        fetches.running = None;
        match fetched {
            Ok(_) | Err(FetchError::Cancelled) => fetches.last.remove(name),
            Err(error) => fetches.last.insert(name.clone(), Fetching::Failed { reason: chain(&error) }),
        };
    }

    /// Reads a model from end to end.
    ///
    /// # Errors
    /// [`Error::Store`] says what is wrong with it; [`Error::Checking`] while another one is read.
    pub fn verify(&self, name: &str) -> Result<Verified, Error> {
        let _checking = match self.0.checking.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Error::Checking),
            Err(TryLockError::Poisoned(it)) => it.into_inner(),
            Ok(it) => it,
        };
        Ok(self.0.store.verify(name)?)
    }

    /// Uses the model `name` from now on, also after restarts; `None`: the configured one again. When it cannot be
    /// loaded, the one in use stays.
    ///
    /// # Errors
    /// Each says why it cannot be used, and that nothing has changed.
    pub async fn choose(&self, name: Option<String>) -> Result<Choice, Error> {
        let _choosing = self.0.choosing.lock().await;
        let inner = &self.0;
        let dir = inner.store.dir();
        let transcription = &inner.config.transcription;
        let configured = Choice::configured(transcription, dir);
        let choice = match &name {
            Some(name) => {
                if let Some(it) = configured.filter(|it| it.by == By::CommandLine && it.name != *name) {
                    return Err(Error::Conflict(format!(
                        "the service was started with `--model {}`: start it without --model, then choose",
                        it.name
                    )));
                }
                self.judge(name).await?;
                Choice::of(name, dir)
            }
            None => configured.ok_or_else(|| {
                Error::Conflict(
                    "no model is configured: set transcription.model, or choose another one with `panotti model use`"
                        .into(),
                )
            })?,
        };
        inner.desk.use_model(choice.clone()).await.map_err(Error::Switch)?;
        // Kept last: a model that ends the service when it is loaded is not loaded again at its next start.
        let store = inner.store.clone();
        let kept = tokio::task::spawn_blocking(move || store.set_in_use(name.as_deref())).await;
        kept.map_err(Error::Panicked)?.map_err(Error::NotKept)?;
        Ok(choice)
    }

    /// Whether `name` can be used, before the transcriber is asked.
    async fn judge(&self, name: &str) -> Result<(), Error> {
        usable(name)?;
        let (models, name) = (self.clone(), name.to_owned());
        let judged = tokio::task::spawn_blocking(move || {
            // It waits for its turn, and no second one does: `choosing` is held.
            let _checking = models.0.checking.lock().unwrap_or_else(PoisonError::into_inner);
            models.0.store.verify(&name)
        });
        judged.await.map_err(Error::Panicked)?.map(drop).map_err(Error::Store)
    }

    /// Removes a model; stops its fetch when one runs. The one in use is removed only with `force`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is in use, [`Error::Store`].
    pub fn remove(&self, name: &str, force: bool) -> Result<(), Error> {
        // Before its fetch is stopped: that removes it at its end.
        if !force && self.list().items.iter().any(|it| it.name == name && it.in_use) {
            return Err(Error::Conflict(in_use(name)));
        }
        let stopped = match &self.fetches().running {
            Some((running, stop)) if running == name => {
                stop.store(true, Ordering::Relaxed);
                true
            }
            _ => false,
        };
        self.fetches().last.remove(name);
        match self.0.store.remove(name) {
            Err(StoreError::Missing { .. }) if stopped => Ok(()),
            removed => Ok(removed?),
        }
    }

    fn fetches(&self) -> MutexGuard<'_, Fetches> {
        self.0.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell<P: payloads::Payload>(&self, event: EventType<P>, payload: &P) {
        let event = NewEvent::of(event, payload).from_source("core");
        if let Err(error) = self.0.log.append_blocking(Batch { events: vec![event], ..Batch::default() }) {
            tracing::error!(error = chain(&error), "An event was lost.");
        }
    }
}

/// Whether a model of this name writes speech down.
///
/// # Errors
/// [`Error::Unusable`] says where one that does not is set.
pub fn usable(name: &str) -> Result<(), Error> {
    if !name.trim_start_matches("ggml-").starts_with("silero") {
        return Ok(());
    }
    Err(Error::Unusable(format!(
        "`{name}` finds speech and does not write it down: set its file as vad.silero_model, then restart the service"
    )))
}

/// Why the model in use stays.
pub fn in_use(name: &str) -> String {
    format!(
        "`{name}` is in use: choose another one with `panotti model use` first, or remove it with --force"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::desk;

    #[test]
    fn one_model_is_read_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.storage.data_dir = dir.path().into();
        let log = EventLog::open(&config.storage.events_dir()).unwrap();
        let models = Models::new(Arc::new(config), desk().0, log);
        let reading = models.0.checking.lock().unwrap();
        assert!(matches!(models.verify("tiny.en"), Err(Error::Checking)));
        let fetched = models.fetch("tiny.en", Some("http://127.0.0.1:9/ggml-tiny.en.bin"), None);
        assert!(matches!(fetched, Err(Error::Checking)));
        assert!(models.fetches().running.is_none());
        drop(reading);
        assert!(matches!(models.verify("tiny.en"), Err(Error::Store(StoreError::Missing { .. }))));
    }
}
