//! The host with real plugins on real threads, a real bus and a real log.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod hostile;

use std::{collections::BTreeMap, path::Path, time::Duration};

use panotti_sdk::{Event, Filter, NewEvent};
use serde_json::json;

use super::*;
use crate::event_log::Batch;

/// Far more than anything here takes; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    log: EventLog,
    plugins: Plugins,
}

fn site(dir: &Path) -> Site {
    Site {
        settings_dir: dir.join("plugins.d"),
        env: Vec::new(),
        data_dir: dir.to_owned(),
        recordings_dir: dir.join("recordings"),
        credentials_dir: None,
    }
}

async fn bench(dir: &Path, descriptors: &'static [Descriptor]) -> Bench {
    let open = async {
        loop {
            match EventLog::open(&dir.join("events")) {
                Ok(log) => break log,
                // What was dropped a moment ago ends on other threads.
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    let log = tokio::time::timeout(PATIENCE, open).await.unwrap();
    let bus = Bus::start(log.clone(), Handle::current()).unwrap();
    let plugins =
        Plugins::start(descriptors, site(dir), crate::speech::desk().0, &log, &bus, &Handle::current())
            .unwrap();
    tokio::time::timeout(PATIENCE, plugins.settled()).await.unwrap();
    Bench { log, plugins }
}

/// Descriptors of those called so.
fn only(names: &[&str]) -> &'static [Descriptor] {
    let chosen: Vec<_> = hostile::ALL.iter().filter(|it| names.contains(&it.name)).copied().collect();
    Box::leak(chosen.into_boxed_slice())
}

impl Bench {
    async fn happen(&self, n: u64) -> Event {
        let event = NewEvent::new("test.happened".parse().unwrap(), json!({ "n": n }));
        let stored = self.log.append(Batch { events: vec![event], ..Batch::default() }).await.unwrap();
        Event::clone(&stored[0])
    }

    fn events(&self, topic: &str) -> Vec<Event> {
        self.log.read(0, usize::MAX, &Filter::topic(topic.parse().unwrap())).unwrap()
    }

    /// Waits until `done`, which is looked at whenever something is in the log, and twice a second for
    /// what is not told there.
    #[track_caller]
    fn until<'a>(
        &'a self,
        what: &'a str,
        mut done: impl FnMut() -> bool + 'a,
    ) -> impl Future<Output = ()> + 'a {
        let mut tail = self.log.tail();
        async move {
            let wait = async {
                while !done() {
                    // The sender is the log's own.
                    tokio::time::timeout(Duration::from_millis(500), tail.changed()).await.ok();
                }
            };
            let waited = tokio::time::timeout(PATIENCE, wait).await;
            assert!(waited.is_ok(), "{what}: {:#?}", self.plugins.list());
        }
    }

    fn states(&self) -> BTreeMap<String, (State, String)> {
        let list = self.plugins.list().into_iter();
        list.map(|it| (it.name, (it.state, it.reason.unwrap_or_default()))).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hostile_do_not_hurt_the_others() {
    const EVENTS: u64 = 12;
    let dir = tempfile::tempdir().unwrap();
    let it = bench(dir.path(), hostile::ALL).await;

    let states = it.states();
    let failed = |name: &str, why: &str| {
        let (state, reason) = &states[name];
        assert!(*state == State::Failed && reason.contains(why), "{name}: {state:?} {reason}");
    };
    failed("fails", "it cannot");
    failed("panics_in_new", "as it is meant to");
    failed("panics_in_start", "as it is meant to");
    failed("hangs_in_start", "took longer");
    failed("needs_newer", "1.2.3");
    failed("needs_nobody", "nobody");
    failed("needs_failing", "fails");
    failed("circle_a", "circle_b");
    failed("circle_b", "circle_a");
    for name in ["good", "needs_good", "panics_in_handle", "blocks_in_handle", "leaks", "never_stops"] {
        assert_eq!(states[name].0, State::Running, "{name}: {}", states[name].1);
    }

    for n in 0..EVENTS {
        it.happen(n).await;
    }
    it.until("the good ones handle everything", || {
        ["good", "needs_good"].iter().all(|it_| it.events(&format!("{it_}.counted")).len() as u64 == EVENTS)
    })
    .await;
    // The API's part of a plugin answers, and one that panics answers with a failure.
    let now = it.plugins.call("good", Request::new("GET", "/now/1")).await.unwrap();
    assert_eq!(now.status, 200);
    let broken = it.plugins.call("panics_in_call", Request::new("GET", "/now/1")).await.unwrap();
    assert_eq!(broken.status, 500);
    // What broke down was started anew, and each says why.
    for (name, why) in [
        ("panics_in_handle", "panicked"),
        ("hangs_in_handle", "took too long"),
        ("blocks_in_handle", "took too long"),
    ] {
        it.until(name, || {
            let of = it.plugins.list().into_iter().find(|it| it.name == name).unwrap();
            let history = it.plugins.get(name).unwrap().history;
            of.restarts > 0 && history.iter().any(|it| it.reason.contains(why))
        })
        .await;
    }
    #[cfg(feature = "memory-accounting")]
    it.until("the one that leaks is stopped", || {
        let history = it.plugins.get("leaks").unwrap().history;
        history.iter().any(|it| it.reason.contains("more than its 32 MiB"))
    })
    .await;
    // What was not allowed did not happen, and is on record.
    assert!(it.events("recording.ended").is_empty());
    it.until("the trespass is on record", || !it.events("plugin.permission_denied").is_empty()).await;

    // Everything stops in time, also what never does.
    let stopped = tokio::time::timeout(PATIENCE, it.plugins.stop(Duration::from_secs(6))).await;
    assert!(stopped.is_ok());
    let states = it.states();
    assert_eq!(states["good"].0, State::Stopped);
    let (state, reason) = &states["never_stops"];
    assert!(*state == State::Failed && reason.contains("abandoned"), "{state:?} {reason}");
    // Nothing was doubled by all that.
    let mut of: Vec<_> = it.events("good.counted").iter().map(|it| it.payload["of"].to_string()).collect();
    of.sort();
    of.dedup();
    assert_eq!(of.len() as u64, EVENTS);
    assert_eq!(it.events("good.counted").len() as u64, EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_under_load_loses_nothing() {
    const EVENTS: u64 = 300;
    let dir = tempfile::tempdir().unwrap();
    let it = bench(dir.path(), only(&["good"])).await;
    let mut changes = 0;
    for n in 0..EVENTS {
        it.happen(n).await;
        if n % 50 == 25 {
            changes += 1;
            let mut config = it.plugins.get("good").unwrap().config;
            config["step"] = json!(10 + n);
            let done = it.plugins.configure("good", config).await.unwrap();
            assert_eq!(done.changed, ["step"]);
            assert_eq!(done.config["step"], json!(10 + n));
            assert_eq!(done.status.state, State::Running);
        }
    }
    it.until("all are handled", || it.events("good.counted").len() as u64 >= EVENTS).await;
    let mut of: Vec<_> = it.events("good.counted").iter().map(|it| it.payload["of"].clone()).collect();
    of.sort_by_key(ToString::to_string);
    of.dedup();
    assert_eq!(of.len() as u64, EVENTS, "each was handled once");
    assert_eq!(it.events("good.counted").len() as u64, EVENTS);
    assert_eq!(it.events("plugin.config_changed").len(), changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_used_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let it = bench(dir.path(), only(&["good"])).await;
    let before = it.plugins.get("good").unwrap().config;
    for (config, key) in [
        (json!({ "step": 0 }), "step"),
        (json!({ "step": "many" }), "step"),
        (json!({ "stepp": 1 }), "step"),
        (json!({ "unusable": true }), "unusable"),
        (json!({ "max_concurrent_tasks": 1000 }), "max_concurrent_tasks"),
    ] {
        let refused = it.plugins.configure("good", config.clone()).await.unwrap_err();
        let Error::Settings { problems, .. } = refused else { panic!("{config}: {refused:?}") };
        let text = problems.iter().map(ToString::to_string).collect::<String>();
        assert!(text.contains(key), "{config}: {text}");
    }
    let after = it.plugins.get("good").unwrap();
    assert_eq!((after.config, after.status.state), (before, State::Running));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_disabled_stays_so_and_keeps_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let it = bench(dir.path(), only(&["good", "needs_good"])).await;
    it.happen(0).await;
    it.until("one is handled", || it.events("needs_good.counted").len() == 1).await;
    it.plugins.disable("good").await.unwrap();
    let states = it.states();
    assert_eq!(states["good"].0, State::Disabled);
    // The one that needs it says so.
    assert!(states["needs_good"].0 == State::Failed && states["needs_good"].1.contains("good"));
    it.happen(1).await;
    it.plugins.stop(PATIENCE).await;
    drop(it);

    let it = bench(dir.path(), only(&["good", "needs_good"])).await;
    assert_eq!(it.states()["good"].0, State::Disabled);
    let refused = it.plugins.call("good", Request::new("GET", "/now/1")).await.unwrap_err();
    assert!(matches!(&refused, Error::NotRunning { .. }), "{refused:?}");
    it.plugins.enable("good").await.unwrap();
    it.until("what happened meanwhile is handled", || {
        ["good", "needs_good"].iter().all(|name| it.events(&format!("{name}.counted")).len() == 2)
    })
    .await;
    assert_eq!(it.states()["needs_good"].0, State::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_keeps_failing_is_given_up_until_it_is_enabled_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(&dir.path().join("events")).unwrap();
    let bus = Bus::start(log.clone(), Handle::current()).unwrap();
    let good = &only(&["good"])[0];
    let services = Services {
        site: Arc::new(site(dir.path())),
        desk: crate::speech::desk().0,
        roster: Roster::default(),
    };
    let slot = slot::Slot::new(good, 0, services, log, bus);
    let pauses: Vec<_> = (0..5)
        .map(|_| match slot.failed("it broke") {
            slot::Next::Again(pause) => pause.as_secs(),
            slot::Next::GiveUp(reason) => panic!("too early: {reason}"),
        })
        .collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16]);
    assert!(matches!(slot.failed("it broke"), slot::Next::GiveUp(why) if why.contains("it broke")));
    assert!(slot.held_back().is_some());
    slot.forgive();
    assert!(slot.held_back().is_none() && matches!(slot.failed("again"), slot::Next::Again(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let it = bench(dir.path(), only(&["good"])).await;
    for name in ["", "..", "../good", "nobody", "good/..", "GOOD"] {
        let refused = it.plugins.enable(name).await.unwrap_err();
        assert!(
            matches!(&refused, Error::Unknown { instead, .. } if instead.contains("good")),
            "{name}: {refused:?}"
        );
    }
    assert!(it.plugins.route("good", "GET", "/now/1").unwrap().is_some());
    assert!(it.plugins.route("good", "GET", "/now").unwrap().is_none());
    assert!(it.plugins.route("good", "POST", "/now/1").unwrap().is_none());
}
