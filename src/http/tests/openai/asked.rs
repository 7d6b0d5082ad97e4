//! What is taken in: forms and their fields, sizes, who may ask.

use super::*;

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let (it, mut requests) = bench_at_the_desk(|_| ());
    let (file, model) = (("file", "sound"), ("model", "whisper-1"));
    let long = "x".repeat(65 * 1024);
    let many = vec![("extra", "1"); 65];
    for (parts, status, param, code, says) in [
        (vec![], 400, json!("file"), json!(null), "there is no file"),
        (vec![model], 400, json!("file"), json!(null), "there is no file"),
        (vec![("file", ""), model], 400, json!("file"), json!(null), "is empty"),
        (vec![file, file, model], 400, json!("file"), json!(null), "two files"),
        (vec![file], 400, json!("model"), json!(null), "send whisper-1"),
        (vec![file, ("model", " ")], 400, json!("model"), json!(null), "send whisper-1"),
        (
            vec![file, ("model", "gpt-4o-transcribe")],
            404,
            json!("model"),
            json!("model_not_found"),
            "whisper-1 and tiny-q5_1",
        ),
        (
            vec![file, model, ("language", "klingon")],
            400,
            json!("language"),
            json!("invalid_language_format"),
            "ISO 639-1",
        ),
        (vec![file, model, ("language", "fr")], 400, json!("language"), json!(null), "en, de"),
        (
            vec![file, model, ("languages[]", "de"), ("languages[]", "en")],
            400,
            json!("language"),
            json!(null),
            "more than one",
        ),
        (
            vec![file, model, ("response_format", "docx")],
            400,
            json!("response_format"),
            json!(null),
            "verbose_json",
        ),
        (
            vec![file, model, ("response_format", "diarized_json")],
            400,
            json!("response_format"),
            json!(null),
            "voices",
        ),
        (
            vec![file, model, ("timestamp_granularities[]", "word")],
            400,
            json!("timestamp_granularities"),
            json!(null),
            "verbose_json",
        ),
        (
            vec![file, model, ("response_format", "verbose_json"), ("timestamp_granularities[]", "letter")],
            400,
            json!("timestamp_granularities"),
            json!(null),
            "`word` or `segment`",
        ),
        (vec![file, model, ("temperature", "warm")], 400, json!("temperature"), json!(null), "0 to 1"),
        (vec![file, model, ("temperature", "1.5")], 400, json!("temperature"), json!(null), "0 to 1"),
        (vec![file, model, ("temperature", "NaN")], 400, json!("temperature"), json!(null), "0 to 1"),
        (vec![file, model, ("stream", "maybe")], 400, json!("stream"), json!(null), "true or false"),
        (
            vec![file, model, ("stream", "true"), ("response_format", "srt")],
            400,
            json!("stream"),
            json!(null),
            "without times",
        ),
        (vec![file, model, ("include[]", "logprobs")], 400, json!("include"), json!(null), "word"),
        (
            vec![file, model, ("chunking_strategy[type]", "server_vad")],
            400,
            json!("chunking_strategy"),
            json!(null),
            "vad.*",
        ),
        (
            vec![file, model, ("chunking_strategy", "{\"type\": \"server_vad\"}")],
            400,
            json!("chunking_strategy"),
            json!(null),
            "vad.*",
        ),
        (
            vec![file, model, ("known_speaker_names[]", "Ann")],
            400,
            json!("known_speaker_names"),
            json!(null),
            "voices",
        ),
        (vec![file, model, ("prompt", &long)], 400, json!(null), json!(null), "65536 bytes"),
        (many, 400, json!(null), json!(null), "64 fields"),
    ] {
        let error = it.transcribe(&parts).await.refusal(status);
        let names: Vec<_> = parts.iter().map(|it| it.0).collect();
        assert_eq!((&error["param"], &error["code"]), (&param, &code), "{names:?}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error["message"].as_str().unwrap().contains(says), "{names:?}: {error}");
    }
    it.cleared().await;
    assert!(requests.incoming.try_recv().is_err(), "none of it reached the transcriber");
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let (it, mut requests) = bench_at_the_desk(|_| ());
    let whole = form(&[("file", "sound"), ("model", "whisper-1")]);
    let endless = format!("--{BOUNDARY}\r\nA: {}", "b".repeat(3 << 20)).into_bytes();
    let latin = [&form(&[])[..0], b"--between-the-parts\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\xe9\r\n--between-the-parts--\r\n"].concat();
    for (kind, body, says) in [
        ("application/json", b"{}".to_vec(), "multipart/form-data"),
        ("multipart/form-data", whole.clone(), "multipart/form-data"),
        (FORM, Vec::new(), "ends early"),
        (FORM, b"sound".to_vec(), "ends early"),
        (FORM, whole[..whole.len() / 2].to_vec(), "ends early"),
        (FORM, endless, "cannot be read"),
        (FORM, latin, "UTF-8"),
    ] {
        // In pieces, as it comes over a network.
        let pieces: Vec<_> = body.chunks(16 * 1024).map(|it| io::Result::Ok(it.to_vec())).collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let headers = [("x-api-key", &*it.operator), ("content-type", kind)];
        let error = it.send("POST /v1/audio/transcriptions", &headers, body).await.refusal(400);
        assert!(error["message"].as_str().unwrap().contains(says), "{kind}, {says}: {error}");
    }
    it.cleared().await;
    assert!(requests.incoming.try_recv().is_err(), "none of it reached the transcriber");
}

