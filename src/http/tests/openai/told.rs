//! What is told of the work, that it is bounded, and that it ends with its client.

use super::*;

/// The `data` of each event, as JSON.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/event-stream"));
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    let lines = text.split("\n\n").filter(|it| !it.is_empty());
    lines.map(|it| serde_json::from_str(it.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

async fn send_owned(router: Router, request: Request<Body>) -> Answer {
    send(&router, request).await
}

#[tokio::test]
async fn every_form_of_an_answer() {
    let (it, mut requests) = bench_at_the_desk(|_| ());
    let text = "Guten Tag. Es geht los.";
    let segments = json!([
        {
            "id": 0, "seek": 150, "start": 1.5, "end": 2.5, "text": " Guten Tag.", "tokens": [], "temperature": 0.0,
            "avg_logprob": -std::f64::consts::LN_2, "compression_ratio": 1.0, "no_speech_prob": 0.0,
        },
        {
            "id": 1, "seek": 400, "start": 4.0, "end": 5.5, "text": " Es geht los.", "tokens": [], "temperature": 0.0,
            "avg_logprob": -std::f64::consts::LN_2, "compression_ratio": 1.0, "no_speech_prob": 0.0,
        },
    ]);
    let first_word = json!({"word": "Guten", "start": 1.5, "end": 1.9, "probability": 0.5});
    let srt =
        "1\n00:00:01,500 --> 00:00:02,500\nGuten Tag.\n\n2\n00:00:04,000 --> 00:00:05,500\nEs geht los.\n\n";
    let vtt = "WEBVTT\n\n00:00:01.500 --> 00:00:02.500\nGuten Tag.\n\n00:00:04.000 --> 00:00:05.500\nEs geht los.\n\n";
    for (format, granularities, kind) in [
        ("text", vec![], "text/plain; charset=utf-8"),
        ("srt", vec![], "application/x-subrip; charset=utf-8"),
        ("vtt", vec![], "text/vtt; charset=utf-8"),
        ("verbose_json", vec![], "application/json"),
        ("verbose_json", vec!["segment"], "application/json"),
        ("verbose_json", vec!["word"], "application/json"),
        ("verbose_json", vec!["word", "segment"], "application/json"),
    ] {
        let mut parts = vec![("file", "sound"), ("model", "whisper-1"), ("response_format", format)];
        parts.extend(granularities.iter().map(|it| ("timestamp_granularities[]", *it)));
        let work = async {
            asked_of(&mut requests).await.reply.send(Ok(transcript())).unwrap();
        };
        let (answer, ()) = tokio::join!(it.transcribe(&parts), work);
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, kind), "{format}");
        let body = String::from_utf8(answer.bytes.clone()).unwrap();
        match format {
            "text" => assert_eq!(body, "Guten Tag.\nEs geht los.\n"),
            "srt" => assert_eq!(body, srt),
            "vtt" => assert_eq!(body, vtt),
            _ => {
                let told = answer.json();
                assert_eq!((&told["task"], &told["language"]), (&json!("transcribe"), &json!("german")));
                assert_eq!((&told["duration"], &told["text"]), (&json!(6.25), &json!(text)));
                let (words, alone) = (granularities.contains(&"word"), granularities == ["word"]);
                assert_eq!(told["segments"], if alone { json!(null) } else { segments.clone() });
                assert_eq!(told["words"][0], if words { first_word.clone() } else { json!(null) });
                assert_eq!(told["words"].as_array().map_or(0, Vec::len), if words { 5 } else { 0 });
            }
        }
    }
}

#[tokio::test]
async fn a_stream_tells_each_segment_then_the_whole_and_ends() {
    let (it, mut requests) = bench_at_the_desk(|_| ());
    let parts = [("stream", "true"), ("file", "sound"), ("model", "whisper-1")];
    let work = async {
        let asked = asked_of(&mut requests).await;
        let said = asked.said.unwrap();
        transcript().segments.into_iter().for_each(|it| said.send(it).unwrap());
        asked.reply.send(Ok(transcript())).unwrap();
    };
    let (answer, ()) = tokio::join!(it.transcribe(&parts), work);
    assert_eq!(
        events(&answer),
        [
            json!({"type": "transcript.text.delta", "delta": "Guten Tag."}),
            json!({"type": "transcript.text.delta", "delta": " Es geht los."}),
            json!({"type": "transcript.text.done", "text": "Guten Tag. Es geht los."}),
        ]
    );
    // Nothing is said in it.
    let work = async {
        asked_of(&mut requests).await.reply.send(Ok(Transcript::default())).unwrap();
    };
    let (answer, ()) = tokio::join!(it.transcribe(&parts), work);
    assert_eq!(events(&answer), [json!({"type": "transcript.text.done", "text": ""})]);
    it.cleared().await;
}

