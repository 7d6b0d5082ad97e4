//! The checks themselves: a good plugin passes all, and each defect is caught by its check.

use std::{
    marker::PhantomData,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::json;

use super::*;
use crate::{
    Configured, Context, Delivery, Dependency, EventName, HandlerError, Health, Outbox, Permissions, Plugin,
    PluginError, Request, Response, Route, Service, async_trait,
};

const DONE: EventName = EventName::from_static("subject.completed");
const OTHER: EventName = EventName::from_static("other.completed");

/// What is bad about the plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Defect {
    #[default]
    None,
    FailsToStart,
    StartsLate,
    CountsStarts,
    FailsAfterRestart,
    StopsLate,
    PanicsOnStop,
    FailsAlways,
    PublishesForbidden,
    ReadsSecrets,
    PublishesInside,
    CountsInMemory,
    LosesItsTool,
    LocksOverACall,
    LocksOverPoison,
    ServesEverything,
    ServesNothing,
    FailsToServe,
    DegradedWithoutReason,
    HealthPanics,
}

/// Settings of the subject.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// What is bad.
    defect: Defect,
    /// A number and a text.
    limits: Limits,
}

/// Further settings.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    /// At most.
    most: u32,
    /// What for.
    label: String,
}

#[derive(Debug)]
struct Subject {
    defect: Defect,
    context: Context,
    seen: AtomicU64,
    tool: Mutex<Option<u32>>,
}

impl Configured for Subject {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        let tool = Mutex::new(Some(1));
        Ok(Self { defect: config.defect, context, seen: AtomicU64::new(0), tool })
    }
}

#[async_trait]
impl Plugin for Subject {
    async fn start(&self) -> Result<(), PluginError> {
        match self.defect {
            Defect::FailsToStart => return Err(PluginError::permanent("no")),
            Defect::StartsLate => std::future::pending().await,
            Defect::CountsStarts => {
                let starts: u64 = self.context.state_json("starts")?.unwrap_or_default();
                self.context.commit(Outbox::new().put_json("starts", &(starts + 1))?).await?;
            }
            Defect::FailsAfterRestart if self.context.state("count")?.is_some() => {
                return Err(PluginError::retryable("there is something"));
            }
            _ => {}
        }
        Ok(())
    }

    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let outbox = Outbox::new();
        if delivery.event.payload["poison"] == true {
            let _lock = (self.defect == Defect::LocksOverPoison).then(|| self.tool.lock().unwrap());
            panic!("poison");
        }
        match self.defect {
            Defect::FailsAlways => return Err(HandlerError::permanent("no")),
            Defect::PublishesForbidden => return Ok(outbox.publish(NewEvent::new(OTHER, json!({})))),
            Defect::ReadsSecrets => {
                let secret = crate::SecretRef { secret: "KEY".into() };
                assert!(self.context.secret(&secret).is_err());
            }
            Defect::PublishesInside => drop(self.context.publish(NewEvent::new(DONE, json!({}))).await?),
            Defect::LosesItsTool => {
                let tool = self.tool.lock().unwrap().take();
                let tool = tool.ok_or_else(|| HandlerError::permanent("the tool is lost"))?;
                self.context.blocking(|| {}).await?;
                *self.tool.lock().unwrap() = Some(tool);
            }
            Defect::LocksOverACall => {
                let _lock = self.tool.lock().unwrap();
                self.context.state("count")?;
            }
            Defect::LocksOverPoison => drop(self.tool.lock().unwrap()),
            _ => {}
        }
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let stored = self.context.state_json::<u64>("count")?.unwrap_or_default() + 1;
        self.context.blocking(|| {}).await?;
        let count = if self.defect == Defect::CountsInMemory { seen } else { stored };
        Ok(outbox.put_json("count", &count)?.publish(NewEvent::new(DONE, json!({ "count": count }))))
    }

    async fn health(&self) -> Health {
        match self.defect {
            Defect::DegradedWithoutReason => Health::Degraded(String::new()),
            Defect::HealthPanics => panic!("ill"),
            _ => Health::Healthy,
        }
    }

    async fn call(&self, request: Request) -> Response {
        match (request.method.as_str(), &request.segments()[..]) {
            _ if self.defect == Defect::ServesEverything => Response::json(&1),
            _ if self.defect == Defect::FailsToServe => Response::problem(500, "no"),
            ("GET", ["count"]) if self.defect != Defect::ServesNothing => {
                Response::json(&self.context.state_json::<u64>("count").ok())
            }
            _ => Response::not_found("nothing"),
        }
    }

    async fn stop(&self) {
        match self.defect {
            Defect::StopsLate => std::future::pending().await,
            Defect::PanicsOnStop => panic!("no"),
            _ => {}
        }
    }
}

