//! From two tracks to notes, a message and a clean disk: the chain of the original, with the real binary, the
//! real model and all its plugins. Owns the whole; each plugin's own tests are beside it.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    harness::{Panotti, Setup, fixture, track},
    ollama::{Mood, Ollama},
};

const ID: &str = "20250117225532_4AFEA8B6";
/// What the chain publishes, in order.
const CHAIN: [&str; 6] = [
    "recording.ended",
    "noise_reduction.completed",
    "transcription_local.completed",
    "meeting_notes_local.completed",
    "desktop_notification.completed",
    "cleanup_files.completed",
];

/// What a good model answers.
const NOTES: &str = "# Audit preparation

## Executive Summary
The group prepared the audit. The interview plan is to be cleaned and the supplier complained about documentation.

## Key Discussion Points
### Audit
- The interview plan needs cleaning next week.
- The supplier complained about the status of the documentation.
- The audit status has to be prepared by the end of the day.

## Action Items
- (Room) Prepare the audit status [by the end of the day]

## Decisions Made
- The interview plan is cleaned next week.

## Next Steps
- Clean the interview plan.
";

/// All others are on by default.
fn setup(ollama: &str) -> Setup {
    Setup::hearing_wav(&fixture("speech/silence0.wav"))
        .set("PANOTTI_PLUGIN_MEETING_NOTES_LOCAL__OLLAMA_URL", ollama)
        .set("PANOTTI_PLUGIN_MEETING_NOTES_LOCAL__TIMEOUT", "3")
        .set("PANOTTI_PLUGIN_CLEANUP_FILES__ENABLED", "true")
        .set("PANOTTI_PLUGIN_CLEANUP_FILES__CLEANUP_DELAY", "0")
}

/// Two tracks of a meeting, where a client puts them.
fn tracks(box_: &Panotti, id: &str) -> (String, String) {
    let recordings = box_.data_dir().join("recordings");
    let (microphone, system) = (format!("{id}_microphone.wav"), format!("{id}_system_audio.wav"));
    track(&recordings.join(&microphone), &[("ex01", 0.5), ("ex04", 11.0)], 16.0);
    track(&recordings.join(&system), &[("ex03", 6.0)], 15.0);
    (microphone, system)
}

async fn end(box_: &Panotti, id: &str, microphone: &str, system: &str) {
    let ended = json!({
        "recordingId": id, "timestamp": "2025-01-17T22:55:48Z",
        "microphoneAudioPath": microphone, "systemAudioPath": system,
        "metadata": {
            "eventTitle": "Audit", "eventAttendees": ["Ada", "Bo"], "microphoneLabel": "Room",
            "systemLabel": "Remote",
        },
    });
    box_.post("/api/recording-ended", ended).await;
}

/// What came of the stages of a recording, oldest first.
async fn told(box_: &Panotti, id: &str) -> Vec<Value> {
    let stage = |it: &Value| {
        let name = it["name"].as_str().unwrap();
        it["payload"]["recording_id"] == id
            && (name == "recording.ended" || name.ends_with(".completed") || name.ends_with(".error"))
    };
    box_.everything().await.into_iter().filter(stage).collect()
}

async fn all_told(box_: &Panotti, id: &str, last: &str) -> Vec<Value> {
    box_.until(&format!("{last} of {id}"), async || {
        let told = told(box_, id).await;
        told.iter().any(|it| it["name"] == last).then_some(told)
    })
    .await
}

fn names(told: &[Value]) -> Vec<&str> {
    told.iter().map(|it| it["name"].as_str().unwrap()).collect()
}

