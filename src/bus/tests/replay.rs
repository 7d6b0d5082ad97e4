//! Delivering again: whom, what, how far, and what a restart in the middle leaves.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::*;

fn quick(request: ReplayRequest) -> ReplayRequest {
    ReplayRequest { batch_size: 4, interval: Duration::from_millis(1), ..request }
}

async fn ended(world: &World, id: Uuid) -> Replay {
    world.until("ended", |bus| bus.get_replay(id).unwrap().state != ReplayState::Running).await;
    world.bus.get_replay(id).unwrap()
}

fn drain(seen: &mut mpsc::UnboundedReceiver<Delivery>) -> Vec<Delivery> {
    std::iter::from_fn(|| seen.try_recv().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_delivered_again_in_order_to_one_or_to_all() {
    let world = World::new().await;
    let (handler, mut at_a) = tells();
    let _a = world.bus.subscribe(subscription("a", 4), handler).await.unwrap();
    let (handler, mut at_b) = tells();
    let _b = world.bus.subscribe(subscription("b", 4), handler).await.unwrap();
    let c = world.bus.subscribe(subscription("c", 4), tells().0).await.unwrap();
    c.stop(FOREVER).await;
    let mut published = Vec::new();
    for n in 0..11 {
        published.push(world.publish(event(u8::try_from(n % 2).unwrap(), n)).await);
    }
    world.settled("a").await;
    world.settled("b").await;
    let first = drain(&mut at_a);
    assert_eq!((first.len(), drain(&mut at_b).len()), (11, 11));

    let replay = world.bus.replay(quick(ReplayRequest::default())).await.unwrap();
    assert_eq!((&replay.subscriptions, &replay.left_out), (&vec!["a".into(), "b".into()], &vec!["c".into()]));
    let done = ended(&world, replay.id).await;
    assert_eq!((done.state, done.delivered, done.failed), (ReplayState::Completed, 22, 0));
    for seen in [&mut at_a, &mut at_b] {
        let again = drain(seen);
        for chain in 0..2 {
            let of = |all: &[Delivery]| -> Vec<u64> {
                let all = all.iter().filter(|it| it.event.context.correlation_id == chain_id(chain));
                all.map(|it| it.event.seq).collect()
            };
            assert_eq!(of(&again), of(&first));
        }
        assert!(again.iter().all(|it| it.replay == Some(replay.id) && it.attempt == 1));
        let marked = |it: &Delivery| it.event.context.metadata["replay"] == json!(replay.id);
        assert!(again.iter().all(marked));
        assert_ne!(again[0].key(), first[0].key());
    }
    assert!(published[0].context.metadata.is_empty());

    let one = ReplayRequest {
        filter: Filter::default().correlated(chain_id(1)),
        subscription: Some("b".into()),
        ..ReplayRequest::default()
    };
    let replay = world.bus.replay(quick(one)).await.unwrap();
    assert_eq!(ended(&world, replay.id).await.delivered, 5);
    assert_eq!((drain(&mut at_a).len(), drain(&mut at_b).len()), (0, 5));
    let told: Vec<_> = world.log.read(0, 99, &topic("replay.*")).unwrap();
    let names: Vec<_> = told.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["replay.started", "replay.completed", "replay.started", "replay.completed"]);
    let end = json!({
        "replay_id": replay.id, "subscription": "b", "dead_letters": false,
        "delivered": 5, "failed": 0, "until": told[3].payload["until"],
    });
    assert_eq!(told[3].payload, end);
    assert_eq!(world.bus.replays().unwrap().iter().map(|it| it.delivered).collect::<Vec<_>>(), [5, 22]);
    // Nothing of it is left in the subscription.
    world
        .until("cleared", |_| {
            let row = world.log.get(Table::Subscriptions, "b").unwrap().unwrap();
            Ledger::decode("b", &row).unwrap().0.replayed.is_empty()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_make_no_sense_are_refused() {
    let world = World::new().await;
    let running = world.bus.subscribe(subscription("a", 4), tells().0).await.unwrap();
    running.stop(FOREVER).await;
    let named = |name: &str| ReplayRequest { subscription: Some(name.into()), ..ReplayRequest::default() };
    let error = world.bus.replay(named("b")).await.unwrap_err();
    assert!(matches!(error, Error::UnknownSubscription(_)), "{error}");
    let error = world.bus.replay(named("a")).await.unwrap_err();
    assert!(error.to_string().contains("start it first"), "{error}");
    for batch_size in [0, 1001] {
        let request = ReplayRequest { batch_size, ..ReplayRequest::default() };
        assert!(matches!(world.bus.replay(request).await, Err(Error::Replay(_))));
    }
    assert!(matches!(world.bus.get_replay(Uuid::nil()), Err(Error::UnknownReplay(_))));
    assert!(matches!(world.bus.stop_replay(Uuid::nil()).await, Err(Error::UnknownReplay(_))));
    assert_eq!(world.log.last_seq().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_replayed_and_parked_once() {
    let world = World::new().await;
    let healed = Arc::new(AtomicBool::new(false));
    let handler = acts({
        let healed = Arc::clone(&healed);
        move |delivery: Delivery| {
            let well = healed.load(Ordering::SeqCst) && n(&delivery.event) != 3;
            async move {
                match well {
                    true => Ok(effects(vec![child(&delivery)])),
                    false => Err(HandlerError::retryable("broken")),
                }
            }
        }
    });
    let _running = world.bus.subscribe(subscription("a", 4), handler).await.unwrap();
    for n in 0..6_u8 {
        world.publish(event(n, n.into())).await;
    }
    world.until("parked", |bus| bus.dead_letter_count().0 == 6).await;
    healed.store(true, Ordering::SeqCst);
    let letters = ReplayRequest { dead_letters: true, ..ReplayRequest::default() };
    let replay = world.bus.replay(quick(letters.clone())).await.unwrap();
    let done = ended(&world, replay.id).await;
    assert_eq!((done.delivered, done.failed), (5, 1));
    assert_eq!(world.named("effect.done").len(), 5);
    let left = world.letters();
    assert_eq!(left.len(), 1);
    assert_eq!((n(&left[0].event), left[0].attempts, left[0].replays), (3, 8, 1));
    assert!(left[0].tried_at > left[0].parked_at);
    // It was announced when it was parked first, and not again.
    assert_eq!(world.named("subscription.dead_lettered").len(), 6);
    assert!(!left[0].event.context.metadata.contains_key("replay"));
    let replay = world.bus.replay(quick(letters)).await.unwrap();
    assert_eq!(ended(&world, replay.id).await.failed, 1);
    assert_eq!(world.letters()[0].replays, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_is_stopped_begins_nothing_more() {
    let world = World::new().await;
    let (sender, mut seen) = mpsc::unbounded_channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let handler = acts({
        let gate = Arc::clone(&gate);
        move |delivery: Delivery| {
            let (gate, sender) = (Arc::clone(&gate), sender.clone());
            async move {
                if delivery.replay.is_some() {
                    sender.send(delivery.event.seq).unwrap();
                    gate.acquire().await.unwrap().forget();
                }
                Ok(effects(vec![child(&delivery)]))
            }
        }
    });
    let _running = world.bus.subscribe(subscription("a", 1), handler).await.unwrap();
    for n in 0..10 {
        world.publish(event(0, n)).await;
    }
    world.settled("a").await;
    let replay = world
        .bus
        .replay(quick(ReplayRequest { filter: topic("test.**"), ..ReplayRequest::default() }))
        .await
        .unwrap();
    assert_eq!(seen.recv().await, Some(1));
    world.until("three wait", |bus| status(bus, "a").waiting == 3).await;
    let stopping = tokio::spawn({
        let (bus, id) = (world.bus.clone(), replay.id);
        async move { bus.stop_replay(id).await.unwrap() }
    });
    // Once they are gone, the one that runs may end.
    world.until("removed", |bus| status(bus, "a").waiting == 0).await;
    gate.add_permits(99);
    let stopped = stopping.await.unwrap();
    assert_eq!((stopped.state, stopped.delivered), (ReplayState::Stopped, 1));
    assert_eq!(world.bus.stop_replay(replay.id).await.unwrap(), stopped);
    assert_eq!(world.bus.get_replay(replay.id).unwrap(), stopped);
    assert_eq!(world.named("effect.done").len(), 11);
    assert_eq!(world.named("replay.stopped").len(), 1);
    assert!(seen.try_recv().is_err());
    let next = world.publish(event(0, 99)).await;
    world.until("handled", |bus| status(bus, "a").cursor >= next.seq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_middle_repeats_no_effect() {
    let mut world = World::new().await;
    // Each process handles so many and then hangs.
    let handler = |most: usize| {
        let left = Arc::new(AtomicUsize::new(most));
        acts(move |delivery: Delivery| {
            let may = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            async move {
                if may.is_err() {
                    std::future::pending::<()>().await;
                }
                Ok(effects(vec![child(&delivery)]))
            }
        })
    };
    let running = world.bus.subscribe(subscription("a", 2), handler(20)).await.unwrap();
    for n in 0..20 {
        world.publish(event(u8::try_from(n % 3).unwrap(), n)).await;
    }
    world.settled("a").await;
    running.stop(FOREVER).await;
    let mut running = world.bus.subscribe(subscription("a", 2), handler(3)).await.unwrap();
    let mut replay = world.bus.replay(quick(ReplayRequest::default())).await.unwrap();
    let mut total = 23;
    for most in [3, 5, 1, 99] {
        world.until("effects", |_| world.named("effect.done").len() >= total).await;
        // As a crash: nothing is said to anybody.
        running.task.abort();
        drop(running);
        world = world.restart().await;
        replay = world.bus.get_replay(replay.id).unwrap();
        assert_eq!(replay.state, ReplayState::Running);
        running = world.bus.subscribe(subscription("a", 2), handler(most)).await.unwrap();
        total += most;
    }
    let done = ended(&world, replay.id).await;
    assert_eq!((done.state, done.delivered, done.failed), (ReplayState::Completed, 20, 0));
    let children = world.named("effect.done");
    let mut keys: Vec<_> = children.iter().map(|it| it.payload["key"].to_string()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!((children.len(), keys.len()), (40, 40));
    running.stop(FOREVER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_waits_for_a_subscription_that_stopped_but_not_for_a_forgotten_one() {
    let world = World::new().await;
    let hangs = || {
        acts(|delivery: Delivery| async move {
            if delivery.replay.is_some() && n(&delivery.event) == 3 {
                std::future::pending::<()>().await;
            }
            Ok(Effects::default())
        })
    };
    let running = world.bus.subscribe(subscription("a", 1), hangs()).await.unwrap();
    for n in 0..6 {
        world.publish(event(0, n)).await;
    }
    world.settled("a").await;
    let stuck = async |running: Running| {
        let replay = world.bus.replay(quick(ReplayRequest::default())).await.unwrap();
        world.until("stuck", |bus| bus.get_replay(replay.id).unwrap().delivered == 3).await;
        running.stop(Duration::ZERO).await;
        replay.id
    };
    let id = stuck(running).await;
    let (handler, mut seen) = tells();
    let running = world.bus.subscribe(subscription("a", 1), handler).await.unwrap();
    assert_eq!(ended(&world, id).await.delivered, 6);
    assert_eq!(drain(&mut seen).iter().map(|it| n(&it.event)).collect::<Vec<_>>(), [3, 4, 5]);
    running.stop(FOREVER).await;

    let id = stuck(world.bus.subscribe(subscription("a", 1), hangs()).await.unwrap()).await;
    world.bus.forget("a").await.unwrap();
    let done = ended(&world, id).await;
    assert_eq!((done.state, done.delivered), (ReplayState::Completed, 3));
}
