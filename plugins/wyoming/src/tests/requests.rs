//! What clients ask for and get.

use panotti_sdk::Health;

use super::*;

#[test]
fn the_service_and_its_model_are_described() {
    let mut bench = bench(json!({}));
    let mut client = Client::of(&bench);
    client.raw(b"{\"type\": \"describe\", \"version\": \"1.10.2\"}\n");
    let info = client.answer("info");
    let (program, model) = (&info["asr"][0], &info["asr"][0]["models"][0]);
    assert_eq!((&program["name"], &program["installed"]), (&json!("panotti"), &json!(true)));
    assert_eq!((&model["name"], &model["languages"]), (&json!("bench"), &json!(["en"])));
    assert_eq!(server(&bench)["model"], "bench");
    assert_eq!(bench.health().unwrap(), Health::Healthy);

    // A box without a model says so, wherever one looks.
    bench.stop().unwrap();
    let mut bench = Bench::new(DESCRIPTOR).unwrap();
    bench.configure(json!({ "listen": "127.0.0.1:0" })).start().unwrap();
    let mut client = Client::of(&bench);
    client.send("describe", &json!({}));
    let info = client.answer("info");
    assert_eq!((&info["asr"][0]["installed"], &info["asr"][0]["models"]), (&json!(false), &json!([])));
    let Health::Degraded(reason) = bench.health().unwrap() else { panic!("it is not healthy") };
    assert!(reason.contains("transcription.model"), "{reason}");
    client.say(3200);
    client.send("audio-stop", &json!({}));
    let (code, text) = client.error();
    assert_eq!(
        (&*code, &*text),
        ("no-model", "no model is in use: choose one with `panotti model use`, or set transcription.model")
    );
    assert_eq!(waiting(&bench), 0);
}

#[test]
fn audio_becomes_text_and_its_file_goes() {
    let bench = bench(json!({}));
    let mut client = Client::of(&bench);
    let names = json!(["Zoë", " Dr.\tNo\n"]);
    client.send(
        "transcribe",
        &json!({ "name": "any", "language": "en-GB", "transcript_terms": ["Zigbee", 7, ""], "transcript_names": names }),
    );
    client.say(200_000);
    until("what was said is on its way to the disk", || waiting(&bench) == 1);
    client.send("audio-stop", &json!({ "timestamp": 6250 }));
    let expected = json!({ "text": "Turn on the lights – now.", "language": "en" });
    assert_eq!(client.answer("transcript"), expected);
    assert_eq!(waiting(&bench), 0);

    // The next request of the same client begins anew.
    client.say(0);
    client.send("audio-stop", &json!({}));
    assert_eq!(client.answer("transcript"), expected);
    let asked: Vec<_> = asked(&bench).into_iter().map(|it| (it.language, it.prompt)).collect();
    let prompt = Some("Zoë, Dr. No, Zigbee.".to_owned());
    assert_eq!(asked, [(Some("en".into()), prompt), (None, None)]);
    let server = server(&bench);
    assert_eq!(
        (&server["clients"], &server["answered"], &server["refused"]),
        (&json!(1), &json!(2), &json!(0))
    );
    assert!(bench.audit().is_empty(), "{:?}", bench.audit());
}

#[test]
fn a_chunk_may_say_its_format_itself_and_a_new_start_drops_what_came() {
    let bench = bench(json!({}));
    let mut client = Client::of(&bench);
    client.send_with("audio-chunk", &json!({ "rate": 8000, "width": 1, "channels": 2 }), &[128; 4000]);
    client.send_with("audio-chunk", &json!({}), &[128; 4000]);
    until("one file", || waiting(&bench) == 1);
    client.send("audio-start", &json!({ "rate": 48_000, "width": 4, "channels": 8 }));
    client.send_with("audio-chunk", &json!({ "rate": 48_000, "width": 4, "channels": 8 }), &[0; 32 * 480]);
    client.send("audio-stop", &json!({}));
    client.answer("transcript");
    assert_eq!((waiting(&bench), asked(&bench).len()), (0, 1));
}

#[test]
fn pings_are_answered_and_what_is_not_known_is_passed_over() {
    let bench = bench(json!({}));
    let mut client = Client::of(&bench);
    client.send_with("timer-started", &json!({ "text": 7, "rate": "x" }), &[0; 70_000]);
    client.send("select-program", &json!({ "name": "panotti" }));
    client.send("ping", &json!({ "text": "still there?" }));
    assert_eq!(client.answer("pong"), json!({ "text": "still there?" }));
    client.raw(b"{\"type\":\"ping\"}\r\n");
    assert_eq!(client.answer("pong"), json!({ "text": null }));
}

#[test]
fn who_leaves_takes_the_audio_along() {
    let bench = bench(json!({}));
    let mut client = Client::of(&bench);
    client.say(100_000);
    until("the audio is there", || waiting(&bench) == 1 && server(&bench)["clients"] == 1);
    drop(client);
    until("the audio is gone", || waiting(&bench) == 0 && server(&bench)["clients"] == 0);
    assert!(asked(&bench).is_empty());
}

#[test]
fn a_stop_cuts_clients_off_and_a_start_finds_the_port_free_and_no_leftovers() {
    let mut bench = bench(json!({}));
    let listen = address(&bench);
    let mut client = Client::of(&bench);
    client.say(100_000);
    until("the audio is there", || waiting(&bench) == 1);
    bench.stop().unwrap();
    // Cut off with what it sent unread, or not.
    let mut rest = Vec::new();
    assert_eq!(client.0.read_to_end(&mut rest).unwrap_or(0), 0);
    until("the audio is gone", || waiting(&bench) == 0);

    // As after a power cut.
    fs::write(bench.data_directory().join("plugin/requests/7.wav"), "RIFF").unwrap();
    bench.configure(json!({ "listen": listen.to_string() })).start().unwrap();
    assert_eq!((waiting(&bench), address(&bench)), (0, listen));
    let mut client = Client::of(&bench);
    client.say(3200);
    client.send("audio-stop", &json!({}));
    client.answer("transcript");
}
