//! What people are told when something went wrong on the box.

use super::*;

fn dead_letter(subscription: &str) -> NewEvent {
    let payload = json!({
        "subscription": subscription, "event_id": "01947662-4e4d-7000-8000-000000000000",
        "event_name": "recording.ended", "seq": 7, "error": "the disk is full",
    });
    event("subscription.dead_lettered", payload)
}

fn stage(name: &str, key: &str, id: &str) -> NewEvent {
    let failed = json!({ "status": "error", "timestamp": AT, "error": "no space is left" });
    event(name, json!({ "recording_id": id, key: failed, "metadata": {} }))
}

#[test]
fn w3_no_failure_is_silent() {
    let bench = bench(json!({}));
    let transcript = json!({ "recording_id": "a", "status": "error", "timestamp": AT, "error": "no model" });
    let forced = json!({ "first_seq": 1, "last_seq": 9, "events": 9, "subscriptions": ["example"] });
    let cases = [
        (event("transcription_local.error", transcript), "A recording could not be written down", "no model"),
        (
            stage("noise_reduction.error", "noise_reduction", "a"),
            "A recording could not be cleaned of noise",
            "no space is left",
        ),
        (stage("cleanup_files.error", "cleanup_files", ""), "Files could not be removed", "no space is left"),
        (
            stage("directory_sync.error", "directory_sync", ""),
            "Files could not be copied",
            "no space is left",
        ),
        (unwritten("meeting_notes_local", "a"), "Notes could not be written", "Ollama does not answer"),
        (dead_letter("example"), "An event was given up", "the disk is full"),
        (changed("example", "failed"), "The plugin example does not run", "it panicked"),
        (
            event("capture.lost", json!({ "reason": "it was unplugged" })),
            "The microphone is gone",
            "unplugged",
        ),
        (
            event("model.failed", json!({ "model": "base.en", "reason": "there is no such file" })),
            "The speech model cannot be used",
            "base.en: there is no such file",
        ),
        (event("backup.failed", json!({ "error": "read-only" })), "No backup could be made", "read-only"),
        (event("retention.forced", forced), "Events were removed unhandled", "before example had them"),
    ];
    for (at, (failure, title, words)) in cases.into_iter().enumerate() {
        bench.deliver(failure).unwrap();
        let told = &offers(&bench)[at].payload;
        assert_eq!((told["title"].as_str(), told["urgency"].as_str()), (Some(title), Some("error")));
        assert!(told["message"].as_str().unwrap().contains(words), "{told}");
    }
    assert!(completions(&bench).is_empty(), "nobody was told of notes");
}

#[test]
fn what_people_know_or_need_not_know_is_not_told() {
    let mut bench = bench(json!({}));
    for quiet in [
        // Its own: telling of it would fail the same way, for ever.
        dead_letter("desktop_notifier"),
        changed("desktop_notifier", "failed"),
        // Told by the plugin's own `.error`.
        dead_letter("noise_reduction"),
        // Another model than the one in use was tried.
        event("model.failed", json!({ "model": "base.en", "reason": "it is damaged", "in_use": "tiny.en" })),
        changed("example", "stopped"),
        changed("example", "running"),
    ] {
        bench.deliver(quiet).unwrap();
    }
    bench.configure(json!({ "alerts": false })).start().unwrap();
    for quiet in [dead_letter("example"), unwritten("meeting_notes_local", "a"), changed("example", "failed")]
    {
        bench.deliver(quiet).unwrap();
    }
    assert!(offers(&bench).is_empty());
}

#[test]
fn a_microphone_that_comes_and_goes_is_told_once() {
    let mut bench = bench(json!({}));
    let lost = || event("capture.lost", json!({ "reason": "it was unplugged" }));
    for _ in 0..5 {
        bench.deliver(lost()).unwrap();
    }
    bench.deliver(changed("example", "failed")).unwrap();
    bench.deliver(changed("greeter", "failed")).unwrap();
    assert_eq!(offers(&bench).len(), 3, "each thing once");
    // On the bench, an event is a second younger than the one before.
    bench.configure(json!({ "alert_pause_s": 2 })).start().unwrap();
    bench.deliver(lost()).unwrap();
    assert_eq!(offers(&bench).len(), 4);
    assert_eq!(state_keys(&bench).len(), 1, "what may be told again is forgotten: {:?}", state_keys(&bench));
}

#[test]
fn an_alert_goes_every_way_that_is_set_and_is_an_error_when_none_takes_it() {
    let hook = Web::new(&[200, 404]);
    let bench = bench(json!({ "webhook": { "url": hook.url("/") } }));
    bench.deliver(stage("noise_reduction.error", "noise_reduction", "a")).unwrap();
    let body: Value = panotti_sdk::serde_json::from_slice(&hook.requests()[0].body).unwrap();
    assert_eq!((&body["recording_id"], &body["urgency"]), (&json!("a"), &json!("error")));
    bench.deliver(stage("noise_reduction.error", "noise_reduction", "b")).unwrap_err();
    assert_eq!(named(&bench, "desktop_notification.error")[0].payload["recording_id"], "b");
}

#[test]
fn an_error_about_an_id_of_any_length_is_told() {
    let bench = bench(json!({}));
    for id in ["x".repeat(5000), "\u{1f3a4}".repeat(500), "x".repeat(128)] {
        let failed = "transcription_local.error";
        let payload = json!({ "recording_id": id, "status": "error", "timestamp": AT, "error": "no model" });
        bench.deliver(event(failed, payload)).unwrap();
    }
    assert_eq!(offers(&bench).len(), 2, "what begins with the same 128 characters is about the same");
}