#[tokio::test]
async fn the_form_comes_in_any_order_and_in_any_pieces() {
    let (it, mut requests) = bench_at_the_desk(|_| ());
    let sound = format!("RIFF\r\n--{}\r\n\r\n-{}", &BOUNDARY[..9], "\u{1}\r\n".repeat(5_000));
    let others = [
        ("prompt", "Panotti, ggml"),
        ("language", "DE"),
        ("model", "tiny-q5_1"),
        ("keywords[]", "Nomodo"),
        ("keywords[]", "Ear"),
        ("hotwords", "of other servers"),
        ("response_format", ""),
        ("chunking_strategy", "auto"),
        ("temperature", "0.2"),
    ];
    for (place, size) in [1, 2, 3, 1_000, usize::MAX].into_iter().enumerate() {
        let mut parts = others.to_vec();
        parts.insert(place * 2, ("file", &*sound));
        let body = form(&parts);
        let pieces: Vec<_> =
            body.chunks(size.min(body.len())).map(|it| io::Result::Ok(it.to_vec())).collect();
        let answer = send(&it.router, it.upload(Body::from_stream(futures_util::stream::iter(pieces))));
        let work = async {
            let asked = asked_of(&mut requests).await;
            assert_eq!(asked.recording_id, None, "somebody waits for it");
            let file = &asked.tracks[0].files[0];
            assert_eq!(fs::read_to_string(file).unwrap(), sound);
            assert_eq!(file.parent(), Some(&*it.dir.path().join("uploads")));
            let prompt = Some("Panotti, ggml Nomodo, Ear".to_owned());
            assert_eq!(asked.hints, Hints { language: Some("de".into()), prompt });
            asked.reply.send(Ok(transcript())).unwrap();
        };
        let (answer, ()) = tokio::join!(answer, work);
        let want = json!({"text": "Guten Tag. Es geht los.", "usage": {"type": "duration", "seconds": 6.25}});
        assert_eq!(answer.json(), want, "pieces of {size}");
        it.cleared().await;
    }
}

#[tokio::test]
async fn too_large_and_no_room() {
    let large = "x".repeat((1 << 20) + 1);
    let (file, model) = (("file", &*large), ("model", "whisper-1"));
    let (it, _requests) = bench_at_the_desk(|it| it.server.upload_limit_mib = 1);
    let error = it.transcribe(&[file, model]).await.refusal(413);
    assert!(error["message"].as_str().unwrap().contains("server.upload_limit_mib"), "{error}");
    // What says so beforehand is not taken in.
    let mut announced = it.upload("");
    announced.headers_mut().insert("content-length", "99999999".parse().unwrap());
    announced.headers_mut().insert("expect", "100-continue".parse().unwrap());
    send(&it.router, announced).await.refusal(413);
    it.cleared().await;

    let (it, _requests) = bench_at_the_desk(|it| it.storage.min_free_mib = 1 << 30);
    let error = it.transcribe(&[file, model]).await.refusal(507);
    assert!(error["message"].as_str().unwrap().contains("storage.min_free_mib"), "{error}");
    it.cleared().await;
}

#[tokio::test]
async fn refusals_below_v1_look_as_openais() {
    let (it, _requests) = bench_at_the_desk(|_| ());
    for (line, key, status, says) in [
        ("GET /v1/models", "", 401, "a key is needed"),
        ("GET /v1/models", "wrong", 401, "not valid"),
        ("POST /v1/audio/transcriptions", &it.viewer, 403, "operator"),
        ("POST /v1/audio/translations", &it.operator, 404, "POST /v1/audio/transcriptions"),
        ("GET /v1", &it.viewer, 404, "GET /v1/models"),
        ("GET /v1/models/a/b", &it.viewer, 404, "GET /v1/models"),
        ("GET /v1/audio/transcriptions", &it.operator, 405, "method"),
        ("DELETE /v1/models/whisper-1", &it.operator, 405, "method"),
    ] {
        let answer = it.send(line, &[("authorization", &format!("Bearer {key}"))], "").await;
        let error = answer.refusal(status);
        assert!(error["message"].as_str().unwrap().contains(says), "{line}: {error}");
        let code = if status == 401 { json!("invalid_api_key") } else { json!(null) };
        assert_eq!((&error["code"], &error["type"]), (&code, &json!("invalid_request_error")), "{line}");
        assert_eq!(answer.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
    }
    // Elsewhere nothing has changed.
    it.send("GET /v10", &[], "").await.problem(404);
}
