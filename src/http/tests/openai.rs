//! OpenAI's API: what is refused and how, what reaches the transcriber, what is told of its work, and that
//! nothing is left behind. The transcriber's side of the desk is the test's.

use std::{fs, io, path::PathBuf};

use panotti_sdk::SpeechModel;
use serde_json::json;

use super::*;
use crate::speech::{self, DeskError, Hints, Order, Requests, Segment, Transcript, Word};

const BOUNDARY: &str = "between-the-parts";
const FORM: &str = "multipart/form-data; boundary=between-the-parts";

type Part<'a> = (&'a str, &'a str);

/// A box whose transcriber is the test, with a model that writes English and German.
fn bench_at_the_desk(change: impl FnOnce(&mut Config)) -> (Bench, Requests) {
    let mut it = bench();
    let (desk, requests) = speech::desk();
    let languages = ["en", "de"].map(str::to_owned).to_vec();
    requests.model.send_replace(Some(SpeechModel { name: "tiny-q5_1".into(), languages }));
    let mut config = Config::clone(&it.app.config);
    change(&mut config);
    (it.app.desk, it.app.config) = (desk, Arc::new(config));
    it.router = router(it.app.clone());
    (it, requests)
}

/// The next audio that is handed in.
async fn asked_of(requests: &mut Requests) -> speech::Request {
    match requests.incoming.recv().await {
        Some(Order::Audio(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in parts {
        let file = if *name == "file" { "; filename=\"a.wav\"\r\nContent-Type: audio/wav" } else { "" };
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend([head.as_bytes(), value.as_bytes(), b"\r\n"].concat());
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn word(text: &str, start_ms: u64, confidence: f32) -> Word {
    Word { start_ms, end_ms: start_ms + 400, text: text.into(), confidence }
}

fn segment(text: &str, start_ms: u64) -> Segment {
    let words: Vec<_> =
        (start_ms..).step_by(500).zip(text.split(' ')).map(|(at, it)| word(it, at, 0.5)).collect();
    let end_ms = start_ms + 500 * words.len() as u64;
    Segment { start_ms, end_ms, speaker: None, text: text.into(), words, confidence: 0.5 }
}

fn transcript() -> Transcript {
    let segments = vec![segment("Guten Tag.", 1_500), segment("Es geht los.", 4_000)];
    Transcript { language: "de".into(), duration_ms: 6_250, model: "tiny-q5_1".into(), segments }
}

impl Bench {
    fn upload(&self, body: impl Into<Body>) -> Request<Body> {
        let headers = [("authorization", &*format!("Bearer {}", self.operator)), ("content-type", FORM)];
        request("POST /v1/audio/transcriptions", &headers, body)
    }

    async fn transcribe(&self, parts: &[Part<'_>]) -> Answer {
        send(&self.router, self.upload(form(parts))).await
    }

    fn uploads(&self) -> Vec<PathBuf> {
        let dir = fs::read_dir(self.dir.path().join("uploads"));
        dir.into_iter().flatten().map(|it| it.unwrap().path()).collect()
    }

    /// Waits until no file of a client is left.
    async fn cleared(&self) {
        let clear = async {
            while !self.uploads().is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), clear).await.expect("no file is left");
    }
}

impl Answer {
    /// The `error` of an answer in OpenAI's form.
    #[track_caller]
    fn refusal(&self, status: u16) -> Value {
        let body = String::from_utf8_lossy(&self.bytes).into_owned();
        assert_eq!(
            (self.status.as_u16(), self.header("content-type")),
            (status, "application/json"),
            "{body}"
        );
        let error = self.json()["error"].clone();
        let keys: Vec<_> = error.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["code", "message", "param", "type"]);
        assert!(error["message"].as_str().is_some_and(|it| it.len() > 10), "{error}");
        error
    }
}

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

/// The `data` of each event, as JSON.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/event-stream"));
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    let lines = text.split("\n\n").filter(|it| !it.is_empty());
    lines.map(|it| serde_json::from_str(it.strip_prefix("data: ").unwrap()).unwrap()).collect()
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

async fn send_owned(router: Router, request: Request<Body>) -> Answer {
    send(&router, request).await
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
