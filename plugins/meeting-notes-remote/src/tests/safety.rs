//! What never happens: text in the clear or to a stranger, a key that is seen, a failure that looks like notes.

use std::{io::Read, net::TcpListener, sync::Arc, thread};

use panotti_sdk::{HandlerError, Health};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

use super::*;

/// Delivers a meeting that cannot be handled; why.
fn failure(bench: &Bench) -> HandlerError {
    let error = bench.deliver(completed(&bench.data_directory(), "r", SAID)).unwrap_err();
    let told = bench.events().last().unwrap().clone();
    assert_eq!(told.name.as_str(), "meeting_notes_remote.error");
    assert_eq!(told.payload["recording_id"], "r");
    assert!(!bench.data_directory().join("meeting_notes_remote").exists(), "no file pretends to be notes");
    for event in bench.events() {
        assert!(!event.payload.to_string().contains(KEY), "{}", event.payload);
    }
    assert!(!error.to_string().contains(KEY), "{error}");
    error
}

#[test]
fn w06_a_failure_is_an_error_and_never_a_file() {
    for (answer, why, asked) in [
        (
            Answer::Say(500, json!({ "error": { "message": "overloaded" } }).to_string()),
            "answers 500: overloaded",
            4,
        ),
        (Answer::Say(429, json!({ "error": { "message": "slower" } }).to_string()), "answers 429: slower", 4),
        (Answer::Say(200, "{\"content\": [{".into()), "is no JSON", 4),
        (Answer::Say(200, "{}".into()), "without a text", 4),
        (Answer::Close, "broke", 4),
        (anthropic("I am sorry."), "none of 3 answers of the model could be used", 12),
        (
            Answer::Say(404, json!({ "error": { "message": "no such model" } }).to_string()),
            "the model `m-1`",
            1,
        ),
        (Answer::Say(400, "bad".into()), "refuses, 400: bad", 1),
    ] {
        let (bench, server) = with_server("anthropic", json!({}), move |_| answer.clone());
        let error = failure(&bench);
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(server.asked().len(), asked, "{why}");
        assert_eq!(matches!(error, HandlerError::Permanent(_)), asked == 1, "{why}");
        assert!(matches!(bench.health().unwrap(), Health::Degraded(it) if it.contains(why)));
    }
}

#[test]
fn a_key_is_never_seen() {
    let said = json!({ "error": { "message": format!("Incorrect API key provided: {KEY}.") } }).to_string();
    let (bench, _server) = with_server("openai", json!({}), move |_| Answer::Say(401, said.clone()));
    let error = failure(&bench).to_string();
    assert!(error.contains("does not take the key, 401: Incorrect API key provided: [secret]."), "{error}");
    assert!(matches!(bench.health().unwrap(), Health::Degraded(it) if !it.contains(KEY)));

    let (bench, _server) = with_server("anthropic", json!({}), |_| anthropic(GOOD));
    let (told, page) = notes(&bench, "r");
    assert!(!page.contains(KEY) && !json!(told).to_string().contains(KEY));
    assert!(!bench.config().to_string().contains(KEY));
    assert!(bench.state().values().all(|it| !String::from_utf8_lossy(it).contains(KEY)));
}

#[test]
fn without_a_key_nothing_is_sent() {
    let server = Server::start(|_| anthropic(GOOD)).unwrap();
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.configure(json!({ "anthropic": { "base_url": server.url() } })).start().unwrap();
    let degraded = bench.health().unwrap();
    assert!(
        matches!(degraded, Health::Degraded(it) if it.contains("there is no secret `ANTHROPIC_API_KEY`: give it"))
    );
    assert!(failure(&bench).to_string().contains("there is no secret `ANTHROPIC_API_KEY`"));
    assert!(server.asked().is_empty());
    bench.secret("ANTHROPIC_API_KEY", KEY);
    assert_eq!(bench.health().unwrap(), Health::Healthy);
}