/// Everything that has to be true when the chain is through.
async fn check(box_: &Panotti, id: &str) -> String {
    let told = all_told(box_, id, "cleanup_files.completed").await;
    assert_eq!(names(&told), CHAIN, "each once, in order");
    let meeting = &told[0]["context"]["correlation_id"];
    assert!(told.iter().all(|it| it["context"]["correlation_id"] == *meeting), "one meeting: {told:#?}");
    let recording = box_
        .until("all stages are noted", async || {
            let recording = box_.get(&format!("/recordings/{id}")).await;
            (recording["stages"].as_object()?.len() == CHAIN.len() - 1).then_some(recording)
        })
        .await;
    assert_eq!(recording["state"], "done");
    for (stage, it) in recording["stages"].as_object().unwrap() {
        assert_eq!(it["outcome"], "completed", "{stage}: {it}");
    }
    // The cleaned audio is gone; what people read and what clients own is there.
    let cleaned =
        Path::new(told[1]["payload"]["noise_reduction"]["output_path"].as_str().unwrap()).to_owned();
    assert!(!cleaned.exists(), "{cleaned:?}");
    let data = box_.data_dir();
    for file in [format!("recordings/{id}_microphone.wav"), format!("transcripts_local/{id}_merged.json")] {
        assert!(data.join(&file).exists(), "{file}");
    }
    let notes = box_.request("GET", &format!("/recordings/{id}/notes")).send().await.unwrap();
    assert_eq!(notes.headers()["content-type"], "text/markdown; charset=utf-8");
    let notes = notes.text().await.unwrap();
    for section in [
        "## Meeting Information",
        "## Executive Summary",
        "## Key Discussion Points",
        "## Action Items",
        "## Decisions Made",
        "## Next Steps",
    ] {
        assert_eq!(notes.matches(section).count(), 1, "{section}: {notes}");
    }
    assert!(notes.contains("- Ada") && notes.contains("- Bo"), "{notes}");
    notes
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tracks_become_notes_a_message_and_a_clean_disk() {
    let ollama = Ollama::start(Mood::Says(NOTES.into()));
    let box_ = setup(&ollama.url()).start();
    let (microphone, system) = tracks(&box_, ID);
    end(&box_, ID, &microphone, &system).await;
    let notes = check(&box_, ID).await;
    assert!(notes.contains("(Room) Prepare the audit status"), "{notes}");
    let asked = ollama.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0]["prompt"].as_str().unwrap().contains("supplier"), "the transcript is in the prompt");
    let transcript = box_.get(&format!("/recordings/{ID}/transcript?format=json")).await;
    let speakers: Vec<_> =
        transcript["segments"].as_array().unwrap().iter().map(|it| it["speaker"].as_str().unwrap()).collect();
    assert_eq!(speakers, ["Room", "Remote", "Room"]);

    // A client that says so again starts nothing again (W-7).
    end(&box_, ID, &microphone, &system).await;
    assert_eq!(names(&told(&box_, ID).await), CHAIN);

    // Deleted is deleted: nothing of it is left, in no folder of any plugin. The client's own tracks stay.
    let (status, _) = box_.answer("DELETE", &format!("/recordings/{ID}"), Value::Null).await;
    assert_eq!(status, 204);
    let data = box_.data_dir();
    box_.until("no file of it is left", async || {
        let folders = ["cleaned_audio", "transcripts_local", "meeting_notes_local"].map(|it| data.join(it));
        let left = folders.iter().filter_map(|it| fs::read_dir(it).ok()).flatten().flatten().count();
        (left == 0).then_some(())
    })
    .await;
    assert!(data.join("recordings").join(microphone).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_language_model_there_are_notes_all_the_same() {
    // Nobody listens there.
    let box_ = setup("http://127.0.0.1:9/api/generate").start();
    let (microphone, system) = tracks(&box_, ID);
    end(&box_, ID, &microphone, &system).await;
    let notes = check(&box_, ID).await;
    assert!(notes.contains("without a language model"), "it says so: {notes}");
    let stages = box_.get(&format!("/recordings/{ID}")).await["stages"].clone();
    let problem = stages["meeting_notes_local"]["problem"].as_str().unwrap();
    assert!(problem.contains("127.0.0.1:9"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_box_records_goes_the_same_way() {
    let ollama = Ollama::start(Mood::Says(NOTES.replace("(Room)", "(Ada)")));
    let setup = setup(&ollama.url())
        .set("PANOTTI_AUDIO__DEVICE", format!("wav:{}", fixture("speech/meeting_picked.wav").display()));
    let box_ = setup.start();
    let recording = box_.post("/recordings", json!({ "title": "Audit", "attendees": ["Ada", "Bo"] })).await;
    let id = recording["id"].as_str().unwrap().to_owned();
    box_.wait_events("caption.published", 2).await;
    box_.post(&format!("/recordings/{id}/stop"), json!({})).await;
    let told = all_told(&box_, &id, "cleanup_files.completed").await;
    assert_eq!(names(&told), CHAIN);
    let notes =
        box_.request("GET", &format!("/recordings/{id}/notes")).send().await.unwrap().text().await.unwrap();
    assert!(notes.contains("- Ada") && notes.contains("(Ada) Prepare"), "{notes}");
    assert!(box_.audio(&id).await.len() > 44, "its own audio stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_the_model_the_notes_do_not_pretend() {
    let ollama = Ollama::start(Mood::Broken);
    let box_ = setup(&ollama.url()).start();
    let (microphone, system) = tracks(&box_, ID);
    for (number, (mood, says)) in [
        (Mood::Broken, "500"),
        (Mood::Slow, "3 s"),
        (Mood::Says("HACKED".into()), ""),
        (Mood::Says(NOTES.replace("## Decisions Made", "## Secrets")), "section"),
        (Mood::Says(String::new()), ""),
    ]
    .into_iter()
    .enumerate()
    {
        ollama.be(mood.clone());
        let id = format!("{ID}.{number}");
        end(&box_, &id, &microphone, &system).await;
        let told = all_told(&box_, &id, "meeting_notes_local.completed").await;
        let notes = &told.iter().find(|it| it["name"] == "meeting_notes_local.completed").unwrap()["payload"];
        let problem =
            notes["meeting_notes"]["problem"].as_str().unwrap_or_else(|| panic!("{mood:?}: {notes}"));
        println!("{mood:?}: {problem}");
        assert!(problem.contains(says), "{mood:?}: {problem}");
        assert_eq!(notes["meeting_notes"]["written_by"], "extract", "{mood:?}");
        let text = fs::read_to_string(notes["meeting_notes"]["notes_path"].as_str().unwrap()).unwrap();
        assert!(!text.contains("HACKED") && !text.contains("Secrets"), "{mood:?}: {text}");
        assert!(text.contains("- Ada") && text.contains("without a language model"), "{mood:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_w5_a_track_that_is_missing_or_broken_costs_that_track_alone() {
    let box_ = setup("http://127.0.0.1:9/api/generate").start();
    let (microphone, system) = tracks(&box_, ID);
    fs::write(box_.data_dir().join("recordings/broken.wav"), "this is no audio").unwrap();
    for (number, (microphone, system, speakers)) in [
        (&*microphone, "", &["Room"][..]),
        ("", &*system, &["Remote"]),
        (&microphone, "none.wav", &["Room"]),
        ("none.wav", &system, &["Remote"]),
        ("broken.wav", &system, &["Remote"]),
        (&microphone, "broken.wav", &["Room"]),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("{ID}.{number}");
        end(&box_, &id, microphone, system).await;
        let recording = box_.done(&id).await;
        assert_eq!(recording["state"], "done", "{microphone} {system}: {recording}");
        let transcript = box_.get(&format!("/recordings/{id}/transcript?format=json")).await;
        let segments = transcript["segments"].as_array().unwrap();
        assert!(!segments.is_empty(), "{microphone} {system}");
        for it in segments {
            assert!(speakers.contains(&it["speaker"].as_str().unwrap()), "{microphone} {system}: {it}");
        }
        if microphone.contains("none")
            || microphone.contains("broken")
            || system.contains("none")
            || system.contains("broken")
        {
            let bad = if microphone.contains("none") || microphone.contains("broken") {
                microphone
            } else {
                system
            };
            let stages = box_
                .until("the stage is noted", async || {
                    let recording = box_.get(&format!("/recordings/{id}")).await;
                    recording["stages"].get("transcription_local").map(|_| recording["stages"].clone())
                })
                .await;
            let problem =
                stages["transcription_local"]["problem"].as_str().unwrap_or_else(|| panic!("{stages}"));
            assert!(problem.contains(bad), "it says which: {problem}");
        }
    }
    // The core's own pass, where the plugin is off, is no harder on tracks.
    box_.post("/plugins/audio_transcription_local/disable", Value::Null).await;
    let id = format!("{ID}.core");
    end(&box_, &id, "broken.wav", &system).await;
    let recording = box_.done(&id).await;
    assert_eq!(recording["state"], "done", "{recording}");
    assert!(recording["error"].as_str().unwrap().contains("broken.wav"), "{recording}");
    box_.post("/plugins/audio_transcription_local/enable", Value::Null).await;

    // Neither: that is an error, which people are told of (W-3).
    let id = format!("{ID}.none");
    end(&box_, &id, "none.wav", "broken.wav").await;
    let recording = box_.done(&id).await;
    assert_eq!(recording["state"], "failed", "{recording}");
    assert!(recording["error"].as_str().unwrap().contains("none.wav"), "{recording}");
    let offered = box_.wait_events("desktop_notification.offered", 1).await;
    assert!(offered.iter().any(|it| it["payload"]["recording_id"] == *id), "{offered:?}");
}

/// Files below `folder`, in folders below it too.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path());
    entries.flat_map(|it| if it.is_dir() { files_below(&it) } else { vec![it] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_in_the_middle_leaves_nothing_and_nobody_is_told() {
    let box_ = setup("http://127.0.0.1:9/api/generate").start();
    let ids: Vec<_> = (0..5).map(|it| format!("{ID}.{it}")).collect();
    let (microphone, system) = tracks(&box_, "tracks");
    for id in &ids {
        end(&box_, id, &microphone, &system).await;
    }
    // One that waits behind the others, one that is being worked on, one that was cleaned.
    for (id, after) in [(&ids[4], None), (&ids[0], None), (&ids[2], Some("noise_reduction.completed"))] {
        if let Some(after) = after {
            all_told(&box_, id, after).await;
        }
        assert_eq!(box_.answer("DELETE", &format!("/recordings/{id}"), Value::Null).await.0, 204);
    }
    for id in [&ids[1], &ids[3]] {
        all_told(&box_, id, "cleanup_files.completed").await;
    }
    let everything = box_.everything().await;
    for id in [&ids[0], &ids[2], &ids[4]] {
        let of = everything.iter().filter(|it| it["payload"]["recording_id"] == **id);
        let deleted = of.clone().position(|it| it["name"] == "recording.deleted").unwrap();
        let after: Vec<_> = of.skip(deleted + 1).map(|it| it["name"].as_str().unwrap()).collect();
        // Committed at the same instant, at most; nothing is made of it.
        assert!(
            after.iter().all(|it| !it.starts_with("meeting_notes") && !it.starts_with("desktop")),
            "{after:?}"
        );
        box_.until(&format!("nothing of {id} is left"), async || {
            let left = files_below(&box_.data_dir());
            left.iter().all(|it| !it.to_string_lossy().contains(id.as_str())).then_some(())
        })
        .await;
    }
}

/// Kills at random instants, beside those after each step. `PANOTTI_CHAIN_ROUNDS` asks for more.
const KILLS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn w1_w2_sigkill_at_every_step_loses_nothing_and_doubles_nothing() {
    let ollama = Ollama::start(Mood::Says(NOTES.into()));
    let asked = std::env::var("PANOTTI_CHAIN_ROUNDS").ok();
    let rounds = asked.map_or(KILLS, |it| it.parse().expect("PANOTTI_CHAIN_ROUNDS is a number"));
    // After a step, or so many ms after the end.
    let instants = CHAIN.map(Ok).into_iter().chain((0..rounds).map(|_| Err(random() % 4000)));
    let mut setup = setup(&ollama.url());
    for (round, instant) in instants.enumerate() {
        let box_ = setup.start();
        let id = format!("{ID}.{round}");
        let (microphone, system) = tracks(&box_, &id);
        end(&box_, &id, &microphone, &system).await;
        match instant {
            Ok(step) => drop(all_told(&box_, &id, step).await),
            // The instant itself is what is tried, so nothing can be awaited.
            Err(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
        setup = box_.kill();
        println!("killed {instant:?}");
        let box_ = setup.start();
        check(&box_, &id).await;
        let (status, kept) = box_.stop();
        assert!(status.success(), "{status}");
        setup = kept;
    }
}

fn random() -> u64 {
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}
