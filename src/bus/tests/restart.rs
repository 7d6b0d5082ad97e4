//! Stopping, starting again, and what happens in between.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::*;
use crate::event_log::Prune;

/// Tells of each delivery and never ends.
fn hangs() -> (impl Handler, mpsc::UnboundedReceiver<Delivery>) {
    let (sender, seen) = mpsc::unbounded_channel();
    let handler = acts(move |delivery| {
        sender.send(delivery).ok();
        std::future::pending()
    });
    (handler, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_second_handlers_are_refused() {
    let world = World::new().await;
    for name in ["", "A", "a.b", "a/b", &"a".repeat(65)] {
        let error = world.bus.subscribe(subscription(name, 1), tells().0).await.unwrap_err();
        assert!(matches!(error, Error::Name(_)), "{error}");
    }
    let running = world.bus.subscribe(subscription("a-b_1", 1), tells().0).await.unwrap();
    let error = world.bus.subscribe(subscription("a-b_1", 1), tells().0).await.unwrap_err();
    assert!(matches!(error, Error::Running(_)), "{error}");
    running.stop(Duration::ZERO).await;
    world.bus.subscribe(subscription("a-b_1", 1), tells().0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_begins_where_it_is_told_and_goes_on_where_it_was() {
    let world = World::new().await;
    let old = world.publish(event(0, 0)).await;
    let (handler, mut seen) = tells();
    let begin = Subscription { start: Start::Beginning, ..subscription("all", 1) };
    let all = world.bus.subscribe(begin.clone(), handler).await.unwrap();
    assert_eq!(seen.recv().await.unwrap().event.seq, old.seq);
    let (handler, mut late) = tells();
    let now = world.bus.subscribe(subscription("now", 1), handler).await.unwrap();
    let new = world.publish(event(0, 1)).await;
    for seen in [&mut seen, &mut late] {
        assert_eq!(seen.recv().await.unwrap().event.seq, new.seq);
    }
    all.stop(FOREVER).await;
    now.stop(FOREVER).await;
    let missed = world.publish(event(0, 2)).await;
    let world = world.restart().await;
    for name in ["all", "now"] {
        let (handler, mut seen) = tells();
        let start = Subscription { start: Start::Now, ..subscription(name, 1) };
        let running = world.bus.subscribe(start, handler).await.unwrap();
        assert_eq!(seen.recv().await.unwrap().event.seq, missed.seq);
        world.settled(name).await;
        running.stop(FOREVER).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_held_for_a_subscription_that_never_ran() {
    let world = World::new().await;
    world.publish(event(0, 0)).await;
    world.bus.hold_place(&subscription("late", 1)).unwrap();
    let first = world.publish(event(0, 1)).await;
    // Holding it again moves nothing, nor does a restart.
    world.bus.hold_place(&subscription("late", 1)).unwrap();
    let world = world.restart().await;
    world.bus.hold_place(&subscription("late", 1)).unwrap();
    let (handler, mut seen) = tells();
    let _running = world.bus.subscribe(subscription("late", 1), handler).await.unwrap();
    assert_eq!(seen.recv().await.unwrap().event.seq, first.seq);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_lets_end_what_runs_and_takes_nothing_new() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let (sender, mut seen) = mpsc::unbounded_channel();
    let handler = acts({
        let gate = Arc::clone(&gate);
        move |delivery: Delivery| {
            let (gate, sender) = (Arc::clone(&gate), sender.clone());
            async move {
                sender.send(delivery.event.seq).unwrap();
                gate.acquire().await.unwrap().forget();
                Ok(effects(vec![child(&delivery)]))
            }
        }
    });
    let running = world.bus.subscribe(subscription("a", 1), handler).await.unwrap();
    let first = world.publish(event(0, 0)).await;
    world.publish(event(1, 1)).await;
    assert_eq!(seen.recv().await, Some(first.seq));
    tokio::join!(running.stop(FOREVER), async { gate.add_permits(2) });
    assert_eq!(world.named("effect.done").len(), 1);
    assert_eq!(status(&world.bus, "a").handled, 1);
    assert!(seen.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_short_is_delivered_again_and_attempts_are_remembered() {
    let world = World::new().await;
    let (handler, mut seen) = hangs();
    let running = world.bus.subscribe(subscription("a", 2), handler).await.unwrap();
    let event = world.publish(event(0, 1)).await;
    assert_eq!(seen.recv().await.unwrap().attempt, 1);
    running.stop(Duration::ZERO).await;

    let world = world.restart().await;
    let failing = acts(|_| async { Err(HandlerError::retryable("not now")) });
    let patient = RetryPolicy { retries: 3, base: Duration::from_secs(3600), max: Duration::from_secs(3600) };
    let slow = Subscription { retry: patient, ..subscription("a", 2) };
    let running = world.bus.subscribe(slow, failing).await.unwrap();
    world.until("failed", |bus| status(bus, "a").failed_attempts == 1).await;
    running.stop(Duration::ZERO).await;

    let world = world.restart().await;
    let (handler, mut seen) = tells();
    let running = world.bus.subscribe(subscription("a", 2), handler).await.unwrap();
    let delivery = seen.recv().await.unwrap();
    assert_eq!((delivery.event.seq, delivery.attempt), (event.seq, 2));
    world.settled("a").await;
    running.stop(FOREVER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_events_that_are_no_longer_wanted_are_let_go() {
    let world = World::new().await;
    let (handler, mut seen) = hangs();
    let running = world.bus.subscribe(subscription("a", 2), handler).await.unwrap();
    world.publish(event(0, 0)).await;
    seen.recv().await.unwrap();
    running.stop(Duration::ZERO).await;
    let (handler, mut seen) = tells();
    let other = Subscription { filter: topic("other.**"), ..subscription("a", 2) };
    let running = world.bus.subscribe(other, handler).await.unwrap();
    world.settled("a").await;
    running.stop(FOREVER).await;
    assert!(seen.try_recv().is_err());
}

fn prune(world: &World, before_seq: u64) {
    let pruned = world.log.prune(Prune { before_seq, down_to_bytes: None }).unwrap();
    assert_eq!(pruned.first_seq, before_seq);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_removed_before_it_was_handled_is_counted() {
    let world = World::new().await;
    let handler = acts(|delivery: Delivery| async move {
        if n(&delivery.event) == 0 {
            std::future::pending::<()>().await;
        }
        Ok(Effects::default())
    });
    let running = world.bus.subscribe(subscription("a", 2), handler).await.unwrap();
    // The first stays open below the second, which is done with; the others were never looked at.
    world.publish(event(0, 0)).await;
    world.publish(event(1, 1)).await;
    world.until("handled", |bus| status(bus, "a").handled == 1).await;
    running.stop(Duration::ZERO).await;
    for n in 2..8 {
        world.publish(event(0, n)).await;
    }
    prune(&world, 6);
    let world = world.restart().await;
    let (handler, mut seen) = tells();
    let running = world.bus.subscribe(subscription("a", 2), handler).await.unwrap();
    world.settled("a").await;
    let order: Vec<_> = std::iter::from_fn(|| seen.try_recv().ok()).map(|it| it.event.seq).collect();
    assert_eq!(order, [6, 7, 8]);
    let missed = || status(&world.bus, "a").missed;
    assert_eq!(missed(), 4, "1, 3, 4 and 5");
    // It is remembered, and nothing counts twice.
    running.stop(FOREVER).await;
    assert_eq!(missed(), 4);
    let world = world.restart().await;
    let _running = world.bus.subscribe(subscription("a", 2), tells().0).await.unwrap();
    assert_eq!(status(&world.bus, "a").missed, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_runs_goes_on_behind_what_retention_removed() {
    // More than it has in memory: so many that a thread reads them, and so few that none does.
    for (published, first) in [(300, 290), (270, 265)] {
        let world = World::new().await;
        let gate = Arc::new(Semaphore::new(0));
        let (sender, mut seen) = mpsc::unbounded_channel();
        let handler = acts({
            let gate = Arc::clone(&gate);
            move |delivery: Delivery| {
                let (gate, sender) = (Arc::clone(&gate), sender.clone());
                async move {
                    gate.acquire().await.unwrap().forget();
                    sender.send(delivery.event.seq).unwrap();
                    Ok(Effects::default())
                }
            }
        });
        let _running = world.bus.subscribe(subscription("a", 1), handler).await.unwrap();
        let events = (0..published).map(|n| event(0, n)).collect();
        world.log.append(Batch { events, ..Batch::default() }).await.unwrap();
        world.until("read", |bus| status(bus, "a").waiting == 255).await;
        prune(&world, first);
        gate.add_permits(published);
        world.settled("a").await;
        let order: Vec<_> = std::iter::from_fn(|| seen.try_recv().ok()).collect();
        let left = first..=published as u64;
        assert!(order.iter().copied().eq((1..=256).chain(left)), "{order:?}");
        assert_eq!(status(&world.bus, "a").missed, first - 257);
    }
}