#[test]
fn w31_the_timeout_of_the_settings_counts() {
    let (bench, server) = with_server("anthropic", json!({ "timeout": 1 }), |_| Answer::Silence);
    let error = failure(&bench);
    assert!(error.to_string().contains("has not answered within 1 s"), "{error}");
    assert!(server.asked().len() >= 4, "each attempt asks");
}

#[test]
fn w31_a_certificate_that_nobody_vouches_for_is_refused() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls =
        Arc::new(tls.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (read, heard) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = StreamOwned::new(ServerConnection::new(tls.clone()).unwrap(), stream);
            let mut first = [0; 4];
            read.send(stream.read_exact(&mut first).is_ok().then_some(first)).ok();
        }
    });

    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench
        .configure(json!({ "anthropic": { "base_url": url } }))
        .secret("ANTHROPIC_API_KEY", KEY)
        .start()
        .unwrap();
    let error = failure(&bench).to_string();
    assert!(error.contains("certificate"), "{error}");
    assert_eq!((0..4).map(|_| heard.recv().unwrap()).collect::<Vec<_>>(), [None; 4], "it was sent something");

    // The server itself is well: who does not look at its certificate is heard.
    let careless = ureq::tls::TlsConfig::builder().disable_verification(true).build();
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().tls_config(careless).build());
    agent.get(&url).call().unwrap_err();
    assert_eq!(heard.recv().unwrap(), Some(*b"GET "));
}

#[test]
fn w31_text_goes_nowhere_in_the_clear_and_follows_no_redirect() {
    for (url, key) in
        [("http://api.example", "openai"), ("http://10.0.0.1/v1", "google"), ("ftp://x", "anthropic")]
    {
        let mut bench = Bench::new(DESCRIPTOR).unwrap();
        let refused = bench.configure(json!({ key: { "base_url": url } })).start().unwrap_err();
        assert!(format!("{refused:?}").contains(&format!("{key}.base_url")), "{refused:?}");
    }
    let stranger = Server::start(|_| anthropic(GOOD)).unwrap();
    let url = stranger.url().to_owned();
    let (bench, _server) =
        with_server("anthropic", json!({}), move |_| Answer::Redirect(format!("{url}/messages")));
    assert!(failure(&bench).to_string().contains("refuses, 307"));
    assert!(stranger.asked().is_empty());
}

#[test]
fn silence_is_sent_to_nobody() {
    let (bench, server) = with_server("anthropic", json!({}), |_| anthropic(GOOD));
    let told = bench.deliver(completed(&bench.data_directory(), "r", &[])).unwrap();
    assert_eq!(told[0].payload["meeting_notes"]["written_by"], "extract");
    assert_eq!(told[0].payload["meeting_notes"]["left_the_box"], Value::Null);
    assert!(server.asked().is_empty());
}

#[test]
fn w13_the_two_plugins_of_notes_have_files_of_their_own() {
    let (bench, _server) = with_server("anthropic", json!({}), |_| anthropic(GOOD));
    let (told, _) = notes(&bench, "a.b");
    assert!(told.meeting_notes.notes_path.ends_with("/meeting_notes_remote/a.b_meeting_notes.md"));
    // The other one's file, where it keeps them by default.
    let other = bench.data_directory().join("meeting_notes_local/a.b_meeting_notes.md");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "local").unwrap();
    bench.deliver(deleted("a.b")).unwrap();
    assert!(!Path::new(&told.meeting_notes.notes_path).exists() && other.exists());
    assert!(bench.state().is_empty());
}

#[test]
fn w27_ids_that_are_paths_are_refused_before_anything_is_sent() {
    let (bench, server) = with_server("anthropic", json!({}), |_| anthropic(GOOD));
    let mut event = completed(&bench.data_directory(), "r", SAID);
    for id in ["../../etc/x", "", "a/b"] {
        let mut payload = event.payload().clone();
        payload["recording_id"] = id.into();
        event = NewEvent::new(TRANSCRIPTION_COMPLETED.into(), payload);
        assert!(matches!(bench.deliver(event.clone()), Err(HandlerError::Permanent(_))), "{id}");
    }
    assert!(server.asked().is_empty());
}
