//! The host of a bench: log, state, secrets and permissions in memory. Owns what the bus and the plugin
//! host promise a plugin; leaves calling the plugin to the bench.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    panic,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    BoxFuture, ContextError, Descriptor, Dictation, Event, Filter, Host, NewEvent, Outbox, SecretText,
    Service, SpeechModel, Topic, Work, async_trait, payloads::Transcript,
};

const LONGEST_KEY: usize = 191;
const LARGEST_VALUE: usize = 1 << 20;
const MOST_KEYS: usize = 1000;

/// What outlives an instance of the plugin: the box.
#[derive(Debug)]
pub(super) struct World {
    descriptor: Descriptor,
    directory: TempDir,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    events: Vec<Arc<Event>>,
    state: BTreeMap<String, Vec<u8>>,
    done: HashSet<String>,
    audit: Vec<String>,
    secrets: BTreeMap<String, String>,
    /// What the transcriber answers, in order; the last stays.
    transcripts: VecDeque<Result<Transcript, String>>,
    /// What it was asked for.
    asked: Vec<(Option<String>, Dictation)>,
    /// Plugins that run beside this one.
    neighbours: BTreeSet<String>,
    /// Calls of the context until the one that panics.
    panic_in: Option<u32>,
}

impl World {
    pub(super) fn new(descriptor: Descriptor) -> std::io::Result<Self> {
        Ok(Self { descriptor, directory: TempDir::new()?, kept: Mutex::default() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn events(&self) -> Vec<Arc<Event>> {
        self.kept().events.clone()
    }

    pub(super) fn state(&self) -> BTreeMap<String, Vec<u8>> {
        self.kept().state.clone()
    }

    pub(super) fn audit(&self) -> Vec<String> {
        self.kept().audit.clone()
    }

    pub(super) fn keep_secret(&self, name: &str, secret: &str) {
        self.kept().secrets.insert(name.to_owned(), secret.to_owned());
    }

    /// See [`super::Bench::transcript`].
    pub(super) fn will_say(&self, answer: Result<Transcript, String>) {
        self.kept().transcripts.push_back(answer);
    }

    /// See [`super::Bench::asked_of_transcriber`].
    pub(super) fn asked(&self) -> Vec<(Option<String>, Dictation)> {
        self.kept().asked.clone()
    }

    /// See [`super::Bench::neighbour`].
    pub(super) fn set_neighbour(&self, name: &str, runs: bool) {
        let mut kept = self.kept();
        if runs {
            kept.neighbours.insert(name.to_owned())
        } else {
            kept.neighbours.remove(name)
        };
    }

    /// Where the box keeps everything.
    pub(super) fn data_directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// See [`super::Bench::panic_in_context`].
    pub(super) fn arm_panic(&self, call: Option<u32>) -> bool {
        std::mem::replace(&mut self.kept().panic_in, call).is_none()
    }

    pub(super) fn is_done(&self, key: &str) -> bool {
        self.kept().done.contains(key)
    }

    pub(super) fn set_done(&self, key: &str) {
        self.kept().done.insert(key.to_owned());
    }

    /// Takes an event of somebody else.
    pub(super) fn accept(&self, event: NewEvent) -> Arc<Event> {
        self.kept().append(event)
    }

    /// Commits all of `outbox` or nothing; with `cause`, its events are children of it.
    pub(super) fn commit(
        &self,
        outbox: Outbox,
        cause: Option<&Event>,
    ) -> Result<Vec<Arc<Event>>, ContextError> {
        for event in &outbox.events {
            let name = event.name().as_str();
            let fits = |it: &&str| Topic::parse(it).is_ok_and(|topic| topic.matches(name));
            self.permit(self.descriptor.permissions.publish.iter().any(fits), || {
                format!("publish `{name}`")
            })?;
        }
        for (key, value) in &outbox.state {
            let reason = match value {
                _ if key.is_empty() || key.len() > LONGEST_KEY => "a key has 1 to 191 bytes",
                Some(value) if value.len() > LARGEST_VALUE => "a value has at most 1 MiB",
                _ => continue,
            };
            return Err(ContextError::State { key: key.clone(), reason: reason.to_owned() });
        }
        let mut kept = self.kept();
        for (key, value) in outbox.state {
            match value {
                Some(value) => kept.state.insert(key, value),
                None => kept.state.remove(&key),
            };
        }
        let child = |event: NewEvent| match cause {
            Some(cause) if event.correlation_id.is_none() => event.caused_by(cause),
            _ => event,
        };
        let source = self.descriptor.name;
        let events = outbox.events.into_iter().map(|it| child(it).from_source(source));
        Ok(events.map(|it| kept.append(it)).collect())
    }

    fn permit(&self, permitted: bool, what: impl Fn() -> String) -> Result<(), ContextError> {
        if permitted {
            return Ok(());
        }
        self.kept().audit.push(what());
        Err(ContextError::Permission { plugin: self.descriptor.name.to_owned(), what: what() })
    }

    fn permit_service(&self, service: Service) -> Result<(), ContextError> {
        let permitted = self.descriptor.permissions.services.contains(&service);
        self.permit(permitted, || format!("use the service {service:?}"))
    }

    fn folder(&self, name: &str) -> Result<PathBuf, ContextError> {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(&path)
            .map_err(|error| ContextError::Host { what: "make a folder", source: error.into() })?;
        Ok(path)
    }

    /// What every call of the plugin passes.
    fn enter(&self) {
        let mut kept = self.kept();
        kept.panic_in = kept.panic_in.map(|left| left.saturating_sub(1));
        if kept.panic_in == Some(0) {
            kept.panic_in = None;
            drop(kept);
            panic::resume_unwind(Box::new("the bench was asked for a panic here"));
        }
    }
}

impl Kept {
    /// Ids and times are the same in every run, so that runs can be compared.
    fn append(&mut self, event: NewEvent) -> Arc<Event> {
        let seq = self.events.len() as u64 + 1;
        let timestamp = Timestamp::UNIX_EPOCH
            .checked_add(SignedDuration::from_secs(1_800_000_000_i64.saturating_add_unsigned(seq)))
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let millis = u64::try_from(timestamp.as_millisecond()).unwrap_or_default();
        let id = |kind: u8| {
            let mut bytes = [kind; 10];
            bytes[..8].copy_from_slice(&seq.to_be_bytes());
            uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
        };
        let begins = event.correlation_id.is_none();
        let mut event = event.accepted(seq, timestamp);
        event.id = id(1);
        if begins {
            event.context.correlation_id = id(2);
        }
        let event = Arc::new(event);
        self.events.push(event.clone());
        event
    }
}

/// The host as one instance of the plugin sees it.
#[derive(Debug)]
pub(super) struct InstanceHost {
    pub(super) world: Arc<World>,
    pub(super) stopping: watch::Receiver<bool>,
}

#[async_trait]
impl Host for InstanceHost {
    async fn commit(&self, outbox: Outbox) -> Result<Vec<Arc<Event>>, ContextError> {
        self.world.enter();
        // A real commit waits for the disk.
        tokio::task::yield_now().await;
        self.world.commit(outbox, None)
    }

    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, ContextError> {
        self.world.enter();
        Ok(self.world.kept().state.get(key).cloned())
    }

    fn state_keys(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, ContextError> {
        self.world.enter();
        let kept = self.world.kept();
        let wanted = |it: &&String| it.starts_with(prefix) && after.is_none_or(|after| it.as_str() > after);
        let keys = kept.state.keys().filter(wanted);
        Ok(keys.take(MOST_KEYS).cloned().collect())
    }

    fn events(&self, after: u64, limit: usize, filter: &Filter) -> Result<Vec<Event>, ContextError> {
        self.world.enter();
        self.world.permit_service(Service::Events)?;
        let kept = self.world.kept();
        let wanted = kept.events.iter().filter(|it| it.seq > after && filter.wants(it));
        Ok(wanted.take(limit).map(|it| Event::clone(it)).collect())
    }

    fn event(&self, id: Uuid) -> Result<Option<Event>, ContextError> {
        self.world.enter();
        self.world.permit_service(Service::Events)?;
        Ok(self.world.kept().events.iter().find(|it| it.id == id).map(|it| Event::clone(it)))
    }

    fn secret(&self, name: &str) -> Result<SecretText, ContextError> {
        self.world.enter();
        self.world.permit_service(Service::Secrets)?;
        let secret = self.world.kept().secrets.get(name).cloned();
        secret.map(SecretText::new).ok_or_else(|| ContextError::NoSecret(name.to_owned()))
    }

    fn directory(&self) -> Result<PathBuf, ContextError> {
        self.world.enter();
        self.world.folder("plugin")
    }

    fn recordings(&self) -> Result<PathBuf, ContextError> {
        self.world.enter();
        self.world.permit_service(Service::Recordings)?;
        self.world.folder("recordings")
    }

    fn data_directory(&self) -> PathBuf {
        self.world.data_directory()
    }

    fn transcribe(
        &self,
        recording_id: Option<String>,
        dictation: Dictation,
    ) -> BoxFuture<Result<Transcript, ContextError>> {
        self.world.enter();
        let world = self.world.clone();
        Box::pin(async move {
            world.permit_service(Service::Transcriber)?;
            // A real one takes its time.
            tokio::task::yield_now().await;
            let mut kept = world.kept();
            kept.asked.push((recording_id, dictation));
            let last = kept.transcripts.len() <= 1;
            let answer = if last { kept.transcripts.front().cloned() } else { kept.transcripts.pop_front() };
            let failed = |reason| ContextError::Service { service: "transcriber", reason };
            answer.ok_or(ContextError::NoModel)?.map_err(failed)
        })
    }

    fn speech_model(&self) -> Option<SpeechModel> {
        self.world.enter();
        let there = matches!(self.world.kept().transcripts.front(), Some(Ok(_)));
        there.then(|| SpeechModel { name: "bench".into(), languages: vec!["en".into()] })
    }

    fn expects(&self, name: &str) -> bool {
        self.world.enter();
        self.world.kept().neighbours.contains(name)
    }

    fn blocking(&self, work: Work) -> BoxFuture<Result<(), ContextError>> {
        self.world.enter();
        Box::pin(async { tokio::task::spawn_blocking(work).await.map_err(|_| ContextError::Work) })
    }

    fn stopping(&self) -> BoxFuture<()> {
        let mut stopping = self.stopping.clone();
        // An error means that the instance is gone: that is a stop too.
        Box::pin(async move { drop(stopping.wait_for(|it| *it).await) })
    }
}