const EXAMPLE: &str = "name: subject\nversion: 1.2.3\nenabled: true\nconfig:\n  max_concurrent_tasks: 4\n  \
                       defect: none\n  limits:\n    most: 3\n";
const SUBJECT: Descriptor = Descriptor {
    description: "Stands model for the checks.",
    topics: &["recording.ended"],
    permissions: Permissions { publish: &["subject.*"], ..Permissions::NONE },
    routes: &[COUNT],
    ..Descriptor::of::<Subject>("subject", "1.2.3", EXAMPLE)
};
const COUNT: Route = Route { method: "GET", path: "/count", role: "viewer", description: "The count." };

fn case(descriptor: Descriptor) -> Case {
    let ended = NewEvent::new(EventName::from_static("recording.ended"), json!({ "recording_id": "a" }));
    let poison = NewEvent::new(ended.name().clone(), json!({ "poison": true }));
    Case::of(descriptor).event(ended.clone()).event(ended).poison(poison)
}

type Check = fn(&Case) -> Vec<String>;

fn bad(defect: Defect, check: Check, expected: &str) {
    let problems = check(&case(SUBJECT).config(json!({ "defect": defect })));
    assert!(problems.iter().any(|it| it.contains(expected)), "{defect:?}: {problems:?}");
}

crate::conformance!(case(SUBJECT));

#[test]
fn defects_of_life_are_caught() {
    bad(Defect::FailsToStart, samples, "does not start: no");
    bad(Defect::StartsLate, health, "`start` took longer than 2 s");
    bad(Defect::CountsStarts, lifecycle, "starting again changes the state");
    bad(Defect::FailsAfterRestart, lifecycle, "after a stop: the plugin does not start");
    bad(Defect::StopsLate, lifecycle, "`stop` took longer than 10 s");
    bad(Defect::PanicsOnStop, lifecycle, "`stop` panicked: no");
    bad(Defect::FailsAlways, samples, "`recording.ended` is not handled: no");
    bad(Defect::DegradedWithoutReason, health, "does not say why");
    bad(Defect::HealthPanics, health, "`health` panicked: ill");
}

#[test]
fn defects_of_permissions_and_routes_are_caught() {
    bad(Defect::PublishesForbidden, permissions, "publish `other.completed`");
    bad(Defect::PublishesForbidden, samples, "may not publish `other.completed`");
    bad(Defect::ReadsSecrets, permissions, "use the service Secrets");
    bad(Defect::ServesEverything, routes, "a path that is no route answers 200");
    bad(Defect::ServesNothing, routes, "GET /count answers 404");
    bad(Defect::FailsToServe, routes, "GET /count answers 500");
}

#[test]
fn defects_of_repetition_are_caught() {
    bad(Defect::PublishesInside, redelivery, "a crash before the commit: the log holds");
    bad(Defect::PublishesInside, cancel, "the log holds");
    bad(Defect::CountsInMemory, redelivery, "a commit that failed: `subject.completed` says");
    bad(Defect::LosesItsTool, cancel, "the tool is lost");
    bad(Defect::LocksOverACall, panic, "PoisonError");
    bad(Defect::LocksOverPoison, panic, "PoisonError");
    let harmless = case(SUBJECT).poison(case(SUBJECT).events[0].clone());
    assert!(panic(&harmless).concat().contains("is no poison"));
    let without = Case { events: Vec::new(), ..case(SUBJECT) };
    assert!(samples(&without).concat().contains("give one"));
}

/// A plugin whose configuration is the defect.
#[derive(Debug)]
struct With<C>(PhantomData<fn() -> C>);

impl<C: DeserializeOwned + Serialize + JsonSchema + 'static> Configured for With<C> {
    type Config = C;

    fn new(_: C, _: Context) -> Result<Self, PluginError> {
        Ok(Self(PhantomData))
    }
}

#[async_trait]
impl<C: 'static> Plugin for With<C> {
    async fn handle(&self, _: &Delivery) -> Result<Outbox, HandlerError> {
        Ok(Outbox::new())
    }
}

/// Takes unknown keys, says nothing about its own, and calls one like a setting of the host.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Lax {
    key: u32,
    /// Memory.
    memory_limit_mib: u32,
}

