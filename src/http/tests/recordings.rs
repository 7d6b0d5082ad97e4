//! Recordings over HTTP: their life, their audio, their transcript, and what is not acceptable.

use serde_json::json;

use super::*;
use crate::speech::{Segment, Transcript};

#[tokio::test]
async fn a_life() {
    let it = bench();
    let body = json!({ "title": "Weekly", "attendees": ["Ada"], "metadata": { "room": 4 } });
    let started = it.ask("POST /recordings", body.to_string()).await;
    let recording = started.json();
    let id = recording["id"].as_str().unwrap();
    assert_eq!(
        (started.status, started.header("location")),
        (StatusCode::CREATED, &*format!("/recordings/{id}"))
    );
    assert_eq!((&recording["state"], &recording["title"]), (&json!("recording"), &json!("Weekly")));
    assert!(it.ask("POST /recordings", "{}").await.problem(409).contains(id));
    assert_eq!(it.ask("GET /live", "").await.json()["recording"]["id"], id);

    for (action, state) in [("pause", "paused"), ("resume", "recording"), ("stop", "transcribing")] {
        let answer = it.ask(&format!("POST /recordings/{id}/{action}"), "").await;
        assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!(state)), "{action}");
    }
    let patch = json!({ "title": "Weekly 2", "metadata": { "room": null, "floor": 1 } });
    let patched = it.ask(&format!("PATCH /recordings/{id}"), patch.to_string()).await.json();
    assert_eq!((&patched["title"], &patched["metadata"]), (&json!("Weekly 2"), &json!({ "floor": 1 })));

    it.ask(&format!("GET /recordings/{id}/transcript"), "").await.problem(409);
    let segment = Segment {
        start_ms: 0,
        end_ms: 250,
        speaker: None,
        text: "Hello.".into(),
        words: Vec::new(),
        confidence: 0.9,
    };
    let transcript = Transcript { segments: vec![segment], duration_ms: 250, ..Transcript::default() };
    it.app.recordings.written_down(id, &transcript, None).unwrap();
    for (format, kind, has) in [
        ("json", "application/json", "\"Hello.\""),
        ("txt", "text/plain; charset=utf-8", "Hello."),
        ("md", "text/markdown; charset=utf-8", "Weekly 2"),
        ("srt", "application/x-subrip; charset=utf-8", "00:00:00,000 --> "),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT"),
        ("html", "text/html; charset=utf-8", "<!DOCTYPE html>"),
    ] {
        let answer = it.ask(&format!("GET /recordings/{id}/transcript?format={format}"), "").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, kind));
        // A page is looked at, the rest is kept.
        let how = if format == "html" { "inline" } else { "attachment" };
        let name = format!("{how}; filename=\"{id}.{format}\"");
        assert_eq!(answer.header("content-disposition"), name);
        assert!(String::from_utf8(answer.bytes).unwrap().contains(has), "{format}");
    }
    it.ask(&format!("GET /recordings/{id}/transcript?format=docx"), "").await.problem(422);

    assert_eq!(it.ask(&format!("DELETE /recordings/{id}"), "").await.status, StatusCode::NO_CONTENT);
    it.ask(&format!("GET /recordings/{id}"), "").await.problem(404);
    it.ask(&format!("GET /recordings/{id}/audio"), "").await.problem(404);
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let it = bench();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, it.stopped().await);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = it.ask(&format!("GET /recordings?limit=2{cursor}"), "").await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ids);
    for query in ["limit=0", "limit=201", "limit=x", "cursor=zz", "cursor=6162", "sort=asc"] {
        it.ask(&format!("GET /recordings?{query}"), "").await.problem(422);
    }
}

