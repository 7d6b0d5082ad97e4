//! What every plugin passes, and what this one does: once per meeting, honest, also when something fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod alerts;
pub(crate) mod servers;

use std::sync::Arc;

use panotti_sdk::{
    conformance::Case,
    serde_json::{Value, json},
    testing::Bench,
};

use self::servers::Web;
use super::*;

pub(crate) const AT: &str = "2026-01-17T22:55:32Z";

/// An event as another plugin publishes it.
fn event(name: &str, payload: Value) -> NewEvent {
    NewEvent::new(name.parse().unwrap(), payload)
}

fn written(writer: &str, id: &str) -> NewEvent {
    let notes = json!({
        "status": "completed", "timestamp": AT, "recording_id": id,
        "notes_path": format!("/notes/{writer}/{id}.md"), "input_paths": { "transcript": "x.md" }, "config": {},
    });
    let payload =
        json!({ "recording_id": id, "meeting_notes": notes, "metadata": { "eventTitle": "Weekly" } });
    event(&format!("{writer}.completed"), payload)
}

fn unwritten(writer: &str, id: &str) -> NewEvent {
    let notes = json!({ "status": "error", "timestamp": AT, "error": "Ollama does not answer" });
    let payload = json!({ "recording_id": id, "meeting_notes": notes, "metadata": { "title": "Weekly" } });
    event(&format!("{writer}.error"), payload)
}

fn ended(id: &str) -> NewEvent {
    let payload = json!({
        "recording_id": id, "title": "Weekly", "attendees": [], "timestamp": AT, "origin": "client",
        "duration_ms": 0, "interrupted": false, "problem": null, "tracks": [], "metadata": {},
    });
    event("recording.ended", payload)
}

fn changed(plugin: &str, to: &str) -> NewEvent {
    let payload = json!({ "plugin": plugin, "from": "running", "to": to, "reason": "it panicked" });
    event("plugin.state_changed", payload)
}

/// Channels of which only `channels` is on: a desktop of whoever runs the tests is left alone.
fn only(channels: Value) -> Value {
    let mut all = json!({ "desktop": { "enabled": false } });
    let Value::Object(channels) = channels else { panic!("channels are an object") };
    all.as_object_mut().unwrap().extend(channels);
    json!({ "channels": all })
}

fn bench(channels: Value) -> Bench {
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.configure(only(channels)).start().unwrap();
    bench
}

fn named(bench: &Bench, name: &str) -> Vec<Arc<Event>> {
    bench.events().into_iter().filter(|it| it.name.as_str() == name).collect()
}

fn offers(bench: &Bench) -> Vec<Arc<Event>> {
    named(bench, "desktop_notification.offered")
}

fn completions(bench: &Bench) -> Vec<Arc<Event>> {
    named(bench, "desktop_notification.completed")
}

fn state_keys(bench: &Bench) -> Vec<String> {
    bench.state().into_keys().collect()
}

panotti_sdk::conformance!(
    Case::of(DESCRIPTOR)
        .config(only(json!({})))
        .event(ended("a"))
        .event(written("meeting_notes_local", "a"))
        .event(unwritten("meeting_notes_remote", "b"))
        .event(changed("noise_reduction", "failed"))
        .event(changed("meeting_notes_local", "stopped"))
        .event(event("recording.deleted", json!({ "recording_id": "a" })))
);

#[test]
fn w13_two_plugins_that_write_notes_are_one_notification() {
    let mut bench = bench(json!({}));
    bench.neighbour("meeting_notes_local", true).neighbour("meeting_notes_remote", true);
    assert!(bench.deliver(written("meeting_notes_local", "a.b")).unwrap().is_empty(), "it waits");
    assert!(offers(&bench).is_empty());
    bench.deliver(written("meeting_notes_remote", "a.b")).unwrap();
    assert_eq!((offers(&bench).len(), completions(&bench).len()), (1, 1));
    let said = &offers(&bench)[0].payload;
    assert_eq!(said["title"], "Notes are ready");
    assert_eq!(
        said["message"],
        "The notes of “Weekly” are ready, written by this box and by the service elsewhere."
    );
    let told = &completions(&bench)[0].payload;
    assert_eq!(told["desktop_notification"]["notes_path"], "/notes/meeting_notes_local/a.b.md");
    // Written down again: told again, and once.
    bench.deliver(written("meeting_notes_remote", "a.b")).unwrap();
    assert_eq!(offers(&bench).len(), 1);
    bench.deliver(written("meeting_notes_local", "a.b")).unwrap();
    assert_eq!((offers(&bench).len(), completions(&bench).len()), (2, 2));
    assert_eq!(state_keys(&bench), ["meeting/a.b"], "nothing but the meeting is kept");
}

