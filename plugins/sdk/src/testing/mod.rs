//! A bench to test a plugin on, by feature `testing`: the host in memory, with the real one's promises.
//! Owns calling the plugin as the bus and the host do; the tests that every plugin passes are in
//! [`crate::conformance`].

mod example;
mod host;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    pin::pin,
    sync::{Arc, mpsc},
    task::Poll,
    time::Duration,
};

use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch};
use uuid::Uuid;

pub use self::example::{Example, InvalidExample};
use self::host::{InstanceHost, World};
use crate::{
    Context, Delivery, Descriptor, Dictation, Event, Filter, HOST_SETTINGS, HandlerError, Health, NewEvent,
    Outbox, Plugin, PluginError, Request, Response, Topic, payloads::Transcript,
};

/// Longest that a plugin may take to start.
pub const START_LIMIT: Duration = Duration::from_secs(2);
/// Longest that a plugin may take to stop.
pub const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Longest that anything else may take; the host's own limit is a setting.
pub const CALL_LIMIT: Duration = Duration::from_secs(30);
/// How often a delivery is tried; the bench does not pause in between.
pub const ATTEMPTS: u32 = 4;

/// A plugin on its own in a box made of memory. Every call waits for the plugin's answer, so that tests
/// need no executor; the plugin runs inside a tokio runtime, as it does in the real host.
#[derive(Debug)]
pub struct Bench {
    descriptor: Descriptor,
    config: Value,
    world: Arc<World>,
    runtime: Option<Runtime>,
    running: Option<Instance>,
}

struct Instance {
    plugin: Arc<dyn Plugin>,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
}

