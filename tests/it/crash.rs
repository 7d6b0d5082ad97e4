//! Pulling the plug, and ending in order: what was recorded is there afterwards, and so is every
//! acknowledged event.

use panotti::speech::word_error_rate;
use serde_json::{Value, json};

use crate::harness::{Setup, fixture, panotti, read_wav, reference};

async fn all_events(panotti: &crate::harness::Panotti) -> Vec<Value> {
    panotti.get("/events?order=asc&limit=200").await["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn sigkill_in_a_recording() {
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    let id = box_.record("Cut short").await;
    box_.wait_events("caption.published", 2).await;
    let position = box_.get("/system").await;
    let recording = box_.get(&format!("/recordings/{id}")).await;
    assert_eq!(recording["state"], "recording", "{position}");
    let acknowledged = all_events(&box_).await;
    let began = std::time::Instant::now();
    // The file is read until the very end, so that it is known how much had been captured.
    let captured = box_.request("GET", &format!("/recordings/{id}/audio")).send().await.unwrap();
    let (before, rate, _) = read_wav(&captured.bytes().await.unwrap());
    let setup = box_.kill();
    let after_read = began.elapsed();

    let box_ = setup.start();
    let recording = box_.done(&id).await;
    assert_eq!(recording["interrupted"], true);
    assert_eq!(recording["state"], "done", "{recording}");
    let audio = box_.request("GET", &format!("/recordings/{id}/audio")).send().await.unwrap();
    let (after, ..) = read_wav(&audio.bytes().await.unwrap());
    let lost = before.len().saturating_sub(after.len());
    assert!(lost as u64 <= u64::from(rate), "{lost} frames lost, killed {after_read:?} later");
    let (played, ..) = read_wav(&std::fs::read(fixture("speech/meeting_picked.wav")).unwrap());
    let (_, likeness) = crate::room::find(&after[..after.len().min(played.len()) / 2], &played);
    assert!(likeness > 0.99, "the audio that is left is what was played: {likeness}");

    let events = all_events(&box_).await;
    assert_eq!(
        events[..acknowledged.len()],
        acknowledged,
        "every acknowledged event is there, once, in order"
    );
    let names: Vec<_> = events.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"recording.ended") && names.contains(&"transcription_local.completed"),
        "{names:?}"
    );
    let transcript = box_.get(&format!("/recordings/{id}/transcript?format=json")).await;
    let text = transcript["text"].as_str().unwrap();
    let words = text.split_whitespace().count();
    let said = reference().split_whitespace().take(words).collect::<Vec<_>>().join(" ");
    assert!(words >= 8 && word_error_rate(&said, text) < 0.3, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_a_recording() {
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    let id = box_.record("Restarted").await;
    box_.wait_events("caption.published", 1).await;
    let (status, setup) = box_.stop();
    assert!(status.success(), "{status}");
    let box_ = setup.start();
    let recording = box_.done(&id).await;
    assert_eq!(
        (&recording["state"], &recording["interrupted"]),
        (&json!("done"), &json!(true)),
        "{recording}"
    );
    let audio = box_.request("GET", &format!("/recordings/{id}/audio")).send().await.unwrap();
    let (heard, rate, _) = read_wav(&audio.bytes().await.unwrap());
    assert_eq!(recording["duration_ms"].as_u64().unwrap(), heard.len() as u64 * 1000 / u64::from(rate));
    let names: Vec<_> =
        all_events(&box_).await.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.contains(&"system.stopped".to_owned()), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_is_refused() {
    let box_ = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    let second =
        panotti(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(box_.data_dir()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains("already runs") && said.contains(&box_.id().to_string()), "{said}");
    // An address in use is refused as plainly, with another directory.
    let elsewhere = tempfile::tempdir().unwrap();
    let third = panotti(&["serve", "--listen", &box_.address.to_string(), "--data-dir"])
        .arg(elsewhere.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&third.stderr).into_owned();
    assert_eq!(third.status.code(), Some(1));
    assert!(said.contains("cannot listen on") && said.contains("--listen"), "{said}");
    assert_eq!(box_.get("/health").await["status"], "ok", "the first one does not notice");
}
