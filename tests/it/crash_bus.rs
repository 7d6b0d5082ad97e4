//! The bus killed at any instant: whatever a handler answers with is in the log exactly once.
//!
//! A child process publishes with many writers and handles all of it with two subscriptions, some of whose
//! deliveries fail, while a replay goes on. What has to be true is true after each kill, not only at the
//! end: of each chain, each subscription has settled the first so many events, in order, each with one
//! effect or one dead letter, and the rows that handlers changed say the same as the effects.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    num::NonZeroUsize,
    pin::Pin,
    process::Command,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use panotti::{
    bus::{
        Answer, Bus, Effects, Handler, Replay, ReplayRequest, ReplayState, RetryPolicy, Running, Start,
        Subscription,
    },
    event_log::{EventLog, Put, Table},
};
use panotti_sdk::{Delivery, Event, Filter, HandlerError, NewEvent};
use serde_json::json;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    harness::PATIENCE,
    killed::{Random, Written, all, child, child_dir, rounds, run_and_kill, write_until_killed},
};

const SUBSCRIPTIONS: [&str; 2] = ["eager", "picky"];
/// Correlation ids that the writers share.
const CHAINS: u64 = 12;
/// So many of the newest events a replay goes back over.
const REPLAYED: u64 = 150;
/// Attempts that the policy allows.
const ATTEMPTS: u32 = 3;

/// How the first delivery of an event ends, whichever process it is in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// At this attempt it goes well.
    Well(u32),
    Never,
    Permanent,
}

fn fate(subscription: &str, seq: u64) -> Fate {
    let shift = if subscription == SUBSCRIPTIONS[0] { 0 } else { 5 };
    match (seq * 7 + shift) % 16 {
        0 => Fate::Never,
        1 => Fate::Permanent,
        2..=4 => Fate::Well(2),
        5 => Fate::Well(ATTEMPTS),
        _ => Fate::Well(1),
    }
}

fn is_given_up(subscription: &str, seq: u64) -> bool {
    !matches!(fate(subscription, seq), Fate::Well(_))
}

/// Where a subscription counts its effects in a chain.
fn counter(subscription: &str, chain: Uuid) -> String {
    format!("{subscription}/{chain}")
}

fn count(log: &EventLog, key: &str) -> u64 {
    let row = log.get(Table::PluginState, key).unwrap();
    row.map_or(0, |row| String::from_utf8(row).unwrap().parse().unwrap())
}

/// Answers with an event and with a row that is one more than before: two that ran at once, or one that
/// ran twice, would be seen in the numbers.
struct Counts {
    subscription: &'static str,
    log: EventLog,
}

impl Counts {
    fn answer(&self, delivery: &Delivery) -> Answer {
        let (event, name) = (&delivery.event, self.subscription);
        // What was given up goes well when it is replayed.
        let well_at = match (fate(name, event.seq), delivery.replay) {
            (Fate::Well(attempt), _) => attempt,
            (_, Some(_)) => 1,
            (Fate::Never, None) => u32::MAX,
            (Fate::Permanent, None) => return Err(HandlerError::permanent("never")),
        };
        if delivery.attempt < well_at {
            return Err(HandlerError::retryable("not now"));
        }
        let key = counter(name, event.context.correlation_id);
        let nth = count(&self.log, &key);
        let payload = json!({ "by": name, "of": event.seq, "nth": nth, "replay": delivery.replay });
        let effect = NewEvent::new("effect.done".parse().unwrap(), payload).caused_by(event);
        let row = Put { table: Table::PluginState, key, value: Some((nth + 1).to_string().into_bytes()) };
        Ok(Effects { events: vec![effect], puts: vec![row] })
    }
}

impl Handler for Counts {
    fn handle(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(async move {
            // So that others run meanwhile.
            tokio::task::yield_now().await;
            self.answer(&delivery)
        })
    }
}

