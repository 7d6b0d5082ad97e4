//! What stands behind a plugin's context. Owns permissions and their audit, and how an outbox becomes a
//! batch of the log.

use std::{path::PathBuf, sync::Arc};

use panotti_sdk::{
    AudioTrack, BoxFuture, ContextError, Descriptor, Dictation, Event, Filter, NewEvent, Outbox, SecretText,
    Service, SpeechModel, Work, async_trait, files,
    filter::Topic,
    names,
    payloads::{PluginPermissionDenied, Transcript},
};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Roster, Site, secrets};
use crate::{
    bus::Effects,
    error_chain::chain,
    event_log::{Batch, EventLog, Put, Table},
    speech::{Desk, DeskError, Hints, TrackInput},
};

/// Longest key of a plugin's state, bytes: with the plugin's name it fits a row's key.
const KEY_LIMIT: usize = 191;
/// Largest value of a plugin's state, bytes.
const VALUE_LIMIT: usize = 1 << 20;
/// Most keys of one answer.
const KEYS: usize = 1000;

/// What all plugins share beside the log. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Services {
    pub(super) site: Arc<Site>,
    pub(super) desk: Desk,
    pub(super) roster: Roster,
}

/// One plugin's host.
#[derive(Debug)]
pub(super) struct PluginHost {
    pub(super) descriptor: &'static Descriptor,
    /// Topics it may publish.
    publish: Vec<Topic>,
    log: EventLog,
    services: Services,
    /// Of the plugin's own thread.
    runtime: Handle,
    pub(super) stopping: CancellationToken,
}

impl PluginHost {
    pub(super) fn new(
        descriptor: &'static Descriptor,
        log: EventLog,
        services: Services,
        runtime: Handle,
    ) -> Self {
        // The conformance test sees to it that they are topics; one that is none permits nothing.
        let publish = descriptor.permissions.publish.iter().filter_map(|it| it.parse().ok()).collect();
        Self { descriptor, publish, log, services, runtime, stopping: CancellationToken::new() }
    }

    /// What `outbox` changes in the log; children of `parent`, where there is one.
    pub(super) fn effects(&self, outbox: Outbox, parent: Option<&Event>) -> Result<Effects, ContextError> {
        let events = outbox.events.into_iter().map(|event| self.own(event, parent));
        let puts = outbox.state.into_iter().map(|(key, value)| self.row(&key, value));
        Ok(Effects { events: events.collect::<Result<_, _>>()?, puts: puts.collect::<Result<_, _>>()? })
    }

    /// The event as this plugin's, if it may publish it.
    fn own(&self, event: NewEvent, parent: Option<&Event>) -> Result<NewEvent, ContextError> {
        if !self.publish.iter().any(|topic| topic.matches(event.name().as_str())) {
            return Err(self.refuse("publish", event.name().as_str()));
        }
        let event = event.from_source(self.descriptor.name);
        Ok(match parent {
            Some(parent) if event.correlation_id.is_none() => event.caused_by(parent),
            _ => event,
        })
    }

    fn row(&self, key: &str, value: Option<Vec<u8>>) -> Result<Put, ContextError> {
        let refuse =
            |reason: String| ContextError::State { key: key.chars().take(KEY_LIMIT).collect(), reason };
        if key.is_empty() || key.len() > KEY_LIMIT {
            return Err(refuse(format!("a key has 1 to {KEY_LIMIT} bytes")));
        }
        if value.as_ref().is_some_and(|it| it.len() > VALUE_LIMIT) {
            return Err(refuse(format!("a value has at most {VALUE_LIMIT} bytes")));
        }
        Ok(Put { table: Table::PluginState, key: self.key(key), value })
    }

    fn key(&self, key: &str) -> String {
        format!("{}/{key}", self.descriptor.name)
    }

    fn allow(&self, service: Service, what: &str) -> Result<(), ContextError> {
        match self.descriptor.permissions.services.contains(&service) {
            true => Ok(()),
            false => Err(self.refuse("use the service", what)),
        }
    }

    /// Whether the recording that `event` is about was deleted since: nothing more is made of it, and nobody
    /// is told of it.
    pub(super) fn is_deleted(&self, event: &Event) -> bool {
        let id = event.payload.get("recording_id").and_then(Value::as_str);
        let Some(id) = id.filter(|id| files::valid_id(id)) else { return false };
        let is_there = !matches!(self.log.get(Table::Recordings, id), Ok(None));
        if is_there || event.name.as_str() == names::RECORDING_DELETED.as_str() {
            return false;
        }
        let deleted = Filter::topic(names::RECORDING_DELETED.into());
        let deleted = self.log.read(event.seq, 1, &deleted.correlated(event.context.correlation_id));
        deleted.is_ok_and(|it| !it.is_empty())
    }

