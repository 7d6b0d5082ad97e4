//! What the host does for a plugin. Owns the calls a plugin may make; the host, or the test harness,
//! stands behind [`Host`].

use std::{error::Error, fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Event, Filter, NewEvent, Outbox, files, payloads::Transcript};

/// A future that may be kept.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work that keeps the processor.
pub type Work = Box<dyn FnOnce() + Send>;

/// What stands behind a [`Context`].
#[async_trait]
pub trait Host: Send + Sync {
    /// Commits events and state together; on disk when it returns. Answers the events as they were stored.
    async fn commit(&self, outbox: Outbox) -> Result<Vec<Arc<Event>>, ContextError>;
    /// The value of `key` in the plugin's state.
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, ContextError>;
    /// Keys of the plugin's state that begin with `prefix`, in order, from behind `after`, at most 1000.
    fn state_keys(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, ContextError>;
    /// Events after `seq`, oldest first, at most `limit`.
    fn events(&self, after: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, ContextError>;
    /// The event called `id`.
    fn event(&self, id: Uuid) -> Result<Option<Event>, ContextError>;
    /// The secret called `name`.
    fn secret(&self, name: &str) -> Result<SecretText, ContextError>;
    /// The plugin's own directory, which exists.
    fn directory(&self) -> Result<PathBuf, ContextError>;
    /// Where recordings lie.
    fn recordings(&self) -> Result<PathBuf, ContextError>;
    /// The directory below which the box keeps everything.
    fn data_directory(&self) -> PathBuf;
    /// Writes audio down, merged; the box's live captions go first. Audio that is of no recording is waited
    /// for by somebody: it goes before recordings.
    fn transcribe(
        &self,
        recording_id: Option<String>,
        dictation: Dictation,
    ) -> BoxFuture<Result<Transcript, ContextError>>;
    /// The model that writes audio down, while there is one.
    fn speech_model(&self) -> Option<SpeechModel>;
    /// Whether a plugin called `name` is to run here and has not failed.
    fn expects(&self, name: &str) -> bool;
    /// Runs `work` on a thread for such.
    fn blocking(&self, work: Work) -> BoxFuture<Result<(), ContextError>>;
    /// Ready when the plugin is to stop.
    fn stopping(&self) -> BoxFuture<()>;
}

/// A plugin's way to everything outside itself. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    plugin: Arc<str>,
    host: Arc<dyn Host>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

/// Why a call was refused.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The plugin's descriptor does not ask for it.
    #[error("the plugin `{plugin}` may not {what}: its descriptor has no permission for it")]
    Permission {
        /// Which plugin.
        plugin: String,
        /// What it tried.
        what: String,
    },
    /// There is no such secret.
    #[error(
        "there is no secret `{0}`: give it as a systemd credential, or as the file secrets/{0} in the data directory, readable by the service alone"
    )]
    NoSecret(String),
    /// The key of a state row is not 1 to 191 bytes, its value is larger than 1 MiB, or not of the type
    /// that was asked for.
    #[error("the state `{key}` cannot be used: {reason}")]
    State {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// A path that a setting names is none that can be used.
    #[error("the path `{path}` cannot be used: {reason}")]
    Path {
        /// The path.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// A service cannot do what was asked, now or ever.
    #[error("the {service} cannot do it: {reason}")]
    Service {
        /// Which.
        service: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// No model is set, so that nothing is to be written down on this box.
    #[error("no model is in use: choose one with `panotti model use`, or set transcription.model")]
    NoModel,
    /// The recording was deleted meanwhile: nothing more is to be done for it.
    #[error("the recording was deleted")]
    Deleted,
    /// Blocking work panicked or was given up.
    #[error("the work did not end")]
    Work,
    /// The host could not.
    #[error("the host cannot {what}")]
    Host {
        /// What it was to do.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ContextError {
    /// Whether trying again is of no use.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Work | Self::Host { .. })
    }
}

impl Context {
    /// A context of `plugin` with `host` behind it.
    pub fn new(plugin: &str, host: Arc<dyn Host>) -> Self {
        Self { plugin: plugin.into(), host }
    }

    /// The plugin's name.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Publishes an event outside of handling one. When it returns, the event is on disk.
    ///
    /// # Errors
    /// [`ContextError::Permission`] and [`ContextError::Host`].
    pub async fn publish(&self, event: NewEvent) -> Result<Arc<Event>, ContextError> {
        let stored = self.host.commit(Outbox::new().publish(event)).await?;
        stored.into_iter().next().ok_or_else(|| ContextError::Host {
            what: "publish an event",
            source: "it was taken and did not come back".into(),
        })
    }

    /// Commits events and state together.
    ///
    /// # Errors
    /// As [`Self::publish`], and [`ContextError::State`].
    pub async fn commit(&self, outbox: Outbox) -> Result<Vec<Arc<Event>>, ContextError> {
        self.host.commit(outbox).await
    }

    /// The value of `key` in the plugin's state.
    ///
    /// # Errors
    /// [`ContextError::Host`].
    pub fn state(&self, key: &str) -> Result<Option<Vec<u8>>, ContextError> {
        self.host.state(key)
    }

    /// What [`Outbox::put_json`] kept as `key`.
    ///
    /// # Errors
    /// [`ContextError::State`] when it is not a `T`, and [`ContextError::Host`].
    pub fn state_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ContextError> {
        let value = self.host.state(key)?;
        let read = value.map(|it| serde_json::from_slice(&it)).transpose();
        read.map_err(|error| ContextError::State { key: key.to_owned(), reason: error.to_string() })
    }

    /// Keys of the plugin's state that begin with `prefix`, in order, from behind `after`, at most 1000.
    ///
    /// # Errors
    /// [`ContextError::Host`].
    pub fn state_keys(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, ContextError> {
        self.host.state_keys(prefix, after)
    }

    /// Events after `seq`, oldest first, at most `limit`. Needs [`Service::Events`](crate::Service::Events).
    ///
    /// # Errors
    /// [`ContextError::Permission`] and [`ContextError::Host`].
    pub fn events(&self, after: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, ContextError> {
        self.host.events(after, limit, filter)
    }

    /// The event called `id`. Needs [`Service::Events`](crate::Service::Events).
    ///
    /// # Errors
    /// [`ContextError::Permission`] and [`ContextError::Host`].
    pub fn event(&self, id: Uuid) -> Result<Option<Event>, ContextError> {
        self.host.event(id)
    }

    /// What `secret` stands for. Needs [`Service::Secrets`](crate::Service::Secrets).
    ///
    /// A plugin is not started while a secret that its configuration names is missing, unless the field says
    /// `#[schemars(extend("x-may-be-missing" = true))]`: for one that another setting makes unnecessary.
    ///
    /// # Errors
    /// [`ContextError::NoSecret`], [`ContextError::Permission`] and [`ContextError::Host`].
    pub fn secret(&self, secret: &SecretRef) -> Result<SecretText, ContextError> {
        self.host.secret(&secret.secret)
    }

    /// The plugin's own directory, which exists.
    ///
    /// # Errors
    /// [`ContextError::Host`].
    pub fn directory(&self) -> Result<PathBuf, ContextError> {
        self.host.directory()
    }

    /// Where recordings lie. Needs [`Service::Recordings`](crate::Service::Recordings).
    ///
    /// # Errors
    /// [`ContextError::Permission`].
    pub fn recordings(&self) -> Result<PathBuf, ContextError> {
        self.host.recordings()
    }

    /// The path that a setting names: absolute, or below the box's data directory, for which a leading
    /// `data/` stands too, as in the original's settings.
    ///
    /// # Errors
    /// [`ContextError::Path`].
    pub fn resolve(&self, path: &str) -> Result<PathBuf, ContextError> {
        files::resolve(&self.host.data_directory(), path)
            .map_err(|reason| ContextError::Path { path: path.to_owned(), reason })
    }

    /// Writes tracks of a recording down with the box's transcriber, merged in order of start. Live
    /// captions go first, so that this takes long while a meeting is on. Needs
    /// [`Service::Transcriber`](crate::Service::Transcriber).
    ///
    /// # Errors
    /// [`ContextError::NoModel`]; [`ContextError::Service`] when the model or the audio cannot be used;
    /// [`ContextError::Deleted`]; [`ContextError::Permission`]; [`ContextError::Host`] when the box stops.
    pub async fn transcribe(
        &self,
        recording_id: &str,
        tracks: Vec<AudioTrack>,
    ) -> Result<Transcript, ContextError> {
        let dictation = Dictation { tracks, ..Dictation::default() };
        self.host.transcribe(Some(recording_id.to_owned()), dictation).await
    }

    /// Writes audio down that is of no recording and for which somebody waits: before recordings, after
    /// captions. Needs [`Service::Transcriber`](crate::Service::Transcriber). Dropping the future takes it
    /// back.
    ///
    /// # Errors
    /// As [`Self::transcribe`].
    pub async fn dictate(&self, dictation: Dictation) -> Result<Transcript, ContextError> {
        self.host.transcribe(None, dictation).await
    }

    /// The model that writes audio down; `None` while there is none, or it is being read.
    pub fn speech_model(&self) -> Option<SpeechModel> {
        self.host.speech_model()
    }

    /// Whether the events of a plugin called `name` are to be expected: it is compiled in, enabled and has
    /// not failed.
    pub fn expects(&self, name: &str) -> bool {
        self.host.expects(name)
    }

    /// Runs work that keeps the processor, or waits without tokio, on a thread for such.
    ///
    /// # Errors
    /// [`ContextError::Work`] when it panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ContextError> {
        let result = Arc::new(std::sync::Mutex::new(None));
        let kept = result.clone();
        let work = Box::new(move || {
            let value = work();
            *kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
        });
        self.host.blocking(work).await?;
        let value = result.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        value.ok_or(ContextError::Work)
    }

    /// Ready when the plugin is to stop.
    pub fn stopping(&self) -> BoxFuture<()> {
        self.host.stopping()
    }
}

/// Audio to be written down, and what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictation {
    /// The audio.
    pub tracks: Vec<AudioTrack>,
    /// The language spoken, ISO 639-1; the configured one when not given.
    pub language: Option<String>,
    /// Words that are likely to be said, as a sentence.
    pub prompt: Option<String>,
}

/// What writes audio down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeechModel {
    /// Its name: `base.en-q5_1`.
    pub name: String,
    /// The languages it knows, ISO 639-1 where that has a code.
    pub languages: Vec<String>,
}

/// Sound that belongs together, to be written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AudioTrack {
    /// WAV files that follow one another without a gap.
    pub files: Vec<PathBuf>,
    /// Who speaks in channels that have no label of their own.
    pub label: Option<String>,
    /// Who speaks in each channel, in order. A channel without a label, or with an empty one, is mixed with
    /// the others like it.
    pub channel_labels: Vec<String>,
}

/// A secret in a configuration, by name: `api_key: { secret: OPENAI }`. The secret itself never stands in
/// a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// The secret's name: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,64}$"))]
    pub secret: String,
}

/// A secret. It is shown and logged as `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(zeroize::Zeroizing<String>);

impl SecretText {
    /// Keeps `text`.
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The secret, to be handed to whom it is for and to nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
