//! The order of deliveries against its rule, written down naively.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{
    super::scheduler::{FAIR, Scheduler},
    *,
};

#[derive(Debug, Clone)]
enum Step {
    Push(u8, Priority),
    Pick,
    /// The n-th of the busy chains ends, or is tried again after so many ticks.
    End(usize, Option<u64>),
    Tick(u64),
    /// Only even items are kept.
    Retain,
}

fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High), Just(Priority::Critical)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_u8, priority()).prop_map(|(chain, priority)| Step::Push(chain, priority)),
        6 => Just(Step::Pick),
        5 => (any::<usize>(), prop::option::weighted(0.4, 0..4_u64)).prop_map(|(n, wait)| Step::End(n, wait)),
        2 => (1..4_u64).prop_map(Step::Tick),
        1 => Just(Step::Retain),
    ]
}

/// What waits, in the order it came.
#[derive(Debug, Clone)]
struct Waiting {
    chain: u8,
    priority: Priority,
    item: u64,
    busy: bool,
    due: u64,
}

/// The rule, word for word.
fn rule(all: &[Waiting], picks: u64, now: u64) -> Option<u64> {
    let head = |chain| all.iter().find(|it| it.chain == chain);
    let heads = all.iter().filter(|it| head(it.chain).is_some_and(|head| head.item == it.item));
    let ready: Vec<_> = heads.filter(|it| !it.busy && it.due <= now).collect();
    let urgency =
        |it: &&&Waiting| all.iter().filter(|other| other.chain == it.chain).map(|it| it.priority).max();
    let most = ready.iter().map(|it| urgency(&it)).max()?;
    let mut first = ready.iter().filter(|it| (picks + 1).is_multiple_of(FAIR) || urgency(it) == most);
    first.next().map(|it| it.item)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_order_follows_the_rule(steps in prop::collection::vec(step(), 1..120)) {
        let (start, mut now) = (Instant::now(), 0);
        let at = |tick| start + Duration::from_secs(tick);
        let mut scheduler = Scheduler::new();
        let mut all: Vec<Waiting> = Vec::new();
        let (mut items, mut picks) = (0, 0);
        for step in steps {
            match step {
                Step::Push(chain, priority) => {
                    items += 1;
                    all.push(Waiting { chain, priority, item: items, busy: false, due: 0 });
                    scheduler.push(chain_id(chain), priority, items);
                }
                Step::Pick => {
                    scheduler.wake(at(now));
                    let expected = rule(&all, picks, now);
                    let picked = scheduler.pick().map(|(_, item)| *item);
                    prop_assert_eq!(picked, expected);
                    picks += u64::from(picked.is_some());
                    all.iter_mut().filter(|it| Some(it.item) == picked).for_each(|it| it.busy = true);
                }
                Step::End(n, wait) => {
                    let busy: Vec<_> = all.iter().filter(|it| it.busy).cloned().collect();
                    let Some(it) = (!busy.is_empty()).then(|| busy[n % busy.len()].clone()) else { continue };
                    let place = all.iter().position(|other| other.item == it.item).unwrap();
                    match wait {
                        None => {
                            all.remove(place);
                            prop_assert_eq!(scheduler.finish(chain_id(it.chain)), Some(it.item));
                        }
                        Some(wait) => {
                            (all[place].busy, all[place].due) = (false, now + wait);
                            scheduler.delay(chain_id(it.chain), at(now + wait));
                        }
                    }
                }
                Step::Tick(ticks) => now += ticks,
                Step::Retain => {
                    all.retain(|it| it.busy || it.item.is_multiple_of(2));
                    scheduler.retain(|item| item.is_multiple_of(2));
                }
            }
            prop_assert_eq!(scheduler.len(), all.len());
            let waits = |it: &&Waiting| {
                !it.busy && all.iter().find(|other| other.chain == it.chain).unwrap().item == it.item
            };
            prop_assert_eq!(scheduler.oldest().copied(), all.iter().find(waits).map(|it| it.item));
        }
    }

    #[test]
    fn nobody_starves(before in 0..20_u8, busy in 1..5_usize) {
        let mut scheduler = Scheduler::new();
        for chain in 0..before {
            scheduler.push(chain_id(chain), Priority::Low, u64::MAX);
        }
        scheduler.push(chain_id(before), Priority::Low, 0);
        let mut running = Vec::new();
        // Something critical comes before every pick.
        for pick in 1.. {
            scheduler.push(Uuid::from_u128(u128::MAX - u128::from(pick)), Priority::Critical, pick);
            let (chain, item) = scheduler.pick().unwrap();
            if *item == 0 {
                break;
            }
            prop_assert!(pick < FAIR * (u64::from(before) + 1), "pick {pick}");
            running.push(chain);
            if running.len() > busy {
                scheduler.finish(running.remove(0));
            }
        }
    }
}