#[test]
fn w13_notes_that_fail_are_told_with_those_that_are_there() {
    let mut bench = bench(json!({}));
    bench.neighbour("meeting_notes_local", true).neighbour("meeting_notes_remote", true);
    bench.deliver(unwritten("meeting_notes_remote", "a")).unwrap();
    bench.deliver(written("meeting_notes_local", "a")).unwrap();
    let said = &offers(&bench)[0].payload;
    assert_eq!(
        (said["title"].as_str(), said["urgency"].as_str()),
        (Some("Notes are ready in part"), Some("warning"))
    );
    assert_eq!(
        said["message"],
        "The notes of “Weekly” are ready, written by this box. Those of the service elsewhere could not be \
         written: Ollama does not answer."
    );
    assert_eq!(completions(&bench).len(), 1);
}

#[test]
fn w13_notes_that_come_later_than_expected_are_told_with_the_others() {
    let mut bench = bench(json!({}));
    bench.neighbour("meeting_notes_local", true);
    bench.deliver(written("meeting_notes_local", "a")).unwrap();
    // It was off, and somebody had its event delivered again.
    bench.neighbour("meeting_notes_remote", true);
    bench.deliver(written("meeting_notes_remote", "a")).unwrap();
    let said = |at: usize| offers(&bench)[at].payload["message"].as_str().unwrap().to_owned();
    assert!(said(0).ends_with("written by this box."), "{}", said(0));
    assert!(said(1).ends_with("written by this box and by the service elsewhere."), "{}", said(1));
}

#[test]
fn w13_a_plugin_that_stops_meanwhile_is_not_waited_for() {
    let mut bench = bench(json!({}));
    bench.neighbour("meeting_notes_local", true).neighbour("meeting_notes_remote", true);
    bench.deliver(written("meeting_notes_local", "a")).unwrap();
    bench.deliver(changed("meeting_notes_remote", "running")).unwrap();
    assert!(offers(&bench).is_empty());
    bench.neighbour("meeting_notes_remote", false);
    bench.deliver(changed("meeting_notes_remote", "disabled")).unwrap();
    assert_eq!((offers(&bench).len(), completions(&bench).len()), (1, 1));
    let notes = named(&bench, "meeting_notes_local.completed")[0].clone();
    assert_eq!(offers(&bench)[0].context.correlation_id, notes.context.correlation_id);
    assert_eq!(offers(&bench)[0].payload["key"], notes.id.to_string());
}

#[test]
fn w13_a_plugin_that_says_three_times_that_it_goes_is_one_notification() {
    let hook = Web::new(&[]);
    let mut bench = bench(json!({ "webhook": { "url": hook.url("/") } }));
    bench.neighbour("meeting_notes_local", true).neighbour("meeting_notes_remote", true);
    bench.deliver(written("meeting_notes_local", "a")).unwrap();
    bench.neighbour("meeting_notes_remote", false);
    let steps = ["stopping", "stopped", "disabled"];
    let steps = steps.map(|to| bench.publish(changed("meeting_notes_remote", to)));
    // They belong to no meeting: they are handled at the same time.
    let together = std::sync::Barrier::new(steps.len());
    std::thread::scope(|scope| {
        for step in &steps {
            let (bench, together) = (&bench, &together);
            scope.spawn(move || {
                together.wait();
                bench.redeliver(step).unwrap();
            });
        }
    });
    assert_eq!((hook.requests().len(), offers(&bench).len(), completions(&bench).len()), (1, 1, 1));
    assert_eq!(state_keys(&bench), ["meeting/a"]);
}

