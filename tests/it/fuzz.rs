//! The fuzz targets as ordinary tests: the seeds, and thousands of inputs made of them by chance that is
//! the same each time. Owns making inputs; the rules are in `panotti::fuzzing`.

use std::{fs, path::Path};

use panotti::fuzzing;
use panotti_sdk::{Event, EventContext, Priority};
use serde_json::json;
use uuid::Uuid;

/// Inputs of each kind for each target.
const INPUTS: usize = 4000;

/// xorshift64*: the same numbers everywhere.
struct Chance(u64);

impl Chance {
    /// Less than `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

/// The files of `tests/fuzz/corpus/<target>`, in the order of their names.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files.iter().map(|it| fs::read(it).unwrap()).collect()
}

/// A few bytes changed, taken out, put in, or brought from another seed.
fn mutate(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut data = seeds[chance.below(seeds.len())].clone();
    for _ in 0..=chance.below(4) {
        let at = chance.below(data.len() + 1);
        let end = (at + chance.below(8)).min(data.len());
        match chance.below(5) {
            0 => drop(data.drain(at..end)),
            1 => data.insert(at, chance.byte()),
            2 => data[at..end].iter_mut().for_each(|it| *it ^= 1 << chance.below(8)),
            3 => {
                let again = data[at..end].to_vec();
                drop(data.splice(at..at, again));
            }
            _ => {
                let other = &seeds[chance.below(seeds.len())];
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(24)).min(other.len());
                drop(data.splice(at..end, other[from..to].to_vec()));
            }
        }
    }
    data
}

/// How many of the inputs were understood: all seeds but those whose rule is to be refused, some of the
/// mutated, few of the random.
fn fuzz(target: &str, rule: fn(&[u8]) -> bool) -> [usize; 3] {
    let seeds = seeds(target);
    let mut chance = Chance(0x5EED);
    let random: Vec<Vec<u8>> = (0..INPUTS)
        .map(|_| {
            let length = chance.below(200);
            (0..length).map(|_| chance.byte()).collect()
        })
        .collect();
    let mutated: Vec<Vec<u8>> = (0..INPUTS).map(|_| mutate(&seeds, &mut chance)).collect();
    [&seeds, &mutated, &random].map(|inputs| {
        let understood = inputs.iter().filter(|data| {
            // A panic shows the rule; this shows the input.
            let outcome = std::panic::catch_unwind(|| rule(data));
            outcome.unwrap_or_else(|_| {
                panic!("{target} breaks a rule with {:?}", data.escape_ascii().to_string())
            })
        });
        understood.count()
    })
}

fn events() -> Vec<(&'static str, Event)> {
    let plain = Event {
        seq: 7,
        id: Uuid::from_u128(1),
        name: "recording.ended".parse().unwrap(),
        payload: json!({ "n": 3, "level": 0.1, "tags": ["a", null, true], "people": [{ "name": "Ada" }] }),
        context: EventContext {
            correlation_id: Uuid::from_u128(2),
            causation_id: None,
            timestamp: "2026-01-01T12:00:00.5Z".parse().unwrap(),
            source_plugin: None,
            metadata: serde_json::Map::new(),
        },
        priority: Priority::Normal,
    };
    let mut full = plain.clone();
    full.name = "transcription_local.completed".parse().unwrap();
    full.payload = json!({ "text": "Höhle \"7\"\n", "numbers": [-1, u64::MAX, i64::MIN, 1e-300, -0.25] });
    full.context.causation_id = Some(Uuid::from_u128(3));
    full.context.source_plugin = Some("api".into());
    full.context.metadata.insert("x-room".into(), json!({ "floor": 2 }));
    full.priority = Priority::Critical;
    let mut odd = plain.clone();
    odd.payload = json!(null);
    odd.context.timestamp = "-000100-01-01T00:00:00Z".parse().unwrap();
    odd.context.source_plugin = Some(String::new());
    odd.priority = Priority::Low;
    vec![("plain", plain), ("full", full), ("odd", odd)]
}

/// The seeds are what today's program stores: a change of the stored form shows here.
#[test]
fn the_stored_form_is_that_of_the_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/envelope");
    for (name, event) in events() {
        let bytes = fuzzing::encode(&event);
        let path = folder.join(name);
        if std::env::var_os("PANOTTI_WRITE_SEEDS").is_some() {
            fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
    }
}

#[test]
fn any_stored_event_is_one_or_an_error() {
    let [seeds, mutated, _] = fuzz("envelope", fuzzing::envelope);
    assert_eq!(seeds, events().len());
    assert!(mutated > INPUTS / 50, "{mutated}");
}

#[test]
fn any_condition_is_one_or_an_error() {
    let [seeds, mutated, _] = fuzz("condition", fuzzing::condition);
    assert!(seeds > 4 && mutated > INPUTS / 50, "{seeds} {mutated}");
}

#[test]
fn any_topic_is_one_or_an_error() {
    let [seeds, mutated, _] = fuzz("topic", fuzzing::topic);
    assert!(seeds > 4 && mutated > INPUTS / 50, "{seeds} {mutated}");
}
