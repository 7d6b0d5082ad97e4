//! The bus against a simple reference under random operations and restarts.
//!
//! Each event carries a script: what its handler does at each attempt. The reference knows only which
//! events were wanted and how their scripts end; the bus must come to the same end by whatever way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use proptest::prelude::*;

use super::*;

const NAME: &str = "a";
/// Attempts that the policy allows.
const ATTEMPTS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Ok,
    Fail,
    Permanent,
    Panic,
}

#[derive(Debug, Clone)]
enum Step {
    Publish {
        chain: u8,
        priority: Priority,
        wanted: bool,
        script: Vec<Act>,
        dead_again: bool,
    },
    /// Lets the bus work on for a moment.
    Work(u8),
    Stop {
        grace: bool,
    },
    Crash,
    Replay {
        dead_letters: bool,
        batch_size: usize,
    },
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop_oneof![
        Just(Priority::Low),
        Just(Priority::Normal),
        Just(Priority::High),
        Just(Priority::Critical)
    ];
    let act = prop_oneof![5 => Just(Act::Ok), 3 => Just(Act::Fail), 1 => Just(Act::Permanent), 1 => Just(Act::Panic)];
    let script = prop::collection::vec(act, 0..5);
    let publish = (0..4_u8, priority, prop::bool::weighted(0.8), script, any::<bool>());
    prop_oneof![
        12 => publish.prop_map(|(chain, priority, wanted, script, dead_again)| Step::Publish { chain, priority, wanted, script, dead_again }),
        4 => (0..30_u8).prop_map(Step::Work),
        1 => any::<bool>().prop_map(|grace| Step::Stop { grace }),
        1 => Just(Step::Crash),
        2 => (any::<bool>(), 1..4_usize).prop_map(|(dead_letters, batch_size)| Step::Replay { dead_letters, batch_size }),
        1 => any::<usize>().prop_map(Step::Drop),
    ]
}

/// How a script ends: handled, or given up.
fn handled(script: &[Act]) -> bool {
    let first = script.iter().take(ATTEMPTS).position(|act| matches!(act, Act::Ok | Act::Permanent));
    match first {
        Some(place) => script[place] == Act::Ok,
        None => script.len() < ATTEMPTS,
    }
}

/// What was begun, in order: delivery's chain, key (event and replay), event.
type Begun = Arc<Mutex<Vec<(Uuid, Option<Uuid>, u64)>>>;

fn handler(begun: Begun) -> impl Handler {
    acts(move |delivery: Delivery| {
        let begun = Arc::clone(&begun);
        async move {
            let event = &delivery.event;
            begun.lock().unwrap().push((event.context.correlation_id, delivery.replay, event.seq));
            tokio::task::yield_now().await;
            let script: Vec<String> = serde_json::from_value(event.payload["script"].clone()).unwrap();
            let attempt = usize::try_from(delivery.attempt).unwrap() - 1;
            // In a replay everything goes well, but for those that never get well.
            let act = match delivery.replay {
                Some(_) if event.payload["dead_again"] == json!(true) => "Permanent",
                Some(_) => "Ok",
                None => script.get(attempt).map_or("Ok", String::as_str),
            };
            match act {
                "Ok" => Ok(effects(vec![child(&delivery)])),
                "Fail" => Err(HandlerError::retryable("fails")),
                "Permanent" => Err(HandlerError::permanent("never")),
                _ => panic!("panics"),
            }
        }
    })
}

/// The reference.
#[derive(Default)]
struct Reference {
    /// Wanted events: whether they are handled in the end, and whether a replay of them fails.
    wanted: BTreeMap<u64, (bool, bool)>,
    /// All keys of effects that must be there, once.
    dropped: BTreeSet<u64>,
    replays: Vec<Replay>,
}