fn wanted() -> Filter {
    Filter::topic("test.**".parse().unwrap())
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The bus on `log` with both subscriptions.
async fn start(log: &EventLog) -> (Bus, Vec<Running>) {
    let bus = Bus::start(log.clone(), tokio::runtime::Handle::current()).unwrap();
    let mut running = Vec::new();
    for name in SUBSCRIPTIONS {
        let ms = Duration::from_millis;
        let subscription = Subscription {
            start: Start::Beginning,
            max_concurrent_tasks: NonZeroUsize::new(8).unwrap(),
            retry: RetryPolicy { retries: ATTEMPTS - 1, base: ms(1), max: ms(4) },
            ..Subscription::new(name, wanted())
        };
        let handler = Counts { subscription: name, log: log.clone() };
        running.push(bus.subscribe(subscription, handler).await.unwrap());
    }
    (bus, running)
}

/// Begins a replay unless one runs: of the newest events and of dead letters by turns.
async fn replay(log: &EventLog, bus: &Bus) {
    let replays = bus.replays().unwrap();
    if replays.iter().any(|replay| replay.state == ReplayState::Running) {
        return;
    }
    let last = log.last_seq().unwrap();
    let newest = log.read(last.saturating_sub(REPLAYED), 1, &Filter::default()).unwrap();
    let request = ReplayRequest {
        filter: Filter { from: newest.first().map(|event| event.context.timestamp), ..wanted() },
        dead_letters: replays.len() % 2 == 1,
        batch_size: 10,
        interval: Duration::from_millis(1),
        ..ReplayRequest::default()
    };
    bus.replay(request).await.unwrap();
}

#[test]
#[ignore = "run by each_effect_is_there_once_after_sigkill_at_any_instant"]
fn child_that_is_killed() {
    let (log, runtime) = (EventLog::open(&child_dir()).unwrap(), runtime());
    let _handling = runtime.block_on(async {
        let (bus, running) = start(&log).await;
        replay(&log, &bus).await;
        (bus, running)
    });
    write_until_killed(&log, |n, mut batch| {
        for (part, event) in (0..).zip(&mut batch.events) {
            event.correlation_id = Some(Uuid::from_u128(u128::from((n + part) % CHAINS) + 1));
        }
        batch
    });
}

/// What the log says so far, event by event.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    written: Written,
    /// By chain: the wanted events' `seq` and ids, in order.
    chains: BTreeMap<Uuid, Vec<(u64, Uuid)>>,
    /// By subscription and chain: how many of the chain are settled, and how many effects there are.
    settled: BTreeMap<(String, Uuid), (usize, u64)>,
    /// When the dead letters that there are were parked, by `seq` and subscription.
    parked: BTreeMap<(u64, String), Timestamp>,
    /// What was parked when a replay of dead letters began, by replay.
    parked_before: BTreeMap<Uuid, BTreeMap<(u64, String), Timestamp>>,
    /// By replay and subscription: what has an effect.
    replayed: BTreeMap<(Uuid, String), BTreeSet<u64>>,
    /// Replays that began and did not end.
    replaying: u64,
}

impl Seen {
    fn see(&mut self, event: &Event) {
        self.written.see(event);
        let (payload, chain) = (&event.payload, event.context.correlation_id);
        let text = |field: &str| payload[field].as_str().map(str::to_owned);
        let number = |field: &str| payload[field].as_u64().unwrap();
        match event.name.as_str() {
            "test.happened" => self.chains.entry(chain).or_default().push((event.seq, event.id)),
            "effect.done" => {
                let (by, of) = (text("by").unwrap(), number("of"));
                let caused = self.chains[&chain].binary_search_by_key(&of, |it| it.0).unwrap();
                assert_eq!(event.context.causation_id, Some(self.chains[&chain][caused].1), "{event:?}");
                let (settled, effects) = self.settled.entry((by.clone(), chain)).or_default();
                assert_eq!(
                    number("nth"),
                    *effects,
                    "no effect counted itself twice or another not: {event:?}"
                );
                *effects += 1;
                let Some(replay) = text("replay") else {
                    assert_eq!(caused, *settled, "each once, in order: {event:?}");
                    assert!(!is_given_up(&by, of), "{event:?}");
                    *settled += 1;
                    return;
                };
                self.parked.remove(&(of, by.clone()));
                let done = self.replayed.entry((replay.parse().unwrap(), by)).or_default();
                // In order within the chain: nothing of it that comes later is done.
                let later = self.chains[&chain][caused..].iter().find(|it| done.contains(&it.0));
                assert_eq!(later, None, "each once in a replay, in order: {event:?}");
                done.insert(of);
            }
            "subscription.dead_lettered" => {
                let (by, of) = (text("subscription").unwrap(), number("seq"));
                let (settled, _) = self.settled.entry((by.clone(), chain)).or_default();
                assert_eq!(of, self.chains[&chain][*settled].0, "each once, in order: {event:?}");
                assert!(is_given_up(&by, of), "{event:?}");
                *settled += 1;
                self.parked.insert((of, by), event.context.timestamp);
            }
            "replay.started" => {
                self.parked_before.insert(chain, self.parked.clone());
                self.replaying += 1;
            }
            "replay.completed" => self.replaying -= 1,
            other => panic!("nobody publishes {other}"),
        }
    }

