//! Plugins that do everything wrong, one thing each.

use std::{future::pending, sync::Mutex, time::Duration};

use panotti_sdk::{
    Configured, Context, Delivery, Dependency, Descriptor, HandlerError, Health, NewEvent, Outbox,
    Permissions, Plugin, PluginError, Request, Response, Route, async_trait,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum What {
    Nothing,
    PanicsInNew,
    PanicsInStart,
    PanicsInHandle,
    PanicsInHealth,
    PanicsInCall,
    PanicsInStop,
    HangsInStart,
    HangsInHandle,
    BlocksInHandle,
    NeverStops,
    Leaks,
    Floods,
    Trespasses,
    Fails,
}

/// Settings of all of them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// What is added for each event.
    #[schemars(range(min = 1, max = 1000))]
    step: u64,
    /// A value that cannot be used although it fits.
    unusable: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { step: 1, unusable: false }
    }
}

pub(super) struct Hostile<const WHAT: u8> {
    config: Config,
    context: Context,
    hoard: Mutex<Vec<Vec<u8>>>,
}

impl<const WHAT: u8> Hostile<WHAT> {
    fn is(&self, what: What) -> bool {
        WHAT == what as u8
    }

    fn panic_if(&self, what: What) {
        assert!(!self.is(what), "as it is meant to");
    }
}

impl<const WHAT: u8> Configured for Hostile<WHAT> {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        assert!(WHAT != What::PanicsInNew as u8, "as it is meant to");
        if config.unusable {
            return Err(PluginError::config("unusable", "it says so itself"));
        }
        Ok(Self { config, context, hoard: Mutex::default() })
    }
}

#[async_trait]
impl<const WHAT: u8> Plugin for Hostile<WHAT> {
    async fn start(&self) -> Result<(), PluginError> {
        self.panic_if(What::PanicsInStart);
        if self.is(What::HangsInStart) {
            pending::<()>().await;
        }
        if self.is(What::Fails) {
            return Err(PluginError::permanent("it cannot"));
        }
        Ok(())
    }

    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        self.panic_if(What::PanicsInHandle);
        if self.is(What::HangsInHandle) {
            pending::<()>().await;
        }
        if self.is(What::BlocksInHandle) {
            loop {
                std::thread::park();
            }
        }
        if self.is(What::Leaks) {
            self.hoard.lock().unwrap().push(vec![1; 8 << 20]);
        }
        if self.is(What::Trespasses) {
            let event = NewEvent::new("recording.ended".parse().unwrap(), json!({}));
            let refused = self.context.publish(event.clone()).await;
            assert!(refused.is_err(), "it got through");
            return Ok(Outbox::new().publish(event));
        }
        let count = self.context.state_json::<u64>("count").map_err(HandlerError::retryable)?.unwrap_or(0);
        let count = count + self.config.step;
        let name = format!("{}.counted", self.context.plugin());
        let payload = json!({ "of": delivery.event.id, "count": count });
        let outbox = Outbox::new().put_json("count", &count).map_err(HandlerError::permanent)?;
        if self.is(What::Floods) {
            let flood = (0..200).map(|_| NewEvent::new(name.parse().unwrap(), payload.clone()));
            return Ok(flood.fold(outbox, Outbox::publish));
        }
        Ok(outbox.publish(NewEvent::new(name.parse().unwrap(), payload)))
    }

    async fn health(&self) -> Health {
        self.panic_if(What::PanicsInHealth);
        Health::Healthy
    }

    async fn call(&self, request: Request) -> Response {
        self.panic_if(What::PanicsInCall);
        Response::json(&json!({ "path": request.path, "step": self.config.step }))
    }

    async fn stop(&self) {
        self.panic_if(What::PanicsInStop);
        if self.is(What::NeverStops) {
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

macro_rules! hostile {
    ($($name:ident: $what:ident $(needs $needed:literal $version:literal)?;)*) => {
        /// All of them, and the one that does nothing wrong.
        pub(super) const ALL: &[Descriptor] = &[$(
            Descriptor {
                description: "For tests.",
                topics: &["test.happened"],
                permissions: Permissions {
                    publish: &[concat!(stringify!($name), ".counted")],
                    ..Permissions::NONE
                },
                dependencies: &[$(Dependency { name: $needed, version: $version })?],
                routes: &[Route { method: "GET", path: "/now/{id}", role: "viewer", description: "How far it is." }],
                ..Descriptor::of::<Hostile<{ What::$what as u8 }>>(
                    stringify!($name),
                    "1.2.3",
                    concat!(
                        "name: ", stringify!($name), "\nversion: \"1.2.3\"\nenabled: true\ndependencies: []\n",
                        "config:\n  max_concurrent_tasks: 2\n  timeout_s: 1\n  memory_limit_mib: 32\n",
                    ),
                )
            },
        )*];
    };
}

hostile! {
    good: Nothing;
    needs_good: Nothing needs "good" "^1.0";
    needs_newer: Nothing needs "good" "^2.0";
    needs_nobody: Nothing needs "nobody" "*";
    needs_failing: Nothing needs "fails" "*";
    circle_a: Nothing needs "circle_b" "*";
    circle_b: Nothing needs "circle_a" "*";
    fails: Fails;
    panics_in_new: PanicsInNew;
    panics_in_start: PanicsInStart;
    panics_in_handle: PanicsInHandle;
    panics_in_health: PanicsInHealth;
    panics_in_call: PanicsInCall;
    panics_in_stop: PanicsInStop;
    hangs_in_start: HangsInStart;
    hangs_in_handle: HangsInHandle;
    blocks_in_handle: BlocksInHandle;
    never_stops: NeverStops;
    leaks: Leaks;
    floods: Floods;
    trespasses: Trespasses;
}
