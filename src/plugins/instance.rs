//! A plugin that was built: the plugin on its own thread. Owns calling its methods within their time, and
//! telling what went wrong; leaves what follows from that to `slot`.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use panotti_sdk::{
    Context, Delivery, Descriptor, Event, HandlerError, Health, Outbox, Plugin, PluginError, Request,
    Response,
};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
};

use super::{
    home::Home,
    host::{PluginHost, Services},
    memory::Owner,
};
use crate::{
    bus::{Answer, Effects, Handler},
    error_chain::chain,
    event_log::EventLog,
};

/// Longest start; the specification's limit.
pub(super) const START_WITHIN: Duration = Duration::from_secs(2);
/// Longest wait for a plugin to say how it is.
const HEALTH_WITHIN: Duration = Duration::from_secs(2);
/// Longest answer to a request.
const CALL_WITHIN: Duration = Duration::from_secs(30);
/// Deliveries that panic or take too long one after the other before the plugin is started anew.
const BAD_DELIVERIES: u32 = 3;

/// Why a plugin has to be started anew, for a person.
pub(super) type Breakdown = String;

/// The built plugin.
pub(super) struct Instance {
    plugin: Arc<dyn Plugin>,
    pub(super) host: Arc<PluginHost>,
    home: Home,
    owner: Owner,
    /// Bad deliveries one after the other.
    bad: Arc<AtomicU32>,
    breakdowns: mpsc::UnboundedSender<Breakdown>,
}

/// Why a plugin is not there.
pub(super) enum NotStarted {
    /// It may be tried again.
    Retryable(String),
    /// It would not help.
    Permanent(String),
}

impl NotStarted {
    fn of(error: &PluginError) -> Self {
        match error {
            PluginError::Retryable(_) => Self::Retryable(chain(error)),
            PluginError::Config { .. } | PluginError::Permanent(_) => Self::Permanent(chain(error)),
        }
    }
}

impl Instance {
    /// Builds the plugin on a thread of its own, where what it allocates is counted and a panic is caught.
    pub(super) async fn build(
        descriptor: &'static Descriptor,
        owner: Owner,
        config: Value,
        log: &EventLog,
        services: &Services,
        breakdowns: mpsc::UnboundedSender<Breakdown>,
    ) -> Result<Self, NotStarted> {
        let home = Home::open(descriptor.name, owner)
            .map_err(|error| NotStarted::Retryable(format!("the system gives no thread: {error}")))?;
        let host =
            Arc::new(PluginHost::new(descriptor, log.clone(), services.clone(), home.handle().clone()));
        let context = Context::new(descriptor.name, host.clone());
        let build = home.handle().spawn(async move { (descriptor.build)(config, context) });
        let plugin = match within(START_WITHIN, build).await {
            Ok(Ok(plugin)) => plugin.into(),
            Ok(Err(error)) => return Err(NotStarted::of(&error)),
            Err(bad) => return Err(NotStarted::Permanent(format!("building it {bad}"))),
        };
        Ok(Self { plugin, host, home, owner, bad: Arc::default(), breakdowns })
    }

    /// Calls `start`.
    pub(super) async fn start(&self) -> Result<(), NotStarted> {
        let plugin = self.plugin.clone();
        let task = self.home.handle().spawn(async move { plugin.start().await });
        match within(START_WITHIN, task).await {
            Ok(started) => started.map_err(|error| NotStarted::of(&error)),
            Err(bad) => Err(NotStarted::Retryable(format!("its start {bad}"))),
        }
    }

    /// How it says that it is; `Err` when it does not say.
    pub(super) async fn health(&self) -> Result<Health, Breakdown> {
        let plugin = self.plugin.clone();
        let task = self.home.handle().spawn(async move { plugin.health().await });
        within(HEALTH_WITHIN, task).await.map_err(|bad| format!("asking how it is {bad}"))
    }

    /// Whether its thread takes up work at all.
    pub(super) async fn answers(&self, patience: Duration) -> bool {
        self.home.answers(patience).await
    }

    /// Hands it a request.
    pub(super) async fn call(&self, request: Request) -> Response {
        let plugin = self.plugin.clone();
        let task = self.home.handle().spawn(async move { plugin.call(request).await });
        match within(CALL_WITHIN, task).await {
            Ok(response) => response,
            Err(bad) => Response::problem(500, &format!("the plugin's answer {bad}")),
        }
    }