async fn run(steps: Vec<Step>) {
    let mut world = World::new().await;
    let mut reference = Reference::default();
    let begun = Begun::default();
    let mut running =
        Some(world.bus.subscribe(subscription(NAME, 3), handler(Arc::clone(&begun))).await.unwrap());
    let mut cursor = 0;
    for step in steps {
        match step {
            Step::Publish { chain, priority, wanted, script, dead_again } => {
                let name = if wanted { "test.happened" } else { "other.happened" };
                let text: Vec<_> = script.iter().map(|act| format!("{act:?}")).collect();
                let payload = json!({ "script": text, "dead_again": dead_again });
                let new = NewEvent::new(name.parse::<EventName>().unwrap(), payload);
                let event = world.publish(new.correlated(chain_id(chain)).with_priority(priority)).await;
                if wanted {
                    reference.wanted.insert(event.seq, (handled(&script), dead_again));
                }
            }
            Step::Work(turns) => {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            Step::Stop { grace } => {
                let grace = if grace { FOREVER } else { Duration::ZERO };
                running.take().unwrap().stop(grace).await;
                running = Some(
                    world.bus.subscribe(subscription(NAME, 3), handler(Arc::clone(&begun))).await.unwrap(),
                );
            }
            Step::Crash => {
                running.take().unwrap().task.abort();
                world = world.restart().await;
                running = Some(
                    world.bus.subscribe(subscription(NAME, 3), handler(Arc::clone(&begun))).await.unwrap(),
                );
            }
            Step::Replay { dead_letters, batch_size } => {
                let interval = Duration::from_millis(1);
                let request =
                    ReplayRequest { dead_letters, batch_size, interval, ..ReplayRequest::default() };
                if let Ok(replay) = world.bus.replay(request).await {
                    reference.replays.push(replay);
                }
            }
            Step::Drop(nth) => {
                let letters = world.letters();
                if !letters.is_empty() {
                    let seq = letters[nth % letters.len()].event.seq;
                    // A replay may have been quicker.
                    if world.bus.drop_dead_letter(NAME, seq).await.is_ok() {
                        reference.dropped.insert(seq);
                    }
                }
            }
        }
        let stored = world.bus.low_watermark().unwrap().unwrap();
        assert!(stored >= cursor, "the stored cursor went back");
        cursor = stored;
    }
    for replay in &reference.replays {
        world
            .until("replayed", |bus| bus.get_replay(replay.id).unwrap().state == ReplayState::Completed)
            .await;
    }
    world.settled(NAME).await;
    check(&world, &reference, &begun.lock().unwrap());
    running.take().unwrap().stop(FOREVER).await;
}

fn check(world: &World, reference: &Reference, begun: &[(Uuid, Option<Uuid>, u64)]) {
    // Effects: each at most once, those of first deliveries exactly for what is handled.
    let effects = world.named("effect.done");
    let mut keys = BTreeSet::new();
    let mut first = BTreeSet::new();
    let mut replayed: BTreeMap<Uuid, BTreeSet<u64>> = BTreeMap::new();
    for effect in &effects {
        let (of, key) = (effect.payload["of"].as_u64().unwrap(), effect.payload["key"].as_str().unwrap());
        assert!(keys.insert(key.to_owned()), "{of} has an effect twice");
        match key.split_once('/') {
            None => assert!(first.insert(of)),
            Some((_, replay)) => assert!(replayed.entry(replay.parse().unwrap()).or_default().insert(of)),
        }
    }
    let handled: BTreeSet<_> = reference.wanted.iter().filter(|it| it.1.0).map(|it| *it.0).collect();
    assert_eq!(first, handled, "first deliveries");
    let letters: BTreeSet<_> = world.letters().iter().map(|it| it.event.seq).collect();
    assert_eq!(world.bus.dead_letter_count().0, letters.len() as u64);
    for (seq, (handled, dead_again)) in &reference.wanted {
        let well = replayed.values().any(|seqs| seqs.contains(seq));
        let dropped = reference.dropped.contains(seq);
        assert!(!(well && *dead_again), "{seq} cannot have gone well");
        // What was given up is parked, unless a replay went well or somebody dropped it.
        let of_replay = reference.replays.iter().any(|it| !it.request.dead_letters && it.until >= *seq);
        match (handled, letters.contains(seq)) {
            (false, false) => assert!(well || dropped, "{seq} is lost"),
            (true, true) => assert!(*dead_again && of_replay, "{seq} is parked without reason"),
            _ => {}
        }
    }
    // Every replay of events delivered each wanted one, well or to its dead letter.
    for replay in reference.replays.iter().filter(|it| !it.request.dead_letters) {
        let wanted = reference.wanted.iter().filter(|(seq, _)| **seq <= replay.until);
        let well: BTreeSet<_> = wanted.clone().filter(|it| !it.1.1).map(|it| *it.0).collect();
        assert_eq!(replayed.get(&replay.id).cloned().unwrap_or_default(), well);
        let progress = world.bus.get_replay(replay.id).unwrap();
        assert_eq!((progress.delivered + progress.failed) as usize, wanted.count());
    }
    // Order: of one chain, by first deliveries, each event begins only after those before it.
    let mut last: BTreeMap<(Uuid, Option<Uuid>), u64> = BTreeMap::new();
    let settled_before =
        |seq: u64, place: usize| !begun[place..].iter().any(|it| it.1.is_none() && it.2 == seq);
    for (place, (chain, replay, seq)) in begun.iter().enumerate() {
        let last = last.entry((*chain, *replay)).or_default();
        if replay.is_none() {
            // Going back is repeating what was cut short, and then nothing in between may be done.
            assert!(*seq >= *last, "{seq} began after {last}, of one chain");
            assert!(*last == *seq || *last == 0 || settled_before(*last, place), "{last} is not done");
        }
        *last = (*last).max(*seq);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_bus_comes_to_the_end_of_the_reference(steps in prop::collection::vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