#[tokio::test]
async fn audio_in_ranges() {
    let it = bench();
    let id = it.stopped().await;
    let uri = format!("/recordings/{id}/audio");
    let whole = it.ask(&format!("GET {uri}"), "").await;
    let tag = whole.header("etag").to_owned();
    let len = whole.bytes.len();
    assert_eq!((whole.status, whole.header("accept-ranges")), (StatusCode::OK, "bytes"));
    assert!(len > FRAMES * 2 && whole.bytes.starts_with(b"RIFF"), "{len}");
    assert_eq!(whole.header("content-length"), len.to_string());

    let key = ("x-api-key", it.viewer.as_str());
    for (range, if_range, expected) in [
        ("bytes=0-3", tag.as_str(), Some(0..4)),
        ("bytes=4-", &tag, Some(4..len)),
        ("bytes=-8", &tag, Some(len - 8..len)),
        ("bytes=0-3", "\"other\"", None),
        ("bytes=0-1,4-5", &tag, None),
    ] {
        let headers = [key, ("range", range), ("if-range", if_range)];
        let answer = it.send(&format!("GET {uri}"), &headers, "").await;
        let (status, bytes) = match &expected {
            Some(part) => (StatusCode::PARTIAL_CONTENT, &whole.bytes[part.clone()]),
            None => (StatusCode::OK, &whole.bytes[..]),
        };
        assert_eq!((answer.status, &answer.bytes[..]), (status, bytes), "{range}");
        if let Some(part) = expected {
            let content_range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
            assert_eq!(answer.header("content-range"), content_range);
        }
    }
    let beyond = it.send(&format!("GET {uri}"), &[key, ("range", "bytes=999999-")], "").await;
    beyond.problem(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{len}"));
    let head = it.send(&format!("HEAD {uri}"), &[key], "").await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, &*len.to_string()));
    assert!(head.bytes.is_empty());
    let known = it.send(&format!("GET {uri}"), &[key, ("if-none-match", &tag)], "").await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    it.ask(&format!("GET {uri}?track=1"), "").await.problem(404);

    let link = it.ask(&format!("POST {uri}-link"), "").await.json();
    let link = link["url"].as_str().unwrap();
    let by_link = it.send(&format!("GET {link}"), &[("range", "bytes=0-3")], "").await;
    assert_eq!((by_link.status, &by_link.bytes[..]), (StatusCode::PARTIAL_CONTENT, &b"RIFF"[..]));
    it.send(&format!("GET {uri}?token=0"), &[], "").await.problem(401);
    let token = link.split_once('?').unwrap().1;
    it.send(&format!("GET /recordings/{id}?{token}"), &[], "").await.problem(401);
    it.send(&format!("GET /recordings/other/audio?{token}"), &[], "").await.problem(401);
}

#[tokio::test]
async fn files_of_different_formats_are_had_one_by_one() {
    let it = bench();
    let id = it.ask("POST /recordings", "{}").await.json()["id"].as_str().unwrap().to_owned();
    let folder = it.app.config.storage.recordings_dir().join(&id);
    write_wav_at(&folder.join("audio-0002.wav"), RATE_HZ * 2);
    let detail = it.ask(&format!("GET /recordings/{id}/audio"), "").await.problem(409);
    assert!(detail.contains("?segment="), "{detail}");
    for (segment, rate_hz) in [(0, RATE_HZ), (1, RATE_HZ * 2)] {
        let answer = it.ask(&format!("GET /recordings/{id}/audio?segment={segment}"), "").await;
        assert_eq!(hound::WavReader::new(&answer.bytes[..]).unwrap().spec().sample_rate, rate_hz);
    }
    it.ask(&format!("GET /recordings/{id}/audio?segment=2"), "").await.problem(404);
}

#[tokio::test]
async fn audio_while_it_is_recorded_has_no_name_yet() {
    let it = bench();
    let id = it.start().await;
    let answer = it.ask(&format!("GET /recordings/{id}/audio"), "").await;
    assert_eq!((answer.status, answer.header("etag")), (StatusCode::OK, ""));
}

#[tokio::test]
async fn ids_reach_no_files() {
    let it = bench();
    std::fs::write(it.dir.path().join("secret.wav"), "secret").unwrap();
    for id in ["..", "%2e%2e", "..%2fsecret", "%2e%2e%2fsecret.wav", "a%00b", "%2fetc", ".a", "a%20b", "%ff"]
    {
        for line in [
            format!("GET /recordings/{id}"),
            format!("GET /recordings/{id}/audio"),
            format!("GET /recordings/{id}/transcript"),
            format!("DELETE /recordings/{id}"),
            format!("PATCH /recordings/{id}"),
            format!("POST /recordings/{id}/stop"),
        ] {
            it.ask(&line, "").await.problem(404);
        }
    }
    let long = "a".repeat(129);
    it.ask(&format!("GET /recordings/{long}"), "").await.problem(404);
    assert!(it.dir.path().join("secret.wav").exists());
}

#[tokio::test]
async fn bodies_that_are_not_acceptable() {
    let it = bench();
    for (body, named) in [
        ("{", "not JSON: EOF while parsing an object at line 1"),
        ("{bad", "not JSON: key must be a string at line 1"),
        ("[]x", "body"),
        ("\"text\"", "body"),
        (r#"{"title": 3}"#, "`title`"),
        (r#"{"attendees": ["a", 1]}"#, "`attendees[1]`"),
        (r#"{"titel": "x"}"#, "titel"),
        (r#"{"title": "a"} {}"#, "trailing"),
        ("\u{0}", "body"),
    ] {
        let detail = it.ask("POST /recordings", body).await.problem(422);
        assert!(detail.contains(named), "{body}: {detail}");
    }
    it.ask("POST /recordings", vec![b' '; 10_000_000]).await.problem(413);
    let form = [("x-api-key", it.operator.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    it.send("POST /recordings", &form, "title=x").await.problem(422);
    assert!(it.app.recordings.list(None, 10).unwrap().is_empty(), "nothing is half-done");
}
