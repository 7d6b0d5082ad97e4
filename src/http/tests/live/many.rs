//! Many followers, slow ones, and those who go: what is of the moment may be lost, what lasts never is, and
//! nothing stays behind.

use super::*;

#[tokio::test]
async fn who_is_slow_loses_what_is_of_the_moment_alone() {
    let it = bench();
    let mut slow = Follower::open(&it, "", &[]).await;
    let mut fast = Follower::open(&it, "", &[]).await;
    it.app.live.show(partial(0, 500, 1));
    it.app.live.show(partial(1, 500, 1));
    // Both have seen both.
    for follower in [&mut slow, &mut fast] {
        for _ in 0..2 {
            follower.next_of("caption.partial").await;
        }
    }
    for revision in 2..1000 {
        it.app.live.show(partial(0, 500, revision));
        if revision % 100 == 0 {
            publish_final(&it.app, u64::from(revision)).await;
            assert_eq!(fast.next_of("talk.completed").await.data["payload"]["n"], revision);
        }
    }
    it.app.live.clear(1);
    // More than waits for the one who looks for all.
    for revision in 1000..1100 {
        it.app.live.show(partial(0, 500, revision));
    }
    fast.next_of("caption.gone").await;
    it.app.live.show(partial(0, 2000, 1));
    fast.next_of("caption.partial").await;
    let (mut finals, mut revisions, mut gone) = (Vec::new(), 0, Vec::new());
    loop {
        let heard = slow.next().await;
        match &*heard.kind {
            "talk.completed" => finals.push(heard.data["payload"]["n"].as_u64().unwrap()),
            "caption.gone" => gone.push(heard.data["lane"].as_u64().unwrap()),
            "caption.partial" if heard.data["start_ms"] == 2000 => break,
            "caption.partial" => revisions += 1,
            _ => {}
        }
    }
    assert_eq!(finals, (100..1000).step_by(100).collect::<Vec<_>>());
    assert!(revisions < 500, "{revisions}");
    assert!(gone.contains(&1), "what is no longer shown is taken away, also when that was missed: {gone:?}");
}

#[tokio::test]
async fn large_events_come_in_their_order_too() {
    let it = bench();
    let mut follower = Follower::open(&it, "", &[]).await;
    let sizes = [1, 200_000, 1, 250_000, 250_000, 1];
    for size in sizes {
        let payload = json!({ "n": 0, "text": "x".repeat(size) });
        let event = NewEvent::new("talk.completed".parse().unwrap(), payload);
        it.app.log.append(Batch { events: vec![event], ..Batch::default() }).await.unwrap();
    }
    let (mut seen, mut last) = (Vec::new(), 0);
    while seen.len() < sizes.len() {
        let heard = follower.next_of("talk.completed").await;
        assert!(heard.seq > Some(last));
        last = heard.seq.unwrap();
        seen.push(heard.data["payload"]["text"].as_str().unwrap().len());
    }
    assert_eq!(seen, sizes);
}

#[tokio::test]
async fn all_see_the_same() {
    let it = bench();
    let mut followers = Vec::new();
    // Fewer messages than wait for one who does not look.
    for _ in 0..20 {
        followers.push(Follower::open(&it, "?levels=false", &[]).await);
    }
    for n in 1..=30 {
        it.app.live.show(partial(0, 500 * u64::from(n), n));
        publish_final(&it.app, n.into()).await;
        it.app.live.clear(0);
    }
    publish_final(&it.app, 0).await;
    let mut seen = Vec::new();
    for mut follower in followers {
        let mut all = Vec::new();
        while all.last().is_none_or(|it| it != "talk.completed 0") {
            let heard = follower.next().await;
            if heard.kind != "state" {
                all.push(heard.brief());
            }
        }
        seen.push(all);
    }
    assert_eq!(seen[0].len(), 30 * 3 + 1);
    assert!(seen.iter().all(|it| *it == seen[0]));
    let finals = seen[0].iter().filter(|it| it.starts_with("talk"));
    let expected: Vec<_> = (1..=30).chain([0]).map(|n| format!("talk.completed {n}")).collect();
    assert_eq!(finals.cloned().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn places_are_limited_and_free_at_once() {
    let it = bench();
    let mut followers = Vec::new();
    for _ in 0..256 {
        followers.push(Follower::open(&it, "", &[]).await);
    }
    let headers = [("x-api-key", it.viewer.as_str()), ("accept", "text/event-stream")];
    let refused = it.send("GET /live", &headers, "").await;
    assert!(refused.problem(503).contains("256"));
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(it.ask("GET /live", "").await.status, StatusCode::OK, "one answer needs no place");
    assert_eq!(it.ask("GET /system", "").await.json()["viewers"], 256);
    followers.truncate(255);
    assert_eq!(it.ask("GET /system", "").await.json()["viewers"], 255);
    followers.push(Follower::open(&it, "", &[]).await);
    drop(followers);
    assert_eq!(it.ask("GET /system", "").await.json()["viewers"], 0);
}

#[tokio::test]
async fn when_nobody_looks_nothing_works_and_nothing_is_kept() {
    let it = bench();
    let mut follower = Follower::open(&it, "", &[]).await;
    follower.next_of("state").await;
    drop(follower);
    let mut another = Follower::open(&it, "", &[]).await;
    another.next_of("state").await;
    drop(another);
    let live = Arc::downgrade(&it.app.live);
    drop(it);
    tokio::time::timeout(Duration::from_secs(60), async {
        while live.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the task that looked has ended");
}

#[tokio::test]
async fn who_takes_nothing_is_not_waited_for() {
    let it = bench();
    for (line, expected) in [("GET /live", true), ("GET /events/stream", true), ("GET /events", false)] {
        let headers = [("x-api-key", it.viewer.as_str()), ("accept", "text/event-stream")];
        let mut request = request(line, &headers, "");
        let must_take = connections::MustTake::default();
        request.extensions_mut().insert(must_take.clone());
        let answer = it.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(must_take.0.load(std::sync::atomic::Ordering::Relaxed), expected, "{line}");
    }
}