    /// Calls `stop` and ends the thread, all within `patience`. What was not in time, for a person.
    pub(super) async fn stop(&self, patience: Duration) -> Result<(), String> {
        self.host.stopping.cancel();
        let began = std::time::Instant::now();
        let plugin = self.plugin.clone();
        let task = self.home.handle().spawn(async move { plugin.stop().await });
        let stopped = within(patience, task).await;
        let closed = self.home.close(patience.saturating_sub(began.elapsed()).max(HEALTH_WITHIN / 8)).await;
        match (stopped, closed) {
            (_, false) => Err("its thread does not end and is abandoned".to_owned()),
            (Err(bad), true) => Err(format!("its stop {bad}")),
            (Ok(()), true) => Ok(()),
        }
    }

    /// Lets an instance go that was never started.
    pub(super) fn discard(self) {
        self.host.stopping.cancel();
        drop(self.home);
    }

    /// Memory it holds, bytes.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        self.owner.bytes()
    }

    /// Processor time it has taken.
    pub(super) fn cpu_time(&self) -> Duration {
        self.home.cpu_time()
    }

    /// What handles its events.
    pub(super) fn handler(&self) -> impl Handler + use<> {
        Deliverer {
            plugin: self.plugin.clone(),
            host: self.host.clone(),
            runtime: self.home.handle().clone(),
            bad: self.bad.clone(),
            breakdowns: self.breakdowns.clone(),
        }
    }
}

/// Hands deliveries over to the plugin's thread.
struct Deliverer {
    plugin: Arc<dyn Plugin>,
    host: Arc<PluginHost>,
    runtime: tokio::runtime::Handle,
    bad: Arc<AtomicU32>,
    breakdowns: mpsc::UnboundedSender<Breakdown>,
}

impl Handler for Deliverer {
    fn handle(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(async move {
            let plugin = self.plugin.clone();
            let event = delivery.event.clone();
            if self.host.is_deleted(&event) {
                return Ok(Effects::default());
            }
            let mut running = Running {
                task: self.runtime.spawn(async move { plugin.handle(&delivery).await }),
                of: self,
                ended: false,
            };
            let done = (&mut running.task).await;
            running.ended = true;
            match done {
                Ok(Ok(mut outbox)) => {
                    self.bad.store(0, Ordering::Relaxed);
                    if self.host.is_deleted(&event) {
                        // What it notes stays: by it the files go when the deletion is handled.
                        outbox.events.clear();
                    }
                    self.host.effects(outbox, Some(&event)).map_err(HandlerError::permanent)
                }
                Ok(Err(error)) => {
                    self.bad.store(0, Ordering::Relaxed);
                    if self.host.is_deleted(&event) { Ok(Effects::default()) } else { Err(error) }
                }
                Err(error) => {
                    let what = panicked(error);
                    self.bad(&format!("handling an event {what}"));
                    Err(HandlerError::retryable(format!("the plugin {what}")))
                }
            }
        })
    }

    fn given_up(&self, event: &Event, error: &str) -> Effects {
        if self.host.is_deleted(event) {
            return Effects::default();
        }
        let told = self.host.descriptor.given_up.and_then(|it| it(event, error));
        let Some(told) = told else { return Effects::default() };
        self.host.effects(Outbox::new().publish(told), Some(event)).unwrap_or_else(|error| {
            tracing::error!(
                plugin = self.host.descriptor.name,
                error = chain(&error),
                "Its last words are left out."
            );
            Effects::default()
        })
    }
}

impl Deliverer {
    /// Notes a delivery that panicked or took too long.
    fn bad(&self, what: &str) {
        if self.bad.fetch_add(1, Ordering::Relaxed) + 1 >= BAD_DELIVERIES {
            self.bad.store(0, Ordering::Relaxed);
            // Nobody listens once the plugin is being stopped.
            self.breakdowns.send(format!("{BAD_DELIVERIES} times in a row, {what}")).ok();
        }
    }
}

/// A delivery that the bus may give up.
struct Running<'a> {
    task: JoinHandle<Handled>,
    of: &'a Deliverer,
    ended: bool,
}

/// What the plugin's `handle` gives.
type Handled = Result<Outbox, HandlerError>;

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.task.abort();
            if !self.of.host.stopping.is_cancelled() {
                self.of.bad("took too long");
            }
        }
    }
}

/// What `task` gives, or how it went wrong.
async fn within<T>(patience: Duration, mut task: JoinHandle<T>) -> Result<T, String> {
    match tokio::time::timeout(patience, &mut task).await {
        Ok(done) => done.map_err(panicked),
        Err(_) => {
            task.abort();
            Err(format!("took longer than {} s", patience.as_secs_f32()))
        }
    }
}

fn panicked(error: JoinError) -> String {
    if error.is_cancelled() {
        return "was cut off".to_owned();
    }
    let panic = error.into_panic();
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("(no message)"))
}