/// What went wrong on the bench.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The bench itself cannot be set up.
    #[error("the bench cannot be set up")]
    SetUp(#[from] io::Error),
    /// `plugin.yaml.example` cannot be used.
    #[error(transparent)]
    Example(#[from] InvalidExample),
    /// The plugin cannot be built or started.
    #[error("the plugin does not {what}")]
    Plugin {
        /// What it was to do.
        what: &'static str,
        /// Why not.
        #[source]
        source: PluginError,
    },
    /// It took too long.
    #[error("`{what}` took longer than {} s", limit.as_secs())]
    Late {
        /// Which method.
        what: &'static str,
        /// What it may take.
        limit: Duration,
    },
    /// It panicked.
    #[error("`{what}` panicked: {message}")]
    Panicked {
        /// Which method.
        what: &'static str,
        /// With what words.
        message: String,
    },
    /// It was not started, or stopped.
    #[error("the plugin does not run: call `Bench::start` first")]
    NotRunning,
}

impl Bench {
    /// A bench for a plugin with the configuration of its example.
    ///
    /// # Errors
    /// [`BenchError::Example`] and [`BenchError::SetUp`].
    pub fn new(descriptor: Descriptor) -> Result<Self, BenchError> {
        let mut config = Example::read(descriptor.example)?.config;
        for key in HOST_SETTINGS {
            config.remove(*key);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(descriptor.name)
            .enable_all()
            .build()?;
        Ok(Self {
            descriptor,
            config: config.into(),
            world: Arc::new(World::new(descriptor)?),
            runtime: Some(runtime),
            running: None,
        })
    }

    /// Sets keys of the configuration over those of the example; the next start uses them.
    pub fn configure(&mut self, changes: Value) -> &mut Self {
        if let (Value::Object(config), Value::Object(changes)) = (&mut self.config, changes) {
            config.extend(changes);
        }
        self
    }

    /// The configuration.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Gives the box a secret.
    pub fn secret(&mut self, name: &str, secret: &str) -> &mut Self {
        self.world.keep_secret(name, secret);
        self
    }

    /// What the transcriber says to the next request, or why it cannot. The last answer given stays; without
    /// any there is no model.
    pub fn transcript(&mut self, answer: Result<Transcript, String>) -> &mut Self {
        self.world.will_say(answer);
        self
    }

    /// What the transcriber was asked to write down: recording, if any, and what of it, oldest first.
    pub fn asked_of_transcriber(&self) -> Vec<(Option<String>, Dictation)> {
        self.world.asked()
    }

    /// Says whether another plugin called `name` runs on the box. None does unless this says so.
    pub fn neighbour(&mut self, name: &str, runs: bool) -> &mut Self {
        self.world.set_neighbour(name, runs);
        self
    }

    /// Where the box keeps everything; recordings lie in `recordings` below it.
    pub fn data_directory(&self) -> PathBuf {
        self.world.data_directory()
    }

    /// Builds the plugin and starts it within [`START_LIMIT`]. One that runs already is dropped without
    /// being stopped, as in a crash: the log, the state and the plugin's directory stay.
    ///
    /// # Errors
    /// [`BenchError::Plugin`], [`BenchError::Late`], [`BenchError::Panicked`].
    pub fn start(&mut self) -> Result<&mut Self, BenchError> {
        self.running = None;
        let (stop, stopping) = watch::channel(false);
        let host = InstanceHost { world: self.world.clone(), stopping };
        let context = Context::new(self.descriptor.name, Arc::new(host));
        let (build, config) = (self.descriptor.build, self.config.clone());
        let built = self.wait("build", START_LIMIT, async move { build(config, context) })?;
        let plugin: Arc<dyn Plugin> =
            Arc::from(built.map_err(|source| BenchError::Plugin { what: "build", source })?);
        let starting = plugin.clone();
        let started = self.wait("start", START_LIMIT, async move { starting.start().await })?;
        started.map_err(|source| BenchError::Plugin { what: "start", source })?;
        self.running = Some(Instance { plugin, stop });
        Ok(self)
    }

    /// Says that it is to stop and stops it within [`STOP_LIMIT`].
    ///
    /// # Errors
    /// [`BenchError::Late`], [`BenchError::Panicked`], [`BenchError::NotRunning`].
    pub fn stop(&mut self) -> Result<(), BenchError> {
        let Instance { plugin, stop } = self.running.take().ok_or(BenchError::NotRunning)?;
        stop.send_replace(true);
        self.wait("stop", STOP_LIMIT, async move { plugin.stop().await })
    }

    /// Publishes an event of somebody else without delivering it.
    pub fn publish(&self, event: NewEvent) -> Arc<Event> {
        self.world.accept(event)
    }

    /// Publishes an event of somebody else and delivers it; answers what handling it published.
    ///
    /// # Errors
    /// See [`Self::redeliver`].
    pub fn deliver(&self, event: NewEvent) -> Result<Vec<Arc<Event>>, HandlerError> {
        self.redeliver(&self.publish(event))
    }

    /// Delivers an event of the log, up to [`ATTEMPTS`] times while it fails and may go better, and commits
    /// what the plugin answers. An event that was committed is done: the plugin does not get it again.
    ///
    /// # Errors
    /// The last attempt's: the real host would park the event as a dead letter. A panic and a delivery that
    /// takes too long may go better.
    pub fn redeliver(&self, event: &Arc<Event>) -> Result<Vec<Arc<Event>>, HandlerError> {
        self.attempts(event, None)
    }

    /// Delivers an event again because somebody asks for it, with a [key](Delivery::key) of its own.
    ///
    /// # Errors
    /// See [`Self::redeliver`].
    pub fn replay(&self, event: &Arc<Event>) -> Result<Vec<Arc<Event>>, HandlerError> {
        self.attempts(event, Some(Uuid::now_v7()))
    }

    fn attempts(&self, event: &Arc<Event>, replay: Option<Uuid>) -> Result<Vec<Arc<Event>>, HandlerError> {
        let mut delivery = Delivery { event: event.clone(), attempt: 1, replay };
        if self.world.is_done(&delivery.key()) {
            return Ok(Vec::new());
        }
        let outbox = loop {
            match self.attempt(&delivery) {
                Err(HandlerError::Retryable(_)) if delivery.attempt < ATTEMPTS => delivery.attempt += 1,
                Ok(outbox) => break outbox,
                Err(error) => {
                    self.give_up(event, &error)?;
                    return Err(error);
                }
            }
        };
        let published = self.world.commit(outbox, Some(event))?;
        self.world.set_done(&delivery.key());
        Ok(published)
    }

    /// Publishes what the plugin's descriptor says of an event that is given up, as the bus does.
    fn give_up(&self, event: &Arc<Event>, error: &HandlerError) -> Result<(), HandlerError> {
        let told = self.descriptor.given_up.and_then(|it| it(event, &crate::conformance::chain(error)));
        if let Some(told) = told {
            self.world.commit(Outbox::new().publish(told), Some(event))?;
        }
        Ok(())
    }

    /// Lets the plugin handle an event of the log once and commits nothing, as if the box lost its power
    /// right before: the event is still to be delivered. [`Self::start`] then makes the new instance.
    ///
    /// # Errors
    /// The plugin's, and permanent ones for an event that it does not subscribe to or may not have.
    pub fn handle(&self, event: &Arc<Event>) -> Result<Outbox, HandlerError> {
        self.attempt(&Delivery { event: event.clone(), attempt: 1, replay: None })
    }

    fn attempt(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let plugin = self.subscribed(delivery)?;
        let delivery = delivery.clone();
        let answer = self.wait("handle", CALL_LIMIT, async move { plugin.handle(&delivery).await });
        answer.map_err(HandlerError::retryable)?
    }

    /// Lets the plugin handle an event of the log and gives up after so many polls, as the host does when
    /// the time is up. Answers whether there was something to give up.
    ///
    /// # Errors
    /// See [`Self::handle`].
    pub fn cancel(&self, event: &Arc<Event>, polls: u32) -> Result<bool, HandlerError> {
        let delivery = Delivery { event: event.clone(), attempt: 1, replay: None };
        let plugin = self.subscribed(&delivery)?;
        let cancelled = self.wait("handle", CALL_LIMIT, async move {
            let mut handling = pin!(plugin.handle(&delivery));
            let mut left = polls;
            std::future::poll_fn(|context| match handling.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(false),
                Poll::Pending if left <= 1 => Poll::Ready(true),
                Poll::Pending => {
                    left -= 1;
                    Poll::Pending
                }
            })
            .await
        });
        cancelled.map_err(HandlerError::retryable)
    }

    fn subscribed(&self, delivery: &Delivery) -> Result<Arc<dyn Plugin>, HandlerError> {
        let mut topics = Vec::new();
        for topic in self.descriptor.topics {
            topics.push(Topic::parse(topic).map_err(HandlerError::permanent)?);
        }
        if topics.is_empty() || !(Filter { topics, ..Filter::default() }).wants(&delivery.event) {
            let name = &delivery.event.name;
            return Err(HandlerError::permanent(format!("the plugin does not subscribe to `{name}`")));
        }
        self.plugin().map_err(HandlerError::permanent)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`BenchError::Late`], [`BenchError::Panicked`], [`BenchError::NotRunning`].
    pub fn call(&self, request: Request) -> Result<Response, BenchError> {
        let plugin = self.plugin()?;
        self.wait("call", CALL_LIMIT, async move { plugin.call(request).await })
    }

    /// Asks how it is.
    ///
    /// # Errors
    /// See [`Self::call`].
    pub fn health(&self) -> Result<Health, BenchError> {
        let plugin = self.plugin()?;
        self.wait("health", CALL_LIMIT, async move { plugin.health().await })
    }

    /// Everything in the log, oldest first.
    pub fn events(&self) -> Vec<Arc<Event>> {
        self.world.events()
    }

    /// The plugin's state.
    pub fn state(&self) -> BTreeMap<String, Vec<u8>> {
        self.world.state()
    }

    /// What was refused for want of a permission, oldest first.
    pub fn audit(&self) -> Vec<String> {
        self.world.audit()
    }

    /// Lets a later call of the plugin's context panic, counted from 1, or none. Answers whether the one
    /// asked for before has happened.
    pub(crate) fn panic_in_context(&self, call: Option<u32>) -> bool {
        self.world.arm_panic(call)
    }

    fn plugin(&self) -> Result<Arc<dyn Plugin>, BenchError> {
        self.running.as_ref().map(|it| it.plugin.clone()).ok_or(BenchError::NotRunning)
    }

    /// Runs `future` on the plugin's runtime and waits for it, also when it keeps the processor. A future
    /// that is late is dropped at its next await.
    fn wait<T: Send + 'static>(
        &self,
        what: &'static str,
        limit: Duration,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, BenchError> {
        let runtime = self.runtime.as_ref().ok_or(BenchError::NotRunning)?;
        let task = runtime.spawn(future);
        let abort = task.abort_handle();
        let (reply, answer) = mpsc::channel();
        runtime.spawn(async move { drop(reply.send(task.await)) });
        match answer.recv_timeout(limit) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let message =
                    error.try_into_panic().map_or_else(|it| it.to_string(), |it| words(it.as_ref()));
                Err(BenchError::Panicked { what, message })
            }
            Err(_) => {
                abort.abort();
                Err(BenchError::Late { what, limit })
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A plugin that hangs must not hang the test.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "something".to_owned())
}
