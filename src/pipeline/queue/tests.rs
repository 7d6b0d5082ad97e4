//! Order, and what gives way to what.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use tokio::sync::oneshot;

use super::*;
use crate::{speech::Hints, status::CaptionState};

fn live(recording: &str, lane: usize, seconds: usize) -> Live {
    let samples = vec![0.0; seconds * SAMPLE_RATE_HZ as usize];
    Live { recording: recording.into(), lane, label: None, utterance: Utterance { start_sample: 0, samples } }
}

fn queue() -> Queue {
    Queue::new(Duration::from_secs(1), Arc::default())
}

fn request() -> Request {
    let (reply, _) = oneshot::channel();
    Request { recording_id: None, tracks: Vec::new(), hints: Hints::default(), said: None, reply }
}

/// What comes out, in short.
fn names(queue: &Queue, n: usize) -> Vec<String> {
    let name = |work| match work {
        Work::Live(it) => format!("live {}", it.lane),
        Work::Skipped { .. } => "skipped".into(),
        Work::Forgotten(id) => format!("forgotten {id}"),
        Work::Switch(_) => "switch".into(),
        Work::Urgent(_) => "urgent".into(),
        Work::Partial(it, _) => {
            queue.partial_over(true, Duration::ZERO);
            format!("partial {} {}", it.lane, it.utterance.samples.len() / SAMPLE_RATE_HZ as usize)
        }
        Work::Final(it) => format!("final {}", it.recording()),
    };
    (0..n).map(|_| name(queue.next().unwrap())).collect()
}

#[test]
fn captions_go_first_and_old_ones_are_left_out() {
    let queue = queue();
    queue.final_pass("old".into());
    queue.final_pass("old".into());
    for _ in 0..6 {
        queue.live(live("new", 0, 25));
    }
    assert!(matches!(queue.next(), Some(Work::Skipped { skipped_ms: 50_000, waiting_ms: 100_000, .. })));
    for _ in 0..4 {
        assert!(matches!(queue.next(), Some(Work::Live(_))));
    }
    assert!(matches!(queue.next(), Some(Work::Final(Final::Recording(id))) if id == "old"));
    assert!(!queue.cancelled());
    queue.forget("old");
    assert!(queue.cancelled());
    queue.close();
    assert!(queue.next().is_none());
}

#[test]
fn the_order() {
    let queue = queue();
    queue.final_pass("old".into());
    queue.partial(live("new", 1, 1));
    queue.partial(live("new", 0, 1));
    queue.partial(live("new", 2, 1));
    // A newer one takes its place.
    queue.partial(live("new", 1, 2));
    queue.request(request());
    // Its utterance is over.
    queue.live(live("new", 2, 3));
    queue.forget("gone");
    let order =
        ["forgotten gone", "live 2", "urgent", "partial 1 2", "partial 0 1", "final old"].map(str::to_owned);
    assert_eq!(names(&queue, 6), order);
    // Between the utterances of a final pass, and of what somebody waits for.
    queue.partial(live("new", 0, 1));
    queue.request(request());
    assert!(matches!(queue.meanwhile(false), Some(Work::Partial(..))));
    queue.partial_over(true, Duration::ZERO);
    assert!(queue.meanwhile(false).is_none());
    assert!(matches!(queue.meanwhile(true), Some(Work::Urgent(_))));
    queue.partial(live("new", 0, 1));
    assert!(matches!(queue.meanwhile(true), Some(Work::Partial(..))));
}

