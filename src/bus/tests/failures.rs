//! Deliveries that fail: retries, timeouts, panics, dead letters.

use std::{error::Error as StdError, fmt, time::Instant};

use super::*;

#[derive(Debug)]
struct Outer(std::io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot reach the printer")
    }
}

impl StdError for Outer {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// Tells of each delivery and fails those of `n` 0.
fn fails() -> (impl Handler, mpsc::UnboundedReceiver<(Delivery, Instant)>) {
    let (sender, seen) = mpsc::unbounded_channel();
    let handler = acts(move |delivery: Delivery| {
        let bad = n(&delivery.event) == 0;
        sender.send((delivery, Instant::now())).ok();
        async move {
            match bad {
                true => Err(HandlerError::retryable(Outer(std::io::Error::other("no route")))),
                false => Ok(Effects::default()),
            }
        }
    });
    (handler, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_event_is_tried_again_then_parked_and_its_chain_goes_on() {
    let world = World::new().await;
    let (handler, mut seen) = fails();
    let _running = world.bus.subscribe(subscription("a", 4), handler).await.unwrap();
    let bad = world.publish(event(0, 0)).await;
    let next = world.publish(event(0, 1)).await;
    world.settled("a").await;
    let mut order = Vec::new();
    while let Ok((delivery, _)) = seen.try_recv() {
        order.push((delivery.event.seq, delivery.attempt));
    }
    assert_eq!(order, [(bad.seq, 1), (bad.seq, 2), (bad.seq, 3), (bad.seq, 4), (next.seq, 1)]);
    let letter = world.letters().remove(0);
    assert_eq!((&letter.event, letter.attempts, letter.replays), (&bad, 4, 0));
    assert_eq!(letter.errors, ["cannot reach the printer", "no route"]);
    let told = world.named("subscription.dead_lettered").remove(0);
    assert_eq!(told.context.correlation_id, bad.context.correlation_id);
    assert_eq!((told.context.causation_id, told.priority), (Some(bad.id), Priority::High));
    let expected = json!({
        "subscription": "a", "event_id": bad.id, "event_name": "test.happened", "seq": bad.seq,
        "error": "cannot reach the printer: no route",
    });
    assert_eq!(told.payload, expected);
    let (count, oldest) = world.bus.dead_letter_count();
    assert_eq!(count, 1);
    assert!(oldest.is_some());
    assert_eq!(status(&world.bus, "a").failed_attempts, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_go_on_while_one_waits_for_its_time() {
    let world = World::new().await;
    let (handler, mut seen) = fails();
    let wait = Duration::from_millis(40);
    let retry = RetryPolicy { retries: 1, base: wait, max: wait };
    let _running =
        world.bus.subscribe(Subscription { retry, ..subscription("a", 1) }, handler).await.unwrap();
    let batch = Batch { events: vec![event(0, 0), event(1, 1)], ..Batch::default() };
    world.log.append(batch).await.unwrap();
    world.settled("a").await;
    let mut order = Vec::new();
    while let Ok((delivery, at)) = seen.try_recv() {
        order.push((n(&delivery.event), delivery.attempt, at));
    }
    assert_eq!(
        order.iter().map(|(n, attempt, _)| (*n, *attempt)).collect::<Vec<_>>(),
        [(0, 1), (1, 1), (0, 2)]
    );
    // Never early: at least half of the wait.
    assert!(order[2].2 - order[0].2 >= wait / 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeouts_and_panics_are_failures() {
    let world = World::new().await;
    let handler = acts(|delivery: Delivery| async move {
        match n(&delivery.event) {
            0 => std::future::pending().await,
            1 => panic!("a bug of event {}", n(&delivery.event)),
            2 => Err(HandlerError::permanent("never")),
            _ => Ok(Effects::default()),
        }
    });
    let timeout = Duration::from_millis(20);
    let retry = RetryPolicy { retries: 1, ..subscription("a", 1).retry };
    let subscription = Subscription { timeout, retry, ..subscription("a", 4) };
    let _running = world.bus.subscribe(subscription, handler).await.unwrap();
    for n in 0..4_u8 {
        world.publish(event(n, n.into())).await;
    }
    world.settled("a").await;
    let letters = world.letters();
    let errors: Vec<_> = letters.iter().map(|it| (it.attempts, it.errors.join(": "))).collect();
    assert_eq!(
        errors,
        [
            (2, "the handler took longer than 20ms".to_owned()),
            (2, "the handler panicked: a bug of event 1".to_owned()),
            (1, "never".to_owned()),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_do_not_breed() {
    let world = World::new().await;
    let handler = acts(|_| async { Err(HandlerError::permanent("never")) });
    let all = Subscription { filter: Filter::default(), ..subscription("a", 2) };
    let _running = world.bus.subscribe(all, handler).await.unwrap();
    world.publish(event(0, 0)).await;
    world.until("two are parked", |bus| bus.dead_letter_count().0 == 2).await;
    world.settled("a").await;
    assert_eq!(world.letters().len(), 2);
    assert_eq!(world.log.last_seq().unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_dropped_and_forgotten() {
    let world = World::new().await;
    let bad = || acts(|_| async { Err(HandlerError::permanent("never")) });
    let a = world.bus.subscribe(subscription("a", 4), bad()).await.unwrap();
    let b = world.bus.subscribe(subscription("b", 4), bad()).await.unwrap();
    for n in 0..3 {
        world.publish(event(0, n)).await;
    }
    world.settled("a").await;
    world.settled("b").await;
    let all = world.letters();
    let key = |letter: &DeadLetter| (letter.event.seq, letter.subscription.clone());
    let mut paged = Vec::new();
    loop {
        let after = paged.last().map(|it: &DeadLetter| (it.event.seq, it.subscription.as_str()));
        let page = world.bus.dead_letters(after, 2, &DeadLetterFilter::default()).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert!(all.is_sorted_by_key(key) && all.len() == 6);
    let of_b = DeadLetterFilter { subscription: Some("b".into()), ..DeadLetterFilter::default() };
    assert_eq!(world.bus.dead_letters(None, 9, &of_b).unwrap().len(), 3);

    let first = all[0].event.seq;
    world.bus.drop_dead_letter("a", first).await.unwrap();
    let again = world.bus.drop_dead_letter("a", first).await.unwrap_err();
    assert!(matches!(again, Error::UnknownDeadLetter { .. }), "{again}");
    assert!(matches!(world.bus.forget("b").await.unwrap_err(), Error::Running(_)));
    b.stop(FOREVER).await;
    world.bus.drop_dead_letter("b", first).await.unwrap();
    world.bus.forget("b").await.unwrap();
    assert!(matches!(world.bus.forget("b").await.unwrap_err(), Error::UnknownSubscription(_)));
    assert_eq!(world.bus.dead_letter_count().0, 2);
    assert_eq!(world.letters().len(), 2);
    assert_eq!(world.bus.subscriptions().unwrap().len(), 1);
    a.stop(FOREVER).await;
    let world = world.restart().await;
    assert_eq!(world.bus.dead_letter_count().0, 2);
}

#[test]
fn waits_double_and_keep_a_half() {
    let policy = RetryPolicy { retries: 9, base: Duration::from_secs(1), max: Duration::from_secs(60) };
    for (failed, longest) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (99, 60), (u32::MAX, 60)] {
        let longest = Duration::from_secs(longest);
        assert_eq!(policy.delay(failed, 0), longest / 2);
        let most = policy.delay(failed, u64::MAX);
        assert!(most > longest * 99 / 100 && most <= longest, "{most:?}");
    }
    let silly = RetryPolicy { retries: 1, base: Duration::MAX, max: Duration::MAX };
    assert!(silly.delay(5, u64::MAX) <= Duration::from_secs(24 * 60 * 60));
}

/// Fails everything, and says so in an event that `name` is given.
struct Speaks(&'static str, serde_json::Value);

impl Handler for Speaks {
    fn handle(&self, _: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(async { panic!("out of paper") })
    }

    fn given_up(&self, event: &Event, error: &str) -> Effects {
        let mut payload = self.1.clone();
        payload["error"] = format!("{}: {error}", event.seq).into();
        let told = NewEvent::new(self.0.parse().unwrap(), payload).caused_by(event);
        Effects { events: vec![told], ..Effects::default() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_words_are_committed_with_the_dead_letter() {
    let world = World::new().await;
    let speaks = Speaks("printing.error", json!({}));
    let _running = world.bus.subscribe(subscription("a", 1), speaks).await.unwrap();
    let bad = world.publish(event(0, 0)).await;
    world.settled("a").await;
    let told = world.named("printing.error");
    assert_eq!(told.len(), 1, "once, however often it was tried");
    assert_eq!(told[0].context.causation_id, Some(bad.id));
    let error = told[0].payload["error"].as_str().unwrap();
    assert!(error.starts_with(&format!("{}: ", bad.seq)) && error.contains("out of paper"), "{error}");
    assert_eq!(world.letters().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_words_that_the_log_refuses_are_left_out() {
    let world = World::new().await;
    // Not what this event carries.
    let speaks = Speaks("recording.deleted", json!({ "recording_id": 7 }));
    let _running = world.bus.subscribe(subscription("a", 1), speaks).await.unwrap();
    world.publish(event(0, 0)).await;
    world.publish(event(0, 1)).await;
    world.settled("a").await;
    assert!(world.named("recording.deleted").is_empty());
    assert_eq!(world.letters().len(), 2);
}