    /// Says no, and notes that it was tried.
    fn refuse(&self, permission: &str, what: &str) -> ContextError {
        let plugin = self.descriptor.name;
        tracing::warn!(plugin, permission, what, "A plugin tried what it may not.");
        let payload = PluginPermissionDenied {
            plugin: plugin.to_owned(),
            permission: permission.to_owned(),
            what: what.to_owned(),
        };
        let event = NewEvent::of(names::PLUGIN_PERMISSION_DENIED, &payload).from_source("core");
        let log = self.log.clone();
        // The plugin need not wait, and a full queue is no reason to let it through.
        self.runtime.spawn_blocking(move || {
            if let Err(error) = log.append_blocking(Batch { events: vec![event], ..Batch::default() }) {
                tracing::error!(error = chain(&error), "An event was lost.");
            }
        });
        ContextError::Permission { plugin: plugin.to_owned(), what: format!("{permission} {what}") }
    }
}

fn host(what: &'static str) -> impl FnOnce(crate::event_log::Error) -> ContextError {
    move |source| ContextError::Host { what, source: source.into() }
}

#[async_trait]
impl panotti_sdk::Host for PluginHost {
    async fn commit(&self, outbox: Outbox) -> Result<Vec<Arc<Event>>, ContextError> {
        let Effects { events, puts } = self.effects(outbox, None)?;
        let batch = Batch { events, puts, idempotency_key: None };
        self.log.append(batch).await.map_err(host("commit"))
    }

    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, ContextError> {
        self.log.get(Table::PluginState, &self.key(key)).map_err(host("read the state"))
    }

    fn state_keys(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, ContextError> {
        let own = self.key("");
        let after = after.map(|it| self.key(it));
        let keys = self.log.keys(Table::PluginState, &self.key(prefix), after.as_deref(), KEYS);
        let keys = keys.map_err(host("read the state"))?.into_iter();
        Ok(keys.filter_map(|key| key.strip_prefix(&own).map(str::to_owned)).collect())
    }

    fn events(&self, after: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, ContextError> {
        self.allow(Service::Events, "events")?;
        self.log.read(after, limit, filter).map_err(host("read the log"))
    }

    fn event(&self, id: Uuid) -> Result<Option<Event>, ContextError> {
        self.allow(Service::Events, "events")?;
        self.log.get_event(id).map_err(host("read the log"))
    }

    fn secret(&self, name: &str) -> Result<SecretText, ContextError> {
        self.allow(Service::Secrets, "secrets")?;
        Ok(secrets::secret(&self.services.site, name)?)
    }

    fn directory(&self) -> Result<PathBuf, ContextError> {
        let path = self.services.site.data_dir.join("plugins").join(self.descriptor.name);
        std::fs::create_dir_all(&path).map_err(|source| ContextError::Host {
            what: "create the plugin's directory",
            source: source.into(),
        })?;
        Ok(path)
    }

    fn recordings(&self) -> Result<PathBuf, ContextError> {
        self.allow(Service::Recordings, "recordings")?;
        Ok(self.services.site.recordings_dir.clone())
    }

    fn data_directory(&self) -> PathBuf {
        self.services.site.data_dir.clone()
    }

    fn transcribe(
        &self,
        recording_id: Option<String>,
        dictation: Dictation,
    ) -> BoxFuture<Result<Transcript, ContextError>> {
        if let Err(refused) = self.allow(Service::Transcriber, "transcriber") {
            return Box::pin(async { Err(refused) });
        }
        let desk = self.services.desk.clone();
        let Dictation { tracks, language, prompt } = dictation;
        let hints = Hints { language, prompt };
        let tracks = tracks.into_iter().map(|AudioTrack { files, label, channel_labels }| TrackInput {
            files,
            label,
            channel_labels,
            tell_voices_apart: false,
        });
        let tracks = tracks.collect();
        Box::pin(async move {
            match desk.transcribe(recording_id, tracks, hints, None).await {
                Ok(transcript) => Ok(transcript),
                Err(error @ DeskError::Closed) => {
                    Err(ContextError::Host { what: "write audio down", source: error.into() })
                }
                Err(DeskError::NoModel) => Err(ContextError::NoModel),
                Err(DeskError::Deleted) => Err(ContextError::Deleted),
                Err(error) => Err(ContextError::Service { service: "transcriber", reason: chain(&error) }),
            }
        })
    }

    fn speech_model(&self) -> Option<SpeechModel> {
        self.services.desk.model()
    }

    fn expects(&self, name: &str) -> bool {
        self.services.roster.expects(name)
    }

    fn blocking(&self, work: Work) -> BoxFuture<Result<(), ContextError>> {
        let task = self.runtime.spawn_blocking(work);
        Box::pin(async { task.await.map_err(|_| ContextError::Work) })
    }

    fn stopping(&self) -> BoxFuture<()> {
        Box::pin(self.stopping.clone().cancelled_owned())
    }
}
