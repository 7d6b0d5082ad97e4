//! From the room to the transcript: what is spoken is recorded as it was, captioned while it is spoken,
//! and written down; through real libasound, in real time.

use std::time::Duration;

use panotti::speech::word_error_rate;
use serde_json::{Value, json};

use crate::{
    harness::{Setup, fixture, read_wav, reference},
    room::{self, Room},
};

fn text_of(transcript: &Value) -> String {
    let segments = transcript["segments"].as_array().unwrap();
    segments.iter().map(|it| it["text"].as_str().unwrap().trim()).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_meeting_through_alsa_in_real_time() {
    let room = Room::open();
    let setup =
        room.environment().into_iter().fold(Setup::hearing("room"), |it, (name, value)| it.set(name, value));
    let panotti = setup
        .set("PANOTTI_AUDIO__RATE_HZ", "16000")
        .set("PANOTTI_AUDIO__CHANNELS", "1")
        .set("PANOTTI_AUDIO__FORMAT", "S16_LE")
        .start();
    let id = panotti.record("Spoken").await;
    let mut speaker = room.speak(&fixture("speech/meeting_picked.wav"));
    panotti.wait_events("caption.published", 2).await;
    assert!(speaker.try_wait().unwrap().is_none(), "captions come while it is still being said");
    while speaker.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panotti.wait_events("caption.published", 14).await;
    panotti.post(&format!("/recordings/{id}/stop"), json!({})).await;
    let recording = panotti.done(&id).await;
    assert_eq!((&recording["state"], &recording["error"]), (&json!("done"), &Value::Null));

    let audio = panotti.request("GET", &format!("/recordings/{id}/audio")).send().await.unwrap();
    let audio = audio.bytes().await.unwrap();
    let (heard, rate, channels) = read_wav(&audio);
    assert_eq!((rate, channels), (16_000, 1));
    let (played, ..) = read_wav(&std::fs::read(fixture("speech/meeting_picked.wav")).unwrap());
    // The first 0.2 s are silent; PulseAudio may put the beginning into what its null sink has already
    // rendered, before the recording began.
    const SILENT: usize = 3200;
    let played = &played[SILENT..];
    let (at, likeness) = room::find(played, &heard);
    assert!(likeness > 0.99, "what was recorded is what was played: {likeness} from frame {at}");
    assert!(heard.len() >= at + played.len(), "nothing is missing at the end");

    let transcript = panotti.get(&format!("/recordings/{id}/transcript?format=json")).await;
    let errors = word_error_rate(&reference(), &text_of(&transcript));
    assert!(errors <= 0.15, "{errors}: {}", text_of(&transcript));
    let captions = panotti.events("caption.published").await;
    let said: Vec<_> = captions.iter().map(|it| it["payload"]["segment"]["text"].as_str().unwrap()).collect();
    let errors = word_error_rate(&reference(), &said.join(" "));
    assert!(errors <= 0.25, "captions {errors}: {said:?}");
    // A caption stands where the words were said.
    let start = captions[0]["payload"]["segment"]["start_ms"].as_u64().unwrap() as f64;
    let expected = (at as f64 - SILENT as f64) / 16.0;
    assert!((start - expected).abs() < 700.0, "the first caption at {start} ms, said at {expected} ms");
    // What the model wrote, in every form; which words it gets right is judged above.
    let written = transcript["segments"][1]["text"].as_str().unwrap();
    // Subtitles break lines, and long sentences.
    let written = written.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    for format in ["txt", "md", "srt", "vtt"] {
        let text = panotti
            .request("GET", &format!("/recordings/{id}/transcript?format={format}"))
            .send()
            .await
            .unwrap();
        let text = text.text().await.unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&written), "{format}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_are_not_kept() {
    let panotti = Setup::hearing_wav(&fixture("speech/meeting_picked.wav")).start();
    let id = panotti.record("Paused").await;
    panotti.wait_events("caption.published", 1).await;
    let paused = panotti.post(&format!("/recordings/{id}/pause"), json!({})).await;
    let kept_ms = paused["duration_ms"].as_u64().unwrap();
    assert!(kept_ms > 1000, "{paused}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let resumed = panotti.post(&format!("/recordings/{id}/resume"), json!({})).await;
    assert_eq!(resumed["duration_ms"], kept_ms, "nothing was kept meanwhile");
    let before = panotti.events("caption.published").await.len();
    panotti.wait_events("caption.published", before + 1).await;
    panotti.post(&format!("/recordings/{id}/stop"), json!({})).await;
    let recording = panotti.done(&id).await;
    let audio = panotti.request("GET", &format!("/recordings/{id}/audio")).send().await.unwrap();
    let (heard, rate, _) = read_wav(&audio.bytes().await.unwrap());
    let heard_ms = heard.len() as u64 * 1000 / u64::from(rate);
    assert_eq!(recording["duration_ms"].as_u64().unwrap(), heard_ms);
    let transcript = panotti.get(&format!("/recordings/{id}/transcript?format=json")).await;
    let last = transcript["segments"].as_array().unwrap().last().unwrap()["end"].as_f64().unwrap();
    assert!(
        last * 1000.0 <= heard_ms as f64 + 1.0,
        "times are those of the kept audio: {last} s of {heard_ms} ms"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn labelled_channels_are_speakers() {
    // Anna says the first sentence of the meeting on the left, Bo the second one on the right.
    let (samples, rate, _) = read_wav(&std::fs::read(fixture("speech/meeting_picked.wav")).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("two.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut two = hound::WavWriter::create(&path, spec).unwrap();
    let split = 49 * rate as usize / 10;
    for (place, sample) in samples.iter().take(10 * rate as usize).enumerate() {
        let value = (sample * 32767.0) as i16;
        let (left, right) = if place < split { (value, 0) } else { (0, value) };
        two.write_sample(left).unwrap();
        two.write_sample(right).unwrap();
    }
    for _ in 0..rate * 4 {
        two.write_sample(0_i16).unwrap();
    }
    two.finalize().unwrap();
    // What has no label is heard too, by captions as by the final pass.
    for (labels, second) in [("[Anna, Bo]", json!("Bo")), ("[Anna]", Value::Null)] {
        let panotti = Setup::hearing_wav(&path).set("PANOTTI_AUDIO__LABELS", labels).start();
        let id = panotti.record("Two").await;
        let captions = panotti.wait_events("caption.published", 2).await;
        let speakers: Vec<_> = captions.iter().map(|it| &it["payload"]["segment"]["speaker"]).collect();
        assert_eq!(speakers, [&json!("Anna"), &second]);
        panotti.post(&format!("/recordings/{id}/stop"), json!({})).await;
        panotti.done(&id).await;
        let transcript = panotti.get(&format!("/recordings/{id}/transcript?format=json")).await;
        let segments = transcript["segments"].as_array().unwrap();
        let written: Vec<_> = segments.iter().map(|it| &it["speaker"]).collect();
        assert_eq!(written, [&json!("Anna"), &second], "{transcript}");
        assert!(segments[1]["text"].as_str().unwrap().contains("Sam, could you please"), "{transcript}");
        let text = panotti.request("GET", &format!("/recordings/{id}/transcript?format=md"));
        let text = text.send().await.unwrap().text().await.unwrap();
        let named = second.as_str().map_or_else(String::new, |it| format!("{it}: "));
        assert!(text.contains("Anna: ") && text.contains(&format!("{named}Sam, could you please")), "{text}");
    }
}