#[tokio::test]
async fn work_that_fails() {
    let (it, mut requests) = bench_at_the_desk(|_| ());
    let unreadable = || {
        let source = io::Error::other("`/secret/place` is a letter").into();
        DeskError::Audio(speech::Error::Audio { path: "/secret/place".into(), source })
    };
    let parts = [("file", "sound"), ("model", "whisper-1"), ("stream", "true")];
    for (error, status, kind, retry, says) in [
        (unreadable(), 400, "invalid_request_error", "", "it is a letter"),
        (DeskError::NoModel, 503, "server_error", "", "transcription.model"),
        (DeskError::Model("it is damaged".into()), 503, "server_error", "", "it is damaged"),
        (DeskError::Closed, 503, "server_error", "5", "stopping"),
        (DeskError::Audio(speech::Error::Cancelled), 500, "server_error", "", "its log says"),
    ] {
        for parts in [&parts[..], &parts[..2]] {
            let again = match &error {
                DeskError::Audio(speech::Error::Audio { .. }) => unreadable(),
                DeskError::NoModel => DeskError::NoModel,
                DeskError::Model(why) => DeskError::Model(why.clone()),
                DeskError::Closed => DeskError::Closed,
                _ => DeskError::Audio(speech::Error::Cancelled),
            };
            let work = async {
                asked_of(&mut requests).await.reply.send(Err(again)).unwrap();
            };
            let (answer, ()) = tokio::join!(it.transcribe(parts), work);
            let told = answer.refusal(status);
            assert_eq!((told["type"].as_str(), answer.header("retry-after")), (Some(kind), retry));
            let message = told["message"].as_str().unwrap();
            assert!(message.contains(says) && !message.contains("secret"), "{told}");
        }
    }
    // After the first words there is no status left to say it with.
    let work = async {
        let asked = asked_of(&mut requests).await;
        asked.said.unwrap().send(segment("Guten Tag.", 0)).unwrap();
        asked.reply.send(Err(DeskError::Closed)).unwrap();
    };
    let (answer, ()) = tokio::join!(it.transcribe(&parts), work);
    let events = events(&answer);
    assert_eq!(events[0], json!({"type": "transcript.text.delta", "delta": "Guten Tag."}));
    assert_eq!((&events[1]["type"], &events[1]["error"]["type"]), (&json!("error"), &json!("server_error")));
    assert_eq!(events.len(), 2);
    it.cleared().await;
}

