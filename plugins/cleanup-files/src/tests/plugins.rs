//! Plugins that come and go, fail, or are spoken for by others.

use super::*;

fn gone(plugin: &str) -> NewEvent {
    let payload =
        json!({ "plugin": plugin, "from": "running", "to": "disabled", "reason": "somebody said so" });
    event("plugin.state_changed", payload)
}

/// Recordings whose audio would go if the disk got short, in that order.
fn when_short(house: &House) -> Vec<String> {
    let plan = house.plan();
    let rows = plan["when_short"].as_array().unwrap();
    rows.iter().map(|it| it["recording_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_plugin_that_is_enabled_later_makes_no_recording_busy_that_was_done_before() {
    let mut house = House::new(json!({}));
    house.file("recordings/a/audio-0000.wav");
    house.deliver(ended("a", "device", "a/"));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    for plugin in ["noise_reduction", "meeting_notes_local", "meeting_notes_remote"] {
        house.bench.neighbour(plugin, true);
    }
    assert_eq!(when_short(&house), ["a"]);
    let again = ended("a", "device", "a/").payload().clone();
    house.deliver(event("recording.transcription_requested", again));
    assert!(when_short(&house).is_empty(), "it is worked on again");
}

#[test]
fn audio_that_is_cleaned_after_it_was_written_down_is_waited_for_by_nobody() {
    let mut house = House::new(json!({ "cleanup_delay": 3600 }));
    house.bench.neighbour("noise_reduction", true).neighbour("audio_transcription_local", true);
    house.file("recordings/a/audio-0000.wav");
    house.deliver(ended("a", "device", "a/"));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    assert_eq!(house.due(), 0);
    house.deliver(cleaned("a", Path::new("data/a.wav")));
    assert_eq!((house.due(), when_short(&house)), (1, vec!["a".to_owned()]));
}

#[test]
fn a_plugin_that_goes_away_is_not_waited_for_any_more() {
    let mut house = House::new(json!({ "cleanup_delay": 3600 }));
    for plugin in ["meeting_notes_local", "desktop_notifier"] {
        house.bench.neighbour(plugin, true);
    }
    house.deliver(transcribed("a", Path::new("data/a.md")));
    house.deliver(transcribed("b", Path::new("data/b.md")));
    house.deliver(noted("meeting_notes_local", "b", Path::new("data/b.md")));
    house.deliver(gone("meeting_notes_local"));
    assert_eq!(house.due(), 0, "it is to run all the same: it starts again");
    house.bench.neighbour("meeting_notes_local", false);
    for _ in 0..3 {
        house.deliver(gone("meeting_notes_local"));
    }
    assert_eq!(house.due(), 1, "people are not told of `b`");
    house.bench.neighbour("desktop_notifier", false);
    house.deliver(gone("desktop_notifier"));
    assert_eq!(house.due(), 2);
    // Also while this plugin was away.
    house.bench.neighbour("meeting_notes_local", true);
    house.deliver(transcribed("c", Path::new("data/c.md")));
    house.bench.stop().unwrap();
    house.bench.neighbour("meeting_notes_local", false).start().unwrap();
    until("the third", || (house.due() == 3).then_some(()));
}

#[test]
fn audio_of_a_recording_that_could_not_be_written_down_goes_last() {
    let mut house = House::new(json!({ "cleanup_delay": 3600, "keep_audio": false }));
    house.bench.neighbour("meeting_notes_local", true);
    for id in ["a", "b", "c"] {
        house.file(&format!("recordings/{id}/audio-0000.wav"));
        house.deliver(ended(id, "device", &format!("{id}/")));
    }
    let failed = json!({ "recording_id": "a", "status": "error", "timestamp": AT, "error": "no model" });
    house.deliver(event("transcription_local.error", failed));
    assert_eq!((when_short(&house), house.due()), (vec!["a".to_owned()], 0));
    house.deliver(transcribed("b", Path::new("data/b.md")));
    house.deliver(noted("meeting_notes_local", "b", Path::new("data/b.md")));
    assert_eq!((when_short(&house), house.due()), (vec!["b".to_owned(), "a".to_owned()], 1));
    house.deliver(transcribed("a", Path::new("data/a.md")));
    house.deliver(noted("meeting_notes_local", "a", Path::new("data/a.md")));
    assert_eq!((when_short(&house), house.due()), (vec!["a".to_owned(), "b".to_owned()], 2));
}

#[test]
fn only_the_plugin_of_a_stage_is_believed() {
    let house = House::new(json!({ "keep_transcripts": false, "cleanup_delay": 3600 }));
    let (any, own) = (house.file("any.md"), house.file("recordings/a/transcript.json"));
    house.deliver(ended("a", "client", "mic.wav"));
    for source in ["api", "core", "meeting_notes_remote"] {
        house.deliver(cleaned("a", &any).from_source(source));
        house.deliver(noted("meeting_notes_local", "a", &any).from_source(source));
        house.deliver(notified("a").from_source(source));
    }
    house.deliver(transcribed("a", &any).from_source("noise_reduction"));
    assert_eq!(house.due(), 0);
    // The core speaks as `api` of a client's recordings, and writes into their own folders alone.
    house.deliver(transcribed("a", &any).from_source("api"));
    assert_eq!(house.plan()["due"][0]["files"], json!([]));
    house.deliver(transcribed("a", &own).from_source("api"));
    assert_eq!(house.plan()["due"][0]["files"], json!([{ "path": own, "bytes": 10 }]));
    house.deliver(transcribed("a", &any));
    assert_eq!(house.plan()["due"][0]["files"].as_array().unwrap().len(), 2);
}

#[test]
fn an_event_that_was_kept_and_comes_again_begins_no_second_cleanup() {
    let house = House::new(json!({}));
    let written = house.bench.publish(transcribed("a", Path::new("data/a.md")));
    house.bench.handle(&written).unwrap();
    house.wait(1);
    house.bench.redeliver(&written).unwrap();
    assert_eq!(house.due(), 0);
}