#[test]
fn notes_of_a_recording_that_was_deleted_meanwhile_are_not_told() {
    let mut bench = bench(json!({}));
    let first = bench.publish(ended("a"));
    let of_meeting = |it: NewEvent| it.correlated(first.context.correlation_id);
    bench.neighbour("meeting_notes_local", true).neighbour("meeting_notes_remote", true);
    bench.deliver(of_meeting(written("meeting_notes_remote", "a"))).unwrap();
    bench.deliver(of_meeting(event("recording.deleted", json!({ "recording_id": "a" })))).unwrap();
    // The model was writing.
    bench.deliver(of_meeting(written("meeting_notes_local", "a"))).unwrap();
    bench.deliver(of_meeting(written("meeting_notes_remote", "a"))).unwrap();
    assert!(offers(&bench).is_empty() && completions(&bench).is_empty());
    assert!(state_keys(&bench).is_empty(), "{:?}", state_keys(&bench));
    // Another meeting whose recording has the same id is another matter.
    bench.neighbour("meeting_notes_remote", false);
    bench.deliver(written("meeting_notes_local", "a")).unwrap();
    assert_eq!(completions(&bench).len(), 1);
}

#[test]
fn a_deleted_recording_is_forgotten() {
    let mut bench = bench(json!({}));
    bench.neighbour("meeting_notes_local", true).neighbour("meeting_notes_remote", true);
    let long = "x".repeat(128);
    for id in ["a", long.as_str()] {
        bench.deliver(written("meeting_notes_local", id)).unwrap();
        assert_eq!(state_keys(&bench).len(), 2);
        bench.deliver(event("recording.deleted", json!({ "recording_id": id }))).unwrap();
        assert!(state_keys(&bench).is_empty());
    }
    bench.neighbour("meeting_notes_remote", false);
    bench.deliver(changed("meeting_notes_remote", "disabled")).unwrap();
    assert!(offers(&bench).is_empty());
}

#[test]
fn w9_what_is_told_belongs_to_the_meeting_and_keeps_what_is_known_of_it() {
    let bench = bench(json!({}));
    let notes = bench.publish(written("meeting_notes_local", "a"));
    bench.redeliver(&notes).unwrap();
    for told in [&offers(&bench)[0], &completions(&bench)[0]] {
        assert_eq!(told.context.correlation_id, notes.context.correlation_id);
        assert_eq!(told.context.causation_id, Some(notes.id));
    }
    assert_eq!(completions(&bench)[0].payload["metadata"], json!({ "eventTitle": "Weekly" }));
}

#[test]
fn w39_the_page_alone_is_no_claim_that_somebody_was_told() {
    let bench = bench(json!({}));
    bench.deliver(written("meeting_notes_local", "a")).unwrap();
    let told = completions(&bench)[0].payload["desktop_notification"].clone();
    assert_eq!(told["notification_sent"], false);
    assert!(told["problem"].as_str().is_some_and(|it| it.contains("page")), "{told}");
    assert_eq!(told["channels"][0]["channel"], "page");
    assert_eq!(told["channels"][0]["sent"], false);
    assert!(told["channels"][0]["error"].as_str().unwrap().contains("not known"));
}

#[test]
fn w39_only_what_was_taken_is_claimed() {
    let (good, bad) = (Web::new(&[]), Web::new(&[500]));
    let bench = bench(json!({
        "webhook": { "url": good.url("/hook") }, "ntfy": { "url": bad.url("/room") },
        "desktop": { "enabled": true, "address": "unix:path=/there/is/no/bus" }, "page": { "enabled": false },
    }));
    bench.deliver(written("meeting_notes_local", "a")).unwrap();
    let told = completions(&bench)[0].payload["desktop_notification"].clone();
    assert_eq!(told["notification_sent"], true);
    let sent = |at: usize| {
        (told["channels"][at]["channel"].as_str().unwrap().to_owned(), told["channels"][at]["sent"].clone())
    };
    assert_eq!(sent(0), ("desktop".into(), false.into()));
    assert_eq!(sent(1), ("webhook".into(), true.into()));
    assert_eq!(sent(2), ("ntfy".into(), false.into()));
    assert_eq!(told["channels"][2]["error"], "the server answered 500: out of order");
    assert!(offers(&bench).is_empty(), "the page is off");
}

