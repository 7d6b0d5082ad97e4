//! Pages, and finding events by time when clocks jump: always compared with looking at every event.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::event_log::{
    store::{Budget, Runs, Store},
    writer::Prepared,
};

/// Appends in one batch what was accepted at these times.
fn append_at(log: &EventLog, new: Vec<(NewEvent, Timestamp)>) -> Vec<Event> {
    let (new, times): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    let mut prepared: Prepared = prepare(events(new)).unwrap();
    for ((event, envelope), time) in prepared.events.iter_mut().zip(times) {
        event.context.timestamp = time;
        let json = |it| serde_json::to_vec(it).unwrap();
        let metadata = serde_json::to_vec(&event.context.metadata).unwrap();
        *envelope = envelope::encode(event, &json(&event.payload), &metadata).unwrap();
    }
    let place = log.jobs().unwrap().try_reserve().unwrap();
    submit(Some(Ok(place)), prepared).unwrap().blocking_recv().unwrap().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// All pages one after the other, and how many there were.
fn pages(
    log: &EventLog,
    filters: &[Filter],
    order: Order,
    limit: usize,
    budget: Budget,
) -> (Vec<Event>, usize) {
    let mut request = PageRequest { filters, order, cursor: None, limit };
    let mut all = Vec::new();
    for count in 1.. {
        let page = log.page_within(&request, budget).unwrap();
        assert!(page.events.len() <= limit, "{page:?}");
        all.extend(page.events);
        match page.next {
            None => return (all, count),
            next => request.cursor = next,
        }
    }
    unreachable!("every page goes on where the one before ended")
}

#[test]
fn a_page_says_whether_more_follow() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let new = (0..10).map(|n| event(if n % 2 == 0 { "a.even" } else { "a.odd" }, n)).collect();
    let all = log.append_blocking(events(new)).unwrap();
    let even = [Filter::topic("a.even".parse().unwrap())];
    let page = |filters, order, cursor, limit| {
        let page = log.page(&PageRequest { filters, order, cursor, limit }).unwrap();
        (page.events.iter().map(|it| it.seq).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(page(&even, Order::OldestFirst, None, 2), (vec![1, 3], Some(4)));
    assert_eq!(page(&even, Order::OldestFirst, Some(4), 3), (vec![5, 7, 9], None));
    assert_eq!(page(&even, Order::NewestFirst, None, 2), (vec![9, 7], Some(6)));
    assert_eq!(page(&even, Order::NewestFirst, Some(6), 3), (vec![5, 3, 1], None));
    assert_eq!(page(&[], Order::NewestFirst, None, 10).1, None);
    assert_eq!(page(&[], Order::OldestFirst, None, 0), (vec![1], Some(1)));
    assert_eq!(page(&[], Order::OldestFirst, Some(u64::MAX), 5), (vec![], None));
    assert_eq!(page(&[], Order::NewestFirst, Some(0), 5), (vec![], None));
    // Every filter counts, whichever has the index.
    let last = Filter { from: Some(all[5].context.timestamp), ..Filter::default() };
    let two = [even[0].clone(), Filter::topic("a.*".parse().unwrap()), last];
    let expected: Vec<_> = all.iter().filter(|it| two.iter().all(|filter| filter.wants(it))).collect();
    assert_eq!(
        page(&two, Order::OldestFirst, None, 10).0,
        expected.iter().map(|it| it.seq).collect::<Vec<_>>()
    );
    let nothing = [even[0].clone(), Filter::topic("a.odd".parse().unwrap())];
    assert_eq!(page(&nothing, Order::OldestFirst, None, 10), (vec![], None));
}

#[test]
fn a_page_looks_at_so_much_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append_blocking(events((1..=100).map(|n| event("a.b", n)).collect())).unwrap();
    let rare = [Filter { condition: Some("payload.n in [7, 70]".parse().unwrap()), ..Filter::default() }];
    let budget = Budget { events: 20, bytes: usize::MAX };
    let request = PageRequest { filters: &rare, order: Order::OldestFirst, cursor: None, limit: 2 };
    let first = log.page_within(&request, budget).unwrap();
    assert_eq!((first.events.len(), first.next), (1, Some(20)));
    let second = log.page_within(&PageRequest { cursor: first.next, ..request }, budget).unwrap();
    assert_eq!(second, Page { events: vec![], next: Some(40) });
    // An event counts by its size too, and one is always looked at.
    let page = log.page_within(&request, Budget { events: 20, bytes: 1 }).unwrap();
    assert_eq!(page.next, Some(1));
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (all, count) = pages(&log, &rare, order, 2, budget);
        assert_eq!((all.len(), count), (2, 5));
    }
    // What an index finds is not held against it.
    let id = log.read(49, 1, &Filter::default()).unwrap().remove(0).context.correlation_id;
    let (all, count) = pages(&log, &[Filter::default().correlated(id)], Order::NewestFirst, 2, budget);
    assert_eq!((all[0].seq, all.len(), count), (50, 1, 1));
}