#[tokio::test]
async fn a_client_that_goes_leaves_nothing() {
    let (it, mut requests) = bench_at_the_desk(|_| ());
    // Half of a file, and then an error instead of the rest.
    let whole = form(&[("file", "sound"), ("model", "whisper-1")]);
    let pieces =
        [Ok(whole[..whole.len() - 60].to_vec()), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    let broken = send(&it.router, it.upload(Body::from_stream(futures_util::stream::iter(pieces)))).await;
    broken.refusal(400);
    it.cleared().await;

    // One that waits for its turn, and one that reads.
    for stream in ["false", "true"] {
        let parts = [("file", "sound"), ("model", "whisper-1"), ("stream", stream)];
        let answer = tokio::spawn({
            let (router, request) = (it.router.clone(), it.upload(form(&parts)));
            async move {
                let response = router.oneshot(request).await.unwrap();
                std::future::pending::<()>().await;
                drop(response);
            }
        });
        let mut asked = asked_of(&mut requests).await;
        assert_eq!(it.uploads(), asked.tracks[0].files);
        if let Some(said) = &asked.said {
            said.send(segment("Guten Tag.", 0)).unwrap();
        }
        assert!(!asked.reply.is_closed());
        answer.abort();
        asked.reply.closed().await;
        it.cleared().await;
    }
}

#[tokio::test]
async fn a_bounded_number_waits() {
    let (it, mut requests) = bench_at_the_desk(|_| ());
    let parts = [("file", "sound"), ("model", "whisper-1")];
    let ask = || tokio::spawn(send_owned(it.router.clone(), it.upload(form(&parts))));
    let waiting: Vec<_> = (0..MAX_TRANSCRIPTIONS).map(|_| ask()).collect();
    let mut asked = Vec::new();
    for _ in &waiting {
        asked.push(asked_of(&mut requests).await);
    }
    let refused = it.transcribe(&parts).await;
    let error = refused.refusal(429);
    assert_eq!((&error["type"], &error["code"]), (&json!("requests"), &json!("rate_limit_exceeded")));
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(it.uploads().len(), MAX_TRANSCRIPTIONS, "the refused one left nothing");

    // One is done, one goes: two places.
    let (mut waiting, mut asked) = (waiting, asked);
    asked.swap_remove(0).reply.send(Ok(transcript())).unwrap();
    let done = loop {
        if let Some(at) = waiting.iter().position(tokio::task::JoinHandle::is_finished) {
            break waiting.swap_remove(at);
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(done.await.unwrap().status, StatusCode::OK);
    waiting.swap_remove(0).abort();
    while !asked.iter().any(|it| it.reply.is_closed()) {
        tokio::task::yield_now().await;
    }
    asked.retain(|it| !it.reply.is_closed());
    let again = [ask(), ask()];
    for _ in &again {
        asked.push(asked_of(&mut requests).await);
    }
    assert_eq!(asked.len(), MAX_TRANSCRIPTIONS);
    asked.into_iter().for_each(|it| it.reply.send(Ok(transcript())).unwrap());
    for it in waiting.into_iter().chain(again) {
        assert_eq!(it.await.unwrap().status, StatusCode::OK);
    }
    it.cleared().await;
}

#[tokio::test]
async fn models_that_can_be_named() {
    let (mut it, requests) = bench_at_the_desk(|_| ());
    let viewer = it.viewer.clone();
    let ask =
        async |it: &Bench, path: &str| it.send(&format!("GET {path}"), &[("x-api-key", &viewer)], "").await;
    let file = it.dir.path().join("models/ggml-tiny-q5_1.bin");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let at = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::create(&file).unwrap().set_modified(at).unwrap();
    let model =
        |id: &str, created| json!({"id": id, "object": "model", "created": created, "owned_by": "panotti"});
    let both = |created| json!({"object": "list", "data": [model("whisper-1", created), model("tiny-q5_1", created)]});
    assert_eq!(ask(&it, "/v1/models").await.json(), both(1_700_000_000));
    assert_eq!(ask(&it, "/v1/models/tiny-q5_1").await.json(), model("tiny-q5_1", 1_700_000_000));
    assert_eq!(ask(&it, "/v1/models/tts-1").await.refusal(404)["code"], "model_not_found");

    // A file elsewhere, as configured; one that is gone.
    let elsewhere = it.dir.path().join("ggml-tiny-q5_1.bin");
    fs::rename(&file, &elsewhere).unwrap();
    assert_eq!(ask(&it, "/v1/models").await.json(), both(0));
    let mut config = Config::clone(&it.app.config);
    config.transcription.model = Some(elsewhere.display().to_string());
    it.app.config = Arc::new(config);
    it.router = router(it.app.clone());
    assert_eq!(ask(&it, "/v1/models").await.json(), both(1_700_000_000));

    requests.model.send_replace(None);
    assert_eq!(ask(&it, "/v1/models").await.json(), json!({"object": "list", "data": []}));
    ask(&it, "/v1/models/whisper-1").await.refusal(404);
    let parts = [("file", "sound"), ("model", "tiny-q5_1")];
    assert_eq!(it.transcribe(&parts).await.refusal(404)["code"], "model_not_found");
    it.app.status.update(|it| it.model = crate::status::ModelState::Loading { name: "tiny-q5_1".into() });
    let loading = it.transcribe(&parts).await;
    assert_eq!((&loading.refusal(503)["type"], loading.header("retry-after")), (&json!("server_error"), "2"));
}

#[tokio::test]
async fn what_an_earlier_process_left_is_removed() {
    let it = bench();
    let uploads = it.dir.path().join("uploads");
    crate::http::openai::clear(uploads.clone()).await;
    fs::create_dir_all(&uploads).unwrap();
    fs::write(uploads.join("left"), "half of a file").unwrap();
    crate::http::openai::clear(uploads).await;
    assert!(it.uploads().is_empty());
}