#[test]
fn w39_there_is_one_key_for_opening_notes() {
    for wanted in [true, false] {
        let mut bench = bench(json!({}));
        bench.configure(json!({ "auto_open_notes": wanted })).start().unwrap();
        bench.deliver(written("meeting_notes_local", "a")).unwrap();
        let config = &completions(&bench)[0].payload["desktop_notification"]["config"];
        assert_eq!(*config, json!({ "auto_open": wanted }));
    }
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    let refused = bench.configure(json!({ "auto_open": true })).start().unwrap_err();
    assert!(format!("{refused:?}").contains("auto_open"), "{refused:?}");
}

#[test]
fn a_crash_after_sending_sends_nothing_twice() {
    let (hook, phone) = (Web::new(&[]), Web::new(&[503, 200]));
    let mut bench =
        bench(json!({ "webhook": { "url": hook.url("/") }, "ntfy": { "url": phone.url("/room") } }));
    let notes = bench.publish(written("meeting_notes_local", "a"));
    // The page has it, the webhook has it, and the power fails while the phone is told.
    assert!(bench.cancel(&notes, 4).unwrap());
    while phone.requests().is_empty() {
        std::thread::yield_now();
    }
    bench.start().unwrap();
    bench.handle(&notes).unwrap();
    assert_eq!((hook.requests().len(), phone.requests().len()), (1, 2), "only what had failed is sent again");
    // It fails once more when all is told and the event is not done.
    bench.start().unwrap();
    bench.redeliver(&notes).unwrap();
    assert_eq!((hook.requests().len(), phone.requests().len()), (1, 2));
    assert_eq!((offers(&bench).len(), completions(&bench).len()), (1, 1));
    let told = completions(&bench)[0].payload["desktop_notification"]["channels"].clone();
    assert_eq!((&told[1]["sent"], &told[2]["sent"]), (&json!(true), &json!(true)));
    assert_eq!(phone.requests()[0].headers["idempotency-key"], notes.id.to_string());
    assert_eq!(phone.requests()[1].headers["idempotency-key"], notes.id.to_string());
    assert_eq!(state_keys(&bench), ["meeting/a"]);
}

#[test]
fn when_nobody_takes_it_it_is_tried_again_and_then_an_error() {
    let hook = Web::new(&[500]);
    let bench = bench(json!({ "webhook": { "url": hook.url("/") } }));
    let error = bench.deliver(written("meeting_notes_local", "a")).unwrap_err();
    assert_eq!(error.to_string(), "nobody could be told: webhook: the server answered 500: out of order");
    assert_eq!(hook.requests().len(), 4);
    assert_eq!(offers(&bench).len(), 1, "the page has it nevertheless, and once");
    assert!(completions(&bench).is_empty());
    let failed = &named(&bench, "desktop_notification.error")[0].payload;
    assert_eq!((&failed["recording_id"], &failed["metadata"]["eventTitle"]), (&json!("a"), &json!("Weekly")));
    assert_eq!(failed["desktop_notification"]["error"], error.to_string());
}

#[test]
fn people_are_told_that_a_recording_is_written_down_when_they_want_it() {
    let mut bench = bench(json!({}));
    bench.deliver(ended("a")).unwrap();
    assert!(offers(&bench).is_empty());
    bench.configure(json!({ "status_updates": true })).start().unwrap();
    bench.deliver(ended("b")).unwrap();
    assert_eq!(offers(&bench)[0].payload["message"], "“Weekly” has ended and is being written down.");
    assert!(completions(&bench).is_empty(), "that is for notes alone");
}

#[test]
fn w27_an_id_that_could_be_a_path_is_refused() {
    let bench = bench(json!({}));
    let error = bench.deliver(written("meeting_notes_local", "../../x")).unwrap_err();
    assert!(error.to_string().contains("no id of a recording"), "{error}");
}