#[test]
fn more_names_than_cursors_are_found_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let all = log.append_blocking(events((0..300).map(|n| event(&format!("a.n{n}"), n)).collect())).unwrap();
    let filter = Filter::topic("a.*".parse().unwrap());
    assert_eq!(log.read(0, 1000, &filter).unwrap(), all);
    let filter =
        Filter { topics: vec!["a.n7".parse().unwrap(), "*.n200".parse().unwrap()], ..Filter::default() };
    assert_eq!(log.read(0, 1000, &filter).unwrap(), [all[7].clone(), all[200].clone()]);
}

/// Reading the last minute does not look at the rest.
#[test]
fn a_minute_is_found_without_looking_at_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for minute in 0..50 {
        append_at(&log, (0..60).map(|second| (event("a.b", 0), at(60 * minute + second))).collect());
    }
    let minute = [Filter { from: Some(at(60 * 40 + 7)), to: Some(at(60 * 41 + 7)), ..Filter::default() }];
    let budget = Budget { events: 120, bytes: usize::MAX };
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (found, count) = pages(&log, &minute, order, 100, budget);
        assert_eq!((found.len(), count), (60, 1));
    }
    let later = [Filter { from: Some(at(60 * 60)), ..Filter::default() }];
    assert_eq!(pages(&log, &later, Order::OldestFirst, 9, Budget { events: 1, bytes: 1 }), (vec![], 1));
}

fn runs(store: &Store) -> Vec<(u64, u64, u64)> {
    store.times.all(&store.read_txn().unwrap()).unwrap()
}

#[test]
fn runs_are_joined_when_near_and_forgotten_when_old() {
    let dir = tempfile::tempdir().unwrap();
    let store = store::open(dir.path()).unwrap();
    let minute = |n: i64| Timestamp::from_second(60 * n).unwrap();
    let put = |events: &[(i64, u64)]| {
        let runs: Runs = events.iter().map(|(at, seq)| (minute(*at), *seq)).collect();
        let mut txn = store.write_txn().unwrap();
        store.times.put(&mut txn, &runs).unwrap();
        txn.commit().unwrap();
    };
    put(&[(5, 1), (5, 2), (6, 3), (5, 4)]);
    put(&[(6, 5), (7, 6), (-3, 7)]);
    put(&[(5, 3000), (6, 1029), (7, 1031)]);
    let first = [(0, 7, 7), (5, 1, 4), (5, 3000, 3000), (6, 3, 1029), (7, 6, 6), (7, 1031, 1031)];
    assert_eq!(runs(&store), first);
    let forget = |minutes: &[i64], first| {
        let mut txn = store.write_txn().unwrap();
        store.times.forget(&mut txn, minutes.iter().map(|it| minute(*it)), first).unwrap();
        txn.commit().unwrap();
    };
    forget(&[5, 6, 5, 0], 6);
    assert_eq!(runs(&store), [first[0], first[2], first[3], first[4], first[5]]);
    forget(&[0, 6, 7], 1030);
    assert_eq!(runs(&store), [first[2], first[5]]);
    forget(&[5, 7], u64::MAX);
    assert_eq!(runs(&store), []);
}

/// A clock that goes on, stands still and jumps to and fro, seconds.
fn clock() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(prop_oneof![6 => 0..50_i64, 1 => -900..900_i64], 1..80).prop_map(|steps| {
        let mut now = 0;
        steps
            .into_iter()
            .map(|step| {
                now += step;
                now
            })
            .collect()
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let time = || prop::option::weighted(0.7, -300..2500_i64);
    let rest = (prop::option::weighted(0.2, 0..3_u128), prop::option::weighted(0.2, 0..9_usize));
    (time(), time(), prop::option::weighted(0.3, pattern()), rest).prop_map(
        |(from, to, topic, (meeting, n))| Filter {
            topics: topic.map(|it| it.parse().unwrap()).into_iter().collect(),
            correlation_id: meeting.map(Uuid::from_u128),
            from: from.map(at),
            to: to.map(|it| at(it) + SignedDuration::from_nanos(1)),
            condition: n.map(|n| format!("payload.n > {n}").parse().unwrap()),
            ..Filter::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pages_hold_what_looking_at_every_event_finds(
        clock in clock(),
        new in prop::collection::vec((name(), 0..3_u128, 0..12_usize), 80),
        commits in prop::collection::vec(1..9_usize, 80),
        asked in prop::collection::vec((prop::collection::vec(filter(), 0..3), any::<bool>(), 1..7_usize, 1..30_usize), 12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let mut all = Vec::new();
        let mut new: Vec<_> = new.iter().zip(&clock).map(|((name, meeting, n), now)| {
            (event(name, *n).correlated(Uuid::from_u128(*meeting)), at(*now))
        }).collect();
        for size in commits {
            let rest = new.split_off(size.min(new.len()));
            all.extend(append_at(&log, std::mem::replace(&mut new, rest)));
        }
        prop_assert_eq!(&log.read(0, 1000, &Filter::default()).unwrap(), &all);
        for (filters, backward, limit, events) in asked {
            let order = if backward { Order::NewestFirst } else { Order::OldestFirst };
            let mut expected: Vec<Event> =
                all.iter().filter(|event| filters.iter().all(|it| it.wants(event))).cloned().collect();
            if backward {
                expected.reverse();
            }
            let budget = Budget { events, bytes: usize::MAX };
            prop_assert_eq!(pages(&log, &filters, order, limit, budget).0, expected);
        }
    }
}