    /// Looks at what is new in `log`, and whether its rows say the same.
    fn catch_up(&mut self, log: &EventLog, acknowledged: &HashMap<Uuid, u64>) {
        all(log, self.written.last_seq()).iter().for_each(|event| self.see(event));
        self.written.check(log, acknowledged);
        for ((subscription, chain), (_, effects)) in &self.settled {
            assert_eq!(count(log, &counter(subscription, *chain)), *effects, "{subscription} {chain}");
        }
        let letters = log.rows(Table::DeadLetters, None, usize::MAX).unwrap();
        let letters = letters.iter().map(|(key, _)| key.split_once('/').unwrap());
        let letters: BTreeSet<_> = letters.map(|(seq, by)| (seq.parse().unwrap(), by.to_owned())).collect();
        assert!(letters.iter().eq(self.parked.keys()), "{letters:?} {:?}", self.parked);
    }

    /// Wanted events that a subscription has not settled, of all subscriptions.
    fn open(&self) -> usize {
        let all = self.chains.values().map(Vec::len).sum::<usize>() * SUBSCRIPTIONS.len();
        all - self.settled.values().map(|it| it.0).sum::<usize>()
    }

    /// Whether a replay that has ended did all of it; `stored` are all events.
    fn check_replay(&self, replay: &Replay, stored: &[Event]) {
        assert_eq!(replay.state, ReplayState::Completed);
        let wants = |seq: u64| seq <= replay.until && replay.request.filter.wants(&stored[seq as usize - 1]);
        for name in &replay.subscriptions {
            let done = self.replayed.get(&(replay.id, name.clone())).cloned().unwrap_or_default();
            if !replay.request.dead_letters {
                let all: BTreeSet<_> = (1..=replay.until).filter(|seq| wants(*seq)).collect();
                assert_eq!(done, all, "{replay:?}");
                continue;
            }
            assert!(done.iter().all(|seq| is_given_up(name, *seq) && wants(*seq)), "{replay:?}");
            // What is parked while it begins may belong to it or not.
            let before = self.parked_before[&replay.id].iter();
            let before = before.filter(|((_, by), at)| by == name && **at <= replay.started_at);
            for ((seq, _), _) in before.filter(|((seq, _), _)| wants(*seq)) {
                assert!(done.contains(seq), "{seq} was not replayed: {replay:?}");
            }
        }
    }
}

/// Runs the bus until nothing is left to do.
async fn work_off(log: &EventLog) -> Vec<Replay> {
    let (bus, running) = start(log).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let replaying = bus.replays().unwrap().iter().any(|it| it.state == ReplayState::Running);
        if !replaying && bus.subscriptions().unwrap().iter().all(|it| it.lag == 0) {
            break;
        }
        assert!(Instant::now() < deadline, "{:#?} {:#?}", bus.subscriptions(), bus.replays());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for running in running {
        running.stop(PATIENCE).await;
    }
    bus.stop().await;
    bus.replays().unwrap()
}

#[test]
fn each_effect_is_there_once_after_sigkill_at_any_instant() {
    let mut random = Random::new();
    let (mut kills, mut in_work, mut in_replay, mut effects, mut letters) = (0, 0, 0, 0, 0);
    let began = Instant::now();
    for rounds in rounds(200) {
        let dir = tempfile::tempdir().unwrap();
        let (mut seen, mut acknowledged) = (Seen::default(), HashMap::new());
        for round in rounds {
            let mut command = Command::new(std::env::current_exe().unwrap());
            child(&mut command, "crash_bus::child_that_is_killed", dir.path());
            let wanted = if round % 6 == 5 { 0 } else { 1 + random.below(100) };
            run_and_kill(&mut command, wanted, &mut random, &mut acknowledged);
            seen.catch_up(&EventLog::open(dir.path()).unwrap(), &acknowledged);
            kills += 1;
            in_work += u64::from(seen.open() > 0);
            in_replay += u64::from(seen.replaying > 0);
        }
        let log = EventLog::open(dir.path()).unwrap();
        let replays = runtime().block_on(work_off(&log));
        seen.catch_up(&log, &acknowledged);
        assert_eq!((seen.open(), seen.replaying), (0, 0), "everything was handled or given up");
        let stored = all(&log, 0);
        replays.iter().for_each(|replay| seen.check_replay(replay, &stored));
        // What the rounds before saw is unchanged.
        let mut again = Seen::default();
        stored.iter().for_each(|event| again.see(event));
        assert_eq!(again, seen);
        effects += seen.settled.values().map(|it| it.1).sum::<u64>();
        letters += stored.iter().filter(|it| it.name.as_str() == "subscription.dead_lettered").count();
    }
    println!(
        "{kills} kills in {:?}: {in_work} with open deliveries, {in_replay} in a replay; {effects} effects, \
         {letters} dead letters",
        began.elapsed()
    );
    assert!(in_work * 2 > kills && in_replay > 0 && letters > 0, "too little was going on");
}
