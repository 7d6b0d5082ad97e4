//! The bench itself: it keeps what the real host promises.

use serde_json::json;

use super::*;
use crate::{
    Configured, EventName, Permissions, Route, SecretRef, Service, async_trait, names::RECORDING_ENDED,
};

const DONE: EventName = EventName::from_static("probe.completed");

/// Settings of the probe.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {}

/// Does what the event tells it.
#[derive(Debug)]
struct Probe(Context);

impl Configured for Probe {
    type Config = Config;

    fn new(_: Config, context: Context) -> Result<Self, PluginError> {
        Ok(Self(context))
    }
}

#[async_trait]
impl Plugin for Probe {
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let told = NewEvent::new(DONE, json!({ "key": delivery.key(), "attempt": delivery.attempt }));
        match delivery.event.payload["do"].as_str() {
            Some("retry") if delivery.attempt < 3 => Err(HandlerError::retryable("not yet")),
            Some("panic") => panic!("as told"),
            Some("fail") => Err(HandlerError::permanent("never")),
            Some("forbidden") => {
                let other = NewEvent::new(EventName::from_static("recording.deleted"), json!({}));
                Ok(Outbox::new().put("a", "1").publish(told).publish(other))
            }
            Some("key") => Ok(Outbox::new().put(&"k".repeat(192), "1").publish(told)),
            Some("stop") => {
                self.0.stopping().await;
                Ok(Outbox::new())
            }
            Some("secret") => {
                let secret = self.0.secret(&SecretRef { secret: "KEY".into() })?;
                Ok(Outbox::new().put("secret", secret.reveal()))
            }
            Some("blocking") => {
                let thread = || std::thread::current().id();
                let own = thread();
                let other = self.0.blocking(thread).await?;
                assert!(matches!(
                    self.0.blocking(|| panic!("as told")).await,
                    Err(crate::ContextError::Work)
                ));
                Ok(Outbox::new().put_json("moved", &(own != other))?)
            }
            _ => Ok(Outbox::new().put("a", "1").put("b", "2").remove("a").publish(told)),
        }
    }
}

const PROBE: Descriptor = Descriptor {
    topics: &["recording.*"],
    permissions: Permissions { publish: &["probe.*"], services: &[Service::Secrets], ..Permissions::NONE },
    ..Descriptor::of::<Probe>("probe", "1.0.0", "{name: probe, version: 1.0.0, enabled: true}")
};

fn bench() -> Bench {
    let mut bench = Bench::new(PROBE).unwrap();
    bench.start().unwrap();
    bench
}

fn told(what: &str) -> NewEvent {
    NewEvent::new(RECORDING_ENDED.into(), json!({ "do": what }))
}

#[test]
fn events_and_state_are_committed_together() {
    let bench = bench();
    let published = bench.deliver(told("")).unwrap();
    let events = bench.events();
    assert_eq!(events.iter().map(|it| it.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(events[1..], published);
    let (parent, child) = (&events[0], &events[1]);
    assert_eq!(child.context.correlation_id, parent.context.correlation_id);
    assert_eq!(child.context.causation_id, Some(parent.id));
    assert_eq!(child.context.source_plugin.as_deref(), Some("probe"));
    assert_eq!(bench.state().into_iter().collect::<Vec<_>>(), [("b".to_owned(), b"2".to_vec())]);

    let forbidden = bench.deliver(told("forbidden")).unwrap_err();
    assert!(matches!(forbidden, HandlerError::Permanent(_)), "{forbidden}");
    assert_eq!(bench.audit(), ["publish `recording.deleted`"]);
    let too_long = bench.deliver(told("key")).unwrap_err();
    assert!(too_long.to_string().contains("1 to 191 bytes"), "{too_long}");
    assert_eq!(bench.events().len(), 4, "nothing of an outbox that is refused is committed");
    assert_eq!(bench.state().len(), 1);
}

#[test]
fn an_event_is_delivered_until_it_is_committed() {
    let bench = bench();
    let published = bench.deliver(told("retry")).unwrap();
    assert_eq!(published[0].payload["attempt"], 3);
    let event = bench.events()[0].clone();
    assert!(bench.redeliver(&event).unwrap().is_empty(), "it is done");
    let replayed = bench.replay(&event).unwrap();
    assert_ne!(replayed[0].payload["key"], published[0].payload["key"]);

    let event = bench.publish(told(""));
    assert_eq!(bench.handle(&event).unwrap().events.len(), 1);
    let published = bench.redeliver(&event).unwrap();
    assert_eq!(published[0].payload["attempt"], 1, "an attempt that a crash ended is not counted");

    assert_eq!(bench.deliver(told("fail")).unwrap_err().to_string(), "never");
    let panicked = bench.deliver(told("panic")).unwrap_err();
    assert!(matches!(panicked, HandlerError::Retryable(_)) && panicked.to_string().contains("as told"));
    let foreign = bench.deliver(NewEvent::new(EventName::from_static("a.b"), json!({}))).unwrap_err();
    assert!(foreign.to_string().contains("does not subscribe"));
}

#[test]
fn secrets_threads_and_the_end() {
    let mut bench = bench();
    assert!(bench.deliver(told("secret")).unwrap_err().to_string().contains("no secret `KEY`"));
    bench.secret("KEY", "s3cret").deliver(told("secret")).unwrap();
    bench.deliver(told("blocking")).unwrap();
    let state = bench.state();
    assert_eq!((&state["secret"][..], &state["moved"][..]), (&b"s3cret"[..], &b"true"[..]));

    let event = bench.publish(told("stop"));
    assert!(bench.cancel(&event, 1).unwrap(), "it waits for the end");
    bench.stop().unwrap();
    assert!(matches!(bench.stop(), Err(BenchError::NotRunning)));
    assert!(bench.redeliver(&event).is_err());
    assert_eq!(bench.start().unwrap().state(), state, "state outlives the instance");
}

#[test]
fn routes_fit_requests() {
    let route = Route { method: "GET", path: "/meetings/{id}", role: "viewer", description: "" };
    assert!(route.fits("GET", "/meetings/42"));
    for (method, path) in [
        ("PUT", "/meetings/42"),
        ("GET", "/meetings"),
        ("GET", "/meetings/"),
        ("GET", "/meetings/42/x"),
        ("GET", "/x/42"),
    ] {
        assert!(!route.fits(method, path), "{method} {path}");
    }
    let request =
        Request { body: b"{\"a\": {\"b\": \"x\"}}".to_vec(), ..Request::new("POST", "/meetings/42") };
    assert_eq!(request.segments(), ["meetings", "42"]);
    let a: BTreeMap<String, BTreeMap<String, String>> = request.json().unwrap();
    assert_eq!(a["a"]["b"], "x");
    let wrong = request.json::<BTreeMap<String, BTreeMap<String, u8>>>().unwrap_err();
    assert!(wrong.status == 400 && String::from_utf8_lossy(&wrong.body).contains("a.b"));
}