/// Takes anything for its key, and says that it does not.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Lenient {
    /// A number.
    #[serde(deserialize_with = "anything")]
    key: u32,
    /// What is inside.
    inner: Lax,
}

fn anything<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| 0)
}

const LAX: &str = "{name: x, version: 1.0.0, enabled: true, config: {key: 1}}";

#[test]
fn defects_of_configurations_are_caught() {
    let told = |problems: Vec<String>, expected: &str| {
        assert!(problems.iter().any(|it| it.contains(expected)), "{expected}: {problems:?}");
    };
    let lax = Case::of(Descriptor::of::<With<Lax>>("x", "1.0.0", LAX));
    told(unknown_keys(&lax), "an unknown key in `config.` is not refused");
    told(schema(&lax), "`config` takes unknown keys");
    told(schema(&lax), "`config.key` has no doc comment");
    told(schema(&lax), "`config.memory_limit_mib` is a setting of the host");
    told(schema(&Case::of(Descriptor::of::<With<u32>>("x", "1.0.0", LAX))), "no object");
    let lenient = Case::of(Descriptor::of::<With<Lenient>>("x", "1.0.0", LAX));
    told(unknown_keys(&lenient), "an unknown key in `config.inner` is not refused");
    told(wrong_types(&lenient), "a wrong type of `config.key` is not refused");
    told(schema(&lenient), "`config.inner` takes unknown keys");
}

#[test]
fn defects_of_descriptors_are_caught() {
    let told = |changed: Descriptor, expected: &str| {
        let problems = descriptor(&case(changed));
        assert!(problems.len() == 1 && problems[0].contains(expected), "{expected}: {problems:?}");
    };
    let routes = |routes| Descriptor { routes, ..SUBJECT };
    let permissions = |permissions| Descriptor { permissions, ..SUBJECT };
    told(Descriptor { name: "../up", ..SUBJECT }, "the name `../up`");
    told(Descriptor { version: "1.2", ..SUBJECT }, "the version `1.2`");
    told(Descriptor { sdk: "new", ..SUBJECT }, "the sdk `new`");
    told(Descriptor { description: " ", ..SUBJECT }, "description");
    told(Descriptor { topics: &["recording"], ..SUBJECT }, "topics: ");
    told(permissions(Permissions { publish: &["A.b"], ..Permissions::NONE }), "publish: ");
    told(permissions(Permissions { publish: &["**"], ..Permissions::NONE }), "asks for everything");
    told(permissions(Permissions { hosts: &["config:url"], ..Permissions::NONE }), "config:url");
    told(permissions(Permissions { directories: &[""], ..Permissions::NONE }), "names nothing");
    let known =
        Permissions { hosts: &["config:limits.label"], services: &[Service::Events], ..Permissions::NONE };
    assert_eq!(descriptor(&case(permissions(known))), Vec::<String>::new());
    let itself = &[Dependency { name: "subject", version: "^1" }];
    told(Descriptor { dependencies: itself, ..SUBJECT }, "itself");
    let wild = &[Dependency { name: "other", version: "new" }];
    told(Descriptor { dependencies: wild, ..SUBJECT }, "the version of the dependency `other`");
    told(routes(&[Route { method: "PATCH", ..COUNT }]), "the method");
    told(routes(&[Route { path: "count", ..COUNT }]), "the path");
    told(routes(&[Route { path: "/a//b", ..COUNT }]), "the path");
    told(routes(&[Route { path: "/config", ..COUNT }]), "the host itself");
    told(routes(&[Route { role: "king", ..COUNT }]), "the role");
    told(routes(&[Route { description: "", ..COUNT }]), "the description");
    told(routes(&[COUNT, COUNT]), "twice");
}

#[test]
fn defects_of_examples_are_caught() {
    for (from, to, expected) in [
        ("name: subject", "name: other", "the example's name is `other`"),
        ("1.2.3", "1.2.4", "the example's version is `1.2.4`"),
        ("enabled: true", "enable: true", "enable"),
        ("most: 3", "most: -3", "`config.limits.most`"),
        ("most: 3", "much: 3", "`config.limits.much`"),
        ("defect: none", "max_concurrent_tasks: 4", "plugin.yaml.example is not"),
        ("  defect: none\n", "", "does not show `defect`"),
        ("config:", "config: [", "plugin.yaml.example is not"),
    ] {
        let example = EXAMPLE.replace(from, to).leak();
        let problems = super::example(&case(Descriptor { example, ..SUBJECT }));
        assert!(problems.iter().any(|it| it.contains(expected)), "{expected}: {problems:?}");
    }
}
