//! A box that is killed at any instant while its plugins are enabled, disabled and configured: the settings
//! are the old or the new ones, what was answered is kept, the plugin runs with it, and each event is handled
//! once.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    harness::{KEY, PATIENCE, Panotti, Setup},
    killed::{Random, rounds},
    plugins::{ended, rested, setup, told_of},
};

/// What the settings file says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    enabled: bool,
    setting: String,
}

/// A change that the API is asked for.
#[derive(Debug, Clone)]
enum Change {
    Enable,
    Disable,
    Configure(String),
}

impl Change {
    fn of(self, kept: &Kept) -> Kept {
        match self {
            Self::Enable => Kept { enabled: true, ..kept.clone() },
            Self::Disable => Kept { enabled: false, ..kept.clone() },
            Self::Configure(setting) => Kept { setting, ..kept.clone() },
        }
    }
}

/// What is known of a box while it is changed.
#[derive(Debug)]
struct Known {
    /// What was answered last.
    kept: Kept,
    /// What was asked for and not answered yet.
    asked: Option<Kept>,
    /// Meetings whose end was acknowledged.
    told: BTreeSet<String>,
    changes: u64,
}

/// The settings file, which is whole.
fn read(data_dir: &Path) -> Kept {
    let text = fs::read_to_string(data_dir.join("plugins.d/example.yaml")).unwrap();
    let settings: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(settings["name"], "example", "{text}");
    let setting = settings["config"]["example_setting"].as_str().unwrap_or("value").to_owned();
    Kept { enabled: settings["enabled"].as_bool().unwrap(), setting }
}

/// Sends a request; `None` once the box is gone.
async fn send(http: &reqwest::Client, method: &str, url: String, body: &Value) -> Option<u16> {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let answer = http.request(method, url).header("X-API-Key", KEY).json(body).send().await.ok()?;
    let status = answer.status().as_u16();
    answer.bytes().await.ok()?;
    Some(status)
}

/// Changes the example one way after the other until the box is gone.
async fn change(http: reqwest::Client, url: String, known: Arc<Mutex<Known>>, mut random: Random) {
    for n in 0_u64.. {
        let change = match random.below(4) {
            0 => Change::Enable,
            1 => Change::Disable,
            _ => Change::Configure(format!("setting {} {n}", random.below(1_000_000))),
        };
        let (method, path, body) = match &change {
            Change::Enable => ("POST", "enable", json!({})),
            Change::Disable => ("POST", "disable", json!({})),
            Change::Configure(setting) => {
                ("PUT", "config", json!({ "config": { "example_setting": setting } }))
            }
        };
        let new = {
            let mut known = known.lock().unwrap();
            let new = change.of(&known.kept);
            known.asked = Some(new.clone());
            new
        };
        let Some(status) = send(&http, method, format!("{url}/plugins/example/{path}"), &body).await else {
            return;
        };
        assert_eq!(status, 200, "{method} {path}");
        let mut known = known.lock().unwrap();
        known.kept = new;
        known.asked = None;
        known.changes += 1;
    }
}

/// Tells of ended meetings until the box is gone.
async fn publish(http: reqwest::Client, url: String, known: Arc<Mutex<Known>>, round: u64) {
    for n in 0_u64.. {
        let id = format!("{round}-{n}");
        let Some(status) = send(&http, "POST", format!("{url}/events"), &ended(&id)).await else { return };
        assert!((200..300).contains(&status), "{status}");
        known.lock().unwrap().told.insert(id);
    }
}

/// Lets a box be changed, and kills it `micros` after `wanted` more changes were answered.
async fn change_and_kill(
    box_: Panotti,
    round: u64,
    (wanted, micros): (u64, u64),
    known: &Arc<Mutex<Known>>,
    random: Random,
) -> Setup {
    let (http, url) = (reqwest::Client::new(), box_.url(""));
    let changes = || known.lock().unwrap().changes;
    let wanted = changes() + wanted;
    let changing = tokio::spawn(change(http.clone(), url.clone(), known.clone(), random));
    let publishing = tokio::spawn(publish(http, url, known.clone(), round));
    box_.until("it is changed", async || (changes() >= wanted).then_some(())).await;
    // The instant is meant to be any.
    tokio::time::sleep(Duration::from_micros(micros)).await;
    let setup = box_.kill();
    for task in [changing, publishing] {
        tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    }
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_survive_sigkill_at_any_instant() {
    let mut random = Random::new();
    let (mut kills, mut in_change, mut undone, mut done, mut changes) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    for rounds in rounds(36) {
        let first = Kept { enabled: true, setting: "value".to_owned() };
        let known = Known { kept: first, asked: None, told: BTreeSet::new(), changes: 0 };
        let known = Arc::new(Mutex::new(known));
        let box_ = setup().start();
        // From here on it has a place in the log; what was before is not its own.
        box_.post("/plugins/example/enable", json!({})).await;
        let mut setup = box_.kill();
        for round in rounds {
            let box_ = setup.start();
            // Sometimes it is killed while it starts its plugins.
            let when = match round % 6 {
                5 => (0, random.below(2_000)),
                _ => (random.below(5), random.below(40_000)),
            };
            let seed = random.below(u64::MAX);
            setup = change_and_kill(box_, round, when, &known, Random::seeded(seed)).await;
            kills += 1;
            let found = read(&setup.data_dir());
            {
                let mut known = known.lock().unwrap();
                if let Some(asked) = known.asked.take() {
                    in_change += 1;
                    undone += u64::from(found != asked);
                    done += u64::from(found == asked && found != known.kept);
                    if found == asked {
                        known.kept = asked;
                    }
                }
                assert_eq!(found, known.kept, "what was answered is kept");
            }
            if round % 4 == 3 {
                let box_ = setup.start();
                let example = rested(&box_, "example").await;
                let state = if found.enabled { "running" } else { "disabled" };
                assert_eq!(
                    (&example["state"], &example["enabled"], &example["config"]["example_setting"]),
                    (&json!(state), &json!(found.enabled), &json!(found.setting)),
                    "{example}"
                );
                setup = box_.kill();
            }
        }
        let box_ = setup.start();
        box_.post("/plugins/example/enable", json!({})).await;
        box_.until("everything is handled", async || {
            (box_.get("/plugins/example/status").await["lag"] == 0).then_some(())
        })
        .await;
        let setup = box_.stop().1;
        let (told, known) = (told_of(&setup.data_dir()), known.lock().unwrap());
        assert!(known.told.iter().all(|it| told.contains_key(it)), "what was acknowledged is there");
        assert!(told.values().all(|it| it.len() == 1), "each is handled once: {told:?}");
        changes += known.changes;
    }
    println!(
        "{kills} kills, {changes} changes; {in_change} in a change, of which {undone} undone, {done} done"
    );
    assert!(in_change * 2 > kills && changes > kills, "too little was going on");
}