#[test]
fn a_partial_caption_that_is_being_made_gives_way() {
    let begun = |queue: &Queue| {
        queue.partial(live("new", 0, 1));
        let Some(Work::Partial(_, abandon)) = queue.next() else { panic!("no partial caption") };
        assert!(!abandon.load(Ordering::Relaxed));
        abandon
    };
    let queue = queue();
    let abandon = begun(&queue);
    queue.partial(live("new", 0, 2));
    queue.final_pass("old".into());
    queue.forget("another");
    assert!(!abandon.load(Ordering::Relaxed), "not to those");
    queue.live(live("new", 1, 1));
    assert!(abandon.load(Ordering::Relaxed), "to a final caption, of any microphone");
    queue.partial_over(false, Duration::ZERO);
    assert_eq!(names(&queue, 4), ["forgotten another", "live 1", "partial 0 2", "final old"]);

    let abandon = begun(&queue);
    queue.forget("new");
    assert!(abandon.load(Ordering::Relaxed), "nobody wants it");
    queue.partial_over(false, Duration::ZERO);
    assert_eq!(names(&queue, 1), ["forgotten new"]);
    let abandon = begun(&queue);
    queue.close();
    assert!(abandon.load(Ordering::Relaxed), "the service stops");
}

#[test]
fn a_recording_that_is_gone_or_over_leaves_nothing() {
    let queue = queue();
    queue.partial(live("gone", 0, 1));
    queue.live(live("gone", 1, 1));
    queue.forget("gone");
    queue.partial(live("over", 0, 1));
    queue.ended();
    queue.final_pass("last".into());
    assert_eq!(names(&queue, 2), ["forgotten gone", "final last"]);
}

#[test]
fn after_a_slow_partial_caption_other_work_comes_first() {
    let queue = queue();
    queue.partial(live("new", 0, 1));
    assert_eq!(names(&queue, 1), ["partial 0 1"]);
    queue.partial_over(true, Duration::from_secs(3600));
    queue.partial(live("new", 0, 2));
    queue.final_pass("old".into());
    assert_eq!(names(&queue, 1), ["final old"]);
    assert!(queue.meanwhile(true).is_none());
    // Rested for a moment only, it comes by itself: nothing else wakes the reader.
    queue.partial_over(true, Duration::from_millis(1_001));
    assert_eq!(names(&queue, 1), ["partial 0 2"]);
}

#[test]
fn the_state_of_captions_is_told() {
    let status = Arc::new(Status::default());
    let queue = Queue::new(Duration::from_secs(1), status.clone());
    let state = || status.facts().captions;
    status.update(|it| it.model = ModelState::Loading { name: "x".into() });
    (0..9).for_each(|_| queue.partial(live("new", 0, 1)));
    (0..9).for_each(|_| {
        queue.live(live("new", 0, 1));
        queue.partial(live("new", 0, 1));
    });
    assert_eq!(names(&queue, 10).last().unwrap(), "partial 0 1");
    assert_eq!(state(), CaptionState::Live, "the model is being loaded");
    status.update(|it| it.model = ModelState::None);
    (0..6).for_each(|_| queue.partial(live("new", 0, 1)));
    assert_eq!(state(), CaptionState::WithoutPartials);
    for _ in 0..3 {
        queue.live(live("new", 0, 6));
    }
    assert_eq!(state(), CaptionState::Behind { waiting_ms: 18_000 });
    assert_eq!(names(&queue, 2), ["live 0", "live 0"]);
    assert_eq!(state(), CaptionState::WithoutPartials);
    queue.ended();
    assert_eq!(state(), CaptionState::Live);
}

#[test]
fn another_model_goes_before_everything() {
    use tokio::sync::oneshot::error::TryRecvError;
    let queue = queue();
    let switch = || {
        let (reply, answer) = oneshot::channel();
        let to = crate::speech::model::Choice::of("x", std::path::Path::new("models"));
        queue.switch(Switch { to, reply });
        answer
    };
    queue.live(live("new", 0, 1));
    let mut first = switch();
    assert!(
        matches!(queue.next(), Some(Work::Switch(_)))
            && matches!(first.try_recv(), Err(TryRecvError::Closed))
    );
    assert!(matches!(queue.next(), Some(Work::Live(_))));
    // Also in the middle of work for which somebody waits.
    switch();
    assert!(matches!(queue.meanwhile(false), Some(Work::Switch(_))));
    let mut waits = switch();
    queue.close();
    let mut late = switch();
    for answer in [&mut waits, &mut late] {
        assert!(matches!(answer.try_recv(), Ok(Err(DeskError::Closed))));
    }
}
