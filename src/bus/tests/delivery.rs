//! Order, urgency, how many at once, and what is committed together.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Barrier, Semaphore};

use super::*;
use crate::event_log::PAYLOAD_LIMIT;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chains_keep_their_order_and_run_side_by_side() {
    const AT_ONCE: usize = 3;
    let world = World::new().await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let busy: Arc<Mutex<BTreeMap<Uuid, bool>>> = Arc::default();
    let (sender, mut seen) = mpsc::unbounded_channel();
    let handler = acts({
        let most = Arc::clone(&most);
        move |delivery: Delivery| {
            let (now, most, busy, sender) =
                (Arc::clone(&now), Arc::clone(&most), Arc::clone(&busy), sender.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let chain = delivery.event.context.correlation_id;
                assert_eq!(busy.lock().unwrap().insert(chain, true).filter(|busy| *busy), None);
                for _ in 0..n(&delivery.event) % 7 {
                    tokio::task::yield_now().await;
                }
                busy.lock().unwrap().insert(chain, false);
                now.fetch_sub(1, Ordering::SeqCst);
                sender.send(delivery).unwrap();
                Ok(Effects::default())
            }
        }
    });
    let running = world.bus.subscribe(subscription("a", AT_ONCE), handler).await.unwrap();
    let mut events = Vec::new();
    for n in 0..600 {
        events.push(event(u8::try_from(n % 5).unwrap(), n));
    }
    let batch = Batch { events, ..Batch::default() };
    world.log.append(batch).await.unwrap();
    let mut by_chain: BTreeMap<Uuid, Vec<u64>> = BTreeMap::new();
    for _ in 0..600 {
        let delivery = tokio::time::timeout(FOREVER, seen.recv()).await.unwrap().unwrap();
        assert_eq!((delivery.attempt, delivery.replay), (1, None));
        by_chain.entry(delivery.event.context.correlation_id).or_default().push(delivery.event.seq);
    }
    assert_eq!(by_chain.len(), 5);
    assert!(by_chain.values().all(|seqs| seqs.len() == 120 && seqs.is_sorted()));
    assert!(most.load(Ordering::SeqCst) <= AT_ONCE);
    world.settled("a").await;
    running.stop(FOREVER).await;
    let status = status(&world.bus, "a");
    assert_eq!((status.handled, status.failed_attempts, status.running), (600, 0, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_run_at_once_as_may() {
    let world = World::new().await;
    let barrier = Arc::new(Barrier::new(4));
    let handler = acts(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Ok(Effects::default())
        }
    });
    let _running = world.bus.subscribe(subscription("a", 4), handler).await.unwrap();
    for chain in 0..8 {
        world.publish(event(chain, 0)).await;
    }
    world.settled("a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_urgent_chain_goes_first() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let (sender, mut seen) = mpsc::unbounded_channel();
    let handler = acts({
        let gate = Arc::clone(&gate);
        move |delivery: Delivery| {
            sender.send(n(&delivery.event)).unwrap();
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(Effects::default())
            }
        }
    });
    let _running = world.bus.subscribe(subscription("a", 1), handler).await.unwrap();
    world.publish(event(0, 0)).await;
    assert_eq!(seen.recv().await, Some(0));
    for (chain, n, priority) in [
        (1, 1, Priority::Low),
        (2, 2, Priority::Normal),
        (3, 3, Priority::High),
        // The low one in front of the critical one goes with it.
        (4, 4, Priority::Low),
        (4, 5, Priority::Critical),
    ] {
        world.publish(event(chain, n).with_priority(priority)).await;
    }
    world.until("read", |bus| status(bus, "a").waiting == 5).await;
    for handled in 1..=6 {
        gate.add_permits(1);
        world.until("stored", |bus| status(bus, "a").handled == handled).await;
    }
    let order: Vec<_> = std::iter::from_fn(|| seen.try_recv().ok()).collect();
    // While what came of 4 is being stored, its chain waits and the next most urgent uses the time.
    assert_eq!(order, [4, 3, 5, 2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects_are_stored_with_the_cursor() {
    let world = World::new().await;
    let handler = acts(|delivery: Delivery| async move {
        let value = Some(delivery.event.seq.to_be_bytes().to_vec());
        let put = Put { table: Table::PluginState, key: format!("a/{}", delivery.event.seq), value };
        Ok(Effects { events: vec![child(&delivery)], puts: vec![put] })
    });
    let running = world.bus.subscribe(subscription("a", 4), handler).await.unwrap();
    for n in 0..20 {
        world.publish(event(u8::try_from(n % 4).unwrap(), n)).await;
    }
    world.settled("a").await;
    let children = world.named("effect.done");
    let mut of: Vec<_> = children.iter().map(|it| it.payload["of"].as_u64().unwrap()).collect();
    of.sort_unstable();
    let published: Vec<_> = world.named("test.happened").iter().map(|event| event.seq).collect();
    assert_eq!(of, published);
    assert_eq!(world.log.rows(Table::PluginState, None, 99).unwrap().len(), 20);
    let first = world.log.get_event(children[0].context.causation_id.unwrap()).unwrap().unwrap();
    assert_eq!(children[0].context.correlation_id, first.context.correlation_id);

    running.stop(FOREVER).await;
    let world = world.restart().await;
    let (handler, mut seen) = tells();
    let _running = world.bus.subscribe(subscription("a", 4), handler).await.unwrap();
    let next = world.publish(event(0, 99)).await;
    assert_eq!(seen.recv().await.unwrap().event.seq, next.seq);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_cannot_be_stored_takes_no_other_with_it() {
    let world = World::new().await;
    // All end at once, so that they are in few batches.
    let barrier = Arc::new(Barrier::new(8));
    let handler = acts(move |delivery: Delivery| {
        let barrier = Arc::clone(&barrier);
        async move {
            if delivery.attempt == 1 {
                barrier.wait().await;
            }
            let child = child(&delivery);
            let (name, large) = (child.name().clone(), json!({ "text": "x".repeat(PAYLOAD_LIMIT) }));
            Ok(effects(vec![match n(&delivery.event) {
                0 | 3 | 6 => NewEvent::new(name, large),
                // A name of the core's, with what it does not carry.
                4 => NewEvent::new("recording.ended".parse().unwrap(), json!({ "of": 4 })),
                _ => child,
            }]))
        }
    });
    let _running = world.bus.subscribe(subscription("a", 8), handler).await.unwrap();
    for n in 0..8_u8 {
        world.publish(event(n, n.into())).await;
    }
    world.settled("a").await;
    assert_eq!((world.named("effect.done").len(), world.named("recording.ended").len()), (4, 0));
    let letters = world.letters();
    assert_eq!(letters.iter().map(|it| n(&it.event)).collect::<Vec<_>>(), [0, 3, 4, 6]);
    for (letter, why) in letters.iter().zip(["limit", "limit", "recording.ended", "limit"]) {
        let errors = &letter.errors;
        assert!(errors[0].contains("cannot be stored") && errors[1].contains(why), "{errors:?}");
    }
    assert!(letters.iter().all(|it| it.attempts == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_wants_is_not_written_down_one_by_one() {
    let world = World::new().await;
    let (handler, _seen) = tells();
    let running = world.bus.subscribe(subscription("a", 1), handler).await.unwrap();
    let row = || world.log.get(Table::Subscriptions, "a").unwrap().unwrap();
    let before = row();
    for n in 0..100 {
        let other = NewEvent::new("other.thing".parse::<EventName>().unwrap(), json!({ "n": n }));
        world.publish(other).await;
    }
    world.settled("a").await;
    assert_eq!(row(), before);
    assert_eq!(world.bus.low_watermark().unwrap(), Some(0));
    running.stop(FOREVER).await;
    assert_eq!(world.bus.low_watermark().unwrap(), Some(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_filter_narrows_a_subscription() {
    let world = World::new().await;
    let narrowed = || Subscription { named_filter: Some("second".into()), ..subscription("a", 1) };
    let handler = || acts(|_: Delivery| async { Ok(Effects::default()) });
    let unknown = world.bus.subscribe(narrowed(), handler()).await.unwrap_err();
    assert!(matches!(&unknown, Error::UnknownFilter(name) if name == "second"), "{unknown:?}");
    let filter = serde_json::to_vec(&json!({ "where": "payload.n == 2" })).unwrap();
    let put = Put { table: Table::Filters, key: "second".into(), value: Some(filter) };
    world.log.append(Batch { puts: vec![put], ..Batch::default() }).await.unwrap();
    let _running = world.bus.subscribe(narrowed(), handler()).await.unwrap();
    for n in [1, 2, 3] {
        world.publish(event(0, n)).await;
    }
    world.settled("a").await;
    world.until("the second is handled", |bus| status(bus, "a").handled == 1).await;
    assert_eq!(status(&world.bus, "a").handled, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_an_event_stands_can_be_seen() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let handler = acts({
        let gate = Arc::clone(&gate);
        move |delivery: Delivery| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                match n(&delivery.event) {
                    1 => Err(HandlerError::permanent("no")),
                    _ => Ok(Effects::default()),
                }
            }
        }
    });
    let running = world.bus.subscribe(subscription("a", 1), handler).await.unwrap();
    let mut events = vec![world.publish(event(0, 0)).await, world.publish(event(0, 1)).await];
    events.push(world.publish(NewEvent::new("other.thing".parse::<EventName>().unwrap(), json!({}))).await);
    let states = |events: &[Event]| {
        let all = world.bus.status_of(events).unwrap();
        all.iter().map(DeliveryStatus::state).collect::<Vec<_>>()
    };
    use EventState::{Failed, Pending, Processed};
    assert_eq!(states(&events), [Pending, Pending, Processed]);
    assert_eq!(world.bus.pending_from().unwrap(), Some(1));
    assert_eq!(world.bus.deliveries_of(events[0].id).unwrap(), (vec!["a".to_owned()], vec![]));
    gate.add_permits(1);
    world.until("handled", |bus| status(bus, "a").handled == 1).await;
    assert_eq!(states(&events), [Processed, Pending, Processed]);
    gate.add_permits(1);
    world.settled("a").await;
    assert_eq!(states(&events), [Processed, Failed, Processed]);
    running.stop(FOREVER).await;
    // Also of a subscription that does not run.
    events.push(world.publish(event(0, 2)).await);
    assert_eq!(states(&events), [Processed, Failed, Processed, Pending]);
}
